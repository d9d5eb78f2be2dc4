"""Which frames of a video are taken, before anything is known of their quality."""

from dataclasses import dataclass
from typing import Literal

from realesrgan_paddle.utils.cli import float_range, setting


@dataclass(frozen=True)
class Sampling:
    """Which frames to take, and what to do about interlaced video."""

    select: Literal["keyframe", "scene", "interval"] = setting(
        "keyframe",
        "take the frames stored whole, the first of each scene, or one each --interval seconds",
    )
    interval: float = setting(
        1.0,
        "seconds from one frame to the next, with --select interval",
        float_range(0.001),
    )
    scene_change: float = setting(
        0.1,
        "how much of the picture must change at once to begin a scene, with --select scene",
        float_range(0, 1),
    )
    interlaced: Literal["deinterlace", "skip", "keep"] = setting(
        "deinterlace",
        "what to do with interlaced videos; deinterlacing decodes all frames, so it takes longer",
    )
    max_minutes: float = setting(
        360.0, "give up a video after so long", float_range(0.001)
    )

    def expression(self) -> str:
        """Return the condition for ffmpeg's select filter.

        "scene" is ffmpeg's measure of how much a frame differs from the one before (0.1
        is the threshold of its scdet filter, too). Times are presentation times, so a
        variable frame rate is no matter.
        """
        if self.select == "keyframe":
            return "key"
        if self.select == "scene":
            return f"eq(n,0)+gt(scene,{self.scene_change:.6f})"
        # The first frame of each stretch of `interval` seconds; the microsecond is for
        # times such as 0.29999999.
        stretch = "floor(({}+0.000001)/{:.6f})"
        now, then = (
            stretch.format("t", self.interval),
            stretch.format("prev_selected_t", self.interval),
        )
        return f"isnan(prev_selected_t)+gt({now},{then})"
