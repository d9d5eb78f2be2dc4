"""A run that an error ends has saved its state, and goes on as if nothing had been."""

import errno
import os
import shlex
import signal
from dataclasses import replace

import numpy as np
import paddle
import pytest
from batch_changes import changed_batches
from sample_runs import (
    assert_states_equal,
    log_of,
    newest_state,
    picture,
    reported,
    run,
    state_of,
)

from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.training import checkpoints, validation, validator
from realesrgan_paddle.training.batches import BatchMaker, TrainingBatches
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, write_image
from realesrgan_paddle.utils.runlog import experiment
from realesrgan_paddle.utils.weights.reader import read_weights

pytestmark = pytest.mark.paddle

SELDOM = "logger.save_checkpoint_freq=100"


class Killed(BaseException):
    """Ends a run as a SIGKILL does: nothing handles it."""


@pytest.fixture
def validated(options, tmp_path):
    """Options of a run that is validated on one image in every second iteration."""
    gt = picture(48, 80, 9)
    write_image(tmp_path / "val_gt/a.png", gt)
    write_image(tmp_path / "val_lq/a.png", gt[::4, ::4])
    options["datasets"]["val"] = {
        "name": "val",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }
    psnr = {"psnr": {"type": "calculate_psnr"}}
    options["val"] = {"val_freq": 2, "metrics": psnr}
    options["train"]["total_iter"] = 4
    return options


def fail_at(monkeypatch, owner, name, when, error):
    """Let a function raise an error where `when` is true of its arguments."""
    original = getattr(owner, name)

    def failing(*args, **kwargs):
        if when(*args, **kwargs):
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


def assert_goes_on(tmp_path, options, monkeypatch, *overrides):
    """A run that has ended goes on and equals one that has not."""
    monkeypatch.undo()
    total = options["train"]["total_iter"]
    resumed = run(tmp_path, options, "auto_resume=true", *overrides)
    straight = run(tmp_path, options, "name=straight", *overrides)
    assert_states_equal(state_of(straight, total), state_of(resumed, total))
    assert reported(straight) == reported(resumed)
    records = [newest_state(folder)[0].record["run"] for folder in (straight, resumed)]
    assert records[0] | {"saved": 0, "good": 0} == records[1] | {"saved": 0, "good": 0}
    return straight, resumed


def is_number_5(maker, number):
    return number == 5


