"""Frames of a source as arrays."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from realesrgan_paddle.inference.video.ahead import Stream
from realesrgan_paddle.inference.video.colors import ToRGB, has_alpha
from realesrgan_paddle.inference.video.plan import Part
from realesrgan_paddle.inference.video.reading.decoding import BadFrames, decode
from realesrgan_paddle.inference.video.source import VideoSource


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        index: its number, counted from the first one wanted.
        time: when it is shown [ticks of the part's time base].
        seconds: the same, from the beginning of the file on.
        image: uint8 or uint16 RGB(A), (H, W, 3 or 4), as coded: neither turned nor
            stretched.
        repeated: it stands for one that cannot be decoded.
    """

    index: int
    time: int
    seconds: Fraction
    image: np.ndarray
    repeated: bool


class Reader:
    """Reads the wanted frames of a source.

    Args:
        source: the video.
        part: which frames.
        pixel_format: of the result; only if it has alpha, images have it.
        bad_frames: "stop" or "repeat".
        remark: gets a line on what cannot be decoded.
    """

    def __init__(
        self,
        source: VideoSource,
        part: Part,
        pixel_format: str,
        bad_frames: BadFrames,
        remark: Callable[[str], None],
    ) -> None:
        self._source = source
        self._part = part
        self._alpha = source.alpha and has_alpha(pixel_format)
        self._bad_frames = bad_frames
        self._remark = remark

    def frames(self, first: int, last: int) -> Stream[Frame]:
        """Yield the frames [first, last) of those wanted, in order."""
        source, part = self._source, self._part
        to_rgb = ToRGB(
            source.colors, source.matrix, bits=source.bits, alpha=self._alpha
        )
        decoded = decode(
            source,
            part.whole,
            part.first + first,
            part.first + last,
            deinterlace=part.deinterlace,
            bad_frames=self._bad_frames,
            remark=self._remark,
        )
        with closing(decoded):
            for each in decoded:
                yield Frame(
                    index=each.index - part.first,
                    time=each.time,
                    seconds=each.time * part.whole.time_base - source.start,
                    image=to_rgb(each.frame),
                    repeated=each.repeated,
                )
