"""Clips: consecutive frames, degraded alike, through which a network carries a state."""

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import paddle
import pytest
from sample_runs import log_of, opened, parts_of, picture, run, tiny_options, write_yml

from realesrgan_paddle.data.degradation.codec import compress_clip, draw_video
from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.degradation.pipeline import degrade, draw
from realesrgan_paddle.data.loading.clips import (
    ClipDataset,
    clip_around,
    forth_and_back,
    of_one_shot,
    runs_of,
)
from realesrgan_paddle.judging.verdict import judge_run, read_figures
from realesrgan_paddle.loss.losses import TemporalLoss
from realesrgan_paddle.metrics.clips import StepMeasure
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.options.schema.degradation import KernelOptions, SynthesisOptions
from realesrgan_paddle.options.schema.validation import MetricOptions, ValOptions
from realesrgan_paddle.training.validation import validate
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import to_uint8, write_image
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


def names_of(*runs):
    return [[Path(name).name for name in run] for run in runs]


def test_frames_of_a_folder_follow_each_other_by_number():
    paths = [Path(f"set/a/{n}.png") for n in (10, 9, 8)] + [Path("set/b/11.png")]
    found = names_of(*runs_of(paths))
    assert found == [["8.png", "9.png", "10.png"], ["11.png"]]


def test_what_follows_the_number_and_a_number_twice_split_no_clip():
    paths = [Path(f"set/a/{n:05}_out.png") for n in range(4)]
    assert [len(run) for run in runs_of(paths)] == [4]
    twice = [*map(Path, ("a/1.png", "a/2.jpg", "a/2.png", "a/3.png", "a/5.png"))]
    assert [len(run) for run in runs_of(twice)] == [4, 1]


def test_crops_of_one_folder_are_clips_of_their_own():
    times = ("000001.000", "000001.040", "000001.080")
    paths = [Path(f"set/m_{t}_s{c:03d}.png") for t in times for c in (1, 2)]
    assert [len(run) for run in runs_of(paths)] == [3, 3]


def test_key_frames_apart_and_single_images_are_no_clips():
    paths = [Path("set/m_000001.000.png"), Path("set/m_000003.500.png")]
    assert [len(run) for run in runs_of([*paths, Path("set/photo.png")])] == [1, 1, 1]


def test_a_clip_turns_at_the_ends():
    assert forth_and_back(1, 4, 6, 1) == [1, 2, 3, 2, 1, 0]
    assert forth_and_back(0, 3, 5, 2) == [0, 2, 0, 2, 0]
    assert forth_and_back(0, 1, 3, 1) == [0, 0, 0]


def test_a_clip_with_a_cut_goes_back_before_it():
    shots = [picture(64, 96, seed) for seed in (1, 2)]
    moving = [[np.roll(shot, 2 * n, 1) for n in range(4)] for shot in shots]
    first, second = moving

    assert of_one_shot(first) is first
    found = of_one_shot([*first[:3], *second[:2]])
    expected = [first[number] for number in (0, 1, 2, 1, 0)]
    assert all(now is frame for now, frame in zip(found, expected, strict=True))
    alone = of_one_shot([first[0], *second])
    assert len(alone) == 5 and all(now is first[0] for now in alone)


def clip_options(tmp_path, **train):
    """Options of a tiny run over two clips of moving frames."""
    options = tiny_options(tmp_path)
    for clip in range(2):
        scene = picture(80, 120, clip)
        for number in range(6):
            frame = scene[:64, 4 * number : 4 * number + 72]
            write_image(tmp_path / "clips" / f"{clip}" / f"{number:08d}.png", frame)
    options["datasets"]["train"] |= {
        "dataroot_gt": str(tmp_path / "clips"),
        "num_frame": 3,
        **train,
    }
    options |= {"model_type": "RealESRNetModel", "queue_size": 0}
    options["network_g"] |= {"type": "RecurrentSRVGG", "num_state": 4}
    del options["network_d"]
    for section in ("artifact_opt", "gan_opt", "optim_d"):
        del options["train"][section]
    options["train"]["temporal_opt"] = {"loss_weight": 0.5}
    return options


