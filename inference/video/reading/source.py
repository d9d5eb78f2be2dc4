"""What a video is before it is upscaled: its packets, and its picture stream."""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import CONTAINERS, MAX_STREAMS, is_hd, not_opened
from realesrgan_paddle.utils.field_order import FieldOrder
from realesrgan_paddle.utils.files import check_regular, check_utf8

OPENING = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "file",
    "max_streams": str(MAX_STREAMS),
}
"""libavformat's options: no network, and no playlists, which open other files."""

NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
"""Streams of cover art and previews, which are not the video."""

MAX_REPEATED = 8
"""How often a file's bytes may be read as packets.

An edit list may show a scene again; a hostile index makes a file of any length.
"""

ENCRYPTED = "encrypted; only videos without copy protection can be upscaled"

NO_TIME = np.iinfo(np.int64).min
"""Time of a packet whose file does not tell it; libavutil's AV_NOPTS_VALUE."""

RGB, BT709, UNKNOWN, SMPTE170M = 0, 1, 2, 6
"""Numbers of AVColorSpace; in AVColorPrimaries and the others 2 is unknown as well."""
HALF_TURNS = {(True, True): 1, (False, True): 2, (False, False): 3, (True, False): 4}
"""Exif's orientation by whether x goes to x, and y to y, unmirrored."""
QUARTER_TURNS = {(True, True): 5, (True, False): 6, (False, False): 7, (False, True): 8}
"""The same by whether x goes to y, and y to x, unmirrored."""
LIMITED, FULL = 1, 2
"""Numbers of AVColorRange; 0 is unknown, which players take for limited."""


RATE_PRECISION = 60_060
"""Largest denominator of a written rate; ffmpeg's for rates that it guesses."""
FASTEST, SLOWEST = 30_000, Fraction(1, RATE_PRECISION)
"""Bounds of a written rate [frames a second]."""


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        time_base: seconds of a tick.
        times: of each frame [ticks], strictly ascending.
        end: when the last frame ends [ticks].
        rate: frames a second, on average.
    """

    time_base: Fraction
    times: list[int]
    end: int
    rate: Fraction

    @property
    def written_rate(self) -> Fraction:
        """`rate` as files and encoders tell it, whose integers have 32 bits."""
        rate = min(self.rate, Fraction(FASTEST))
        return max(rate.limit_denominator(RATE_PRECISION), SLOWEST)


@dataclass(frozen=True)
class ColorTags:
    """How a video's samples become light, as numbers of libavutil's enumerations.

    2 means that the video does not tell, except for `range`, where it is 0.

    Attributes:
        primaries: AVColorPrimaries.
        transfer: AVColorTransferCharacteristic.
        matrix: AVColorSpace.
        range: AVColorRange: 1 is limited, 2 is full.
        chroma_location: "left", "center", "topleft", ...; "left" if it does not tell.
    """

    primaries: int
    transfer: int
    matrix: int
    range: int
    chroma_location: str


@dataclass(frozen=True)
class PacketTable:
    """The packets of a picture stream in the file's order, those without data left out.

    Attributes:
        times: int64, when each is shown [ticks]; `NO_TIME`: not known.
        decoding_times: int64, when each is decoded [ticks], or `NO_TIME`.
        durations: int64 [ticks]; 0: not known.
        sizes: int64 [bytes].
        keys: bool, whether it holds a key frame.
        discarded: bool, whether it is not to be shown: an edit list says so, or it is
            the last one and cut.
        cut: the last one is cut: the file ends within it.
    """

    times: np.ndarray
    decoding_times: np.ndarray
    durations: np.ndarray
    sizes: np.ndarray
    keys: np.ndarray
    discarded: np.ndarray
    cut: bool


@dataclass(frozen=True)
class Jump:
    """A place where a file's clock goes back, as where two recordings are joined.

    Attributes:
        before: the file's time of the last frame before it [ticks].
        after: the file's time of the first frame after it [ticks].
        shift: what is to be added to the file's times, of all its streams, from here
            to the next jump [ticks].
    """

    before: int
    after: int
    shift: int


@dataclass(frozen=True)
class VideoSource:
    """A video file and its main picture stream.

    Attributes:
        path: the file.
        stream: number of the picture stream in it.
        width: samples per line, as coded: before rotation and sample aspect ratio.
        height: lines, as coded.
        pixel_format: ffmpeg's name: "yuv420p", "yuv420p10le", "gray", ...
        bits: of a sample.
        alpha: whether the frames have transparency.
        aspect: sample aspect ratio; 1 if the video does not tell.
        display_matrix: nine numbers that turn or mirror the picture; None: upright.
        colors: how samples become light.
        field_order: detected from the frames; "progressive" or which field is first.
        timeline: of its frames, as coded; times that a file cannot hold (repeated,
            running backwards) are mended, and `remarks` tell.
        packets: of the picture stream.
        frames: int64, which frame of the timeline each packet is; -1: none.
        jumps: where the file's clock goes back, in order.
        start: of the file: the earliest time in any stream [s].
        remarks: what a user should know.
        alpha_beside: there is transparency beside the frames, which is not decoded.
    """

    path: Path
    stream: int
    width: int
    height: int
    pixel_format: str
    bits: int
    alpha: bool
    aspect: Fraction
    display_matrix: tuple[int, ...] | None
    colors: ColorTags
    field_order: FieldOrder
    timeline: Timeline
    packets: PacketTable
    frames: np.ndarray
    jumps: list[Jump]
    start: Fraction
    remarks: list[str] = field(default_factory=list)
    alpha_beside: bool = False

    @property
    def matrix(self) -> int:
        """AVColorSpace of the frames: where the video does not tell, as players guess.

        BT.709 for HD, else BT.601 (SMPTE 170M).
        """
        if self.colors.matrix != UNKNOWN:
            return self.colors.matrix
        return BT709 if is_hd(self.width, self.height) else SMPTE170M

    @property
    def orientation(self) -> int:
        """How players turn and mirror the frames, as Exif numbers it: 1 is upright.

        The first and second numbers of the matrix say where the picture's x axis goes,
        the fourth and fifth its y axis; so does ffmpeg (fftools/ffmpeg_filter.c).
        """
        if self.display_matrix is None:
            return 1
        x_to_x, x_to_y, _, y_to_x, y_to_y = self.display_matrix[:5]
        if x_to_x == 0:
            return QUARTER_TURNS[x_to_y > 0, y_to_x > 0]
        return HALF_TURNS[x_to_x > 0, y_to_y > 0]

    @property
    def is_quarter_turn(self) -> bool:
        """Whether players turn the frames by 90 or 270 degrees."""
        return self.orientation >= 5

    def time_code(self, frame: int) -> str:
        """Return when a frame is shown, from the start of the file, "0:00:01.480"."""
        ticks = self.timeline.times[frame]
        seconds = ticks * self.timeline.time_base
        return time_code(seconds - self.start)


def time_code(seconds: Fraction) -> str:
    """Return a time as "0:00:01.480"."""
    sign = "-" if seconds < 0 else ""
    milliseconds = abs(round(seconds * 1000))
    whole, milliseconds = divmod(milliseconds, 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)

    clock = f"{hours}:{minutes:02}:{whole:02}"
    return f"{sign}{clock}.{milliseconds:03}"


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a video; a context manager that closes it.

    Yields:
        PyAV's InputContainer.

    Raises:
        UserError: the file is none that may be opened.
    """
    check_utf8(path)
    check_regular(path)
    # "file:" keeps a name with a colon from being read as a protocol.
    name = f"file:{path}"
    try:
        container = av.open(name, options=OPENING, metadata_errors="replace")
    except av.FFmpegError as error:
        raise not_opened(path, error) from error
    with container:
        yield container


