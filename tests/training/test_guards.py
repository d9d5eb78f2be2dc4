"""Losses that are not finite, a collapsed discriminator, and which checkpoints are kept."""

import math
import time
from dataclasses import replace
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
from batch_changes import changed_batches
from sample_runs import assert_states_equal, log_of, opened, parts_of, run, state_of

from realesrgan_paddle.judging.judge import REPORTS, DiscriminatorWatch
from realesrgan_paddle.models.step.gan_step import DiscriminatorWarmUp, GANStep
from realesrgan_paddle.options.schema.training import GANLossOptions
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.checkpoints import Checkpoints
from realesrgan_paddle.training.guards import NonFiniteGuard
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.training_state import load_state

pytestmark = pytest.mark.paddle


@pytest.fixture
def spoil(monkeypatch):
    """Make the batches of some iterations not finite."""

    def spoil_iterations(*iterations):
        def spoiled(batch, number):
            if number not in iterations:
                return batch
            gt, gt_usm = batch.gt * math.nan, batch.gt_usm * math.inf
            return replace(batch, gt=gt, gt_usm=gt_usm)

        monkeypatch.setattr(TrainingBatches, "__next__", changed_batches(spoiled))

    return spoil_iterations


def weights(folder, iteration):
    """Everything that an update changes, except the power iteration's vectors and the pool."""
    state, found = parts_of(folder, iteration), {}
    for part in ("generator", "ema", "discriminator", "optimizer_g", "optimizer_d"):
        for name, array in state[part].items():
            if not name.endswith(("_u", "_v")):
                found[f"{part}/{name}"] = array
    return found


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_an_update_that_is_not_finite_is_skipped_and_counted(tmp_path, options, spoil):
    spoil(3)
    options["queue_size"] = 0
    folder = run(tmp_path, options, "logger.save_checkpoint_freq=1")
    at = [weights(folder, i) for i in range(1, 7)]
    assert [same(a, b) for a, b in pairwise(at)] == [False, True, False, False, False]
    assert all(np.isfinite(array).all() for array in at[-1].values())
    skipped = "iter 3: update skipped, not finite: l_g_pix, l_g_artifact, l_d_real"
    assert f"{skipped} (1 in a row, 1 in all)" in log_of(folder)


def test_a_skipped_update_with_finite_losses_is_due_to_a_gradient(tmp_path, options):
    lines = []
    with opened(tmp_path, options) as (_, training):
        guard = NonFiniteGuard(2, training.checkpoints, lines.append)
        guard(1, True, {"l_g_pix": 0.5, "grad_norm_g": math.nan})
    assert lines == [
        "iter 1: update skipped, not finite: a gradient (1 in a row, 1 in all)"
    ]


def test_too_many_in_a_row_roll_back_once_and_then_stop(tmp_path, options, spoil):
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
    assert load_state(state_of(folder, 6)).record["run"]["rolled_back"]
    rolled_back = "rolled back to the weights of iter 3; the run continues from here"
    assert rolled_back in log_of(folder)


def test_too_many_in_a_row_before_a_checkpoint_stop_the_run(tmp_path, options, spoil):
    spoil(1, 2)
    with pytest.raises(UserError, match=r"iteration 2: .* before any checkpoint"):
        run(tmp_path, options, "train.max_nonfinite=2")


def test_resuming_between_skipped_updates_is_exact(tmp_path, options, spoil):
    spoil(5, 6, 8)
    options["train"] |= {"max_nonfinite": 2, "total_iter": 9}
    options["logger"]["save_checkpoint_freq"] = 4
    straight = run(tmp_path, options, "name=straight")
    for stop in (5, 6, 7):
        run(tmp_path, options, f"train.total_iter={stop}", "auto_resume=true")
    resumed = run(tmp_path, options, "auto_resume=true")
    states = state_of(straight, 9), state_of(resumed, 9)
    assert_states_equal(*states)
    expected, record = (load_state(state).record["run"] for state in states)
    assert record | {"saved": None} == expected | {"saved": None}
    assert record["skipped"] == 3
    assert record["rolled_back"]
    assert record["good"] == 4


