"""What repeats is computed once, and the result has the bits that it has without that."""

from pathlib import Path

import numpy as np
import pytest
from local_noise import RADIUS, SCALE, LocalNoise
from made_clips import FFV1, Clip, made, pattern
from read_back import NEEDED, Packet, read_back

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.frame_upscaler import FrameUpscaler, choose_tiles
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo
from realesrgan_paddle.inference.video.settings import VideoSettings

pytestmark = NEEDED

PROBED = 1
"""Windows computed before the first frame: the picture by which the network is known."""
COUNT = 30
"""Frames, more than for which tiles are chosen."""

SCREEN = 260, 140
POINTER = "between(X,8*N,8*N+7)*between(Y,66,73)"


def made_screen(path: Path, also: str = "null") -> None:
    """Make a still picture with every step in it, over which a pointer moves."""
    drawn = f"geq=lum='if({POINTER},235,60+mod(3*X+2*Y+X*Y,144))':cb=118:cr=138"
    size = f"{SCREEN[0]}x{SCREEN[1]}"
    source = f"nullsrc=size={size}:rate=25,format=yuv444p,{drawn},{also}"
    words = ("-f", "lavfi", "-i", f"{source},trim=end_frame={COUNT}")
    made(*words, *FFV1)(path)


def drawn_at(rate: str, shown: str = "fps=25") -> Clip:
    """Return a clip drawn at `rate` frames a second, and shown at 25 or otherwise."""
    words = pattern(rate=rate, count=COUNT, also=shown)
    return Clip(made(*words, *FFV1))


