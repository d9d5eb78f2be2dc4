"""Several processes train as one with the same global batch would; one writes, and none waits for ever."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from sample_processes import SECONDS, broken, finish_together, not_a_number
from sample_runs import (
    alive,
    children,
    finish,
    picture,
    reported,
    wait_until,
    write_yml,
)

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.process_group import ProcessGroup
from realesrgan_paddle.utils.runlog.training_state import load_newest_state, load_state

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


def assert_close(a: Path, b: Path) -> None:
    """The pools are equal to the bit. All else differs by the rounding of a mean over two samples, of which Adam makes
    up to a whole update (1e-3) where a gradient is next to nothing; that is seldom, so
    the mean is held closer."""
    a, b = load_state(a).parts, load_state(b).parts
    assert a.keys() == b.keys()
    for part, arrays in a.items():
        assert arrays.keys() == b[part].keys()
        for name, array in arrays.items():
            difference, where = (
                np.abs(array - b[part][name], dtype=np.float64),
                f"{part}/{name}",
            )
            if part == "pool":
                assert not difference.any()
            elif part.startswith("optimizer"):
                assert difference.max() <= 0.01 * np.abs(array).max(), where
            else:
                assert difference.max() <= 1e-3, where
                assert difference.mean() <= 1e-4, where


def assert_alike(tmp_path: Path, name: str) -> None:
    """The run of this name, and the files it has left, are like those of `one`."""
    one, two = tmp_path / "runs/one", tmp_path / "runs" / name
    assert_close(one / "training_states/6.state", two / "training_states/6.state")
    for line, other in zip(reported(one)[-3:], reported(two)[-3:], strict=True):
        assert line == pytest.approx(other, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("case", [without_discriminator_and_pool, with_pairs])
def test_two_processes_equal_one_with_the_same_global_batch(tmp_path, options, case):
    case(options, tmp_path)
    finish(tmp_path, options, ONE, "name=one")
    assert finish_together(tmp_path, options, TWO, "name=two") == [0, 0]
    assert_alike(tmp_path, "two")


def test_one_writes_and_another_number_goes_on(tmp_path, options):
    options["queue_size"] = 5
    finish(tmp_path, options, ONE, "name=one")
    assert finish_together(tmp_path, options, TWO, "name=two") == [0, 0]
    assert_alike(tmp_path, "two")
    one, two = tmp_path / "runs/one", tmp_path / "runs/two"
    files = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        for folder in (one, two)
    ]
    assert files[0] == files[1]
    log = (two / "train.log").read_text()
    assert [log.count(f"iter {i}/6") for i in range(1, 7)] == [1] * 6
    assert "2 processes, 2 images in a batch" in log

    finish(
        tmp_path,
        options,
        ONE,
        "name=fewer",
        f"path.resume_state={two / 'training_states/3.state'}",
    )
    resume = f"path.resume_state={one / 'training_states/3.state'}"
    assert finish_together(tmp_path, options, TWO, "name=more", resume) == [0, 0]
    assert_alike(tmp_path, "fewer")
    assert_alike(tmp_path, "more")


def test_what_is_not_finite_in_one_is_skipped_by_all(tmp_path, options):
    options["queue_size"] = 0
    often = "logger.save_checkpoint_freq=1"
    assert finish_together(tmp_path, options, TWO, often, change=not_a_number) == [0, 0]
    folder = tmp_path / "runs/tiny"
    assert (folder / "train.log").read_text().count("update skipped") == 1
    before, after, later = (
        load_state(folder / f"training_states/{i}.state").parts["generator"]
        for i in (2, 3, 4)
    )
    assert all(np.array_equal(array, after[name]) for name, array in before.items())
    assert not all(np.array_equal(array, later[name]) for name, array in after.items())
    assert np.isfinite(later["body.0.weight"]).all()


def said(folder: Path, rank: int) -> list[str]:
    """What a process said on stderr, but for the notes of Paddle's own ("I1121 10:55:28 ...")."""
    return [
        line
        for line in (folder / f"stderr.{rank}").read_text().splitlines()
        if not line[1:5].isdecimal()
    ]


def test_the_failure_of_one_ends_all_in_one_line(tmp_path, options):
    assert finish_together(tmp_path, options, TWO, change=broken) == [1, 1]
    first, second = said(tmp_path, 0), said(tmp_path, 1)
    assert second == ["error: a damaged image"]
    assert len(first) == 1
    assert first[0].startswith("error: another process of this training has ended")
    assert len(reported(tmp_path / "runs/tiny")) == 2


def test_a_pool_smaller_than_the_global_batch_is_refused(tmp_path, options):
    cfg = load_config(write_yml(tmp_path, options), [ONE, "queue_size=3"])
    with pytest.raises(
        UserError,
        match="queue_size 3 is less than one batch of 2 processes, 4 images; set it to 60",
    ):
        TrainingBatches(cfg, 0, ProcessGroup(0, 2))


def test_sigterm_to_the_launcher_saves(tmp_path, options):
    """The documented command, and what a job scheduler does."""
    command = [
        sys.executable,
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        "2",
    ]
    command += [
        "--log_dir",
        str(tmp_path / "log"),
        str(ROOT / "train.py"),
        "--yml_path",
    ]
    often = ["train.total_iter=100000", "logger.save_checkpoint_freq=100000", TWO]
    with (tmp_path / "out").open("w") as out:
        launcher = subprocess.Popen(
            [*command, str(write_yml(tmp_path, options)), *often],
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
    state, problems = load_newest_state(folder / "training_states")
    assert (state.iteration, problems) == (last, [])
    assert (
        f"SIGTERM: saved {folder / 'training_states' / str(last)}.state"
        in (folder / "train.log").read_text()
    )
    assert not (tmp_path / "http.log").exists()
    for rank in (0, 1):
        assert "Traceback" not in (tmp_path / f"log/workerlog.{rank}").read_text()