def warnings_of(gan_type, real, fake, reports=REPORTS, start=501, warm_up=None):
    """What the watch logs at reports with these losses, 100 iterations apart."""
    lines = []
    step = Mock(spec=GANStep, warm_up=warm_up or DiscriminatorWarmUp())
    watch = DiscriminatorWatch(step, GANLossOptions(gan_type=gan_type), 100)
    for i in range(reports):
        lines += watch(start + 100 * i, {"l_d_real": real, "l_d_fake": fake})
    return lines


def test_a_collapsed_discriminator_is_warned_of_once():
    (line,) = warnings_of("vanilla", 0.69, 0.70, reports=3 * REPORTS)
    assert "cannot tell real from generated images: " in line
    assert "stayed at ln 2 = 0.693 in the last 10 reports; " in line
    assert "train.optim_d.lr" in line
    (line,) = warnings_of("lsgan", 0.001, 0.002)
    assert "without effort: l_d_real and l_d_fake stayed at 0 " in line
    assert "train.optim_d.lr" in line


def test_there_is_no_warning_of_a_discriminator_that_works_or_at_the_start():
    assert warnings_of("vanilla", 0.69, 0.60) == []
    assert warnings_of("vanilla", 0.0, 0.5) == []
    assert warnings_of("lsgan", 0.69, 0.69) == []
    assert warnings_of("vanilla", 0.69, 0.69, REPORTS - 1) == []
    assert warnings_of("vanilla", 0.69, 0.69, start=-400) == []


def test_the_start_counts_from_the_end_of_the_warm_up():
    collapsed = ("vanilla", 0.69, 0.69)
    warm_up = DiscriminatorWarmUp(max_iterations=1000, target_accuracy=0.8)
    assert warnings_of(*collapsed, start=501, warm_up=warm_up) == []
    assert len(warnings_of(*collapsed, start=1501, warm_up=warm_up)) == 1
    warm_up.ended = 100
    assert len(warnings_of(*collapsed, start=601, warm_up=warm_up)) == 1
    assert warnings_of(*collapsed, start=501, warm_up=warm_up) == []


def test_only_the_newest_checkpoints_of_the_run_are_kept(tmp_path, options):
    options["logger"] |= {"save_checkpoint_freq": 1, "keep_checkpoints": 2}
    folder = run(tmp_path, options, "train.total_iter=3")
    assert (log := log_of(folder)).count("checkpoints: ") == 1
    assert "MB each; the newest 2 are kept (logger.keep_checkpoints), 0." in log
    mine = folder / "models/net_g_1.pdparams"
    run(tmp_path, options, "train.total_iter=4", "auto_resume=true")
    assert not mine.exists()
    mine.write_bytes(b"not written by this run, which has removed its own")
    run(tmp_path, options, "auto_resume=true")
    names = {path.name for path in (folder / "models").iterdir()}
    kept = [
        f"net_{network}_{when}.pdparams"
        for network in "gd"
        for when in (5, 6, "latest")
    ]
    assert names == {mine.name, *kept}
    assert {path.name for path in (folder / "training_states").iterdir()} == {
        "5.state",
        "6.state",
    }


def test_a_state_is_that_of_its_iteration_though_training_goes_on(
    tmp_path, options, monkeypatch
):
    """The writer begins each state late, when the loop is iterations further."""
    save = ("logger.save_checkpoint_freq=2",)
    straight = run(tmp_path, options, *save, "name=straight")
    write = Checkpoints._write

    def write_late(self, *state):
        time.sleep(0.5)
        write(self, *state)

    monkeypatch.setattr(Checkpoints, "_write", write_late)
    late = run(tmp_path, options, *save, "name=late")
    for iteration in (2, 4, 6):
        assert_states_equal(state_of(straight, iteration), state_of(late, iteration))
