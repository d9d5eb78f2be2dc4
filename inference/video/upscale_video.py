"""A video in, a larger video out."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from realesrgan_paddle.inference.runners.runner import network_digest
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.video.plan import (
    VideoPlan,
    choose_part,
    make_plan,
    result_size,
)
from realesrgan_paddle.inference.video.prefetch import Stream, prefetch
from realesrgan_paddle.inference.video.reading.colors import has_alpha
from realesrgan_paddle.inference.video.reading.frames import FrameReader, RGBFrame
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.recurrent import (
    carries_state,
    open_frame_upscaler,
    with_next,
)
from realesrgan_paddle.inference.video.segment_maker import SegmentMaker, UpscaledVideo
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.writing.muxing import mux
from realesrgan_paddle.inference.video.writing.segments import SegmentFolder
from realesrgan_paddle.utils.files import atomic_path, make_folder, sha256_of


def upscale_video(
    upscaler: ArrayUpscaler,
    source: Path,
    target: Path,
    settings: VideoSettings,
    *,
    outscale: float | None = None,
    say: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> UpscaledVideo:
    """Write an upscaled video, with all that goes with it.

    A run that was ended goes on where it was, if the same is asked for again.

    Args:
        upscaler: upscales the frames.
        source: the video.
        target: the file of the result; replaced if it is there. It is whole, or not there.
        settings: see `VideoSettings`.
        outscale: the upscaling factor; None: the network's.
        say: gets lines on what is done; None: nothing is told.
        on_progress: is called after each frame, with how many are done and how many
            there are.

    Raises:
        UserError: the video, or a frame of it, cannot be decoded, or what is asked for
            cannot be had.
    """
    began = time.monotonic()
    opened = open_video(source)
    plan = make_plan(opened, target, settings, outscale or upscaler.scale)
    make_folder(target.parent)

    parts = SegmentFolder(source, target, plan.segments)
    plan = plan.with_threads(parts.threads())
    maker = SegmentMaker(upscaler, plan, settings, say, on_progress)
    outcome = maker.outcome
    job = job_record(plan, upscaler, settings)
    with parts.held(job, maker.decide_tiles) as tiles:
        with maker.tiles_fixed(tiles, parts):
            maker.make(parts)
        join_segments(plan, parts, settings, maker)

    outcome.seconds.total = time.monotonic() - began
    return outcome


def join_segments(
    plan: VideoPlan, parts: SegmentFolder, settings: VideoSettings, maker: SegmentMaker
) -> None:
    """Put the segments together into the result, and remove their folder."""
    # In the folder, from which the next run removes what a killed one leaves.
    result = atomic_path(plan.target, within=parts.folder)
    with result as temporary, maker.outcome.seconds.timed("mux"):
        _mux(plan, parts, temporary, settings, maker.remark)
    parts.remove()
    maker.outcome.bytes = plan.target.stat().st_size


def upscaled_frames(
    upscaler: ArrayUpscaler,
    source: Path,
    settings: VideoSettings,
    *,
    outscale: float | None = None,
) -> Stream[RGBFrame]:
    """Yield the upscaled frames of a video, in order, while the next one is decoded.

    Of `settings`, what says how to encode them counts for nothing, but an odd size is made
    even where `pix_fmt` asks for it. Nobody may write into the images.

    Raises:
        UserError: as `upscale_video`, and warns of what that would remark.
    """
    reader, size, remarks = _open(upscaler, source, settings, outscale)
    for remark in remarks:
        upscaler.log(remark)

    upscale = open_frame_upscaler(upscaler, size, reuse=not settings.no_reuse)
    frames = prefetch(reader.frames(0, reader.count), in_background=True)
    with closing(frames):
        for frame, after in with_next(frames):
            image = upscale(frame.image, None if after is None else after.image)
            yield replace(frame, image=image)


def sampled_frames(
    upscaler: ArrayUpscaler,
    source: Path,
    settings: VideoSettings,
    count: int,
    *,
    outscale: float | None = None,
    share: float = 1.0,
) -> Iterator[tuple[RGBFrame, np.ndarray]]:
    """Yield up to `count` frames, evenly spread over a video, and their upscaled images.

    Of each frame only the middle if `share`, of its pixels, is less than 1. A network
    that carries a state sees each as a video of its own. The other args and errors are
    those of `upscaled_frames`.
    """
    reader, size, _ = _open(upscaler, source, settings, outscale)
    spread = np.linspace(0, reader.count - 1, count)
    for index in np.unique(spread.astype(int)).tolist():
        with closing(reader.frames(index, index + 1)) as frames:
            for frame in frames:
                middle = _middle(frame.image, share)
                height, width = middle.shape[:2]
                whole_height, whole_width = frame.image.shape[:2]
                part = (
                    size[0] * width // whole_width,
                    size[1] * height // whole_height,
                )
                upscale = open_frame_upscaler(upscaler, part, reuse=False)
                yield replace(frame, image=middle), upscale(middle)


def _middle(image: np.ndarray, share: float) -> np.ndarray:
    """Return the middle of an image, of even sides, with so much of its pixels."""
    if share >= 1:
        return image
    height, width = image.shape[:2]
    rows = max(2, 2 * int(height * share**0.5 / 2))
    columns = max(2, 2 * int(width * share**0.5 / 2))
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]


def _open(
    upscaler: ArrayUpscaler,
    path: Path,
    settings: VideoSettings,
    outscale: float | None,
) -> tuple[FrameReader, tuple[int, int], list[str]]:
    """Open a source for its frames alone.

    Returns:
        What reads the wanted frames, (width, height) of their results [pixels], and what
        a user should know.
    """
    source = open_video(path)
    remarks = list(source.remarks)
    part = choose_part(source, settings, remarks)
    pixel_format = settings.pix_fmt or source.pixel_format
    factor = outscale or upscaler.scale
    size = result_size(source, settings, factor, pixel_format, remarks)

    reader = FrameReader(source, part, pixel_format, settings.bad_frames, upscaler.log)
    return reader, size, remarks


def _mux(
    plan: VideoPlan,
    parts: SegmentFolder,
    target: Path,
    settings: VideoSettings,
    remark: Callable[[str], None],
) -> None:
    """Put the segments and all that goes with them into `target`."""
    timeline = plan.part.timeline
    start = end = None
    if settings.start is not None:
        start = timeline.times[0] * timeline.time_base
    if settings.end is not None:
        end = timeline.end * timeline.time_base

    # FFV1 tells no colors, so the container says what it was encoded with.
    source = replace(plan.source, colors=plan.encoding.colors)
    segments = [parts.path(each) for each in plan.segments]
    mux(source, timeline, segments, target, start=start, end=end, remark=remark)


def job_record(
    plan: VideoPlan, upscaler: ArrayUpscaler, settings: VideoSettings
) -> dict[str, Any]:
    """Return what a run must have in common with one that it goes on from."""
    source = plan.source
    record = {
        "input": source.path.name,
        "input's content": sha256_of(source.path),
        "network's output": network_digest(upscaler.run),
        "tile": upscaler.tile,
        "tile_pad": upscaler.tile_pad,
        "pre_pad": upscaler.pre_pad,
        "frames": [plan.part.first, plan.part.last, plan.part.deinterlace],
        "segment_seconds": settings.segment_seconds,
        "encoding": asdict(plan.encoding),
        "libraries": av.library_versions,
    }
    if carries_state(upscaler.run):
        # What is repeated is the same with any other network, computed or copied.
        record["no_reuse"] = settings.no_reuse
    keeps_alpha = source.alpha and has_alpha(plan.encoding.pixel_format)
    if keeps_alpha and upscaler.alpha_upsampler != "realesrgan":
        # Not the usual one, which earlier versions did not write down either.
        record["alpha_upsampler"] = upscaler.alpha_upsampler
    return record
