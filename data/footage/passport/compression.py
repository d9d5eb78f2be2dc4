"""How strongly a video is compressed, from its packets and headers: nothing is decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.packets import Packets
from realesrgan_paddle.data.footage.passport.quantizer import Quantizer, quantizer
from realesrgan_paddle.utils.ffmpeg import VideoInfo


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
