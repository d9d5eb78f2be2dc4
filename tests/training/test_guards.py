"""Numbers that are not finite, a discriminator that gives up, and which checkpoints stay."""

import math
from dataclasses import replace
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
from sample_runs import assert_states_equal, picture, reported, run

from realesrgan_paddle.models.step.steps import GANStep
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.options.schema.config import GANLossOptions
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.run.guards import REPORTS, DiscriminatorWatch
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.metrics import psnr
from realesrgan_paddle.utils.runlog.training_state import load_state
from realesrgan_paddle.utils.weights.reader import read_weights

pytestmark = pytest.mark.paddle


@pytest.fixture
def spoil(monkeypatch):
    """Make the batches of some iterations not finite."""
    feed = TrainingBatches.__next__

    def spoil_iterations(*iterations):
        def spoiled(batches):
            batch = feed(batches)
            if batches.number in iterations:
                return replace(
                    batch, gt=batch.gt * math.nan, gt_usm=batch.gt_usm * math.inf
                )
            return batch

        monkeypatch.setattr(TrainingBatches, "__next__", spoiled)

    return spoil_iterations


def weights(folder, iteration):
    """Everything that an update changes, except the power iteration's vectors and the pool."""
    parts = load_state(folder / f"training_states/{iteration}.state").parts
    names = ("generator", "ema", "discriminator", "optimizer_g", "optimizer_d")
    flat = {
        f"{part}/{name}": array for part in names for name, array in parts[part].items()
    }
    return {
        name: array for name, array in flat.items() if not name.endswith(("_u", "_v"))
    }


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_an_update_that_is_not_finite_is_skipped_and_counted(tmp_path, options, spoil):
    spoil(3)
    options["queue_size"] = 0
    folder = run(tmp_path, options, "logger.save_checkpoint_freq=1")
    at = [weights(folder, i) for i in range(1, 7)]
    assert [same(a, b) for a, b in pairwise(at)] == [False, True, False, False, False]
    assert all(np.isfinite(array).all() for array in at[-1].values())
    log = (folder / "train.log").read_text()
    assert (
        "iter 3: update skipped, not finite: l_g_pix, l_g_artifact, l_d_real (1 in a row, 1 in all)"
        in log
    )


def test_a_gradient_counts_although_the_loss_is_finite(tmp_path, options, monkeypatch):
    """The square root of 0 has an infinite slope."""
    monkeypatch.setattr(
        "realesrgan_paddle.run.build.PIXEL_LOSSES",
        {"L1Loss": lambda **_: lambda sr, gt: (sr - sr).sum().sqrt()},
    )
    folder = run(tmp_path, options, "train.total_iter=1")
    assert (
        "iter 1: update skipped, not finite: a gradient"
        in (folder / "train.log").read_text()
    )


def test_too_many_in_a_row_go_back_once_and_then_stop(tmp_path, options, spoil):
    spoil(5, 6, 8, 9)
    options["train"] |= {"max_nonfinite": 2, "total_iter": 10}
    options["logger"]["save_checkpoint_freq"] = 3
    with pytest.raises(
        UserError,
        match=r"^iteration 9: 2 updates in a row were not finite .* lower train\.optim_g\.lr",
    ):
        run(tmp_path, options)
    folder = tmp_path / "runs/tiny"
    assert same(weights(folder, 3), weights(folder, 6))
    assert load_state(folder / "training_states/6.state").record["run"]["rolled_back"]
    assert (
        "went back to the weights of iter 3; the run goes on from here"
        in (folder / "train.log").read_text()
    )


def test_without_a_checkpoint_it_stops(tmp_path, options, spoil):
    spoil(1, 2)
    with pytest.raises(UserError, match=r"iteration 2: .* before any checkpoint"):
        run(tmp_path, options, "train.max_nonfinite=2")


@pytest.mark.parametrize("stop", [5, 6, 7])
def test_resuming_is_exact_in_the_middle_of_it(tmp_path, options, spoil, stop):
    spoil(5, 6, 8)
    options["train"] |= {"max_nonfinite": 2, "total_iter": 9}
    options["logger"]["save_checkpoint_freq"] = 4
    straight = run(tmp_path, options, "name=straight")
    run(tmp_path, options, f"train.total_iter={stop}")
    resumed = run(tmp_path, options, "auto_resume=true")
    states = [folder / "training_states/9.state" for folder in (straight, resumed)]
    assert_states_equal(*states)
    records = [load_state(state).record["run"] | {"saved": None} for state in states]
    assert records[0] == records[1]
    assert (records[0]["skipped"], records[0]["rolled_back"], records[0]["good"]) == (
        3,
        True,
        4,
    )


