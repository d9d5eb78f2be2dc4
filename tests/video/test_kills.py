"""Runs that are killed, interrupted or out of space go on, to the very same result."""

import errno
import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from killed import run_until_operation
from made_clips import AAC, X264, YUV420, made, pattern, tone
from read_back import NEEDED, Video, read_back
from upscaled import lossless, upscale_clip

from realesrgan_paddle.utils.errors import UserError

pytestmark = [
    NEEDED,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here"),
]

COUNT = 60
SETTINGS = {**lossless(".mp4"), "segment_seconds": 0.2}
FEW_SEGMENTS = {**SETTINGS, "segment_seconds": 0.8}
"""For a kill before each operation: what is done with one segment is done with all."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    moving = pattern(also=YUV420, count=COUNT)
    made(*moving, *tone(seconds=2.4), *X264, "-bf", 2, *AAC)(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory) -> Video:
    target = tmp_path_factory.mktemp("undisturbed") / "result.mp4"
    upscale_clip(clip, target, **SETTINGS)
    return read_back(target)


def assert_is(target: Path, expected: Video) -> None:
    """The decoded frames, and the times and bytes of all packets, are the same."""
    found = read_back(target)
    assert np.array_equal(found.images, expected.images)
    assert found.times == expected.times
    assert [s.packets for s in found.streams] == [s.packets for s in expected.streams]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def upscale_at_once(words: Sequence[str]) -> int:
    """Upscale without waiting, in few segments; run in a process."""
    source, target = map(Path, words)
    upscale_clip(source, target, **FEW_SEGMENTS)
    return 0


@pytest.mark.slow
def test_what_is_killed_between_any_two_operations_on_files_goes_on(
    clip: Path, tmp_path: Path
):
    undisturbed = tmp_path / "undisturbed.mp4"
    upscale_clip(clip, undisturbed, **FEW_SEGMENTS)
    expected = read_back(undisturbed)

    target = tmp_path / "folder" / "result.mp4"
    words = [str(clip), str(target)]
    nth = 0
    was_killed = True
    while was_killed:
        nth += 1
        was_killed = run_until_operation(upscale_at_once, words, target.parent, nth)
        upscale_clip(clip, target, **FEW_SEGMENTS)
        assert_is(target, expected)
        target.unlink()
    assert nth > 30, "each file of three segments takes some"


def test_an_interrupted_run_leaves_whole_segments_and_goes_on(
    clip: Path, undisturbed: Video, tmp_path: Path, monkeypatch
):
    import upscaled

    calls = []
    repeat = upscaled.repeated

    def interrupted(images: np.ndarray) -> np.ndarray:
        calls.append(images.shape)
        if len(calls) == COUNT // 2:
            raise KeyboardInterrupt
        return repeat(images)

    target = tmp_path / "result.mp4"
    monkeypatch.setattr(upscaled, "repeated", interrupted)
    with pytest.raises(KeyboardInterrupt):
        upscale_clip(clip, target, **SETTINGS)
    assert not target.exists()
    assert not [
        p for p in (tmp_path / "result.mp4.parts").iterdir() if ".tmp" in p.name
    ]

    monkeypatch.undo()
    first = tmp_path / "result.mp4.parts/000000.nut"
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    outcome, _ = upscale_clip(clip, target, **SETTINGS)
    assert outcome.resumed > 0
    assert any("000000.nut" in each for each in outcome.remarks)
    assert_is(target, undisturbed)


def test_slow_frames_are_kept_one_by_one(clip: Path, tmp_path: Path, monkeypatch):
    import upscaled

    from realesrgan_paddle.inference.video import segment_maker

    calls = []
    repeat = upscaled.repeated

    def interrupted(images: np.ndarray) -> np.ndarray:
        calls.append(images.shape)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return repeat(images)

    # As if a frame took long: each segment would take minutes.
    monkeypatch.setattr(segment_maker, "LONG_SEGMENT", -1.0)
    monkeypatch.setattr(upscaled, "repeated", interrupted)
    target, parts = tmp_path / "result.mp4", tmp_path / "result.mp4.parts"
    stop_at = 1_000
    upscale_clip(clip, target, **FEW_SEGMENTS)
    all_calls = len(calls)
    expected = read_back(target)
    assert_is(target, expected)  # nothing is left beside it
    target.unlink()

    calls.clear()
    stop_at = all_calls - 5  # in the last segment of 20 frames
    with pytest.raises(KeyboardInterrupt):
        upscale_clip(clip, target, **FEW_SEGMENTS)
    frames = sorted(parts.glob("frame-*.npy"))
    assert 10 < len(frames) < 20
    frames[3].write_bytes(frames[4].read_bytes())
    (parts / "frame-99999999.npy").write_bytes(b"a stranger's")

    calls.clear()
    stop_at = 1_000
    outcome, said = upscale_clip(clip, target, **FEW_SEGMENTS)
    assert outcome.resumed == 40 + len(frames) - 1
    assert said[0].startswith("going on from frame 44 of 60; an earlier run did 5")
    assert len(calls) < 20
    assert (parts / "frame-99999999.npy").read_bytes() == b"a stranger's"
    (parts / "frame-99999999.npy").unlink()
    parts.rmdir()
    assert_is(target, expected)


def test_a_full_disk_is_told_and_nothing_is_lost(
    clip: Path, undisturbed: Video, tmp_path: Path
):
    target = tmp_path / "result.mp4"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        with pytest.raises((UserError, OSError)) as caught:
            upscale_clip(clip, target, **SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "File too large" in str(caught.value)
    assert str(target) in str(caught.value)
    assert not target.exists()

    outcome, _ = upscale_clip(clip, target, **SETTINGS)
    assert outcome.resumed == COUNT, "the segments are small enough"
    assert_is(target, undisturbed)


def test_a_segment_that_cannot_be_written_fails_the_run(
    clip: Path, undisturbed: Video, tmp_path: Path, monkeypatch
):
    target = tmp_path / "result.mp4"
    replace = Path.replace

    def full(temporary: Path, name: str | Path) -> Path:
        if "000004" in str(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(name))
        return replace(temporary, name)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        upscale_clip(clip, target, **SETTINGS)
    assert not target.exists()

    monkeypatch.undo()
    outcome, _ = upscale_clip(clip, target, **SETTINGS)
    assert 0 < outcome.resumed < COUNT
    assert_is(target, undisturbed)