@pytest.mark.parametrize(
    "error",
    [
        UserError("a process that reads training images died"),
        OSError(errno.EIO, "Input/output error", "0.png"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_batch_that_cannot_be_made_costs_nothing(
    tmp_path, options, monkeypatch, error
):
    fail_at(monkeypatch, BatchMaker, "__call__", is_number_5, error)
    with pytest.raises(type(error)) as raised:
        run(tmp_path, options, SELDOM)
    assert raised.value is error

    folder = tmp_path / "runs/tiny"
    config = shlex.quote(str(folder / "config.yml"))
    ended, following = log_of(folder).splitlines()[-2:]
    assert f"iter 4: ended by an error: {error}; saved {state_of(folder, 4)}" in ended
    assert following.endswith(f"train.py --yml_path {config} --auto_resume")
    if isinstance(error, UserError):
        assert_goes_on(tmp_path, options, monkeypatch, SELDOM)


def test_a_log_that_cannot_be_written_costs_nothing(tmp_path, options, monkeypatch):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def says_iteration_5(path, line):
        return "iter 5/6" in line or '"iter": 5' in line or "ended" in line

    fail_at(monkeypatch, experiment, "_append", says_iteration_5, error)
    with pytest.raises(OSError, match="No space left") as raised:
        run(tmp_path, options, SELDOM)
    assert raised.value is error
    assert state_of(tmp_path / "runs/tiny", 5).exists()


def test_half_an_update_is_never_saved(tmp_path, options, monkeypatch):
    update = GANStep._update_weights
    calls = []

    def half_an_update(step, *args, **kwargs):
        calls.append(1)
        losses = update(step, *args, **kwargs)
        if len(calls) == 5:
            raise MemoryError("no memory")
        return losses

    monkeypatch.setattr(GANStep, "_update_weights", half_an_update)
    with pytest.raises(MemoryError):
        run(tmp_path, options)
    folder = tmp_path / "runs/tiny"
    assert newest_state(folder)[0].iteration == 3
    saved = f"saved {state_of(folder, 3)}\n"
    assert f"iter 4: ended by an error: no memory; {saved}" in log_of(folder)


def test_part_of_an_accumulated_batch_is_not_saved(tmp_path, options, monkeypatch):
    """The pool has taken the first of two batches."""
    options["datasets"]["train"]["accum_iter"] = 2
    error = UserError("a damaged image")

    def is_number_6(maker, number):
        return number == 6

    fail_at(monkeypatch, BatchMaker, "__call__", is_number_6, error)
    with pytest.raises(UserError, match="a damaged image"):
        run(tmp_path, options, "logger.save_checkpoint_freq=1")
    assert newest_state(tmp_path / "runs/tiny")[0].iteration == 2


def test_a_pool_that_is_ahead_of_the_weights_is_not_saved(
    tmp_path, options, monkeypatch
):
    def broken(batch, number):
        if number == 5:
            raise UserError("after the pool")
        return batch

    monkeypatch.setattr(TrainingBatches, "__next__", changed_batches(broken))
    with pytest.raises(UserError, match="after the pool"):
        run(tmp_path, options)
    assert newest_state(tmp_path / "runs/tiny")[0].iteration == 3


def test_what_is_not_finite_is_not_saved(tmp_path, options, monkeypatch):
    def spoiled(batch, number):
        return replace(batch, gt=batch.gt * np.nan) if number >= 4 else batch

    monkeypatch.setattr(TrainingBatches, "__next__", changed_batches(spoiled))
    options["train"]["max_nonfinite"] = 1
    with pytest.raises(UserError, match="after a rollback"):
        run(tmp_path, options)
    folder = tmp_path / "runs/tiny"
    assert newest_state(folder)[0].iteration == 3
    assert f"saved {state_of(folder, 3)}" in log_of(folder).splitlines()[-2]


def at_iteration_2(*args, **kwargs):
    return 2 in args


def is_report_of_2(run, iteration, values, line):
    return iteration == 2 and "validation" in line


FAILURES = {
    "measuring": (validator, "validate", at_iteration_2),
    "the report": (experiment.Experiment, "report", is_report_of_2),
    "the sheet": (validation.Sheets, "write", at_iteration_2),
    "the best network": (checkpoints.Checkpoints, "keep_best", at_iteration_2),
}


ERRORS = {
    "error, saved before": (MemoryError("none"), 2),
    "error, not saved": (MemoryError("none"), 99),
    "kill": (Killed(), 2),
}
QUICK = {
    ("measuring", "error, not saved"),
    ("the sheet", "kill"),
    ("the best network", "error, saved before"),
}
CASES = [
    pytest.param(
        *(point, *ERRORS[kind]),
        id=f"{point}, {kind}",
        marks=() if (point, kind) in QUICK else pytest.mark.slow,
    )
    for point in FAILURES
    for kind in ERRORS
]


@pytest.mark.parametrize(("point", "error", "freq"), CASES)
def test_a_validation_that_fails_costs_nothing_and_is_made_once(
    tmp_path, validated, monkeypatch, point, error, freq
):
    frequency = f"logger.save_checkpoint_freq={freq}"
    owner, name, when = FAILURES[point]
    fail_at(monkeypatch, owner, name, when, error)
    with pytest.raises(type(error)):
        run(tmp_path, validated, frequency)
    assert newest_state(tmp_path / "runs/tiny")[0].iteration == 2

    straight, resumed = assert_goes_on(tmp_path, validated, monkeypatch, frequency)
    validations = [line["iter"] for line in reported(resumed) if "val/psnr" in line]
    assert validations == [2, 4]
    best = [
        read_weights(folder / "models/net_g_best.pdparams").groups["params_ema"]
        for folder in (straight, resumed)
    ]
    assert all(np.array_equal(best[0][name], best[1][name]) for name in best[0])


def test_a_signal_before_a_validation_saves_at_once_and_validates_later(
    tmp_path, validated, monkeypatch
):
    """A job scheduler waits seconds; a validation may take minutes."""

    def terminated(batch, number):
        if number == 2:
            signal.raise_signal(signal.SIGTERM)
        return batch

    monkeypatch.setattr(TrainingBatches, "__next__", changed_batches(terminated))
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, validated)
    assert ended.value.code == 143
    folder = tmp_path / "runs/tiny"
    assert newest_state(folder)[0].iteration == 2
    assert [line["iter"] for line in reported(folder)] == [1, 2]

    _, resumed = assert_goes_on(tmp_path, validated, monkeypatch)
    assert [line["iter"] for line in reported(resumed)] == [1, 2, 2, 3, 4, 4]


def test_a_run_that_stopped_early_by_a_validation_stops_again(tmp_path, validated):
    """Its state was saved before that validation."""
    validated["val"] |= {"val_freq": 1, "stop_after": 1}
    validated["train"] |= {"optim_g": {"lr": 1e-12}, "total_iter": 9}
    validated["logger"]["save_checkpoint_freq"] = 1
    folder = run(tmp_path, validated)
    before = reported(folder)
    assert before[-1]["iter"] < 9
    run(tmp_path, validated, "auto_resume=true")
    assert reported(folder) == before
    assert log_of(folder).count("stopped early: ") == 2


def test_validation_takes_tiles_where_memory_is_short(tmp_path, validated, monkeypatch):
    """Two images: the first does not fit as a whole, the second finds the tiles."""
    gt = picture(1600, 160, 3)
    for name in ("b", "c"):
        write_image(tmp_path / f"val_gt/{name}.png", gt)
        write_image(tmp_path / f"val_lq/{name}.png", gt[::4, ::4])
    upscale = DygraphRunner.__call__

    def with_less_memory(runner, images):
        if images.shape[2] > 370:
            raise MemoryError("ResourceExhausted")
        return upscale(runner, images)

    plain = run(tmp_path, validated, "name=plain", "val.save_sheet=false")
    monkeypatch.setattr(DygraphRunner, "__call__", with_less_memory)
    folder = run(tmp_path, validated, "val.save_sheet=false")
    line = (
        "out of memory on 40x400 pixels, so images are upscaled in tiles of 200 pixels "
        "from now on (before: whole)"
    )
    assert log_of(folder).count("out of memory") == log_of(folder).count(line) == 1
    for name in ("b", "c"):
        images = (f"visualization/val/{name}/{name}_{i}.png" for i in (2, 4))
        for image in images:
            tiled, whole = (
                read_rgb(run_folder / image) for run_folder in (folder, plain)
            )
            assert np.abs(tiled - whole).max() < 1.5 / 255
    assert reported(folder)[-1] == pytest.approx(reported(plain)[-1], abs=0.01)


@pytest.mark.parametrize(
    ("message", "error"),
    [("(External) CUDNN_STATUS_ALLOC_FAILED.", MemoryError), ("no driver", OSError)],
)
def test_gpu_libraries_without_memory_are_told_from_other_errors(message, error):
    class Failing(paddle.nn.Layer):
        def forward(self, x):
            raise OSError(message)

    with pytest.raises(error, match=message[-10:-1]):
        DygraphRunner(Failing(), 4)(np.zeros((1, 3, 4, 4), np.float32))


def test_a_run_from_the_state_of_another_is_saved_in_its_own_folder(
    tmp_path, options, monkeypatch
):
    other = state_of(run(tmp_path, options, "name=other", "train.total_iter=4"), 4)
    error = UserError("a damaged image")
    fail_at(monkeypatch, BatchMaker, "__call__", is_number_5, error)
    with pytest.raises(UserError, match="a damaged image"):
        run(tmp_path, options, f"path.resume_state={other}")
    folder = tmp_path / "runs/tiny"
    assert state_of(folder, 4).exists()
    assert f"saved {state_of(folder, 4)}\n" in log_of(folder)
