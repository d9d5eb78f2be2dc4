"""A video through a network with a state goes on where it was, to the very same result."""

import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from carried_state import SCALE, Remembering, made_clip, shot
from killed import run_until_operation
from read_back import NEEDED, Packet, read_back

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video import segment_maker
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo

pytestmark = [
    NEEDED,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here"),
]

PROBED = 1
"""Steps before the first frame: the one by which the network is known."""
SEGMENT = 5
COUNT = 25
COPIED = 4
"""Frames that are those before, also where they begin a segment."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    frames = [*shot(1, 13), *shot(2, COUNT - 13)]
    frames[3] = frames[2]
    frames[10] = frames[9]
    frames[20] = frames[19] = frames[18]
    return made_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", frames)


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory) -> list[Packet]:
    target = tmp_path_factory.mktemp("undisturbed") / "result.mkv"
    network = Remembering()
    upscaled(clip, target, network)
    assert len(network.steps) == PROBED + COUNT - COPIED
    return packets(target)


def upscaled(
    clip: Path, target: Path, network: Remembering, frames: int = SEGMENT
) -> UpscaledVideo:
    seconds = frames / 25
    upscaler = Upscaler(network, SCALE)
    return upscaler.video(clip, target, codec="ffv1", segment_seconds=seconds)


def packets(target: Path) -> list[Packet]:
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    video = read_back(target)
    assert len(video.images) == COUNT
    return video.streams[video.picture].packets


def interrupt(clip: Path, target: Path, stop_at: int, frames: int = SEGMENT) -> Path:
    """Begin a video, stop at a step, and return the folder of what is done."""
    with pytest.raises(KeyboardInterrupt):
        upscaled(clip, target, Remembering(stop_at=PROBED + stop_at), frames)
    return target.with_name(f"{target.name}.parts")


def names(parts: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in parts.glob(pattern))


def test_where_segments_begin_changes_no_frame(clip: Path, tmp_path: Path):
    """Two frames that are those before begin a segment of five."""
    images = []
    for frames in (SEGMENT, COUNT):
        target = tmp_path / f"{frames}.mkv"
        upscaled(clip, target, Remembering(), frames)
        images.append(read_back(target).images)
    assert np.array_equal(*images)


@pytest.mark.parametrize("stop_at", [0, 1, 4, 5, 6, 9, 12, 13, 14, 18, 20])
def test_it_goes_on_wherever_it_was_stopped(
    clip: Path, undisturbed: list[Packet], tmp_path: Path, stop_at: int
):
    target = tmp_path / "result.mkv"
    parts = interrupt(clip, target, stop_at)
    done = len(names(parts, "*.nut"))
    assert len(names(parts, "state-*.npy")) == (1 if done else 0)

    network = Remembering()
    outcome = upscaled(clip, target, network)
    assert outcome.resumed == SEGMENT * done
    assert len(network.steps) <= PROBED + COUNT - SEGMENT * done
    assert packets(target) == undisturbed


@pytest.mark.parametrize("number", range(4))
def test_a_damaged_segment_is_made_again(
    clip: Path, undisturbed: list[Packet], tmp_path: Path, number: int
):
    target = tmp_path / "result.mkv"
    parts = interrupt(clip, target, 20)
    (parts / f"{number:06}.nut").write_bytes(b"damaged")
    others = [parts / name for name in names(parts, "*.nut")]
    before = {path.name: path.stat().st_mtime_ns for path in others}

    # Until it is whole again, and the next one that is missing begins.
    with pytest.raises(KeyboardInterrupt):
        interrupted = Remembering(stop_at=PROBED + SEGMENT * (number + 1))
        upscaled(clip, target, interrupted)
    written = {
        path.name for path in others if path.stat().st_mtime_ns != before[path.name]
    }
    assert written <= {f"{number:06}.nut"}

    outcome = upscaled(clip, target, Remembering())
    assert outcome.frames == COUNT
    assert packets(target) == undisturbed


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_state_that_is_lost_is_computed_again(
    clip: Path, undisturbed: list[Packet], tmp_path: Path, how: str
):
    target = tmp_path / "result.mkv"
    parts = interrupt(clip, target, 15)
    (name,) = names(parts, "state-*.npy")
    if how == "missing":
        (parts / name).unlink()
    else:
        content = bytearray((parts / name).read_bytes())
        content[-1] ^= 1
        (parts / name).write_bytes(content)

    # What is computed for the state is not lost either, and takes the room of one.
    with pytest.raises(KeyboardInterrupt):
        upscaled(clip, target, Remembering(stop_at=PROBED + 11))
    states = [each for each in names(parts, "state-*.npy") if each != name]
    assert states == ["state-00000009.npy"]
    network = Remembering()
    outcome = upscaled(clip, target, network)
    assert outcome.resumed == 15
    assert any(line.startswith("5 frames are computed") for line in outcome.remarks)
    assert len(network.steps) == PROBED + COUNT - 10 - 3, "10, 19 and 20 are copied"
    assert packets(target) == undisturbed


@pytest.mark.parametrize("stop_at", [3, 9, 14, 20])
@pytest.mark.parametrize("what", ["nothing", "the last state", "a frame"])
def test_slow_frames_are_kept_with_the_state(
    clip: Path, tmp_path: Path, monkeypatch, stop_at: int, what: str
):
    monkeypatch.setattr(segment_maker, "LONG_SEGMENT", 1e-9)
    upscaled(clip, tmp_path / "a" / "result.mkv", Remembering(), 12)
    expected = packets(tmp_path / "a" / "result.mkv")

    target = tmp_path / "b" / "result.mkv"
    parts = interrupt(clip, target, stop_at, 12)
    frames, states = names(parts, "frame-*.npy"), names(parts, "state-*.npy")
    whole = 12 * len(names(parts, "*.nut"))
    kept = [int(name[6:14]) for name in frames]
    assert kept == list(range(whole, whole + len(kept)))
    assert len(states) <= 2  # at the segment's begin, and after the last frame
    lost = {"the last state": states[-1:], "a frame": frames[1:2]}.get(what, [])
    for name in lost:
        (parts / name).write_bytes((parts / name).read_bytes()[:-4] + b"lost")

    network = Remembering()
    outcome = upscaled(clip, target, network, 12)
    assert outcome.resumed == whole + (0 if lost else len(kept))
    assert packets(target) == expected


def upscale_in_a_process(words: Sequence[str]) -> int:
    source, target = map(Path, words)
    segment_maker.LONG_SEGMENT = 1e-9
    upscaled(source, target, Remembering(), 10)
    return 0


@pytest.mark.slow
def test_it_goes_on_when_it_is_killed_between_any_two_operations_on_files(
    clip: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(segment_maker, "LONG_SEGMENT", 1e-9)
    upscaled(clip, tmp_path / "a" / "result.mkv", Remembering(), 10)
    expected = packets(tmp_path / "a" / "result.mkv")

    target = tmp_path / "b" / "result.mkv"
    nth, was_killed = 0, True
    while was_killed:
        nth += 7
        words = [str(clip), str(target)]
        was_killed = run_until_operation(
            upscale_in_a_process, words, target.parent, nth
        )
        upscaled(clip, target, Remembering(), 10)
        assert packets(target) == expected
        target.unlink()
    assert nth > 100, "each frame and each state takes some"
