"""How strongly a video is compressed, from its packets and headers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from statistics import fmean

import ffmpeg
import numpy as np

from realesrgan_paddle.data.footage.packets import Packets
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, VideoInfo, video_input

POSITIONS = (0.2, 0.4, 0.6, 0.8)
"""Shares of the duration; the key frame before each is looked at, and the first one."""

LONG_SECONDS = 4
"""Of shorter videos only the first key frame is looked at."""

MAX_MINUTES = 0.5
"""Time limit of one position."""

MAX_VALUES = 10_000
"""Quantizers that are read of one key frame; MPEG-2 has one in each slice."""

BLOCK_FRAMES = 3
"""Key frames of H.264 whose blocks' quantizers are averaged."""

SAMPLES = 8
"""Sides of the image that the quantizers of a frame are averaged to."""

MAX_DEVIATION = 14
"""Of the blocks' mean QP from that of the headers. Beyond it, an ffmpeg of another
version paints the QP on another scale."""

TREE_OFFSET = 3
"""What blocks are finer than the header says, where only that is known.

x264 and x265 raise the QP of a frame by about 6 and lower that of most of its blocks,
unless each frame is a key frame.
"""

MPEG2_WEIGHT = 27
"""A typical entry of MPEG-2's matrix for key frames, which has 8 to 83."""

_HEADER = re.compile(r"\b(\w+) +[01]+ = (-?\d+)$")


@dataclass(frozen=True)
class Quantizer:
    """The quantizer of key frames, as the headers of their slices say."""

    name: str
    """What the codec calls it: "QP", "quantiser_scale" or "q_index"."""
    value: float
    """Mean over the key frames looked at."""
    qp: float
    """The QP of H.264 with the same step, as blocks have it, not the header alone."""


@dataclass(frozen=True)
class Compression:
    """What the stream tells of a video's compression; None: it does not tell."""

    codec: str = "unknown"
    bits_per_pixel: float | None = None
    """Of all frames."""
    key_bits_per_pixel: float | None = None
    """Of key frames; those are what is trained on."""
    seconds_between_keys: float | None = None
    """Mean; None with fewer than two key frames in what was read."""
    quantizer: Quantizer | None = None
    """Of key frames."""


def compression(path: Path, info: VideoInfo, packets: Packets) -> Compression:
    """Return how strongly a video is compressed.

    Args:
        path: a local file.
        info: what `probe` returned for it.
        packets: what `read_packets` returned for it; without any, nothing is known:
            extracting the frames will report the error.
    """
    if not len(packets.sizes):
        return Compression()

    pixels = info.width * info.height
    key_sizes = packets.sizes[packets.are_keys]
    between = np.diff(packets.key_times)
    return Compression(
        codec=packets.codec,
        bits_per_pixel=_bits_per_pixel(packets.sizes, pixels),
        key_bits_per_pixel=_bits_per_pixel(key_sizes, pixels),
        seconds_between_keys=round(float(between.mean()), 3) if len(between) else None,
        quantizer=quantizer(path, info.seconds, packets.codec),
    )


def _bits_per_pixel(sizes: np.ndarray, pixels: int) -> float | None:
    """Return the mean of packets of these sizes [bytes]; None without any."""
    if not len(sizes):
        return None
    bits = 8 * float(sizes.mean())
    return round(bits / pixels, 4)


def qp_of_step(step: float) -> float:
    """Return the QP of H.264, and HEVC, for a step [8-bit levels].

    Those of an orthonormal transform; a step of 1 is QP 4, and 6 more double it.
    """
    return 4 + 6 * log2(max(step, 0.5))


def vp9_step(index: int) -> float:
    """Return the step [8-bit levels] of VP9, and AV1, for a quantizer index, 0 to 255.

    An approximation, within 5 %, of the table ac_qlookup of both specifications, which
    is in eighths.
    """
    if index <= 95:
        return (7 + index) / 8
    if index <= 120:
        return (102 + 2 * (index - 95)) / 8
    return 152 * (1828 / 152) ** ((index - 120) / 135) / 8


