"""Which frames of a video are decoded and scored."""

from dataclasses import dataclass
from typing import Literal

from realesrgan_paddle.utils.cli import float_range, setting


@dataclass(frozen=True)
class Sampling:
    """Which frames to take from a video, and how to treat interlaced videos."""

    select: Literal["keyframe", "scene", "interval"] = setting(
        "keyframe",
        "take key frames (fast, least compressed), the first frame of each scene, or "
        "one frame every --interval seconds",
    )
    interval: float = setting(
        1.0, "seconds between frames, for --select interval", float_range(0.001)
    )
    scene_change: float = setting(
        0.1,
        "difference from the previous frame that starts a scene, for --select scene; "
        "lower finds more scenes",
        float_range(0, 1),
    )
    """Compared with the `scene` score of ffmpeg's select filter.

    0.1 is also the default of its scdet filter (threshold 10 of 100).
    """
    interlaced: Literal["deinterlace", "skip", "keep"] = setting(
        "deinterlace",
        "what to do with interlaced videos; deinterlace is slow, as it decodes every "
        "frame",
    )
    max_minutes: float = setting(
        360.0, "give up on a video after this many minutes", float_range(0.001)
    )

    def expression(self) -> str:
        """Return the condition for ffmpeg's select filter.

        It compares presentation times, so the frame rate may vary.
        """
        if self.select == "keyframe":
            return "key"
        if self.select == "scene":
            return f"eq(n,0)+gt(scene,{self.scene_change:.6f})"

        # Take the first frame of each interval. The microsecond is for times such as
        # 0.29999999, which belong to the interval that begins at 0.3.
        current = self._interval_number("t")
        previous = self._interval_number("prev_selected_t")
        return f"isnan(prev_selected_t)+gt({current},{previous})"

    def _interval_number(self, time: str) -> str:
        return f"floor(({time}+0.000001)/{self.interval:.6f})"