def picture_streams(container: Any) -> list[Any]:
    """Return the video streams that are no cover art."""
    streams = container.streams.video
    return [stream for stream in streams if not stream.disposition & NO_PICTURE]


def first_picture_stream(path: Path, container: Any) -> Any:
    """Return the video stream that is upscaled.

    Raises:
        UserError: there is none, as in a song with a cover, or FFmpeg does not know how
            it is coded.
    """
    pictures = picture_streams(container)
    if not pictures:
        raise UserError(f"{path}: no video stream in it")
    if pictures[0].codec_context is None:
        raise UserError(
            f"{path}: its video is coded in a way that FFmpeg does not know; it is "
            "damaged, or needs converting by what made it"
        )
    return pictures[0]


def has_more_than_8_bits(path: Path) -> bool:
    """Return whether a video has more than 8 bits a sample.

    False if it cannot be read, as is said later.
    """
    try:
        with open_container(path) as container:
            picture = first_picture_stream(path, container)
            pixel_format = picture.codec_context.format
    except (UserError, OSError):
        return False
    return pixel_format is not None and pixel_format.components[0].bits > 8


def read_packets(container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets with data, to the end or to where the file cannot be read on.

    AVI has packets without data where the frame before is shown longer.
    """
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def read_whole(path: Path, container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets as `read_packets`, but not without end.

    Args:
        path: of the file.
        container: the file, open.
        streams: one of its streams, or several.

    Raises:
        UserError: the file is made to keep its reader busy.
    """
    limit = MAX_REPEATED * path.stat().st_size
    total = 0
    for packet in read_packets(container, streams):
        total += packet.size
        if total > limit:
            raise UserError(
                f"{path}: damaged: its index reads the same bytes over and over"
            )
        yield packet


def why_undecodable(path: Path) -> str | None:
    """Return why a video has no frame that can be decoded; None: its packets look well.

    None too for a file that cannot be opened or has no picture stream.
    """
    try:
        with open_container(path) as container:
            stream = first_picture_stream(path, container)
            packet = next(read_packets(container, stream), None)
            if packet is None:
                return "there is no frame in it"
            if packet.has_sidedata("encryption_info"):
                return ENCRYPTED
    except UserError:
        pass
    return None


def scan_packets(path: Path, stream: int) -> PacketTable:
    """Return what the packets of a stream tell; the file is read once, whole.

    Raises:
        UserError: the file is none that may be opened, or encrypted, or made to keep its
            reader busy.
    """
    columns = [array("q") for _ in range(6)]
    is_cut = False
    with open_container(path) as container:
        picture = container.streams[stream]
        for packet in read_whole(path, container, picture):
            if packet.has_sidedata("encryption_info"):  # what a decoder makes noise of
                raise UserError(f"{path}: {ENCRYPTED}")
            for column, value in zip(columns, _values(packet), strict=True):
                column.append(value)
            is_cut = packet.is_corrupt

    times, decoding_times, durations, sizes, *flags = map(np.array, columns)
    keys, discarded = (flag.astype(bool) for flag in flags)
    found = PacketTable(
        times, decoding_times, durations, sizes, keys, discarded, cut=False
    )
    return without_last(found) if is_cut else found


def without_last(found: PacketTable) -> PacketTable:
    """Return a scan whose last packet is cut, so that it is not shown."""
    discarded = found.discarded.copy()
    discarded[-1] = True
    return replace(found, discarded=discarded, cut=True)


def _values(packet: Any) -> tuple[int, ...]:
    return (
        NO_TIME if packet.pts is None else packet.pts,
        NO_TIME if packet.dts is None else packet.dts,
        packet.duration or 0,
        packet.size,
        packet.is_keyframe,
        packet.is_discard,
    )
