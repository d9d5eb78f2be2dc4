"""Several processes train like one with the same global batch; one writes, and none hangs."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from sample_processes import (
    SECONDS,
    broken,
    finish_together,
    not_a_number,
    start_together,
)
from sample_runs import (
    alive,
    children,
    finish,
    log_of,
    newest_state,
    parts_of,
    picture,
    reported,
    state_of,
    wait_until,
    write_yml,
)

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.process_group import ProcessGroup

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]
ONE, TWO = "datasets.train.batch_size_per_gpu=2", "datasets.train.batch_size_per_gpu=1"


def without_discriminator_and_pool(options: dict, tmp_path: Path) -> None:
    options |= {"model_type": "RealESRNetModel", "queue_size": 0}
    del options["network_d"]
    for key in ("gan_opt", "optim_d", "artifact_opt"):
        del options["train"][key]


def with_pairs(options: dict, tmp_path: Path) -> None:
    for i in range(3):
        gt = picture(64, 48, i)
        write_image(tmp_path / "gt" / f"{i}.png", gt)
        write_image(tmp_path / "lq" / f"{i}.png", gt[::4, ::4])
    options["high_order_degradation"] = False
    roots = {f"dataroot_{kind}": str(tmp_path / kind) for kind in ("gt", "lq")}
    options["datasets"]["train"] |= {"type": "RealESRGANPairedDataset", **roots}


def assert_close(part: str, name: str, array: np.ndarray, other: np.ndarray) -> None:
    """Pools are equal. All else differs by the rounding of a mean over two samples.

    Adam makes up to a whole update (1e-3) of that where a gradient is next to nothing;
    it seldom is, so the mean is held closer.
    """
    difference = np.abs(array - other, dtype=np.float64)
    where = f"{part}/{name}"
    if part == "pool":
        assert not difference.any(), where
    elif part.startswith("optimizer"):
        assert difference.max() <= 0.01 * np.abs(array).max(), where
    else:
        assert difference.max() <= 1e-3, where
        assert difference.mean() <= 1e-4, where


def assert_runs_alike(tmp_path: Path, name: str) -> None:
    """The run of this name has trained like the run `one`."""
    one, other = tmp_path / "runs/one", tmp_path / "runs" / name
    states = parts_of(one, 4), parts_of(other, 4)
    assert states[0].keys() == states[1].keys()
    for part, arrays in states[0].items():
        assert arrays.keys() == states[1][part].keys()
        for array_name, array in arrays.items():
            assert_close(part, array_name, array, states[1][part][array_name])
    for line, other_line in zip(reported(one)[-2:], reported(other)[-2:], strict=True):
        assert line == pytest.approx(other_line, rel=1e-3, abs=1e-4)


def test_two_processes_equal_one_on_pairs_without_discriminator_and_pool(
    tmp_path, options
):
    without_discriminator_and_pool(options, tmp_path)
    with_pairs(options, tmp_path)
    options["train"]["total_iter"] = 4
    finish(tmp_path, options, ONE, "name=one")
    assert finish_together(tmp_path, options, TWO, "name=two") == [0, 0]
    assert_runs_alike(tmp_path, "two")


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_one_writes_and_another_number_of_processes_may_resume(tmp_path, options):
    options["queue_size"] = 3
    options["manual_seed"] = 5
    options["datasets"]["train"]["slices"] = 2
    options["train"]["total_iter"] = 4
    options["logger"]["save_checkpoint_freq"] = 2
    finish(tmp_path, options, ONE, "name=one")
    assert finish_together(tmp_path, options, TWO, "name=two") == [0, 0]
    assert_runs_alike(tmp_path, "two")
    one, two = tmp_path / "runs/one", tmp_path / "runs/two"
    assert files_of(one) == files_of(two)
    log = log_of(two)
    assert [log.count(f"iter {i}/4") for i in range(1, 5)] == [1] * 4
    assert "2 processes, 2 images in a batch" in log

    resume = "path.resume_state="
    finish(tmp_path, options, ONE, "name=fewer", f"{resume}{state_of(two, 2)}")
    resume_one = f"{resume}{state_of(one, 2)}"
    assert finish_together(tmp_path, options, TWO, "name=more", resume_one) == [0, 0]
    assert_runs_alike(tmp_path, "fewer")
    assert_runs_alike(tmp_path, "more")


@pytest.mark.slow
def test_four_processes_train_as_one_with_four_slices(tmp_path, options):
    """Each has a degradation and a pool of its own, as each GPU has in Real-ESRGAN."""
    options["queue_size"] = 2
    options["manual_seed"] = 5
    options["train"]["total_iter"] = 4
    options["logger"]["save_checkpoint_freq"] = 2
    slices = "datasets.train.batch_size_per_gpu=4", "datasets.train.slices=4"
    finish(tmp_path, options, *slices, "name=one")
    ended = finish_together(tmp_path, options, TWO, "name=four", count=4)
    assert ended == [0] * 4
    assert_runs_alike(tmp_path, "four")
    pool = parts_of(tmp_path / "runs/four", 4)["pool"]
    assert pool["counts"].tolist() == [2] * 4

    state = f"path.resume_state={state_of(tmp_path / 'runs/four', 2)}"
    finish(tmp_path, options, *slices, "name=fewer", state)
    assert_runs_alike(tmp_path, "fewer")


def test_an_update_not_finite_in_one_is_skipped_by_all(tmp_path, options):
    options["queue_size"] = 0
    options["train"]["total_iter"] = 4
    options["logger"]["save_checkpoint_freq"] = 1
    assert finish_together(tmp_path, options, TWO, change=not_a_number) == [0, 0]
    folder = tmp_path / "runs/tiny"
    assert log_of(folder).count("update skipped") == 1
    before, after, later = (parts_of(folder, i)["generator"] for i in (2, 3, 4))
    assert all(np.array_equal(array, after[name]) for name, array in before.items())
    assert not all(np.array_equal(array, later[name]) for name, array in after.items())
    assert np.isfinite(later["body.0.weight"]).all()


def stderr_of(folder: Path, rank: int) -> list[str]:
    """The lines of a process on stderr without Paddle's own ("I1121 10:55:28 ...")."""
    lines = (folder / f"stderr.{rank}").read_text().splitlines()
    return [line for line in lines if not line[1:5].isdecimal()]


