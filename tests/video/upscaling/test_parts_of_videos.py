"""Parts of videos exact to the frame, fields of interlaced ones, and frames for programs."""

import threading
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_clips import COUNT, PICTURES, TIMES
from read_back import NEEDED, read_back
from upscaled import lossless, repeated, upscale_clip

from realesrgan_paddle.inference.runners.runner import Run
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.utils.errors import UserError

pytestmark = NEEDED

SCALE = 2
CUT = [
    "29.97 drop frame.mov",
    "23.976.mkv",
    "varying.mp4",
    "open gop.mp4",
    "open gop.ts",
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return what makes a clip, once."""
    done: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in done:
            done[name] = tmp_path_factory.mktemp("clip") / name
            (TIMES | PICTURES)[name].make(done[name])
        return done[name]

    return get


def silent(network: Run = repeated) -> Upscaler:
    """Return an upscaler that tells nobody what it remarks."""
    return Upscaler(network, SCALE, log=str)


def images(path: Path, settings: VideoSettings) -> list[np.ndarray]:
    return [frame.image for frame in silent().frames(path, settings)]


@pytest.mark.parametrize("name", CUT)
def test_a_part_has_the_frames_of_its_times(clip, name: str):
    path, true = clip(name), TIMES[name].times
    whole = VideoSettings(deinterlace="no")
    frames = list(silent().frames(path, whole))
    begin = frames[0].seconds
    assert len(frames) == COUNT

    for first, last in ((0, 7), (9, 10), (5, 17), (11, COUNT)):
        end = None if last == COUNT else round(float(begin + true[last]), 3)
        start = round(float(begin + true[first]), 3)
        part = VideoSettings(deinterlace="no", start=start, end=end)
        found = list(silent().frames(path, part))
        assert [frame.index for frame in found] == list(range(last - first))
        assert [f.seconds for f in found] == [f.seconds for f in frames[first:last]]
        for frame, expected in zip(found, frames[first:last], strict=True):
            assert np.array_equal(frame.image, expected.image)


def test_a_part_begins_with_the_first_frame_from_a_time_on(clip):
    """Frame 5 of 25 a second is shown at 0.2 s; 0.201 is after it."""
    path = clip("25.mp4")
    every = images(path, VideoSettings(deinterlace="no"))
    for start, first in ((0.161, 5), (0.2, 5), (0.201, 6), (0.0, 0), (0.04, 1)):
        settings = VideoSettings(deinterlace="no", start=start, end=start + 0.04)
        (found,) = images(path, settings)
        assert np.array_equal(found, every[first])


def test_a_part_is_written_from_its_first_frame_on(clip, tmp_path: Path):
    path, target = clip("open gop.mp4"), tmp_path / "part.mp4"
    chosen = {**lossless(".mp4"), "deinterlace": "no"}
    outcome, _ = upscale_clip(path, target, start=0.2, end=0.52, **chosen)
    whole, found = read_back(path), read_back(target)
    assert outcome.frames == len(found.times) == 8
    assert [t - found.times[0] for t in found.times] == [
        Fraction(n, 25) for n in range(8)
    ]
    assert found.durations[-1] == Fraction(1, 25)
    expected = whole.images[5:13].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    assert np.abs(found.images.astype(int) - expected).max() <= 1


def test_no_frame_between_two_times_is_one_line(clip, tmp_path: Path):
    path = clip("25.mp4")
    for start, end in ((5.0, None), (0.3, 0.3), (0.3, 0.1), (0.21, 0.23), (None, 0.0)):
        with pytest.raises(UserError) as caught:
            upscale_clip(path, tmp_path / "part.mp4", start=start, end=end)
        message = str(caught.value)
        assert "25.mp4: no frame between --start and --end" in message
        assert "20 frames until 0:00:00.800" in message
        assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "deinterlace", "frames", "rate"),
    [
        ("interlaced.ts", "no", COUNT, 25),
        ("interlaced.ts", "frame", COUNT, 25),
        ("interlaced.ts", "auto", COUNT, 25),
        ("interlaced.ts", "field", 2 * COUNT, 50),
        ("bottom field first.mp4", "field", 2 * COUNT, 50),
        ("25.mp4", "field", 2 * COUNT, 50),
        ("telecined.ts", "field", 50, Fraction(60000, 1001)),
        ("telecined.ts", "no", 25, Fraction(30000, 1001)),
    ],
)
def test_frames_and_times_are_those_of_fields_or_frames(
    clip, tmp_path: Path, name, deinterlace, frames, rate
):
    target = tmp_path / "result.mkv"
    chosen = {"codec": "ffv1", "deinterlace": deinterlace}
    outcome, _ = upscale_clip(clip(name), target, **chosen)
    found = read_back(target)
    assert outcome.frames == len(found.times) == frames
    for number, shown in enumerate(found.times):
        assert abs(shown - found.times[0] - number / Fraction(rate)) <= Fraction(1, 900)
    assert any("interlaced" in line for line in outcome.remarks) == (name != "25.mp4")


def test_fields_that_were_woven_are_moments_of_their_own(clip, tmp_path: Path):
    """A comb is gone, and the second field's picture is not the first's."""
    frames = images(clip("interlaced.ts"), VideoSettings(deinterlace="field"))
    apart = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert min(apart) > 1


def test_a_part_of_fields_begins_with_the_second_one(clip):
    path = clip("interlaced.ts")
    every = VideoSettings(deinterlace="field")
    frames = list(silent().frames(path, every))
    start = float(frames[5].seconds)
    part = VideoSettings(deinterlace="field", start=start, end=start + 0.06)
    found = list(silent().frames(path, part))
    assert [f.seconds for f in found] == [f.seconds for f in frames[5:8]]
    for frame, expected in zip(found, frames[5:8], strict=True):
        assert np.array_equal(frame.image, expected.image)


def threads_after(count: int) -> int:
    """Return how many threads there are, when no more end or 5 s are over."""
    until = time.monotonic() + 5
    while threading.active_count() > count and time.monotonic() < until:
        time.sleep(0.01)
    return threading.active_count()


def test_an_iterator_that_is_left_ends_its_threads(clip):
    before = threading.active_count()
    frames = silent().frames(clip("25.mp4"))
    first = next(frames)
    assert (first.index, first.seconds, first.repeated) == (0, 0, False)
    assert first.image.shape == (96, 128, 3)
    frames.close()
    assert threads_after(before) == before


def test_a_network_that_fails_ends_the_threads_and_leaves_nothing(clip, tmp_path):
    def fail(images: np.ndarray) -> np.ndarray:
        if images.shape[2:] == (48, 64):
            raise ArithmeticError("no network")
        return repeated(images)

    before = threading.active_count()
    upscaler = silent(fail)
    with pytest.raises(ArithmeticError, match="no network"):
        upscaler.video(clip("25.mp4"), tmp_path / "result.mp4")
    with pytest.raises(ArithmeticError, match="no network"):
        list(upscaler.frames(clip("25.mp4")))
    assert threads_after(before) == before
    assert not list(tmp_path.iterdir())


def test_settings_and_scale_count_for_frames(clip):
    upscaler = silent()
    assert next(upscaler.frames(clip("25.mp4"), outscale=3)).image.shape[:2] == (
        144,
        192,
    )
    tall = VideoSettings(height=101)
    assert next(upscaler.frames(clip("25.mp4"), tall)).image.shape[:2] == (102, 136)
    assert next(upscaler.frames(clip("odd sides.mkv"))).image.shape[:2] == (98, 130)
