"""What is made of a video: which frames, how large, encoded how; and what that will take."""

import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.inference.tiling.array_upscaler import scaled_size
from realesrgan_paddle.inference.video.reading.colors import MATRICES
from realesrgan_paddle.inference.video.reading.frames import (
    Deinterlace,
    VideoPart,
    deinterlaced,
)
from realesrgan_paddle.inference.video.reading.source import (
    BT709,
    FULL,
    RGB,
    UNKNOWN,
    ColorTags,
    Timeline,
    VideoSource,
    open_container,
    read_packets,
    time_code,
)
from realesrgan_paddle.inference.video.settings import MOST_SIDE, VideoSettings
from realesrgan_paddle.inference.video.writing.containers import check_container
from realesrgan_paddle.inference.video.writing.encoding import (
    Encoding,
    choose_codec,
    choose_crf,
    choose_pixel_format,
    choose_preset,
    encoder,
    subsampling,
)
from realesrgan_paddle.inference.video.writing.segments import (
    Segment,
    cut_into_segments,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import is_hd
from realesrgan_paddle.utils.machine.devices import core_count
from realesrgan_paddle.utils.runlog.meter import duration

MOST_SAMPLES = 3
"""Short runs of frames, evenly spread, that are upscaled for an estimate."""
FRAMES_A_SAMPLE = 3
"""A key frame, and two that refer to it."""
FRAMES_FOR_A_SAMPLE = 100
"""A sample for so many frames, or an estimate would take as long as the work."""

PATIENCE = 20.0
"""Seconds after which an estimate makes do with the frames that it has."""


@dataclass(frozen=True)
class VideoPlan:
    """What is made of a video.

    Attributes:
        source: the video.
        target: the file of the result.
        part: which frames.
        encoding: how they are encoded.
        segments: that are encoded one by one.
        remarks: what a user should know.
    """

    source: VideoSource
    target: Path
    part: VideoPart
    encoding: Encoding
    segments: list[Segment]
    remarks: list[str]

    def with_threads(self, threads: int | None) -> "VideoPlan":
        """Return the plan with other threads of the encoder; None: with its own."""
        if threads is None:
            return self
        return replace(self, encoding=replace(self.encoding, threads=threads))


def make_plan(
    source: VideoSource,
    target: Path,
    settings: VideoSettings,
    outscale: float,
) -> VideoPlan:
    """Return what is made of a video.

    Raises:
        UserError: it cannot be made; nothing has been written.
    """
    refuse_own_input(source.path, target)
    remarks = list(source.remarks)
    part = choose_part(source, settings, remarks)
    encoding = _encoding(source, target, settings, outscale, remarks)
    check_container(source, target, encoding.codec)

    time_base = part.timeline.time_base
    ticks = round(Fraction(settings.segment_seconds) / time_base)
    segments = cut_into_segments(part.timeline.times, max(1, ticks))
    return VideoPlan(source, target, part, encoding, segments, remarks)


def choose_part(
    source: VideoSource, settings: VideoSettings, remarks: list[str]
) -> VideoPart:
    """Return which frames of a source are wanted.

    Raises:
        UserError: there is none between `settings.start` and `settings.end`.
    """
    is_interlaced = source.field_order != "progressive"
    deinterlace: Deinterlace = "frame" if is_interlaced else "no"
    if settings.deinterlace != "auto":
        deinterlace = settings.deinterlace
    if is_interlaced:
        what = {"no": "left as it is", "frame": "a frame of each frame"}
        remarks.append(
            f"interlaced ({source.field_order}): "
            f"{what.get(deinterlace, 'a frame of each field')}"
        )

    whole = deinterlaced(source, deinterlace)
    first = _index(whole, source, settings.start, 0)
    last = _index(whole, source, settings.end, len(whole.times))
    if first >= last:
        end = whole.end * whole.time_base - source.start
        raise UserError(
            f"{source.path}: no frame between --start and --end; it has "
            f"{len(whole.times):,} frames until {time_code(end)}"
        )
    return VideoPart(deinterlace, whole, first, last)


def _index(
    timeline: Timeline, source: VideoSource, seconds: float | None, default: int
) -> int:
    """Return the first frame from `seconds` of the file on."""
    if seconds is None:
        return default
    # Half a millisecond early: 1.001 s is frame 24 of 23.976 a second, at 1.00100.
    wanted = source.start + Fraction(seconds) - Fraction(1, 2000)
    return bisect_left(timeline.times, wanted / timeline.time_base)


def refuse_own_input(source: Path, target: Path) -> None:
    """Raise UserError if the result would replace its source."""
    if target.exists() and target.samefile(source):
        raise UserError(f"{target}: the input; name another file for the result")


def _encoding(
    source: VideoSource,
    target: Path,
    settings: VideoSettings,
    outscale: float,
    remarks: list[str],
) -> Encoding:
    codec = choose_codec(settings.codec, source, target)
    pixel_format = choose_pixel_format(codec, settings.pix_fmt, source)
    given = source.pixel_format.replace("yuvj", "yuv")
    if settings.pix_fmt is None and pixel_format != given:
        remarks.append(
            f"{given} becomes {pixel_format}, the nearest that {codec} takes here"
        )
    size = result_size(source, settings, outscale, pixel_format, remarks)
    colors, matrix = result_colors(source, size, pixel_format, remarks)
    return Encoding(
        codec=codec,
        width=size[0],
        height=size[1],
        pixel_format=pixel_format,
        aspect=source.aspect,
        colors=colors,
        matrix=matrix,
        crf=choose_crf(codec, settings.crf),
        preset=choose_preset(codec, settings.preset),
        threads=core_count(),
    )


def result_size(
    source: VideoSource,
    settings: VideoSettings,
    outscale: float,
    pixel_format: str,
    remarks: list[str],
) -> tuple[int, int]:
    """Return (width, height) of the result, as the pixel format allows them.

    Args:
        source: the video.
        settings: what is asked for; its width and height go before `outscale`.
        outscale: the upscaling factor.
        pixel_format: of the result.
        remarks: gets a line if the size asked for is changed.

    Raises:
        UserError: the result would be too large.
    """
    width, height = settings.width, settings.height
    if source.is_quarter_turn:  # they are those of the picture as it is shown
        width, height = height, width
    if width is None and height is None:
        width, height = scaled_size(source.width, source.height, outscale)
    elif width is None and height is not None:
        width, height = scaled_size(source.width, source.height, height / source.height)
    elif height is None and width is not None:
        width, height = scaled_size(source.width, source.height, width / source.width)
    asked = (width or 0, height or 0)

    size = _fitting(asked, pixel_format)
    if max(size) > MOST_SIDE:
        raise UserError(
            f"{source.path}: the result would have {asked[0]}x{asked[1]} pixels, more "
            f"than {MOST_SIDE} on a side, which no encoder takes; lower --outscale, or "
            "give --height"
        )
    if size != asked:
        remarks.append(
            f"{asked[0]}x{asked[1]} made {size[0]}x{size[1]}, for {pixel_format} "
            "has a chroma sample for each two columns or lines"
        )
    return size


def _fitting(size: tuple[int, int], pixel_format: str) -> tuple[int, int]:
    """Return the nearest size, not smaller, of which each chroma sample is whole."""
    columns, lines = subsampling(pixel_format)
    width, height = size
    width += -width % columns
    height += -height % lines
    return width, height


def result_colors(
    source: VideoSource, size: tuple[int, int], pixel_format: str, remarks: list[str]
) -> tuple[ColorTags, int]:
    """Return the tags of the result, and the AVColorSpace that players take.

    They are the source's, except for the place of chroma samples, which is that of H.264,
    and for a result in RGB, whose samples are neither YCbCr nor of limited range.
    A player guesses the matrix of an untagged video from its size: where it would guess
    another one for the result, the matrix is told.
    """
    tags = replace(source.colors, chroma_location="left")
    matrix = source.matrix
    if av.VideoFormat(pixel_format).is_rgb:  # it has no matrix, and no other range
        return replace(tags, matrix=RGB, range=FULL), matrix
    is_rgb = source.pixel_format.startswith(("rgb", "bgr", "gbr", "pal", "arg", "abg"))
    if is_rgb and pixel_format.startswith("yuv"):
        matrix = BT709
        return replace(tags, matrix=matrix), matrix
    if tags.matrix == UNKNOWN and is_hd(*size) != is_hd(source.width, source.height):
        tags = replace(tags, matrix=matrix)
        remarks.append(
            "it has no tag of its color matrix: by its size players take it for "
            f"{MATRICES[matrix]}, and the result, whose size is another, is tagged so"
        )
    return tags, matrix


@dataclass(frozen=True)
class Estimate:
    """What a video will take.

    Attributes:
        frames: of the result.
        seconds: of one frame, as far as the network goes.
        bytes: of the result's picture.
    """

    frames: int
    seconds: float
    bytes: float

    def __str__(self) -> str:
        """Return it as a line."""
        rate = 1 / self.seconds
        total = duration(self.frames * self.seconds)
        return (
            f"estimate from a few frames: {self.frames:,} frames at {rate:.3g} "
            f"frames/s take {total}, and the picture {self.bytes / 1e6:,.1f} MB"
        )


def estimate(
    samples: Callable[[int, int], Iterator[list[np.ndarray]]],
    upscale: Callable[[np.ndarray], np.ndarray],
    plan: VideoPlan,
    frames: int,
) -> Estimate:
    """Return what `frames` frames will take.

    The network's first run is not counted, for it prepares itself.

    Args:
        samples: returns runs of frames that follow each other; called with how many
            runs, and how many frames each has.
        upscale: upscales a frame.
        plan: how they are encoded.
        frames: how many there are.
    """
    seconds: list[float] = []
    keys: list[int] = []
    others: list[int] = []
    count = min(MOST_SAMPLES, max(1, frames // FRAMES_FOR_A_SAMPLE))
    for images in samples(count, FRAMES_A_SAMPLE):
        results = []
        for image in images:
            before = time.monotonic()
            results.append(upscale(image))
            seconds.append(time.monotonic() - before)
            if sum(seconds) > PATIENCE:
                break

        key, *rest = _packet_sizes(results, plan)
        keys.append(key)
        others += rest
        if sum(seconds) > PATIENCE:
            break

    steady = seconds[1:] or seconds
    segments = min(len(plan.segments), frames)
    picture = np.mean(keys) * segments + np.mean(others or keys) * (frames - segments)
    return Estimate(frames, float(np.median(steady)), float(picture))


def _packet_sizes(results: list[np.ndarray], plan: VideoPlan) -> list[int]:
    """Return the bytes of each result, encoded; the first is a key frame."""
    timeline = plan.part.timeline
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "estimate.nut")
        with encoder(path, plan.encoding, timeline) as encode:
            for tick, result in zip(timeline.times, results, strict=False):
                encode(result, tick)

        with open_container(path) as container:
            picture = container.streams[0]
            return [packet.size for packet in read_packets(container, picture)]
