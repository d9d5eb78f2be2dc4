"""Real low-quality images that a degradation is fitted to."""

from pathlib import Path

import pytest
from clips import ffmpeg

from realesrgan_paddle.data.lq import windows
from realesrgan_paddle.data.lq.windows import MOST_PICTURES, read_real


@pytest.mark.parametrize("seconds", [40, 170])
def test_pictures_of_a_video_are_of_all_of_it_however_long_it_is(
    tmp_path: Path, monkeypatch, seconds: int
):
    """Each is as bright as it is late. A long video is not decoded from end to end."""
    brightness = f"geq=lum='30+190*T/{seconds}':cb=128:cr=128"
    source = f"color=gray:s=64x48:r=5:d={seconds},{brightness}"
    video = tmp_path / "match.mp4"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-g", 25, video)
    if seconds > 160:
        monkeypatch.setattr(windows, "frames", None)

    pictures, failures = read_real(video)
    assert not failures and len(pictures) == MOST_PICTURES
    levels = [picture.pixels.mean() for picture in pictures]
    assert levels == sorted(levels) and levels[0] < 35 and levels[-1] > 205
    sources = [picture.source.rpartition("#")[2] for picture in pictures]
    assert sources == sorted("0123" * (MOST_PICTURES // 4))
