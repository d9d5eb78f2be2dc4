"""Encoders: the same packets each time, and one line where they do not start."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.inference.video.reading.source import BT709, ColorTags, Timeline
from realesrgan_paddle.inference.video.writing.encoding import Encoding, encoder
from realesrgan_paddle.utils.errors import UserError

pytest.importorskip("av")

FRAMES = 25
PLAIN = Encoding(
    codec="h264",
    width=192,
    height=128,
    pixel_format="yuv420p",
    aspect=Fraction(1),
    colors=ColorTags(BT709, BT709, BT709, 1, "left"),
    matrix=BT709,
    crf=17,
    preset="medium",
    threads=1,
)


def encoded(path: Path, encoding: Encoding) -> bytes:
    """Return the file of some frames on which a smooth pattern moves."""
    timeline = Timeline(
        Fraction(1, 25), list(range(FRAMES)), end=FRAMES, rate=Fraction(25)
    )
    rows, columns = np.mgrid[: encoding.height, : encoding.width]
    with encoder(path, encoding, timeline) as encode:
        for number in range(FRAMES):
            wave = np.sin((columns + 3 * number) / 9) + np.cos((rows - number) / 7)
            gray = (wave * 60 + 128).astype(np.uint8)
            encode(np.dstack([gray, 255 - gray, gray // 2]), number)
    return path.read_bytes()


def test_x264_gives_the_same_packets_each_time(tmp_path: Path):
    # Its AVX-512 code gave 7 results of 16 runs.
    files = {encoded(tmp_path / "some.nut", PLAIN) for _ in range(12)}
    assert len(files) == 1


def test_an_encoder_that_does_not_start_is_one_line(tmp_path: Path):
    too_wide = replace(PLAIN, width=20_000, height=16)  # x264 takes 16,384
    with pytest.raises(UserError, match="libx264 does not encode 20000x16"):
        encoded(tmp_path / "some.nut", too_wide)
