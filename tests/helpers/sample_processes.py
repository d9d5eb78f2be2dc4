"""A training in two processes, like those of Paddle's launcher, but faster started."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from forkserver import FORKSERVER
from sample_runs import write_yml

from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.utils import cli
from realesrgan_paddle.utils.errors import UserError
from train import main

SECONDS = 60
Change = Callable[[TrainingBatches], None]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_together(
    folder: Path, options: dict, *overrides: str, change: Change | None = None
) -> list[BaseProcess]:
    """Start the two processes of one training.

    Before each batch of the second process, `change` is called with its batches.

    Their stderr goes to `stderr.0` and `stderr.1`.
    """
    arguments = [
        "--yml_path",
        str(write_yml(folder, options)),
        "--auto_resume",
        *overrides,
    ]
    ports = [free_port() for _ in range(3)]
    processes = [
        FORKSERVER.Process(
            target=_train,
            args=(rank, ports, arguments, folder / f"stderr.{rank}", rank and change),
        )
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    return processes


def finish_together(
    folder: Path, options: dict, *overrides: str, change: Change | None = None
) -> list[int]:
    """Like `start_together`, but wait for the end; return the exit codes."""
    processes = start_together(folder, options, *overrides, change=change)
    for process in processes:
        process.join(SECONDS)
    alive = [process for process in processes if process.is_alive()]
    for process in alive:
        process.kill()
    assert not alive, f"not finished after {SECONDS} s"
    return [process.exitcode for process in processes]


def not_a_number(batches: TrainingBatches) -> None:
    """Replace the third batch by NaN."""
    if batches.number == 3:
        make = batches._batch
        batches._batch = lambda gt, lq: replace(make(gt, lq), gt=gt * float("nan"))
    elif batches.number == 4:
        del batches._batch


def broken(batches: TrainingBatches) -> None:
    """Fail at the third batch."""
    if batches.number == 3:
        raise UserError("a damaged image")


def _train(
    rank: int,
    ports: list[int],
    arguments: list[str],
    stderr: Path,
    change: Change | None,
) -> None:
    endpoints = [f"127.0.0.1:{port}" for port in ports]
    os.environ |= {
        "PADDLE_MASTER": endpoints[2],
        "PADDLE_TRAINER_ENDPOINTS": ",".join(endpoints[:2]),
        "PADDLE_CURRENT_ENDPOINT": endpoints[rank],
        "PADDLE_TRAINER_ID": str(rank),
        "PADDLE_TRAINERS_NUM": "2",
        "PADDLE_LOCAL_SIZE": "2",
        "PADDLE_DISTRI_BACKEND": "gloo",
    }
    # The default of a process of its own; Paddle starts two processes for gloo.
    multiprocessing.set_start_method("fork", force=True)
    os.dup2(
        os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.__stderr__.fileno()
    )
    if change:
        feed = TrainingBatches.__next__

        def changed(batches: TrainingBatches) -> object:
            batches.number += 1
            change(batches)
            batches.number -= 1
            return feed(batches)

        TrainingBatches.__next__ = changed
    cli.run(lambda: main(arguments))