def watch(gan_type, real, fake, reports=REPORTS, start=501, warm_up=None):
    said = []
    step = Mock(spec=GANStep, warm_up=warm_up or DiscriminatorWarmUp())
    watch = DiscriminatorWatch(
        step, GANLossOptions(gan_type=gan_type), 100, said.append
    )
    for i in range(reports):
        watch(start + 100 * i, {"l_d_real": real, "l_d_fake": fake})
    return said


def test_a_collapsed_discriminator_is_named_once():
    (line,) = watch("vanilla", 0.69, 0.70, reports=3 * REPORTS)
    assert "at ln 2" in line and "train.optim_d.lr" in line
    (line,) = watch("lsgan", 0.001, 0.002)
    assert "at 0" in line and "train.optim_d.lr" in line


@pytest.mark.parametrize(
    "case",
    [
        ("vanilla", 0.69, 0.60),
        ("vanilla", 0.0, 0.5),
        ("lsgan", 0.69, 0.69),
        ("vanilla", 0.69, 0.69, REPORTS - 1),
    ],
)
def test_a_discriminator_that_works_is_left_alone(case):
    assert watch(*case) == []
    assert watch("vanilla", 0.69, 0.69, start=-400) == [], "it has only begun"


def test_its_time_to_begin_counts_from_the_end_of_its_warm_up():
    stage = DiscriminatorWarmUp(longest=1000, until=0.8)
    assert watch("vanilla", 0.69, 0.69, start=501, warm_up=stage) == []
    assert len(watch("vanilla", 0.69, 0.69, start=1501, warm_up=stage)) == 1
    stage.ended = 100
    assert len(watch("vanilla", 0.69, 0.69, start=601, warm_up=stage)) == 1
    assert watch("vanilla", 0.69, 0.69, start=501, warm_up=stage) == []


def test_only_the_newest_checkpoints_of_the_run_stay(tmp_path, options):
    options["logger"] |= {"save_checkpoint_freq": 1, "keep_checkpoints": 2}
    folder = run(tmp_path, options, "train.total_iter=3")
    mine = folder / "models/net_g_1.pdparams"
    run(tmp_path, options, "train.total_iter=4", "auto_resume=true")
    assert not mine.exists()
    mine.write_bytes(b"not written by this run, which has removed its own")
    run(tmp_path, options, "auto_resume=true")
    names = {path.name for path in (folder / "models").iterdir()}
    stay = [
        f"net_{network}_{when}.pdparams"
        for network in "gd"
        for when in (5, 6, "latest")
    ]
    assert names == {mine.name, *stay}
    assert {path.name for path in (folder / "training_states").iterdir()} == {
        "5.state",
        "6.state",
    }


@pytest.mark.parametrize(("figure", "choose"), [("psnr", max), ("lpips", min)])
def test_the_best_generator_is_kept_and_named(
    tmp_path, options, monkeypatch, figure, choose
):
    monkeypatch.setattr(
        "realesrgan_paddle.run.validation.open_metric",
        lambda _: lambda sr, gt, **_k: float(psnr(sr, gt)),
    )
    gt = picture(48, 80, 9)
    write_image(tmp_path / "val_gt/a.png", gt)
    write_image(tmp_path / "val_lq/a.png", gt[::4, ::4])
    roots = {
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        **roots,
    }
    options["val"] = {
        "val_freq": 1,
        "save_img": False,
        "metrics": {figure: {"type": f"calculate_{figure}"}},
    }
    options["logger"] |= {"save_checkpoint_freq": 1, "keep_checkpoints": 0}
    run(tmp_path, options, "train.total_iter=3")
    folder = run(tmp_path, options, "auto_resume=true")
    figures = {
        line["iter"]: line[f"held_out/{figure}"]
        for line in reported(folder)
        if f"held_out/{figure}" in line
    }
    best = choose(figures, key=figures.get)
    kept, expected = (
        read_weights(folder / f"models/net_g_{when}.pdparams").groups
        for when in ("best", best)
    )
    assert kept.keys() == expected.keys() == {"params", "params_ema"}
    assert all(same(kept[group], expected[group]) for group in kept)
    last = (folder / "train.log").read_text().splitlines()[-1]
    assert "next: python tools/export_model.py --model-dir " in last
    assert (
        f"(or net_g_best.pdparams: held_out/{figure} {figures[best]:.4f}, iter {best})"
        in last
    )
