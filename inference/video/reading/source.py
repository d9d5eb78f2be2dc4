"""What a video is, before it is upscaled: its picture stream, and when each frame is shown."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from realesrgan_paddle.utils.ffmpeg import is_hd
from realesrgan_paddle.utils.field_order import FieldOrder

BT709, UNKNOWN, SMPTE170M = 1, 2, 6
"""Numbers of AVColorSpace; in AVColorPrimaries and the others 2 is unknown as well."""
LIMITED, FULL = 1, 2
"""Numbers of AVColorRange; 0 is unknown, which players take for limited."""


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
        times: int64, when each is shown, as the file tells [ticks]; `NO_TIME`: it does
            not.
        sizes: int64 [bytes].
        keys: int64, the numbers of the packets with key frames.
        frames: int64, which frame of the timeline each packet is; -1: none.
    """

    times: np.ndarray
    sizes: np.ndarray
    keys: np.ndarray
    frames: np.ndarray


NO_TIME = np.iinfo(np.int64).min
"""Time of a packet whose file does not tell it; libavutil's AV_NOPTS_VALUE."""


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
        jumps: where the file's clock goes back, in order.
        start: of the file: the earliest time in any stream [s].
        remarks: what a user should know.
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
    jumps: list[Jump]
    start: Fraction
    remarks: list[str] = field(default_factory=list)

    @property
    def matrix(self) -> int:
        """AVColorSpace of the frames: where the video does not tell, as players guess.

        BT.709 for HD, else BT.601 (SMPTE 170M).
        """
        if self.colors.matrix != UNKNOWN:
            return self.colors.matrix
        return BT709 if is_hd(self.width, self.height) else SMPTE170M

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
