"""Synthesized and given pairs in one run: their schedule, their targets, and resuming."""

from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import yaml
from places import ROOT
from sample_runs import (
    assert_resumes_exactly,
    log_of,
    picture,
    reported,
    run,
    write_yml,
)

from realesrgan_paddle.commands import make_lq_data
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.batches import PairSchedule, TrainingBatches
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, write_image

pytestmark = pytest.mark.paddle

CHECKERED = np.uint8(np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((4, 4))) * 120 + 60)
"""Gray levels with edges for USM to sharpen."""


@pytest.fixture
def mixed(tmp_path, options) -> dict:
    """Options of the tiny run with every other batch of given pairs: blue, unlike the others."""
    black = np.zeros_like(CHECKERED)
    for i in range(3):
        gt = np.dstack([black, black, CHECKERED + i])
        write_image(tmp_path / "gt" / f"{i}.png", gt)
        write_image(tmp_path / "lq" / f"{i}.png", gt[::4, ::4])
    folders = {"dataroot_gt": str(tmp_path / "gt"), "dataroot_lq": str(tmp_path / "lq")}
    options["datasets"]["train_paired"] = {
        **folders,
        "share": 0.5,
        "num_worker_per_gpu": 0,
    }
    return options


def first_batches(
    folder: Path, options: dict, count: int, *overrides: str, start: int = 0
) -> list:
    cfg = load_config(write_yml(folder, options), overrides)
    data = open_training_data(cfg)
    with closing(TrainingBatches(cfg, data, start)) as batches:
        return list(islice(batches, count))


def is_blue(batch) -> bool:
    return bool((batch.gt[:, :2] == 0).all())


def test_shares_are_hit_exactly_and_evenly(mixed, tmp_path):
    for share in (0.25, 0.5, 0.1, 0.29, 0.333, 0.9):
        overrides = [f"datasets.train_paired.share={share}"]
        cfg = load_config(write_yml(tmp_path, mixed), overrides)
        schedule = PairSchedule.of(cfg)
        chosen = [schedule.is_paired(i) for i in range(1, 1001)]
        assert sum(chosen) == round(1000 * share) == schedule.count(1000)
        gaps = np.diff(np.flatnonzero(chosen))
        assert gaps.max() - gaps.min() <= 1


def test_every_other_batch_is_given_pairs_as_they_were_read(tmp_path, mixed):
    batches = first_batches(tmp_path, mixed, 6)
    assert [is_blue(batch) for batch in batches] == [False, True] * 3
    blue = batches[1]
    assert np.array_equal(blue.gt.numpy()[:, :, ::4, ::4], blue.lq.numpy()), (
        "the low-quality image is not the file's"
    )


def test_given_pairs_skip_the_pool(tmp_path, mixed):
    cfg = load_config(write_yml(tmp_path, mixed))
    with closing(TrainingBatches(cfg, open_training_data(cfg))) as batches:
        for _ in range(12):
            next(batches)
    pairs = batches.state()["gt"]
    assert len(pairs) == cfg.queue_size
    assert pairs[:, :2].any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("gt_usm", [True, False])
def test_targets_of_given_pairs_are_as_sharp_as_the_options_say(
    tmp_path, mixed, gt_usm
):
    (_, gan) = first_batches(tmp_path, mixed, 2)
    mixed |= {"model_type": "RealESRNetModel", "gt_usm": gt_usm}
    del mixed["network_d"], mixed["train"]["gan_opt"], mixed["train"]["optim_d"]
    (_, net) = first_batches(tmp_path, mixed, 2)
    assert not np.array_equal(gan.gt.numpy(), gan.gt_usm.numpy())
    expected = gan.gt_usm if gt_usm else gan.gt
    for target in (net.gt, net.gt_usm):
        assert np.array_equal(target.numpy(), expected.numpy())


@pytest.mark.parametrize(
    ("switch", "used"),
    [
        ("l1_gt_usm", True),
        ("gan_gt_usm", True),
        ("percep_gt_usm", False),
        (None, False),
    ],
)
def test_only_a_loss_that_takes_it_has_the_ground_truth_sharpened(
    tmp_path, options, switch, used
):
    """The run has no perceptual loss."""
    for name in ("l1_gt_usm", "percep_gt_usm", "gan_gt_usm"):
        options[name] = name == switch
    (batch,) = first_batches(tmp_path, options, 1)
    assert (batch.gt_usm is not batch.gt) == used
    assert np.array_equal(batch.gt_usm.numpy(), batch.gt.numpy()) == (not used)


