"""Videos in, upscaled videos or a preview of them out.

It imports PyAV, which not everybody has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Results
from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.inference.pictures.files import TakenFiles, is_written
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.plan import choose_part
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.source import (
    first_picture_stream,
    open_container,
    time_code,
)
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo
from realesrgan_paddle.inference.video.upscale_video import sampled_frames
from realesrgan_paddle.inference.video.writing.containers import suffix_for
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.video.comparison import write_frames_page, write_preview

MICROSECONDS = 1e6
"""In a second: the unit of a container's duration (AV_TIME_BASE)."""


def declared_pixels(path: Path, flags: UpscaleFlags) -> float:
    """Return the pixels of the frames to upscale, as the file's header has them.

    0 if it cannot be read, or does not say.
    """
    try:
        with open_container(path) as container:
            picture = first_picture_stream(path, container)
            rate = float(picture.average_rate or 0)
            seconds = float((picture.duration or 0) * picture.time_base)
            seconds = seconds or float(container.duration or 0) / MICROSECONDS
            size = picture.codec_context.width * picture.codec_context.height
    except (UserError, OSError):
        return 0.0

    if flags.preview_frames:
        return float(size * flags.preview_frames)
    length = min(seconds, flags.video.end or seconds) - (flags.video.start or 0)
    if flags.preview:
        length = min(length, flags.preview)
    return max(0.0, length) * rate * size


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
                _preview(upscaler, record.input, target, flags)
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
            "delete it to have it made anew"
        )
        return

    outcome = upscaler.video(
        record.input, target, flags.video, outscale=flags.outscale, say=say
    )
    record.output = target
    record.note(outcome)
    say(_summary(outcome))
    for remark in outcome.remarks:
        say(f"  {remark}")


def target_of(path: Path, results: Results, flags: UpscaleFlags) -> Path:
    """Return the file of a video's result: --output if it names one, else in it."""
    output = results.output
    if is_video_name(output) and not output.is_dir():
        return output
    stem = f"{path.stem}_{results.suffix}" if results.suffix else path.stem
    suffix = f".{flags.container}"
    if flags.container == "auto":
        codec = flags.video.codec
        if codec == "auto":
            codec = "vp9" if path.suffix.lower() == ".webm" else "h264"
        suffix = suffix_for(path, codec)
    return results.folder_of(path) / f"{stem}{suffix}"


def _summary(outcome: UpscaledVideo) -> str:
    """Return what became of a video, as a line."""
    source, encoding = outcome.plan.source, outcome.plan.encoding
    seconds = outcome.seconds
    done = outcome.frames - outcome.resumed
    line = (
        f"{source.path.name}: {source.width}x{source.height} -> {outcome.plan.target} "
        f"{encoding.width}x{encoding.height}, {outcome.frames:,} frames, "
        f"{encoding.codec}, {outcome.bytes / 1e6:,.1f} MB"
    )
    if outcome.resumed:
        line += f"; {outcome.resumed:,} of them done by an earlier run"
    if done:
        rate = done / seconds.total
        share = seconds.network / seconds.total
        line += (
            f"; {duration(seconds.total)}, {rate:.3g} frames/s, {share:.0%} of it in the "
            "network"
        )

    repeats = outcome.repeats
    if repeats.frames:
        line += f"; {repeats.frames:,} identical frames were computed once"
    if repeats.tiles:
        share = repeats.tiles / (repeats.tiles + repeats.tiles_computed)
        line += f"; {share:.0%} of the tiles are those of the frame before"
    return line


def _preview(upscaler: Upscaler, path: Path, target: Path, flags: UpscaleFlags) -> None:
    """Write a page that shows a part of a video before and after, beside its result.

    Raises:
        UserError: as `upscale_video`.
    """
    folder = target.with_name(f"{target.stem}_preview")
    if flags.preview_frames:
        page = _show_frames(upscaler, path, folder, flags, flags.preview_frames)
    else:
        seconds = Fraction(flags.preview or 0)
        result = folder / f"preview{target.suffix}"
        page = _show_seconds(upscaler, path, result, flags, seconds)
    say(f"open {page} in a browser")


def _show_frames(
    upscaler: Upscaler,
    path: Path,
    folder: Path,
    flags: UpscaleFlags,
    count: int,
) -> Path:
    """Show `count` frames that are evenly spread."""
    frames = []
    sampled = sampled_frames(
        upscaler, path, flags.video, count, outscale=flags.outscale
    )
    for frame, result in sampled:
        say(f"{path.name}: frame at {time_code(frame.seconds)}")
        before, after = frame.image[..., :3], result[..., :3]
        frames.append((frame.seconds, before, after))
    return write_frames_page(
        frames, folder, headline=path.name, remark=f"upscaled with {flags.model_path}"
    )


def _show_seconds(
    upscaler: Upscaler,
    path: Path,
    result: Path,
    flags: UpscaleFlags,
    seconds: Fraction,
) -> Path:
    """Show some seconds from the middle."""
    source = open_video(path)
    part = choose_part(source, flags.video, [])
    timeline = part.timeline
    begin = timeline.times[0] * timeline.time_base - source.start
    end = timeline.end * timeline.time_base - source.start

    length = min(seconds, end - begin)
    start = (begin + end - length) / 2
    excerpt = replace(flags.video, start=float(start), end=float(start + length))
    outcome = upscaler.video(path, result, excerpt, outscale=flags.outscale, say=say)
    say(_summary(outcome))
    say(_whole(outcome, len(timeline.times)))
    return write_preview(path, result, result.parent, excerpt, remarks=outcome.remarks)


def _whole(outcome: UpscaledVideo, frames: int) -> str:
    """Return what the whole video would take, as a line."""
    done = outcome.frames - outcome.resumed
    seconds = outcome.seconds.network + outcome.seconds.encode
    total = frames * seconds / max(1, done)

    bytes_a_frame = outcome.bytes / outcome.frames
    megabytes = frames * bytes_a_frame / 1e6
    return (
        f"all {frames:,} frames will take about {duration(total)} and "
        f"{megabytes:,.1f} MB"
    )
