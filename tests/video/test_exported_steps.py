"""A network with a state, exported: each engine gives the frames that the weights give."""

import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from carried_state import HEIGHT, WIDTH, made_clip, shot
from killed import run_until_operation
from read_back import NEEDED, read_back
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video import segment_maker
from realesrgan_paddle.inference.video.recurrent import upscale_clip
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.tools import export_model, upscale
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytestmark = [pytest.mark.paddle, NEEDED]

SPEC = RecurrentSRVGG(num_feat=16, num_conv=2, num_state=5, upscale=2)
ENGINES = ["onednn", "paddle", "onnxruntime", "openvino"]
LEVELS = 1
"""How far frames of two engines may differ [levels of 255]."""
CUT = 4
FRAMES = [*shot(1, CUT), *shot(2, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of an export, its weights beside it."""
    tensors = sample_weights(SPEC)
    tensors["beside.weight"] /= 4  # of differences that are multiplied by 40
    path = tmp_path_factory.mktemp("export")
    write_pdparams(path / "net_g.pdparams", {"params": tensors})
    export(SPEC, tensors, path / "infer", onnx=True)
    return path / "infer"


def opened(model: Path, engine: str) -> Upscaler:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    return Upscaler(model, engine=engine, precision="fp32", device="cpu", threads=2)


def clip_by(upscaler: Upscaler, frames: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(list(upscale_clip(upscaler, frames)))


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    """Return the frames that Paddle's dygraph mode makes of the weights."""
    return clip_by(opened(folder.with_name("net_g.pdparams"), "paddle"), FRAMES)


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_gives_the_frames_of_the_weights(folder, expected, engine):
    upscaler = opened(folder, engine)
    found = clip_by(upscaler, FRAMES)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= LEVELS
    assert difference.mean() < 0.01

    alone = np.stack([upscaler(frame) for frame in FRAMES])
    assert np.abs(alone.astype(int) - expected).max() > 10 * LEVELS


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_is_a_fresh_start_and_a_shot_of_one_frame_a_picture(folder, engine):
    upscaler = opened(folder, engine)
    found = clip_by(upscaler, FRAMES)
    assert np.array_equal(found[CUT:], clip_by(upscaler, FRAMES[CUT:]))

    one, *others = FRAMES[CUT - 1 :]
    for frames in ([one], [one, *others], [*others, one]):
        by_shots = clip_by(upscaler, frames)
        number = 0 if frames[0] is one else -1
        assert np.array_equal(by_shots[number], upscaler(one))


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize("engine", ENGINES)
def test_frames_of_other_sizes_do_not_disturb(folder, engine):
    upscaler = opened(folder, engine)
    weights = opened(folder.with_name("net_g.pdparams"), "paddle")
    sizes = [(HEIGHT, WIDTH), (17, 30), (2 * HEIGHT, WIDTH), (HEIGHT, WIDTH)]
    results = []
    for height, width in sizes:
        frames = [np.tile(frame, (2, 1, 1))[:height, :width] for frame in FRAMES[:3]]
        results.append(clip_by(upscaler, frames))
        assert results[-1].shape == (3, 2 * height, 2 * width, 3)
        difference = results[-1].astype(int) - clip_by(weights, frames)
        assert np.abs(difference).max() <= LEVELS
    assert np.array_equal(results[0], results[-1])


@pytest.mark.parametrize("engine", ["paddle", "onnxruntime"])
def test_a_command_gives_a_videos_frames(folder, expected, tmp_path, engine):
    clip = made_clip(tmp_path / "clip.mkv", FRAMES)
    words = [str(clip), "--model", str(folder), "--engine", engine, "--device", "cpu"]
    words += ["--output", str(tmp_path / "result.mkv"), "--codec", "ffv1"]
    assert upscale.main(words) == 0
    found = read_back(tmp_path / "result.mkv").images.astype(int)
    assert np.abs(found - expected).max() <= LEVELS


def test_what_follows_its_export_are_videos(folder, tmp_path, capsys):
    weights = str(folder.with_name("net_g.pdparams"))
    assert export_model.main([weights, "--output", str(tmp_path / "infer")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("next, with your videos in place of VIDEOS: ")
    assert last.endswith(f" VIDEOS --model_path {tmp_path / 'infer'}")


def upscale_in_a_process(words: Sequence[str]) -> int:
    clip, target, folder = map(Path, words)
    segment_maker.LONG_SEGMENT = 1e-9  # frames are kept one by one
    upscaler = opened(folder, "onnxruntime")
    upscaler.video(clip, target, codec="ffv1", segment_seconds=3 / 25)
    return 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_video_that_was_killed_goes_on_to_the_bit(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(segment_maker, "LONG_SEGMENT", 1e-9)
    clip = made_clip(tmp_path / "clip.mkv", FRAMES)
    whole, target = tmp_path / "a" / "result.mkv", tmp_path / "b" / "result.mkv"
    upscale_in_a_process([str(clip), str(whole), str(folder)])

    resumed = []
    for nth in (50, 80, 160):
        words = [str(clip), str(target), str(folder)]
        assert run_until_operation(upscale_in_a_process, words, target.parent, nth)
        settings = {"codec": "ffv1", "segment_seconds": 3 / 25}
        outcome = opened(folder, "onnxruntime").video(clip, target, **settings)
        resumed.append(outcome.resumed)
        packets = [read_back(path).streams[0].packets for path in (whole, target)]
        assert packets[0] == packets[1]
        target.unlink()
    assert 0 < resumed[0] < resumed[-1] < len(FRAMES)
    assert any(frames % 3 for frames in resumed), "also within a segment"
