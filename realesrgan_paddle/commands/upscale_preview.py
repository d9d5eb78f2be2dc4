"""A few seconds or frames of a video, upscaled and shown: is this what was wanted?"""

import argparse
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from realesrgan_paddle.commands.video_names import summary, target_of
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.job import sampled_frames
from realesrgan_paddle.inference.video.outcome import Outcome
from realesrgan_paddle.inference.video.plan import choose_part
from realesrgan_paddle.inference.video.reading.open_source import open_source
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.source import time_code
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.video.preview import write_frames_page, write_preview


def preview(
    upscaler: Upscaler, path: Path, settings: VideoSettings, flags: argparse.Namespace
) -> None:
    """Write a page that shows a part of a video before and after, beside its result.

    Raises:
        UserError: as `upscale_video`.
    """
    target = target_of(path, flags)
    folder = target.with_name(f"{target.stem}_preview")
    if flags.preview_frames:
        page = _show_frames(upscaler, path, folder, settings, flags)
    else:
        page = _show_seconds(upscaler, path, folder, target.suffix, settings, flags)
    say(f"open {page} in a browser")


def _show_frames(
    upscaler: Upscaler,
    path: Path,
    folder: Path,
    settings: VideoSettings,
    flags: argparse.Namespace,
) -> Path:
    """Show frames that are evenly spread."""
    frames = []
    sampled = sampled_frames(
        upscaler, path, settings, flags.preview_frames, outscale=flags.outscale
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
    folder: Path,
    suffix: str,
    settings: VideoSettings,
    flags: argparse.Namespace,
) -> Path:
    """Show some seconds from the middle."""
    source = open_source(path)
    part = choose_part(source, settings, [])
    timeline = part.timeline
    begin = timeline.times[0] * timeline.time_base - source.start
    end = timeline.end * timeline.time_base - source.start

    length = min(Fraction(flags.preview), end - begin)
    start = (begin + end - length) / 2
    excerpt = replace(settings, start=float(start), end=float(start + length))
    result = folder / f"preview{suffix}"
    outcome = upscaler.video(path, result, excerpt, outscale=flags.outscale, say=say)
    say(summary(outcome))
    say(_whole(outcome, len(timeline.times)))
    return write_preview(path, result, folder, excerpt, remarks=outcome.remarks)


def _whole(outcome: Outcome, frames: int) -> str:
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