def dataset_of(tmp_path, **train):
    cfg = load_config_of(tmp_path, clip_options(tmp_path, **train))
    return ClipDataset.open(cfg.datasets.train, cfg.gt_size, cfg.scale, seed=0)


def load_config_of(tmp_path, options, *overrides):
    return load_config(write_yml(tmp_path, options), overrides)


def test_one_crop_follows_through_the_frames_of_a_clip(tmp_path):
    dataset = dataset_of(tmp_path, use_hflip=False, use_rot=False)
    cfg = load_config_of(tmp_path, clip_options(tmp_path))
    assert cfg.images_per_iteration == 2 * 3
    for position in range(5):
        gt, *kernels = dataset[0, position]
        assert gt.shape == (3, 3, dataset.crop, dataset.crop)
        assert len(kernels) == 3
        # The scene moves on by 4 pixels from frame to frame.
        for before, after in pairwise(gt):
            assert np.array_equal(before[:, :, 4:], after[:, :, :-4])


def test_strides_and_reversal_are_drawn(tmp_path):
    dataset = dataset_of(
        tmp_path,
        use_hflip=False,
        use_rot=False,
        interval_list=[1, 2],
        random_reverse=True,
    )
    seen = set()
    for position in range(24):
        gt, *_ = dataset[1, position]
        for move in (4, 8, -4, -8):
            first, second = (gt[0], gt[1]) if move > 0 else (gt[1], gt[0])
            moved = abs(move)
            if np.array_equal(first[:, :, moved:], second[:, :, :-moved]):
                seen.add(move)
    assert {4, 8, -4} <= seen


def test_a_frame_of_another_size_is_named(tmp_path):
    dataset = dataset_of(tmp_path)
    write_image(dataset.paths[1], picture(64, 60, 0))
    with pytest.raises(UserError, match=r"00000001.png: 60x64, but .* has 72x64"):
        dataset[0, 0]


def test_the_frames_of_a_clip_are_degraded_alike_but_for_their_noise():
    rng = np.random.default_rng(0)
    kernels = draw_kernels(KernelOptions(), rng)
    batch = [paddle.to_tensor(kernel[None]) for kernel in kernels]
    still = paddle.to_tensor(rng.random((1, 3, 64, 64), np.float32))
    clip = paddle.concat([still] * 3)
    options = {"noise_range": (0, 0), "noise_range2": (0, 0), "jpeg_prob": 1}
    quiet = SynthesisOptions(
        **options, gaussian_noise_prob=1, gaussian_noise_prob2=1, resize_prob=(1, 0, 0)
    )
    params = draw(quiet, rng, 1)
    frames = degrade(clip, batch, params, 4).numpy()
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0], degrade(still, batch, params, 4).numpy()[0])

    loud = replace(params, first=replace(params.first, strength=np.float32([20])))
    frames = degrade(clip, batch, loud, 4).numpy()
    assert not np.array_equal(frames[0], frames[1])


def test_a_clip_is_one_video():
    pytest.importorskip("av")
    options = SynthesisOptions(video_prob=1, codec_list=["h264"], codec_prob=[1])
    video = replace(draw_video(options, np.random.default_rng(0)), quality=34)
    scene = picture(96, 160, 1)
    clip = [np.ascontiguousarray(scene[:90, 3 * n : 3 * n + 70]) for n in range(5)]
    found = compress_clip(clip, video)
    errors = [
        np.abs(np.float32(a) - b).mean() for a, b in zip(found, clip, strict=True)
    ]
    assert [frame.shape for frame in found] == [(90, 70, 3)] * 5
    assert 0.1 < min(errors) <= max(errors) < 8
    assert np.array_equal(compress_clip(clip, video), found)


def test_the_temporal_loss_is_the_error_of_what_changes():
    rng = np.random.default_rng(0)
    sr, gt = (rng.random((6, 3, 4, 5), np.float32) for _ in range(2))
    clips = (sr - gt).reshape(2, 3, 3, 4, 5)
    expected = 0.5 * np.abs(np.diff(clips, axis=1)).mean()
    loss = TemporalLoss(3, 0.5)
    assert np.isclose(loss(*map(paddle.to_tensor, (sr, gt))).item(), expected)
    # A constant error does not flicker.
    assert loss(paddle.to_tensor(gt + 0.25), paddle.to_tensor(gt)).item() < 1e-6


