"""Clips of all pixel formats, colors and shapes are upscaled, and look the same."""

from pathlib import Path

import numpy as np
import pytest
from kept import assert_all_is_kept
from made_clips import PICTURES, of_format
from read_back import NEEDED, read_back
from upscaled import SCALE, lossless, upscale_clip

pytestmark = NEEDED

DEPTHS = {
    "10 bits.mkv": "yuv420p10le",
    "10 bits.mp4": "yuv420p10le",
    "BT.2020.mkv": "yuv420p10le",
    "4:2:2 10 bits.mov": "yuv422p10le",
    "10 bit gray.mkv": "gray10le",
}
"""Pixel formats of results with more than 8 bits a sample."""


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_shown_as_the_sources(tmp_path: Path, name: str):
    pair = assert_all_is_kept(tmp_path, name, PICTURES[name])
    if name in DEPTHS:
        assert pair.result.pixel_format == DEPTHS[name]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_larger_picture_is_not_taken_for_another_kind(tmp_path: Path, suffix: str):
    """Players take SD that does not tell for BT.601, and HD for BT.709."""
    source, target = tmp_path / "clip.mkv", tmp_path / f"result{suffix}"
    of_format("yuv420p", size="640x300", count=1)(source)
    upscale_clip(source, target, **lossless(suffix))

    (before,) = read_back(source).images
    (after,) = read_back(target).images
    assert np.abs(after[::SCALE, ::SCALE].astype(int) - before).max() <= 1
    assert read_back(target).colors[1] == "smpte170m"
