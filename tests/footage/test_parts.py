"""Parts of long videos, which are looked at where there is no time for all of them."""

import numpy as np
import pytest
from clips import picture_clip

from realesrgan_paddle.data.footage import parts
from realesrgan_paddle.data.footage.parts import parts_within
from realesrgan_paddle.data.footage.video import Sampling, frames
from realesrgan_paddle.utils.ffmpeg import probe

WHOLE_S = 30.0


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """One long video and one short one, of which a second takes a second."""
    monkeypatch.setattr(parts, "SECONDS_A_SECOND", 1.0)
    monkeypatch.setattr(parts, "PIXELS", 96 * 64)
    made = [tmp_path / "long.mkv", tmp_path / "short.mkv"]
    rng = np.random.default_rng(0)
    for path, seconds in zip(made, (WHOLE_S, 2.0), strict=True):
        pictures = rng.integers(0, 256, (int(seconds), 64, 96, 3), np.uint8)
        picture_clip(path, pictures, rate=1)
    return made


def test_what_there_is_time_for_stays_whole(videos, tmp_path):
    assert parts_within(40, videos, tmp_path / "parts") == videos
    assert not (tmp_path / "parts").exists()


def test_of_a_long_video_parts_are_spread_over_it(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "SHORTEST_S", 1.0)
    monkeypatch.setattr(parts, "PARTS", 6)
    found = parts_within(6, videos, tmp_path / "parts")
    assert found[-1] == videos[1], "the short one is not cut"
    assert len(found) == 5
    lengths = [probe(path).seconds for path in found[:-1]]
    assert 4 <= sum(lengths) <= 4 + len(lengths), "each from a key frame on"

    def first(path):
        return next(frames(path, probe(path), Sampling())).image

    every = list(frames(videos[0], probe(videos[0]), Sampling()))
    starts = []
    for path in found[:-1]:
        same = [f.seconds for f in every if np.array_equal(f.image, first(path))]
        starts.append(same[0])
    assert starts == sorted(starts)
    assert starts[0] < WHOLE_S / 4 and starts[-1] > WHOLE_S / 2
    assert parts_within(6, videos, tmp_path / "parts") == found, (
        "and are not copied again"
    )


def test_parts_of_videos_of_one_name_are_not_mixed(videos, tmp_path):
    other = tmp_path / "b" / videos[0].name
    other.parent.mkdir()
    picture_clip(other, np.zeros((int(WHOLE_S), 64, 96, 3), np.uint8), rate=1)
    found = parts_within(20, [videos[0], other], tmp_path / "parts")
    assert len(set(found)) == len(found) == 4
    means = [next(frames(path, probe(path), Sampling())).image.mean() for path in found]
    assert [mean > 50 for mean in means] == [True, True, False, False]


def test_what_cannot_be_copied_stays_whole(videos, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert parts_within(1, [broken], tmp_path / "parts") == [broken]