def test_a_run_on_clips_learns_to_use_the_state_and_resumes_exactly(tmp_path):
    pytest.importorskip("av")
    options = clip_options(tmp_path, num_worker_per_gpu=1, random_reverse=True)
    options |= {"video_prob": 0.5, "codec_list": ["h264"], "codec_prob": [1]}
    whole = run(tmp_path, options, "name=whole")
    weights = parts_of(whole, 6)["generator"]
    for layer in ("beside", "state"):
        assert np.abs(weights[f"{layer}.weight"]).max() > 0
    run(tmp_path, options, "name=cut", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=cut", "auto_resume=true")
    for part, arrays in parts_of(whole, 6).items():
        again = parts_of(resumed, 6)[part]
        for name, array in arrays.items():
            assert np.array_equal(again[name], array), f"{part}/{name}"
    assert re.search(r"12 images of \d+ clips, 3 frames at a time", log_of(resumed))
    assert re.search(
        r"next, with your videos in place of VIDEOS: .*upscale.* --model_path .*net_g_latest",
        log_of(resumed),
    )


def test_a_run_with_warm_up_frames_resumes_exactly(tmp_path):
    options = clip_options(tmp_path, num_frame=4)
    options["train"]["warmup_frames"] = 2
    whole = run(tmp_path, options, "name=whole")
    run(tmp_path, options, "name=cut", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=cut", "auto_resume=true")
    for name, array in parts_of(whole, 6)["generator"].items():
        assert np.array_equal(parts_of(resumed, 6)["generator"][name], array), name


def test_a_recurrent_network_begins_as_a_plain_one(tmp_path, caplog):
    options = clip_options(tmp_path)
    plain = Network(SRVGGNetCompact(num_feat=8, num_conv=2))
    tensors = {name: tensor.numpy() for name, tensor in plain.state_dict().items()}
    file = tmp_path / "plain.pdparams"
    write_pdparams(file, {"params": tensors})
    options["path"]["pretrain_network_g"] = str(file)
    with opened(tmp_path, options) as (_, training):
        assert "has no state" in caplog.text
        generator = training.step.generator
        frames = paddle.to_tensor(
            np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
        )
        generator.train()
        assert np.allclose(generator(frames), plain(frames), atol=1e-5)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("queue_size=4", "queue_size is 4, but datasets.train.num_frame"),
        ("datasets.train.num_frame=1", "train.temporal_opt compares frames of a clip"),
        ("train.artifact_opt={}", "train.artifact_opt compares pictures"),
        ("datasets.train.interval_list=[]", "interval_list"),
        ("train.warmup_frames=3", "it must be below datasets.train.num_frame"),
        (
            "train.warmup_frames=2",
            "two frames on: raise .*, or lower train.warmup_frames",
        ),
    ],
)
def test_options_that_do_not_go_with_clips_are_refused(tmp_path, override, complaint):
    with pytest.raises(UserError, match=complaint.replace("[", "\\[")):
        load_config_of(tmp_path, clip_options(tmp_path), override)


def validated_options(tmp_path):
    """Options of a run over five clips of 12 frames, of which moments are held out."""
    options = clip_options(tmp_path)
    for clip in range(5):
        scene = picture(80, 120, clip)
        for number in range(12):
            frame = scene[:64, 2 * number : 2 * number + 72]
            write_image(tmp_path / "clips" / f"{clip}" / f"{number:08d}.png", frame)
    metrics = {"psnr": {"type": "calculate_psnr", "crop_border": 0}}
    options["val"] = {"val_freq": 3, "metrics": metrics, "drift": None}
    return options