def test_training_upsamples_chroma_as_the_option_says(tmp_path, options):
    nearest, linear = (
        first_batches(tmp_path, options, 1, f"jpeg_chroma_upsampling={name}")[0]
        for name in ("nearest", "linear")
    )
    assert np.array_equal(nearest.gt.numpy(), linear.gt.numpy())
    assert not np.array_equal(nearest.lq.numpy(), linear.lq.numpy())


def test_both_streams_start_anywhere_with_any_number_of_workers(tmp_path, mixed):
    mixed["queue_size"] = 0
    straight = first_batches(tmp_path, mixed, 7)
    for section in ("train", "train_paired"):
        mixed["datasets"][section]["num_worker_per_gpu"] = 1
    later = first_batches(tmp_path, mixed, 4, start=3)
    for expected, found in zip(straight[3:], later, strict=True):
        for name in ("lq", "gt", "gt_usm"):
            assert np.array_equal(
                getattr(expected, name).numpy(), getattr(found, name).numpy()
            )


def test_resuming_with_all_that_has_a_state_equals_not_stopping(tmp_path, mixed):
    """Two streams, accumulated batches, frozen layers, AdamW, a cosine with restarts."""
    mixed["datasets"]["train"]["accum_iter"] = 2
    mixed["train"]["freeze"] = ["body.0.*", "body.1.weight"]
    for optimizer in ("optim_g", "optim_d"):
        adamw = {"type": "AdamW", "lr": 1e-3, "weight_decay": 0.1}
        mixed["train"][optimizer] = adamw
    cosine = {"periods": [2, 4], "restart_weights": [1, 0.5], "eta_min": 1e-5}
    mixed["train"]["scheduler"] = {"type": "CosineAnnealingRestartLR", **cosine}

    straight, _ = assert_resumes_exactly(tmp_path, mixed)
    datasets = "on train, 3 images and, for 0.5 of the batches, pairs, 3 pairs"
    assert datasets in log_of(straight)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["datasets.train_paired.dataroot_lq=nowhere"], "nowhere"),
        (
            ["datasets.train_paired.share=1"],
            "'datasets.train_paired.share' is 1, expected less than 1",
        ),
        (
            ["datasets.train.dataroot_lq=lq"],
            "pairs besides synthesized images go into datasets.train_paired",
        ),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(
    tmp_path, mixed, overrides, message
):
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path, mixed, *overrides)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_pairs_of_another_scale_are_refused_by_name(tmp_path, mixed):
    write_image(tmp_path / "lq" / "1.png", CHECKERED[:6, :6])
    with pytest.raises(
        UserError,
        match=r"gt/1\.png is 32x32 but .*lq/1\.png is 6x6: not 4 times as large",
    ):
        run(tmp_path, mixed)


def test_the_training_file_still_makes_low_quality_images(tmp_path, mixed):
    flags = f"--yml_path {write_yml(tmp_path, mixed)} --save_dir {tmp_path}/made"
    assert make_lq_data.main(flags.split()) == 0
    assert len(list((tmp_path / "made").glob("*.png"))) == 3


def test_the_shipped_paired_recipe_trains_on_what_make_lq_data_makes(tmp_path):
    for i in range(2):
        write_image(tmp_path / "hr" / f"{i}.png", picture(64, 80, i))
    folders = {"gt": tmp_path / "hr", "lq": tmp_path / "lq"}
    lq_file, recipe = (
        ROOT / "options" / f"{name}.yml"
        for name in ("generate_lq_data", "finetune_realesrgan_x4plus_pairdata")
    )
    flags = f"--yml_path {lq_file} --input {folders['gt']} --save_dir {folders['lq']}"
    assert make_lq_data.main(flags.split()) == 0
    assert read_rgb(folders["lq"] / "1.png").shape == (16, 20, 3)
    overrides = [
        *(f"datasets.train.dataroot_{kind}={path}" for kind, path in folders.items()),
        "datasets.train.num_worker_per_gpu=0",
        "datasets.train.batch_size_per_gpu=2",
        f"path.experiments_root={tmp_path / 'runs'}",
        "path.pretrain_network_g=null",
        "path.pretrain_network_d=null",
        "name=pairs",
        "gt_size=48",
        "network_g.num_block=1",
        "network_g.num_feat=8",
        "network_g.num_grow_ch=4",
        "train.perceptual_opt=null",
        "train.total_iter=2",
        "logger.print_freq=1",
        "network_d.num_feat=8",
    ]
    lines = reported(run(tmp_path, yaml.safe_load(recipe.read_text()), *overrides))
    assert "l_g_gan" in lines[1]
    assert 0 < lines[1]["l_g_pix"] < 1
