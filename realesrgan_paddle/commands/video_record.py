"""What the report says of a video."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realesrgan_paddle.inference.pictures.record import Record

if TYPE_CHECKING:
    from realesrgan_paddle.inference.video.outcome import Outcome


@dataclass(eq=False)
class VideoRecord(Record):
    """What became of one video; `frames` are those of its result.

    Attributes:
        outcome: None if it failed, or was there before.
    """

    outcome: "Outcome | None" = None

    def note(self, outcome: "Outcome") -> None:
        """Take down what became of the video."""
        source, encoding = outcome.plan.source, outcome.plan.encoding
        self.outcome = outcome
        self.status = "done"
        self.remarks = list(outcome.remarks)
        self.size = (source.width, source.height)
        self.output_size = (encoding.width, encoding.height)
        self.frames = outcome.frames
        self.decode = outcome.seconds.decode
        self.compute = outcome.seconds.network
        self.encode = outcome.seconds.encode + outcome.seconds.mux

    def details(self) -> dict[str, Any]:
        """See `Record`."""
        if self.outcome is None:
            return {}
        outcome, encoding = self.outcome, self.outcome.plan.encoding
        timeline = outcome.plan.part.timeline
        shown = (timeline.end - timeline.times[0]) * timeline.time_base
        video = {
            "duration": round(float(shown), 6),
            "seconds": round(outcome.seconds.total, 4),
            "frames_resumed": outcome.resumed,
            "frames_bad": outcome.bad,
            "frames_repeated": outcome.repeats.frames,
            "tiles_repeated": outcome.repeats.tiles,
            "tiles_computed": outcome.repeats.tiles_computed,
            "codec": encoding.codec,
            "pixel_format": encoding.pixel_format,
            "bytes": outcome.bytes,
        }
        return {"video": video}