def test_held_out_clips_are_validated_with_the_state_and_judged(tmp_path):
    options = validated_options(tmp_path)
    whole = run(tmp_path, options, "name=whole")
    log = log_of(whole)
    assert "held-out clips are upscaled frame by frame in their order" in log
    assert re.search(r"of 4 clips: \d/0+\d+\.png, ", log), "names the clips of frames"
    assert "verdict: On moments of these 4 clips that it has not seen, " in log
    assert "On 4 held-out sequences, 4 moments of 4 clips: worse than bicubic" in log

    run(tmp_path, options, "name=cut", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=cut", "auto_resume=true")
    figures = [read_figures(folder) for folder in (whole, resumed)]
    assert figures[0] == figures[1]
    assert len(figures[0]["last"]["held_out"]) == 4


def test_the_next_step_of_a_network_with_a_state_is_a_video(tmp_path):
    options = ValOptions(metrics={"psnr": MetricOptions(type="calculate_psnr")})
    better, worse = (
        {"held_out": {f"{letter}_1": {"psnr": value} for letter in "abcdefgh"}}
        for value in (30.0, 28.0)
    )
    judge = partial(
        judge_run,
        options,
        {"last": better, "bicubic": worse},
        [],
        Experiment(tmp_path),
        start=None,
        best_iteration=3,
        trained_on=500,
        seen=[],
    )
    used = judge(of_clips=True, carries_state=True).next
    assert re.fullmatch(r"use it: .*upscale\S* VIDEOS --model_path .*net_g_\S+", used)
    assert "export" in judge(of_clips=False, carries_state=False).next


def test_a_clip_is_measured_as_the_steps_of_its_network(tmp_path):
    options = validated_options(tmp_path)
    with opened(tmp_path, options) as (_, training):
        validator = training.validator
        (held_out,) = validator.sets
        layer = validator.upscale.run.network
        weights = layer.state_dict()
        for name in ("beside.weight", "state.weight"):
            weights[name].set_value(paddle.randn(weights[name].shape) * 0.1)
        steps = StepMeasure(
            ["tlp"], lambda a, b: float(np.abs(a / 255 - b / 255).mean())
        )
        found = validate(validator.metrics, validator.upscale, [held_out], steps=steps)
        assert found["held_out"][held_out.images[0].name]["tlp"] > 0

        image = held_out.images[0]
        lq = [paddle.to_tensor(frame.lq.transpose(2, 0, 1)) for frame in image.frames]
        assert len(lq) == 5, "num_frame - 1 on each side"
        with paddle.no_grad():
            clip = layer.clips(paddle.stack(lq).astype("float32") / 255, len(lq))
        values = []
        for sr, frame in zip(clip.numpy(), image.frames, strict=True):
            results = to_uint8(sr.transpose(1, 2, 0))
            values.append(validator.metrics["psnr"](results, frame.gt))
        measured = found["held_out"][image.name]["psnr"]
        assert np.isclose(measured, np.mean(values), atol=0.01)
        alone = [validator.upscale(frame.lq) for frame in image.frames]
        values = [
            validator.metrics["psnr"](sr, frame.gt)
            for sr, frame in zip(alone, image.frames, strict=True)
        ]
        assert abs(measured - np.mean(values)) > 0.05, "the state changes something"


def test_clips_do_not_reach_across_frames_that_are_held_out():
    paths = [Path(f"set/a/{n:03d}.png") for n in (1, 2, 3, 8, 9)]
    assert [len(run) for run in runs_of(paths)] == [3, 2]
    assert clip_around(paths[3], runs_of(paths), 4) == paths[3:]
    long = [Path(f"set/a/{n:03d}.png") for n in range(30)]
    assert clip_around(long[1], [long], 15) == long[:15]
    assert clip_around(long[20], [long], 15) == long[13:28]


def test_a_set_of_stills_is_warned_of(tmp_path):
    stills = tmp_path / "stills"
    for name in ("frame00000x2", "frame00001x2", "tower"):
        write_image(stills / f"{name}.png", np.zeros((64, 64, 3), np.uint8))
    (warning,) = dataset_of(tmp_path, dataroot_gt=str(stills)).remarks()
    assert warning.startswith("warning: 3 of 3 clips have one frame, and stand still")
    assert not dataset_of(tmp_path).remarks()
