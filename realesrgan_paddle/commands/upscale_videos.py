"""Videos in, upscaled videos or a preview of them out.

It imports PyAV, which not everybody has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Results
from realesrgan_paddle.commands.video_previews import show_preview, summary
from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.inference.pictures.files import TakenFiles, is_written
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo
from realesrgan_paddle.inference.video.writing.containers import suffix_for
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line


@dataclass(eq=False)
class VideoRecord(Record):
    """What became of one video; `frames` are those of its result.

    Attributes:
        outcome: None if it failed, or was there before.
    """

    outcome: UpscaledVideo | None = None

    def note(self, outcome: UpscaledVideo) -> None:
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


def upscale_videos(
    upscaler: Upscaler,
    records: Sequence[VideoRecord],
    results: Results,
    flags: UpscaleFlags,
    taken: TakenFiles,
) -> None:
    """Upscale videos, or parts of them, as the flags say; note what became of them.

    One that fails does not stop the others, but a full disk does.
    """
    for record in records:
        try:
            target = target_of(record.input, results, flags)
            if flags.preview or flags.preview_frames:
                show_preview(upscaler, record.input, target, flags)
                record.status = "skipped"
            else:
                _upscale_one(upscaler, record, target, flags, taken)
        except (UserError, OSError) as error:
            record.status = "failed"
            line = failure_line(record.input, error)
            record.error = line.removeprefix(f"{record.input}: ")
            say(f"{record.input.name}: failed: {record.error}")


def _upscale_one(
    upscaler: Upscaler,
    record: VideoRecord,
    target: Path,
    flags: UpscaleFlags,
    taken: TakenFiles,
) -> None:
    """Upscale one video into `target`."""
    taken.take(target, record.input)
    if flags.skip_existing and is_written(target):
        record.output, record.status = target, "skipped"
        say(
            f"{record.input.name}: {target} was there before, and is left as it is; "
            f"{flags.how_anew.format('it')}"
        )
        return

    outcome = upscaler.video(
        record.input, target, flags.video, outscale=flags.outscale, say=say
    )
    record.output = target
    record.note(outcome)
    say(summary(outcome))
    for remark in outcome.remarks:
        say(f"  {remark}")


def target_of(path: Path, results: Results, flags: UpscaleFlags) -> Path:
    """Return the file of a video's result: --output if it names one, else in it."""
    output = results.output
    if is_video_name(output) and not output.is_dir():
        return output
    stem = "_".join([path.stem, *_marks(results, flags)])
    suffix = f".{flags.container}"
    if flags.container == "auto":
        codec = flags.video.codec
        if codec == "auto":
            codec = "vp9" if path.suffix.lower() == ".webm" else "h264"
        suffix = suffix_for(path, codec)
    return results.folder_of(path) / f"{stem}{suffix}"


def _marks(results: Results, flags: UpscaleFlags) -> list[str]:
    """Return what a result's name has besides that of its video.

    With neither --output nor --suffix also a size and a part that were asked for: none
    is to be taken for the whole video at the usual size.
    """
    usual = [results.suffix] if results.suffix else []
    if flags.output is not None or flags.suffix is not None:
        return usual
    width, height, start, end = (
        getattr(flags.video, name) for name in ("width", "height", "start", "end")
    )
    if width and height:
        usual = [f"{width}x{height}"]
    elif width or height:
        usual = [f"{height}p" if height else f"{width}w"]
    if (start, end) == (None, None):
        return usual
    until = "end" if end is None else f"{end:.12g}"
    return [*usual, f"{start or 0:.12g}-{until}"]
