"""Clips of all kinds are upscaled, and nothing of them is lost."""

from pathlib import Path

import numpy as np
import pytest
from kept import assert_all_is_kept
from made_clips import PICTURES, STREAMS, TIMES, X264, made, of_format, pattern
from read_back import NEEDED, read_back
from upscaled import SCALE, lossless, upscale_clip

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.writing import muxing

pytestmark = NEEDED

TIME_CODE = "29.97 drop frame.mov"
DEPTHS = {
    "10 bits.mkv": "yuv420p10le",
    "10 bits.mp4": "yuv420p10le",
    "BT.2020.mkv": "yuv420p10le",
    "4:2:2 10 bits.mov": "yuv422p10le",
    "10 bit gray.mkv": "gray10le",
}
"""Pixel formats of results with more than 8 bits a sample."""


@pytest.mark.parametrize("name", TIMES)
def test_every_frame_keeps_its_time(tmp_path: Path, name: str):
    if name == TIME_CODE and not muxing.WRITES_RATES:
        pytest.skip("PyAV 17 writes no time code")
    assert_all_is_kept(tmp_path, name, TIMES[name])


def test_a_time_code_that_pyav_cannot_write_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(muxing, "WRITES_RATES", False)
    TIMES[TIME_CODE].make(tmp_path / "in.mov")
    outcome, _ = upscale_clip(
        tmp_path / "in.mov", tmp_path / "out.mov", **lossless(".mov")
    )
    assert any("the time code is left out" in remark for remark in outcome.remarks)


@pytest.mark.parametrize("name", STREAMS)
def test_sound_subtitles_and_all_else_are_kept(tmp_path: Path, name: str):
    assert_all_is_kept(tmp_path, name, STREAMS[name])


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_shown_as_the_sources(tmp_path: Path, name: str):
    pair = assert_all_is_kept(tmp_path, name, PICTURES[name])
    if name in DEPTHS:
        assert pair.result.pixel_format == DEPTHS[name]


@pytest.mark.parametrize("place", ["left", "center", "topleft"])
def test_chroma_samples_lie_where_the_video_says(tmp_path: Path, place: str):
    """In a picture whose chroma changes from sample to sample."""
    clip = tmp_path / "clip.mkv"
    also = f"format=yuv420p,setparams=chroma_location={place}"
    waves = "cb='128+40*sin(X)':cr='128+40*cos(Y)'"
    made(*pattern(also=also, count=1, chroma=waves), *X264)(clip)

    (frame,) = Upscaler(lambda images: images, 1, log=str).frames(clip)
    apart = {}
    for each in ("left", "center", "topleft"):
        (expected,) = read_back(clip, chroma=each).images
        apart[each] = np.abs(frame.image.astype(int) - expected).max()
    assert apart.pop(place) <= 1
    assert min(apart.values()) > 4


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
