"""A training run that takes a second, and what it leaves behind."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import yaml
from forkserver import FORKSERVER

from realesrgan_paddle.commands.train import main, train
from realesrgan_paddle.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.options.reading.load import dump_config, load_config
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_newest_state,
    load_state,
)


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth coloured pattern, uint8 RGB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 9
    waves = [
        np.sin(y * rng.uniform(0.5, 2) + x * rng.uniform(0.5, 2) + phase)
        for phase in (0, 2, 4)
    ]
    return np.uint8(np.dstack(waves) * 100 + 128)


def write_grainy_images(folder: Path) -> None:
    """Write three images with grain: no generator has learned it, so it gives real images away."""
    for i in range(3):
        grain = np.random.default_rng(i).integers(-60, 60, (96, 96, 3))
        image = np.clip(picture(96, 96, i) + grain, 0, 255)
        write_image(folder / f"{i}.png", np.uint8(image))


def usable_ops() -> str:
    """Return the operators to train with, without the trial of `auto`: it takes seconds."""
    try:
        library()
    except OneDNNError:
        return "plain"
    return "onednn"


def tiny_options(tmp_path: Path) -> dict:
    """Options of a tiny GAN run over three pictures, one of them smaller than a crop."""
    for i, (height, width) in enumerate([(96, 80), (60, 110), (40, 48)]):
        write_image(tmp_path / "hr" / f"{i}.png", picture(height, width, i))
    return {
        "name": "tiny",
        "model_type": "RealESRGANModel",
        "cpu_ops": usable_ops(),
        "scale": 4,
        "manual_seed": 3,
        "gt_size": 32,
        "queue_size": 4,
        "datasets": {
            "train": {
                "type": "RealESRGANDataset",
                "dataroot_gt": str(tmp_path / "hr"),
                "batch_size_per_gpu": 2,
                "num_worker_per_gpu": 0,
                "use_rot": True,
            }
        },
        "network_g": {
            "type": "SRVGGNetCompact",
            "num_feat": 8,
            "num_conv": 2,
            "upscale": 4,
        },
        "network_d": {"type": "UNetDiscriminatorSN", "num_feat": 8},
        "path": {"experiments_root": str(tmp_path / "runs")},
        "train": {
            "ema_decay": 0.9,
            "optim_g": {"lr": 1e-3},
            "optim_d": {"lr": 1e-3},
            "scheduler": {"type": "MultiStepLR", "milestones": [4], "gamma": 0.5},
            "total_iter": 6,
            "warmup_iter": 2,
            "pixel_opt": {"type": "L1Loss"},
            "artifact_opt": {"type": "LDLLoss"},
            "gan_opt": {"gan_type": "vanilla", "loss_weight": 0.1},
        },
        "val": {"hold_out": 0},
        "logger": {"print_freq": 1, "save_checkpoint_freq": 3},
    }


def write_yml(folder: Path, options: dict) -> Path:
    file = folder / "options.yml"
    file.write_text(yaml.safe_dump(options))
    return file


def run(folder: Path, options: dict, *overrides: str) -> Path:
    """Train and return the run's folder."""
    return train(load_config(write_yml(folder, options), overrides)).parents[1]


@contextmanager
def opened(folder: Path, options: dict, *overrides: str) -> Iterator[tuple]:
    """The options and the opened run, in its folder, before its first iteration."""
    from realesrgan_paddle.training.open_training import open_training

    cfg = load_config(write_yml(folder, options), overrides)
    training = open_training(cfg)
    training.experiment.open(dump_config(cfg), training.resumed_at)
    with closing(training.batches):
        yield cfg, training


def reported(folder: Path) -> list[dict]:
    lines = [
        json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    of_the_machine = ("images_per_s", "data_wait", "memory_mb", "left_s")
    return [
        {k: v for k, v in line.items() if k not in of_the_machine} for line in lines
    ]


def log_of(folder: Path) -> str:
    return (folder / "train.log").read_text()


def state_of(folder: Path, iteration: int) -> Path:
    return folder / f"training_states/{iteration}.state"


def newest_state(folder: Path) -> tuple[TrainingState | None, list[str]]:
    """The newest state of a run that is not damaged, and what is wrong with newer ones."""
    return load_newest_state(folder / "training_states", lambda state: None)


def parts_of(folder: Path, iteration: int) -> Mapping[str, Mapping[str, np.ndarray]]:
    """What a training state holds: arrays by part and name."""
    return load_state(state_of(folder, iteration)).parts


def assert_resumes_exactly(tmp_path: Path, options: dict) -> tuple[Path, Path]:
    """A run that is stopped and resumed equals one that is not; return the folders of both."""
    end = "train.total_iter=6"
    straight = run(tmp_path, options, "name=straight", end)
    run(tmp_path, options, "name=stopped", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true", end)
    assert_states_equal(state_of(straight, 6), state_of(resumed, 6))
    assert reported(straight) == reported(resumed)
    return straight, resumed


def assert_states_equal(a: Path, b: Path) -> None:
    a, b = load_state(a), load_state(b)
    assert a.iteration == b.iteration
    assert (
        a.parts.keys()
        == b.parts.keys()
        >= {"generator", "ema", "discriminator", "optimizer_g", "pool"}
    )
    for part, arrays in a.parts.items():
        assert arrays.keys() == b.parts[part].keys()
        for name, array in arrays.items():
            assert array.tobytes() == b.parts[part][name].tobytes(), f"{part}/{name}"


def start(folder: Path, options: dict, *overrides: str) -> BaseProcess:
    """Train as a command in a process of its own, from the newest state if there is one.

    Commands set up Paddle's math library (`utils.cpu`), so their last bits may be other
    than those of `run`.
    """
    arguments = [
        "--yml_path",
        str(write_yml(folder, options)),
        "--auto_resume",
        *overrides,
    ]
    process = FORKSERVER.Process(target=_exit_with_main, args=(arguments,))
    process.start()
    return process


def finish(folder: Path, options: dict, *overrides: str) -> None:
    """As `start`, to the end."""
    process = start(folder, options, *overrides)
    process.join()
    assert process.exitcode == 0


def _exit_with_main(arguments: list[str]) -> None:
    raise SystemExit(main(arguments))


def wait_until(true, seconds: float = 30) -> None:
    """Wait for `true()`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def children(pid: int) -> list[Path]:
    """The folders in /proc of the processes that `pid` has started."""
    by_thread = [
        task.joinpath("children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return [Path("/proc", child) for started in by_thread for child in started]


def alive(process: Path) -> bool:
    """Whether a process, given by its folder in /proc, runs: neither gone nor a zombie."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def temporaries(folder: Path) -> list[Path]:
    """Files that an atomic write would have left behind."""
    return list(folder.rglob(".*.tmp*"))
