"""What results of videos are called, and what is said of them."""

import argparse
from pathlib import Path

from realesrgan_paddle.data.footage.video import is_video_name
from realesrgan_paddle.inference.video.outcome import Outcome
from realesrgan_paddle.inference.video.writing.containers import (
    suffix_for,
)
from realesrgan_paddle.utils.runlog.meter import duration


def target_of(path: Path, flags: argparse.Namespace) -> Path:
    """Return the file of a video's result: --output if it names one, else in it."""
    output = Path(flags.output)
    if is_video_name(output) and not output.is_dir():
        return output
    stem = f"{path.stem}_{flags.suffix}" if flags.suffix else path.stem
    suffix = f".{flags.container}"
    if flags.container == "auto":
        codec = flags.codec
        if codec == "auto":
            codec = "vp9" if path.suffix.lower() == ".webm" else "h264"
        suffix = suffix_for(path, codec)

    folder = output
    if flags.recursive and Path(flags.input).is_dir():
        folder /= path.parent.relative_to(flags.input)
    return folder / f"{stem}{suffix}"


def summary(outcome: Outcome) -> str:
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