REPEATING = {
    "animation on twos": (drawn_at("25/2"), COUNT // 2),
    "slides": (drawn_at("5/2"), COUNT - COUNT // 10),
    "one of five": (drawn_at("20"), COUNT // 5),
    "each another": (drawn_at("25"), 0),
}
"""Clips, and how many of their frames are those before."""


def upscaled(
    source: Path, *, of_window: bool = False, **settings: bool
) -> tuple[UpscaledVideo, LocalNoise]:
    network = LocalNoise(of_window=of_window)
    target = source.with_name(f"{'again' if settings else 'once'}.mkv")
    chosen = VideoSettings(codec="ffv1", **settings)
    return Upscaler(network, SCALE).video(source, target, chosen), network


def packets(outcome: UpscaledVideo) -> list[Packet]:
    video = read_back(outcome.plan.target)
    return video.streams[video.picture].packets


@pytest.mark.parametrize("name", REPEATING)
def test_frames_that_repeat_are_computed_once(tmp_path: Path, name: str):
    clip, repeated = REPEATING[name]
    clip.make(tmp_path / "clip.mkv")
    once, network = upscaled(tmp_path / "clip.mkv")
    again, slow_network = upscaled(tmp_path / "clip.mkv", no_reuse=True)

    assert once.frames == again.frames == COUNT
    assert once.repeats.frames == repeated
    assert len(network.windows) == PROBED + COUNT - repeated
    assert once.repeats.tiles_computed == COUNT - repeated
    assert again.repeats.frames == again.repeats.tiles == 0
    assert len(slow_network.windows) == PROBED + COUNT
    assert packets(once) == packets(again)


def test_tiles_that_repeat_are_computed_once(tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    made_screen(clip)
    once, network = upscaled(clip, of_window=True)
    again, slow_network = upscaled(clip, of_window=True, no_reuse=True)

    tiles = -(-SCREEN[0] // 128) * -(-SCREEN[1] // 128)
    assert once.repeats.frames == 0
    assert once.repeats.tiles + once.repeats.tiles_computed == COUNT * tiles
    # A pointer is in one tile or at the border of two, and leaves one that it was in.
    assert COUNT < once.repeats.tiles_computed < 2.5 * COUNT + tiles
    assert len(network.windows) == PROBED + once.repeats.tiles_computed

    assert len(slow_network.windows) == PROBED + COUNT * tiles
    assert again.repeats.tiles == 0
    assert packets(once) == packets(again)


def test_the_tiles_of_a_video_that_failed_are_forgotten(tmp_path: Path):
    made_screen(tmp_path / "clip.mkv")
    network = LocalNoise()

    def fail_at_first_tile(images: np.ndarray) -> np.ndarray:
        if images.shape[2:] < (SCREEN[1], SCREEN[0]) and len(network.windows) == PROBED:
            raise ArithmeticError
        return network(images)

    fail_at_first_tile.radius = RADIUS
    upscaler = Upscaler(fail_at_first_tile, SCALE)
    with pytest.raises(ArithmeticError):
        upscaler.video(tmp_path / "clip.mkv", tmp_path / "result.mkv")
    upscaler(np.zeros((SCREEN[1], SCREEN[0], 3), np.uint8))
    assert network.windows[PROBED:] == [(SCREEN[1], SCREEN[0])]


def test_noise_is_computed_in_whole_frames(tmp_path: Path):
    made_screen(tmp_path / "clip.mkv", also="noise=alls=8:allf=t:all_seed=1")
    outcome, network = upscaled(tmp_path / "clip.mkv")
    assert network.windows[PROBED:] == [(SCREEN[1], SCREEN[0])] * COUNT
    assert outcome.repeats.tiles == 0


def screens(channels: int = 3, dtype: type = np.uint8) -> list[np.ndarray]:
    """Return frames that nobody may write into; the third is the second again."""
    still = np.random.default_rng(7).integers(0, np.iinfo(dtype).max, (200, 300, 4))
    frames = []
    for place in (0, 90, 90, 180, 0):
        frame = still.astype(dtype)[..., :channels]
        frame[90:98, place : place + 8] = 0
        frame.flags.writeable = False
        frames.append(frame)
    return frames


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nobody_writes_into_what_was_given_or_returned(channels: int, dtype: type):
    upscaler = Upscaler(LocalNoise(), SCALE, tile=128, tile_pad=RADIUS)
    upscale = FrameUpscaler(upscaler, (600, 400), reuse=True)
    alone = Upscaler(LocalNoise(), SCALE)
    results = []
    for frame in screens(channels, dtype):
        result = upscale(frame)
        result.flags.writeable = False
        results.append(result)

    assert results[1] is results[2]
    assert upscale.repeats.frames == 1
    assert upscale.repeats.tiles > 0
    for frame, result in zip(screens(channels, dtype), results, strict=True):
        assert np.array_equal(result, alone(frame))


def test_transparency_that_changes_alone_is_computed():
    upscaler = Upscaler(LocalNoise(), SCALE, tile=128, tile_pad=RADIUS)
    upscale = FrameUpscaler(upscaler, (600, 400), reuse=True)
    before = screens(4)[0]
    now = before.copy()
    now[..., 3] = 255 - before[..., 3]
    assert np.array_equal(upscale(before), Upscaler(LocalNoise(), SCALE)(before))
    assert np.array_equal(upscale(now), Upscaler(LocalNoise(), SCALE)(now))
    assert upscale.repeats.frames == 0


def test_a_tile_is_found_where_it_was():
    before = np.full((200, 1024, 3), 10, np.uint8)
    before[:, 512:] = 200
    now = before[:, ::-1].copy()
    upscaler = Upscaler(LocalNoise(), SCALE, tile=128, tile_pad=RADIUS)
    upscale = FrameUpscaler(upscaler, (2048, 400), reuse=True)
    upscale(before)
    assert np.array_equal(upscale(now), Upscaler(LocalNoise(), SCALE)(now))
    assert upscaler.counts.repeated == 8


@pytest.mark.parametrize("size", [(450, 300), (750, 500), (600, 401)])
def test_resized_results_are_those_of_frames_alone(size: tuple[int, int]):
    upscaler = Upscaler(LocalNoise(), SCALE, tile=128, tile_pad=RADIUS)
    upscale = FrameUpscaler(upscaler, size, reuse=True)
    for frame in screens():
        alone = Upscaler(LocalNoise(), SCALE).to_size(frame, size)
        assert alone.shape[1::-1] == size
        assert np.array_equal(upscale(frame), alone)
    assert upscale.repeats.frames == 1


def test_a_size_between_does_not_mix_results_up():
    upscaler = Upscaler(LocalNoise(), SCALE, tile=128, tile_pad=RADIUS)
    frames = screens()
    sizes = [(600, 400), (450, 300), (600, 400), (600, 400), (750, 500)]
    for frame, size in zip(frames, sizes, strict=True):
        alone = Upscaler(LocalNoise(), SCALE).to_size(frame, size)
        assert np.array_equal(upscaler.to_size(frame, size, after=True), alone)


def test_tiles_are_exact_or_not_taken():
    """Without a known radius tiles would show, and those resized are not put together so."""
    before = screens()[0]
    now = before.copy()
    now[0, 0] = 255 - now[0, 0]
    upscaler = Upscaler(LocalNoise(), SCALE)
    plan = choose_tiles(upscaler, iter([(before, now)]), (600, 400))
    assert plan is not None
    assert plan.rows.pad == plan.columns.pad == RADIUS
    assert choose_tiles(upscaler, iter([(before, now)]), (450, 300)) is None
    assert choose_tiles(upscaler, iter([]), (600, 400)) is None

    def unknown(images: np.ndarray) -> np.ndarray:
        return LocalNoise()(images)

    other = Upscaler(unknown, SCALE)
    assert choose_tiles(other, iter([(before, now)]), (600, 400)) is None