def test_the_failure_of_one_ends_all_in_one_line(tmp_path, options):
    assert finish_together(tmp_path, options, TWO, change=broken) == [1, 1]
    first, second = stderr_of(tmp_path, 0), stderr_of(tmp_path, 1)
    assert second == ["error: a damaged image"]
    assert len(first) == 1
    assert first[0].startswith("error: another process of this training has ended")
    assert len(reported(tmp_path / "runs/tiny")) == 2


def damage(path: Path) -> None:
    """Damage the pixels of a picture: only its header and end are checked before training."""
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)


def test_only_the_first_checks_the_headers_of_all_files(tmp_path, options):
    (tmp_path / "hr/3.png").write_bytes(b"no picture")
    assert finish_together(tmp_path, options, TWO) == [1, 1]
    first, second = stderr_of(tmp_path, 0), stderr_of(tmp_path, 1)
    assert len(first) == 1
    assert first[0].startswith(f"error: {tmp_path}/hr/3.png: not a readable image")
    assert len(second) == 1
    assert second[0].startswith("error: another process of this training has ended")


@pytest.mark.parametrize("pool", [pytest.param(4, marks=pytest.mark.slow), 0])
def test_what_one_cannot_read_costs_nothing(tmp_path, options, pool):
    """Of the pairs of images, the second process reads the fourth in iteration 2."""
    write_image(tmp_path / "hr/3.png", picture(64, 64, 3))
    damage(tmp_path / "hr/3.png")
    options["queue_size"] = pool
    options["datasets"]["train"] |= {"use_shuffle": False, "max_bad_images": 0}
    assert finish_together(tmp_path, options, TWO) == [1, 1]

    first, second = stderr_of(tmp_path, 0), stderr_of(tmp_path, 1)
    assert len(first) == 1
    assert first[0].startswith("error: another process of this training has ended")
    assert second[-1].startswith(f"error: {tmp_path}/hr/3.png: not a readable image")
    folder = tmp_path / "runs/tiny"
    assert newest_state(folder)[0].iteration == 1
    assert f"; saved {state_of(folder, 1)}\n" in log_of(folder)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            "datasets.train.slices=2 queue_size=1",
            "queue_size 1 is less than the 2 images .* 2 slices; set it to 30",
        ),
        (
            "datasets.train.slices=3",
            "slices: 3, but .* multiple .* processes, 2, .* batch, 4 images",
        ),
        ("datasets.train.slices=8", "slices: 8, but .* divides their batch, 4 images"),
    ],
)
def test_slices_that_processes_cannot_share_are_refused(
    tmp_path, options, overrides, message
):
    cfg = load_config(write_yml(tmp_path, options), [ONE, *overrides.split()])
    with pytest.raises(UserError, match=message):
        open_training_data(cfg, ProcessGroup(0, 2))