def quantizer(path: Path, seconds: float | None, codec: str) -> Quantizer | None:
    """Return the quantizer of a video's key frames; None where that is not known.

    Known of H.264, HEVC, MPEG-2, VP9 and AV1, with an ffmpeg that can print headers.

    Args:
        path: a local file.
        seconds: its duration; None: not known.
        codec: its name in ffmpeg. Only of "h264" the quantizers of blocks are asked.
    """
    starts: list[float | None] = [None]
    if seconds is not None and seconds > LONG_SECONDS:
        starts += [seconds * share for share in POSITIONS]

    found = [_of_key_frame(path, start) for start in starts]
    blocks = None
    if codec == "h264":
        middle = len(starts) // 2
        blocks = _block_qp(path, starts[middle])
    names = {name for name, values in found if values}
    if len(names) != 1:
        return None
    name = names.pop()
    frames = [fmean(values) for _, values in found if values]
    steps = [_qp(name, value) for value in frames]
    value = fmean(frames)
    qp = fmean(steps)
    if name == "QP":
        is_near = blocks is not None and abs(blocks - qp) <= MAX_DEVIATION
        qp = blocks if blocks is not None and is_near else qp - TREE_OFFSET
    return Quantizer(name, round(value, 1), round(qp, 1))


def _block_qp(path: Path, start: float | None) -> float | None:
    """Return the mean QP of the blocks of a few key frames; None where not known.

    The filter codecview paints 128 / 31 of the QP of each block into the chroma.
    """
    video = video_input(path, start=start, key_frames_only=True, export_quantizers=True)
    video = video.filter("codecview", qp=1).filter("extractplanes", "u")
    video = video.filter("scale", SAMPLES, SAMPLES, flags="area")
    output = ffmpeg.output(
        video, "pipe:1", format="rawvideo", **{"frames:v": BLOCK_FRAMES}
    )
    try:
        with FFmpegRun(output, path, minutes=MAX_MINUTES) as run:
            painted = run.stdout.read(BLOCK_FRAMES * SAMPLES**2)
            run.finish()
    except UserError:
        return None
    return fmean(painted) * 31 / 128 if painted else None


def _qp(name: str, value: float) -> float:
    """Return the QP of H.264 for a quantizer."""
    if name == "quantiser_scale":
        return qp_of_step(value * MPEG2_WEIGHT / 16)
    if name == "q_index":
        return qp_of_step(vp9_step(round(value)))
    return value


def _of_key_frame(path: Path, start: float | None) -> tuple[str, Sequence[float]]:
    """Return the name and the values of the quantizer of the key frame at a time."""
    output = ffmpeg.output(
        video_input(path, start=start),
        "pipe:1",
        format="null",
        c="copy",
        **{"frames:v": 1, "bsf:v": "trace_headers"},
    )
    headers = _Headers()
    try:
        with FFmpegRun(output, path, headers.read, minutes=MAX_MINUTES) as run:
            run.finish()
    except UserError:
        return "", []
    return headers.name, headers.values


class _Headers:
    """Collects the quantizer from the lines that ffmpeg prints for each header field."""

    def __init__(self) -> None:
        self.name = ""
        self.values: list[float] = []
        self._parameters = 0
        self._initial: dict[int, int] = {}
        self._scale_type = 0

    def read(self, line: str) -> None:
        """Note what a line says of the quantizer."""
        field = _HEADER.search(line)
        if field is None or len(self.values) >= MAX_VALUES:
            return
        name, value = field[1], int(field[2])
        if name.endswith("pic_parameter_set_id"):
            self._parameters = value
        elif name in ("pic_init_qp_minus26", "init_qp_minus26"):
            self._initial[self._parameters] = value
        elif name == "slice_qp_delta":
            self._add("QP", 26 + self._initial.get(self._parameters, 0) + value)
        elif name == "q_scale_type":
            self._scale_type = value
        elif name == "quantiser_scale_code":
            self._add("quantiser_scale", _mpeg2_scale(value, self._scale_type))
        elif name == "base_q_idx":
            self._add("q_index", value)

    def _add(self, name: str, value: float) -> None:
        self.name = name
        self.values.append(value)


def _mpeg2_scale(code: int, scale_type: int) -> float:
    """Return MPEG-2's quantiser_scale for its code; ISO/IEC 13818-2, table 7-6."""
    if not scale_type:
        return 2 * code
    if code <= 8:
        return code
    if code <= 16:
        return 2 * code - 8
    if code <= 24:
        return 4 * code - 40
    return 8 * code - 136
