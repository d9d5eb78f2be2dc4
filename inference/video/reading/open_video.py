"""Open a video to upscale it: what it is, and when each of its frames is shown."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from realesrgan_paddle.inference.video.reading.colors import MATRICES, has_alpha
from realesrgan_paddle.inference.video.reading.decoders import decodable_frames
from realesrgan_paddle.inference.video.reading.packet_times import (
    FrameTimes,
    PacketOrder,
    find_order,
    frame_times,
    without_cut,
)
from realesrgan_paddle.inference.video.reading.source import (
    RGB,
    UNKNOWN,
    ColorTags,
    PacketTable,
    Timeline,
    VideoSource,
    first_picture_stream,
    open_container,
    picture_streams,
    scan_packets,
    time_code,
    why_undecodable,
    without_last,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import MAX_PIXELS, VideoInfo, probe
from realesrgan_paddle.utils.field_order import FieldOrder, field_order
from realesrgan_paddle.utils.hdr import refuse_hdr

RATE_TOLERANCE = Fraction(1, 1000)
"""A file's frame rate is believed if the frames' times say the same within this."""
LONGEST = 366 * 24 * 60 * 60
"""A year [s]; the times of what claims to last longer overflow libavformat's numbers."""

CUT_ANYWHERE = ("mpegts", "mpeg")
"""Containers whose last packet may be cut without a sign of it."""

CUT_SECONDS = 1
"""A picture stream that ends this much before its declared end is cut short."""


def open_video(path: Path, *, detect_fields: bool = True) -> VideoSource:
    """Return what a video is, and when each of its frames is shown.

    All its packets are read, and its first frames decoded.

    Args:
        path: a local file.
        detect_fields: decode some frames to see whether they are interlaced; without
            it they are taken for progressive.

    Raises:
        UserError: the file is no video that may be opened, or is HDR, or no frame of
            it can be decoded.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder, not a video")
    info = _probe(path)
    refuse_hdr(path, info)

    file = _look_into(path)
    packets = scan_packets(path, file.stream)
    if not len(packets.sizes):
        raise UserError(f"{path}: there is no frame in it")
    order = find_order(path, file.stream, packets)
    if not len(order.shown) or order.first_frame is None:
        raise UserError(f"{path}: no frame of it can be decoded")

    fields = field_order(path, info.seconds) if detect_fields else "progressive"
    source = _describe(file, info, packets, order, fields)
    if file.format in CUT_ANYWHERE and not _last_is_whole(source):
        packets = without_last(packets)
        order = without_cut(order, packets)
        source = _describe(file, info, packets, order, fields)
    return source


def _probe(path: Path) -> VideoInfo:
    """Return what ffmpeg tells of a video.

    First of all: it decodes a frame in a process of its own, with limits, and what a
    hostile file breaks, it breaks there.
    """
    try:
        return probe(path)
    except UserError as error:
        reason = why_undecodable(path)
        if reason is None:
            raise
        raise UserError(f"{path}: {reason}") from error


def _last_is_whole(source: VideoSource) -> bool:
    """Return whether the last packet's frame, if it becomes one, can be decoded."""
    last = int(source.frames[-1])
    latest = len(source.timeline.times) - 1
    if last < 0:
        return True
    came = (number for number, _ in decodable_frames(source, latest))
    return last in came


@dataclass(frozen=True)
class _File:
    """What a container tells of itself and of its picture stream.

    Attributes:
        path: of the file.
        format: ffmpeg's name of the container.
        start: the earliest time of any stream [s].
        pictures: how many picture streams there are.
        stream: number of the first of them.
        time_base: its ticks [s].
        rate: its frames a second; 0: not known.
        aspect: its sample aspect ratio.
        seconds: how long it is said to be; None: not known.
        alpha_beside: VP8 or VP9 has transparency beside the picture.
    """

    path: Path
    format: str
    start: Fraction
    pictures: int
    stream: int
    time_base: Fraction
    rate: Fraction
    aspect: Fraction
    seconds: Fraction | None
    alpha_beside: bool

    @property
    def ticks(self) -> Fraction:
        """Of a frame; 0: not known."""
        if not self.rate:
            return Fraction(0)
        seconds = 1 / self.rate
        return seconds / self.time_base


def _look_into(path: Path) -> _File:
    """Return what a container tells.

    Raises:
        UserError: it cannot be opened, or declares too large frames.
    """
    with open_container(path) as container:
        picture = first_picture_stream(path, container)
        tags = {key.lower(): text for key, text in picture.metadata.items()}
        width, height = picture.codec_context.width, picture.codec_context.height
        if width * height > MAX_PIXELS:
            raise UserError(
                f"{path}: frames of {width}x{height}; at most {MAX_PIXELS:,} pixels "
                "are allowed"
            )
        return _File(
            path=path,
            format=container.format.name,
            start=_start(container),
            pictures=len(picture_streams(container)),
            stream=picture.index,
            time_base=picture.time_base,
            rate=picture.average_rate or Fraction(0),
            aspect=picture.sample_aspect_ratio or Fraction(1),
            seconds=_declared_seconds(container, picture),
            alpha_beside=tags.get("alpha_mode") == "1",
        )


