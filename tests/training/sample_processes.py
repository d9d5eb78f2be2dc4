"""A training in several processes, as Paddle's launcher would start them, only faster."""

import multiprocessing
import os
import socket
import sys
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from batch_changes import Change, changed_batches
from forkserver import FORKSERVER
from sample_runs import write_yml

from realesrgan_paddle.commands.train import main
from realesrgan_paddle.models.step.pixel_step import Batch
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.utils import cli
from realesrgan_paddle.utils.errors import UserError

SECONDS = 60


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_together(
    folder: Path,
    options: dict,
    *overrides: str,
    change: Change | None = None,
    count: int = 2,
) -> list[BaseProcess]:
    """Start the processes of one training; `change` changes the batches of the second.

    What they say on stderr goes to `stderr.0`, `stderr.1`, ...
    """
    arguments = [
        "--yml_path",
        str(write_yml(folder, options)),
        "--auto_resume",
        *overrides,
    ]
    ports = [free_port() for _ in range(count + 1)]
    processes = [
        FORKSERVER.Process(
            target=_train,
            args=(rank, ports, arguments, folder / f"stderr.{rank}", rank and change),
        )
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    return processes


def finish_together(
    folder: Path,
    options: dict,
    *overrides: str,
    change: Change | None = None,
    count: int = 2,
) -> list[int]:
    """As `start_together`, to the end; return the exit codes."""
    processes = start_together(folder, options, *overrides, change=change, count=count)
    for process in processes:
        process.join(SECONDS)
    alive = [process for process in processes if process.is_alive()]
    for process in alive:
        process.kill()
    assert not alive, "does not end"
    return [process.exitcode for process in processes]


def not_a_number(batch: Batch, number: int) -> Batch:
    """Make the third batch's ground truth NaN."""
    return replace(batch, gt=batch.gt * float("nan")) if number == 3 else batch


def broken(batch: Batch, number: int) -> Batch:
    """Fail at the third batch."""
    if number == 3:
        raise UserError("a damaged image")
    return batch


def shorten_sleeps() -> None:
    """Paddle's servers for gloo look every 3 s whether they are needed: let them look sooner."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.05))


def _train(
    rank: int,
    ports: list[int],
    arguments: list[str],
    stderr: Path,
    change: Change | None,
) -> None:
    endpoints = [f"127.0.0.1:{port}" for port in ports]
    os.environ |= {
        "PADDLE_MASTER": endpoints[-1],
        "PADDLE_TRAINER_ENDPOINTS": ",".join(endpoints[:-1]),
        "PADDLE_CURRENT_ENDPOINT": endpoints[rank],
        "PADDLE_TRAINER_ID": str(rank),
        "PADDLE_TRAINERS_NUM": str(len(ports) - 1),
        "PADDLE_LOCAL_SIZE": str(len(ports) - 1),
        "PADDLE_DISTRI_BACKEND": "gloo",
    }
    # As in a process of its own: Paddle starts two for gloo.
    multiprocessing.set_start_method("fork", force=True)
    shorten_sleeps()
    os.dup2(
        os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.__stderr__.fileno()
    )
    if change:
        TrainingBatches.__next__ = changed_batches(change)
    cli.run(lambda: main(arguments))