def test_sigterm_to_the_launcher_saves(tmp_path, options):
    """The documented command, and what a job scheduler does."""
    launch = f"-m paddle.distributed.launch --nproc_per_node 2 --log_dir {tmp_path}/log"
    train = f"{ROOT}/train.py --yml_path {write_yml(tmp_path, options)}"
    endless = f"train.total_iter=100000 logger.save_checkpoint_freq=100000 {TWO}"
    with (tmp_path / "out").open("w") as out:
        launcher = subprocess.Popen(
            [sys.executable, *f"{launch} {train} {endless}".split()],
            stdout=out,
            stderr=out,
            cwd=tmp_path,
        )
    folder = tmp_path / "runs/tiny"
    try:
        wait_until(
            lambda: (folder / "metrics.jsonl").exists() and len(reported(folder)) >= 2,
            SECONDS,
        )
        processes = children(launcher.pid)
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(SECONDS)
    finally:
        launcher.kill()
    wait_until(lambda: not any(alive(process) for process in processes))
    last = reported(folder)[-1]["iter"]
    state, problems = newest_state(folder)
    assert (state.iteration, problems) == (last, [])
    assert f"SIGTERM: saved {state_of(folder, last)}" in log_of(folder)
    assert not (tmp_path / "http.log").exists()
    for rank in (0, 1):
        assert "Traceback" not in (tmp_path / f"log/workerlog.{rank}").read_text()


def test_a_killed_process_ends_all_and_the_newest_state_goes_on(tmp_path, options):
    """As after the loss of a machine: the launcher starts the same command again."""
    options["queue_size"] = 0
    options["train"]["total_iter"] = 6
    options["logger"]["save_checkpoint_freq"] = 1
    assert finish_together(tmp_path, options, TWO, "name=undisturbed") == [0, 0]

    folder = tmp_path / "runs/killed"
    endless = "train.total_iter=100000"
    processes = start_together(tmp_path, options, TWO, "name=killed", endless)
    try:
        wait_until(state_of(folder, 2).exists, SECONDS)
        processes[1].kill()
        for process in processes:
            process.join(SECONDS)
    finally:
        for process in processes:
            process.kill()
    codes = [process.exitcode for process in processes]
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, -signal.SIGKILL), "it has seen that the other is gone"

    reached = newest_state(folder)[0].iteration
    assert reached >= 2
    total = f"train.total_iter={max(6, reached + 1)}"
    assert finish_together(tmp_path, options, TWO, "name=killed", total) == [0, 0]
    assert f"resumed after iteration {reached}" in log_of(folder)
    ours, others = (
        parts_of(tmp_path / "runs" / n, 6) for n in ("killed", "undisturbed")
    )
    for part, arrays in others.items():
        for name, array in arrays.items():
            assert np.array_equal(ours[part][name], array), f"{part}/{name}"