def _start(container: Any) -> Fraction:
    """Return the earliest time of any stream [s]."""
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None
    ]
    return min(starts, default=Fraction(0))


def _declared_seconds(container: Any, picture: Any) -> Fraction | None:
    """Return how long the file says that the picture lasts; None: it does not."""
    if picture.duration:
        return picture.duration * picture.time_base
    # The file's duration may be that of a sound that goes on.
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def _describe(
    file: _File,
    info: VideoInfo,
    packets: PacketTable,
    order: PacketOrder,
    fields: FieldOrder,
) -> VideoSource:
    """Return the source, put together from all that was found."""
    frame = order.first_frame
    pixel_format = frame.format.name
    colors, of_colors = _color_tags(file.path, frame, info)
    times = frame_times(packets, order, file.ticks, file.format == "avi")
    timeline = _timeline(file, packets, order, times)

    return VideoSource(
        path=file.path,
        stream=file.stream,
        width=frame.width,
        height=frame.height,
        pixel_format=pixel_format,
        bits=frame.format.components[0].bits,
        alpha=has_alpha(pixel_format),
        aspect=file.aspect,
        display_matrix=_display_matrix(frame),
        colors=colors,
        field_order=fields,
        timeline=timeline,
        packets=packets,
        frames=_frame_of_each(packets, order),
        jumps=times.jumps,
        start=file.start,
        remarks=_remarks(file, timeline, packets.cut, order.lost, times) + of_colors,
        alpha_beside=file.alpha_beside,
    )


def _timeline(
    file: _File, packets: PacketTable, order: PacketOrder, times: FrameTimes
) -> Timeline:
    """Return when frames are shown, when the last one ends, and their rate.

    Raises:
        UserError: they would be shown for longer than any video lasts.
    """
    shown = times.times
    last_packet = order.shown[-1]
    duration = int(packets.durations[last_packet])
    end = shown[-1] + (duration or times.step)

    ticks = end - shown[0]
    seconds = ticks * file.time_base
    if seconds > LONGEST:
        years = round(seconds / LONGEST)
        raise UserError(
            f"{file.path}: damaged: by its time stamps {len(shown):,} frames last "
            f"{years:,} years"
        )
    rate = len(shown) / seconds
    tolerance = RATE_TOLERANCE * rate
    if abs(file.rate - rate) < tolerance:
        rate = file.rate
    return Timeline(file.time_base, shown, end, rate)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return None
    numbers = np.frombuffer(found, np.int32)
    return tuple(numbers.tolist())


def _color_tags(path: Path, frame: Any, info: VideoInfo) -> tuple[ColorTags, list[str]]:
    """Return the tags of a frame, and what to say of them.

    Raises:
        UserError: by its matrix it is of a kind that libswscale does not convert.
    """
    matrix = int(frame.colorspace)
    remarks = []
    is_rgb = frame.format.is_rgb or frame.format.has_palette
    if not is_rgb and matrix == RGB:
        remarks.append(
            "its color matrix is tagged as that of RGB, and it is YUV: left out"
        )
        matrix = UNKNOWN
    elif not is_rgb and matrix not in (*MATRICES, UNKNOWN):
        raise UserError(
            f"{path}: its color matrix, {matrix} in ffmpeg's numbers, is not one that can "
            f"be converted ({', '.join(MATRICES.values())}); convert it first"
        )
    tags = ColorTags(
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        matrix=matrix,
        range=int(frame.color_range),
        chroma_location=info.chroma_location,
    )
    return tags, remarks


def _frame_of_each(packets: PacketTable, order: PacketOrder) -> np.ndarray:
    """Return which frame each packet is; -1: none."""
    frames = np.full_like(packets.sizes, -1)
    frames[order.shown] = np.arange(len(order.shown))
    return frames


def _remarks(
    file: _File, timeline: Timeline, is_cut: bool, lost: int, times: FrameTimes
) -> list[str]:
    """Return what a user should know of the file."""
    remarks = []
    if file.pictures > 1:
        remarks.append(f"of its {file.pictures} picture streams the first is upscaled")
    if lost:
        remarks.append(
            f"the first {lost} frames need others from before the recording and cannot "
            "be decoded; it begins after them"
        )
    if times.mended:
        remarks.append(
            f"{times.mended} times that repeat or go back are moved between their "
            "neighbors"
        )
    if times.jumps:
        remarks.append(
            f"places where the clock goes back: {len(times.jumps)}; what follows is "
            "shown one frame later than what was before"
        )
    if is_cut:
        remarks.append("the file ends within its last frame, which is left out")

    found = (timeline.end - timeline.times[0]) * file.time_base
    if file.seconds is not None and file.seconds - found > CUT_SECONDS:
        remarks.append(
            f"cut short: it has frames for {time_code(found)} of the "
            f"{time_code(file.seconds)} that it declares"
        )
    return remarks
