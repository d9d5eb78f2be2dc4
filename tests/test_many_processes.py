"""Several processes train as one with the same global batch would; one writes, and none waits for ever."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_processes import SECONDS, broken, finish_together, not_a_number
from sample_runs import alive, children, finish, picture, reported, wait_until, write_yml

from realesrgan_paddle.utils.checkpoint import load_newest_state, load_state
from realesrgan_paddle.utils.images import write_image

ROOT = Path(__file__).parents[1]
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


def with_a_pool(options: dict, tmp_path: Path) -> None:
    options["queue_size"] = 5


def with_pairs(options: dict, tmp_path: Path) -> None:
    for i in range(3):
        gt = picture(64, 48, i)
        write_image(tmp_path / "gt" / f"{i}.png", gt)
        write_image(tmp_path / "lq" / f"{i}.png", gt[::4, ::4])
    options["high_order_degradation"] = False
    roots = {f"dataroot_{kind}": str(tmp_path / kind) for kind in ("gt", "lq")}
    options["datasets"]["train"] |= {"type": "RealESRGANPairedDataset", **roots}


def assert_close(a: Path, b: Path) -> None:
    """The pools are equal to the bit. All else differs by the rounding of a mean over two samples, which Adam enlarges
    where a gradient is next to nothing: by less than a tenth of one update at the learning rate of 1e-3."""
    a, b = load_state(a).parts, load_state(b).parts
    assert a.keys() == b.keys()
    for part, arrays in a.items():
        assert arrays.keys() == b[part].keys()
        for name, array in arrays.items():
            atol = 0 if part == "pool" else 1e-4
            np.testing.assert_allclose(array, b[part][name], rtol=0, atol=atol, err_msg=f"{part}/{name}")


def assert_reports_close(a: Path, b: Path) -> None:
    for line, other in zip(reported(a), reported(b), strict=True):
        assert line == pytest.approx(other, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("case", [without_discriminator_and_pool, with_a_pool, with_pairs])
def test_two_processes_equal_one_with_the_same_global_batch(tmp_path, options, case):
    case(options, tmp_path)
    finish(tmp_path, options, ONE, "name=one")
    assert finish_together(tmp_path, options, TWO, "name=two") == [0, 0]
    one, two = tmp_path / "runs/one", tmp_path / "runs/two"
    assert_close(one / "training_states/6.state", two / "training_states/6.state")
    assert_reports_close(one, two)
    files = [sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) for folder in (one, two)]
    assert files[0] == files[1]
    log = (two / "train.log").read_text()
    assert all(log.count(f"iter {i}/6") == 1 for i in range(1, 7))
    assert "2 processes" in log


def test_another_number_of_processes_goes_on(tmp_path, options):
    finish(tmp_path, options, ONE, "name=straight")
    straight = tmp_path / "runs/straight"
    finish(tmp_path, options, ONE, "name=more", "train.total_iter=3")
    assert finish_together(tmp_path, options, TWO, "name=more") == [0, 0]
    assert finish_together(tmp_path, options, TWO, "name=fewer", "train.total_iter=3") == [0, 0]
    finish(tmp_path, options, ONE, "name=fewer")
    for other in ("more", "fewer"):
        folder = tmp_path / "runs" / other
        assert_close(straight / "training_states/6.state", folder / "training_states/6.state")
        assert_reports_close(straight, folder)


def test_what_is_not_finite_in_one_is_skipped_by_all(tmp_path, options):
    options["queue_size"] = 0
    often = "logger.save_checkpoint_freq=1"
    assert finish_together(tmp_path, options, TWO, often, change=not_a_number) == [0, 0]
    folder = tmp_path / "runs/tiny"
    assert (folder / "train.log").read_text().count("update skipped") == 1
    before, after, later = (load_state(folder / f"training_states/{i}.state").parts["generator"] for i in (2, 3, 4))
    assert all(np.array_equal(array, after[name]) for name, array in before.items())
    assert not all(np.array_equal(array, later[name]) for name, array in after.items())
    assert np.isfinite(later["body.0.weight"]).all()


def said(folder: Path, rank: int) -> list[str]:
    """What a process said on stderr, but for the notes of Paddle's own ("I1121 10:55:28 ...")."""
    return [line for line in (folder / f"stderr.{rank}").read_text().splitlines() if not line[1:5].isdecimal()]


def test_the_failure_of_one_ends_all_in_one_line(tmp_path, options):
    assert finish_together(tmp_path, options, TWO, change=broken) == [1, 1]
    first, second = said(tmp_path, 0), said(tmp_path, 1)
    assert second == ["error: a damaged image"]
    assert len(first) == 1
    assert first[0].startswith("error: another process of this training has ended")
    assert len(reported(tmp_path / "runs/tiny")) == 2


def test_a_pool_smaller_than_the_global_batch_is_refused(tmp_path, options):
    assert finish_together(tmp_path, options, "queue_size=3", ONE) == [1, 1]
    for rank in (0, 1):
        assert "queue_size 3 is less than one batch of 2 processes, 4 images" in said(tmp_path, rank)[0]
    assert not (tmp_path / "runs").exists()


def test_sigterm_to_the_launcher_saves(tmp_path, options):
    """The documented command, and what a job scheduler does."""
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2"]
    command += ["--log_dir", str(tmp_path / "log"), str(ROOT / "train.py"), "--yml_path"]
    often = ["train.total_iter=100000", "logger.save_checkpoint_freq=100000", TWO]
    with (tmp_path / "out").open("w") as out:
        launcher = subprocess.Popen(
            [*command, str(write_yml(tmp_path, options)), *often], stdout=out, stderr=out, cwd=tmp_path
        )
    folder = tmp_path / "runs/tiny"
    try:
        wait_until(lambda: (folder / "metrics.jsonl").exists() and len(reported(folder)) >= 2, SECONDS)
        processes = children(launcher.pid)
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(SECONDS)
    finally:
        launcher.kill()
    wait_until(lambda: not any(alive(process) for process in processes))
    last = reported(folder)[-1]["iter"]
    state, problems = load_newest_state(folder / "training_states")
    assert (state.iteration, problems) == (last, [])
    assert f"SIGTERM: saved {folder / 'training_states' / str(last)}.state" in (folder / "train.log").read_text()
    for rank in (0, 1):
        assert "Traceback" not in (tmp_path / f"log/workerlog.{rank}").read_text()
