"""A network with a state goes through a video frame by frame, and begins anew at cuts."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from carried_state import HEIGHT, SCALE, WIDTH, Remembering, made_clip, shot
from read_back import NEEDED, read_back
from scenes import world

from realesrgan_paddle.inference.runners.runner import SelfEnsemble
from realesrgan_paddle.inference.tiling.array_upscaler import OutOfMemoryError
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.recurrent import (
    RecurrentUpscaler,
    open_frame_upscaler,
)
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.upscale_video import sampled_frames
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.likeness import is_cut

pytestmark = NEEDED

SIZE = (SCALE * WIDTH, SCALE * HEIGHT)


def opened(size: tuple[int, int] = SIZE, *, reuse: bool = True, **settings: int):
    """Return what upscales frames, and the network that it runs."""
    network = Remembering()
    upscaler = Upscaler(network, SCALE, **settings)
    upscale = open_frame_upscaler(upscaler, size, reuse=reuse)
    assert isinstance(upscale, RecurrentUpscaler)
    return upscale, network


def upscaled(frames: list[np.ndarray], **settings: int) -> np.ndarray:
    upscale, _ = opened(**settings)
    return np.stack(list(map(upscale, frames, [*frames[1:], None])))


def unrolled(frames: list[np.ndarray]) -> np.ndarray:
    """Return the frames of one shot, as the network says what it computes."""
    network = Remembering()
    clip = [np.float32(frame.transpose(2, 0, 1)) / np.float32(255) for frame in frames]
    state = np.zeros((network.num_state, HEIGHT, WIDTH), np.float32)
    results = []
    for number, frame in enumerate(clip):
        before = clip[max(0, number - 1)]
        after = clip[min(number + 1, len(clip) - 1)]
        result, state = network.step(frame, before, after, state)
        results.append(np.rint(255 * result.clip(0, 1)).astype(np.uint8))
    return np.stack(results).transpose(0, 2, 3, 1)


def test_a_frame_sees_those_beside_it_and_the_state():
    frames = shot(1, 6)
    assert np.array_equal(upscaled(frames), unrolled(frames))


def test_after_a_cut_all_is_as_if_the_video_began_there():
    first, second = shot(1, 4), shot(2, 5)
    found = upscaled([*first, *second, *first])
    expected = [unrolled(first), unrolled(second), unrolled(first)]
    assert np.array_equal(found, np.concatenate(expected))


def test_cuts_are_told_from_what_is_none():
    shots = [world(seed)[:360, :640] for seed in range(6)]
    for before in shots:
        for now in shots:
            assert is_cut(before, now) == (before is not now)

    picture = shots[0]
    moved = np.roll(picture, (40, 120), axis=(0, 1))
    flash = (picture * 1.5 + 60).clip(0, 255).astype(np.uint8)
    dark = (picture // 4).astype(np.uint8)
    noisy = np.random.default_rng(0).normal(picture, 20).clip(0, 255).astype(np.uint8)
    for now in (moved, flash, dark, noisy, cv2.blur(picture, (15, 15))):
        assert not is_cut(picture, now)
    assert is_cut(picture, np.zeros_like(picture))

    alpha = np.full((360, 640, 1), 9, np.uint8)
    fine = [np.dstack([each, alpha]).astype(np.uint16) * 257 for each in shots[:2]]
    assert is_cut(*fine)
    assert not is_cut(fine[0], fine[0] // 2)


def test_a_frame_that_repeats_is_copied_and_changes_nothing():
    a, b, c = shot(1, 3)
    upscale, network = opened()
    found = list(map(upscale, [a, b, b, b, c], [b, b, b, c, None]))
    assert found[1] is found[2] is found[3]
    assert len(network.steps) == 3
    assert upscale.repeats.frames == 2

    # The next frame has the state of a video without the copies.
    alone, _ = opened()
    alone(a, b)
    alone(b, b)
    assert np.array_equal(alone(c, None), found[4])

    again, network = opened(reuse=False)
    list(map(again, [a, b, b, b, c], [b, b, b, c, None]))
    assert len(network.steps) == 5


def test_frames_are_never_cut_into_tiles(tmp_path: Path):
    frames = shot(1, 3)
    assert np.array_equal(upscaled(frames, tile=16), unrolled(frames))

    network, clip = Remembering(), made_clip(tmp_path / "clip.mkv", frames)
    upscaler = Upscaler(network, SCALE, tile=16)
    outcome = upscaler.video(clip, tmp_path / "result.mkv", codec="ffv1")
    (remark,) = outcome.remarks
    assert remark.startswith("not cut into tiles of 16 pixels")
    assert network.steps[1:] == [(HEIGHT, WIDTH)] * 3  # behind that which tells it


def test_what_does_not_fit_is_one_line(monkeypatch):
    def full(*_: np.ndarray) -> None:
        raise MemoryError

    upscale, network = opened()
    monkeypatch.setattr(network, "step", full, raising=False)
    with pytest.raises(OutOfMemoryError) as caught:
        upscale(shot(1, 1)[0])
    assert str(caught.value).startswith(f"out of memory on {WIDTH}x{HEIGHT} pixels; a ")
    assert "\n" not in str(caught.value)


def test_other_sizes_alpha_and_bits_are_those_of_pictures():
    """Mirrored, resized and rounded as a frame alone, for which there is nothing beside."""

    class Plain:
        def __call__(self, images: np.ndarray) -> np.ndarray:
            (frame,) = images
            zeros = np.zeros((Remembering.num_state, *frame.shape[1:]), np.float32)
            return Remembering().step(frame, frame, frame, zeros)[0][None]

    colors = shot(1, 1)[0]
    ramp = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))
    clear = np.dstack([colors, ramp])
    for frame in (colors, clear, clear.astype(np.uint16) * 257, colors[:31, :45]):
        for size in (SIZE, (70, 45)):
            upscale, _ = opened(size, pre_pad=3)
            found = upscale(frame)
            expected = Upscaler(Plain(), SCALE, pre_pad=3).to_size(frame[..., :3], size)
            assert found.dtype == frame.dtype
            assert np.array_equal(found[..., :3], expected)
            if frame.shape[2] == 4:
                alpha = Upscaler(Remembering(), SCALE, pre_pad=3).to_size(frame, size)
                assert np.array_equal(found[..., 3], alpha[..., 3])


def test_what_is_not_finite_is_computed_again_with_the_same_state():
    frames = shot(1, 4)

    class Overflowing(Remembering):
        def step(self, *arrays: np.ndarray):
            result, state = super().step(*arrays)
            broken = np.float32(np.nan if len(self.steps) == 3 else 0)
            return result + broken, state + broken

        def exact(self) -> Remembering:
            return Remembering()

    said: list[str] = []
    upscaler = Upscaler(Overflowing(), SCALE, log=said.append)
    upscale = open_frame_upscaler(upscaler, SIZE, reuse=True)
    found = list(map(upscale, frames, [*frames[1:], None]))
    assert np.array_equal(np.stack(found), unrolled(frames))
    assert len(said) == 1
    assert "computed again in float32" in said[0]


def test_the_frames_of_a_video_are_those_of_its_file(tmp_path: Path):
    frames = [*shot(1, 5), *shot(2, 30)]
    clip = made_clip(tmp_path / "clip.mkv", frames)
    expected = upscaled(frames)

    upscaler = Upscaler(Remembering(), SCALE)
    found = np.stack([frame.image for frame in upscaler.frames(clip)])
    assert np.array_equal(found, expected)

    said: list[str] = []
    upscaler.video(clip, tmp_path / "result.mkv", codec="ffv1", say=said.append)
    assert any(line.startswith("estimate") for line in said)
    assert np.array_equal(read_back(tmp_path / "result.mkv").images, expected)


def test_a_sample_is_a_video_of_its_own(tmp_path: Path):
    frames = shot(1, 9)
    clip = made_clip(tmp_path / "clip.mkv", frames)
    upscaler = Upscaler(Remembering(), SCALE)
    samples = list(sampled_frames(upscaler, clip, VideoSettings(), 3))
    for (_, result), number in zip(samples, (0, 4, 8), strict=True):
        assert np.array_equal(result, unrolled([frames[number]])[0])


def test_another_network_is_told_by_its_step_alone(tmp_path: Path):
    clip = made_clip(tmp_path / "clip.mkv", shot(1, 20))
    target = tmp_path / "result.mkv"
    settings = {"codec": "ffv1", "segment_seconds": 0.2}
    with pytest.raises(KeyboardInterrupt):
        Upscaler(Remembering(stop_at=12), SCALE).video(clip, target, **settings)

    class Other(Remembering):
        def step(self, *arrays: np.ndarray):
            result, state = super().step(*arrays)
            return result, -state

    with pytest.raises(UserError, match="network's output was"):
        Upscaler(Other(), SCALE).video(clip, target, **settings)
    with pytest.raises(UserError, match="no_reuse was False"):
        Upscaler(Remembering(), SCALE).video(clip, target, no_reuse=True, **settings)


def test_the_mean_of_eight_turns_has_no_state_and_says_so():
    class Described(Remembering):
        device = "cpu"
        scale = SCALE

    ensemble = SelfEnsemble(Described())
    assert not hasattr(ensemble, "num_state")
    assert ensemble.device.endswith("; each frame of a video alone, without the state")
