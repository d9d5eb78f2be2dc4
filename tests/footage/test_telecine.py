"""Film in interlaced video is put together again; true interlacing is not touched."""

import logging
from pathlib import Path

import numpy as np
import pytest
from clips import picture_clip
from scenes import scene, woven

from realesrgan_paddle.data.footage.video import Sampling, frames
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.field_order import field_order, has_pulldown

LOSSLESS = ("-pix_fmt", "yuv444p", "-c:v", "ffv1", "-g", 1)


def film(number: int) -> np.ndarray:
    return scene(3, 1.5 * number, width=96, height=64)


def telecined(path: Path, order: str, count: int = 32) -> Path:
    """Four pictures of film become five frames: fields of 2, 3, 2 and 3 each."""
    fields = [n for n in range(count) for _ in range(2 + n % 2)]
    pairs = zip(fields[::2], fields[1::2], strict=False)
    shown = [woven(film(one), film(other), order) for one, other in pairs]
    return picture_clip(path, shown, options=LOSSLESS)


def interlaced(path: Path, order: str) -> Path:
    shown = [woven(film(n), film(n + 0.5), order) for n in range(26)]
    return picture_clip(path, shown, options=LOSSLESS)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_telecine_is_undone(
    tmp_path: Path, order: str, caplog: pytest.LogCaptureFixture
):
    clip = telecined(tmp_path / "clip.mkv", order)
    info = probe(clip)
    assert field_order(clip, info.seconds) == order
    assert has_pulldown(clip, info.seconds)

    pictures = [film(n).astype(int) for n in range(32)]
    sampling = Sampling(select="interval", interval=0.001)
    for pulldown, most in ((True, 1.0), (False, 8.0)):
        shown = list(frames(clip, info, sampling, order, pulldown))
        errors = [
            min(np.abs(frame.image - picture).mean() for picture in pictures)
            for frame in shown[5:-5]
        ]
        assert max(errors) < most
    assert max(errors) > 1.5  # a deinterlaced frame differs from all of the film

    with caplog.at_level(logging.WARNING):
        main(["--input", str(clip), "--output", str(tmp_path / "out")])
    assert "telecine); undone" in caplog.text


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_true_interlacing_has_no_pulldown(tmp_path: Path, order: str):
    clip = interlaced(tmp_path / "clip.mkv", order)
    assert field_order(clip, None) == order
    assert not has_pulldown(clip, None)


def test_progressive_video_has_no_pulldown(tmp_path: Path):
    clip = picture_clip(
        tmp_path / "clip.mkv", [film(n) for n in range(40)], options=LOSSLESS
    )
    assert field_order(clip, None) == "progressive"
    assert not has_pulldown(clip, None)
