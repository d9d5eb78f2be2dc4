"""Previews of upscaled videos: bounded in time, with what the whole video would take.

It imports PyAV, which not everybody has.
"""

import time
from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from realesrgan_paddle.commands.choose_network import PATIENCE as UNASKED
from realesrgan_paddle.commands.choose_network import faster_networks, time_for
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.plan import VideoPart, choose_part
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.source import VideoSource, time_code
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo
from realesrgan_paddle.inference.video.upscale_video import sampled_frames
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.image_headers import stand_upright
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.video.comparison import write_frames_page, write_preview

PATIENCE = 180.0
"""Seconds that a preview may take about; one that would take longer shrinks."""
MOVING = 12
"""With fewer frames than so many still ones are shown, from all over the video."""


def summary(outcome: UpscaledVideo) -> str:
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


def show_preview(
    upscaler: Upscaler, path: Path, target: Path, flags: UpscaleFlags
) -> None:
    """Write a page that shows a part of a video before and after, beside its result.

    Raises:
        UserError: as `upscale_video`.
    """
    folder = target.with_name(f"{target.stem}_preview")
    source = open_video(path)
    part = choose_part(source, flags.video, [])
    seconds, frames, share = _bounded(upscaler, source, part, flags)
    if frames:
        page = _show_frames(upscaler, source, part, folder, flags, frames, share)
    else:
        result = folder / f"preview{target.suffix}"
        page = _show_seconds(upscaler, source, part, result, flags, seconds)
    say(f"open {page} in a browser")


def _bounded(
    upscaler: Upscaler, source: VideoSource, part: VideoPart, flags: UpscaleFlags
) -> tuple[Fraction, int, float]:
    """Return the seconds, or else the frames, and the share of each, that are shown.

    What is asked for, or what takes no longer than `PATIENCE`; that is said.
    """
    timeline = part.timeline
    rate = len(timeline.times) / (
        (timeline.end - timeline.times[0]) * timeline.time_base
    )
    seconds = Fraction(flags.preview or 0)
    asked = flags.preview_frames or max(1, int(seconds * rate))
    asked = min(asked, len(timeline.times))

    a_frame = time_for(upscaler.run, source.width * source.height)
    if asked * a_frame <= PATIENCE:
        return seconds, flags.preview_frames or 0, 1.0
    fitting = max(1, int(PATIENCE / a_frame))
    share = min(1.0, PATIENCE / a_frame)
    shown = f"{fitting} frames" if fitting > 1 else "one frame"
    if share < 1:
        shown = f"{share:.0%} of one frame, its middle"
    takes = f"about {duration(asked * a_frame)}"
    say(
        f"{source.path.name}: {asked:,} frames would take {takes}, so the preview has {shown}"
    )
    if flags.preview and fitting >= MOVING:
        return fitting / rate, 0, share
    return Fraction(0), fitting, share


def _show_frames(
    upscaler: Upscaler,
    source: VideoSource,
    part: VideoPart,
    folder: Path,
    flags: UpscaleFlags,
    count: int,
    share: float,
) -> Path:
    """Show `count` frames that are evenly spread, or the middle of each."""
    frames = []
    path = source.path
    sampled = sampled_frames(
        upscaler, path, flags.video, count, outscale=flags.outscale, share=share
    )
    began = time.monotonic()
    for frame, result in sampled:
        say(f"{path.name}: frame at {time_code(frame.seconds)}")
        before, after = (
            stand_upright(each[..., :3], source.orientation)
            for each in (frame.image, result)
        )
        frames.append((frame.seconds, before, after))

    a_frame = (time.monotonic() - began) / len(frames) / share
    whole = _whole(len(part.timeline.times), a_frame, flags.model_path)
    say(whole)
    remark = f"upscaled with {flags.model_path}; {whole}"
    return write_frames_page(frames, folder, headline=path.name, remark=remark)


def _show_seconds(
    upscaler: Upscaler,
    source: VideoSource,
    part: VideoPart,
    result: Path,
    flags: UpscaleFlags,
    seconds: Fraction,
) -> Path:
    """Show some seconds from the middle."""
    timeline = part.timeline
    begin = timeline.times[0] * timeline.time_base - source.start
    end = timeline.end * timeline.time_base - source.start

    length = min(seconds, end - begin)
    start = (begin + end - length) / 2
    # From a frame on, so that there is one in however short a part.
    since = (start + source.start) / timeline.time_base
    shown = timeline.times[max(0, bisect_right(timeline.times, since) - 1)]
    start = shown * timeline.time_base - source.start
    excerpt = replace(flags.video, start=float(start), end=float(start + length))
    outcome = upscaler.video(
        source.path, result, excerpt, outscale=flags.outscale, say=say
    )
    say(summary(outcome))

    done = max(1, outcome.frames - outcome.resumed)
    a_frame = (outcome.seconds.network + outcome.seconds.encode) / done
    frames = len(timeline.times)
    megabytes = frames * outcome.bytes / outcome.frames / 1e6
    whole = f"{_whole(frames, a_frame, flags.model_path)}; {megabytes:,.1f} MB"
    say(whole)
    remarks = [whole, *outcome.remarks]
    return write_preview(source.path, result, result.parent, excerpt, remarks=remarks)


def _whole(frames: int, a_frame: float, model: str) -> str:
    """Return what the whole video would take, and with faster networks, as a line."""
    seconds = frames * a_frame
    takes = f"about {duration(seconds)}"
    if seconds > UNASKED:
        takes = faster_networks(model, seconds)
    return f"all {frames:,} frames will take {takes}"
