"""The endless, resumable stream of training samples, a batch at a time, as arrays."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from typing import Protocol

import cv2
import numpy as np

from realesrgan_paddle.data.loading.datasets import Sample
from realesrgan_paddle.utils.deferred_signals import defer_interrupts
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.seeds import Stream, generator

Key = tuple[int, int]
"""(index, position): which file, and where in the stream; see `data.datasets`."""

ReadBatch = tuple[Sample, list[str]]
"""A batch, and why images were passed over for it."""

BATCHES_AHEAD = 2
"""Batches that each worker may read before they are asked for."""
GRACE_S = 10.0
"""How long a worker lives on after a SIGTERM."""


class Dataset(Protocol):
    """What batches are read from: see `data.datasets`."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Key) -> Sample: ...


@dataclass(frozen=True)
class EndlessSampler:
    """The keys of one batch after the other, from iteration `start` on, without end.

    The stream runs through the data set in a new order each epoch; an epoch is the data
    set `enlarge_ratio` times over. A batch may reach into the next epoch. Every rank
    takes its own part of each global batch.
    """

    length: int
    batch_size: int
    seed: int
    shuffle: bool = True
    enlarge_ratio: int = 1
    start: int = 0
    rank: int = 0
    world_size: int = 1

    def __iter__(self) -> Iterator[list[Key]]:
        epoch_length = self.length * self.enlarge_ratio
        epoch, order = -1, np.arange(0)
        position = (self.start * self.world_size + self.rank) * self.batch_size
        while True:
            keys = []
            for p in range(position, position + self.batch_size):
                if p // epoch_length != epoch:
                    epoch = p // epoch_length
                    order = self._order(epoch, epoch_length)
                keys.append((int(order[p % epoch_length]) % self.length, p))
            yield keys
            position += self.world_size * self.batch_size

    def _order(self, epoch: int, epoch_length: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(epoch_length)
        return generator(self.seed, Stream.EPOCH, epoch).permutation(epoch_length)


@dataclass
class BadImages:
    """The images that could not be read and were passed over: each is told of once, and there is a limit.

    Another image stands in for one that cannot be read: the next of the data set, in
    its order. So what is read depends on the files alone, not on the number of workers,
    nor on where a run was resumed.
    """

    limit: int
    """How many different ones may be passed over."""
    log: Callable[[str], None]
    """Gets a line for each, in the order of the batches."""
    seen: set[str] = field(default_factory=set)

    def __call__(self, problem: str) -> None:
        """Note a problem with an image; UserError if there are too many."""
        if problem in self.seen:
            return
        self.seen.add(problem)
        if len(self.seen) > self.limit:
            raise too_many(problem, self.limit)
        self.log(f"passed over, {len(self.seen)} of at most {self.limit}: {problem}")


def too_many(problem: str, limit: int) -> UserError:
    """Return the error for one more unreadable image than may be passed over."""
    if limit == 0:
        return UserError(problem)
    return UserError(
        f"{problem}; more than datasets.train.max_bad_images: {limit} images cannot be read"
    )


def endless_batches(
    dataset: Dataset, sampler: EndlessSampler, num_workers: int, bad: BadImages
) -> Generator[Sample, None, None]:
    """Yield the batches that `sampler` asks for, in order: each field of the samples stacked along a first axis.

    An image that cannot be read is told to `bad` and replaced. With workers, that many
    processes read ahead; closing the iterator ends them. They are spawned, not forked,
    so that none inherits the threads of Paddle.

    Raises:
        UserError: too many samples could not be read, here or in a worker, or a worker
            died.
    """
    if num_workers == 0:
        for keys in sampler:
            yield _told(_read_batch(dataset, keys, bad.limit), bad)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        num_workers, context, initializer=_start_worker, initargs=(dataset,)
    )
    pending: deque[Future[ReadBatch]] = deque()
    if os.name != "nt":
        # were it started with the first worker, it would unblock Ctrl-C there
        resource_tracker.ensure_running()
    try:
        for keys in sampler:
            # Ctrl-C is the parent's to answer, not that of the processes which this
            # starts
            with defer_interrupts():
                pending.append(pool.submit(_read_in_worker, keys, bad.limit))
            if len(pending) > BATCHES_AHEAD * num_workers:
                yield _told(pending.popleft().result(), bad)
    except BrokenProcessPool:
        raise UserError(
            "a process that reads training images died, perhaps for lack of memory; "
            "try a smaller datasets.train.num_worker_per_gpu"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _told(read: ReadBatch, bad: BadImages) -> Sample:
    """Return a batch, after what was passed over has been told."""
    batch, problems = read
    for problem in problems:
        bad(problem)
    return batch


def _read_batch(dataset: Dataset, keys: list[Key], limit: int) -> ReadBatch:
    problems: list[str] = []
    samples = [_read_sample(dataset, key, limit, problems) for key in keys]
    return tuple(np.stack(values) for values in zip(*samples, strict=True)), problems


def _read_sample(dataset: Dataset, key: Key, limit: int, problems: list[str]) -> Sample:
    """Return the sample of `key`, or of the next image that can be read; why others cannot goes to `problems`."""
    index, position = key
    for number in range(index, index + min(limit + 1, len(dataset))):
        try:
            return dataset[number % len(dataset), position]
        except UserError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.filename}: {error.strerror or error}"
        problems.append(problem)
    raise too_many(problem, limit)


_worker_dataset: Dataset
"""The data set of a worker process; sent once, for it may name a million files."""


def _start_worker(dataset: Dataset) -> None:
    global _worker_dataset
    _worker_dataset = dataset
    # Ctrl-C, and a SIGTERM to all processes of a job, are the parent's to answer: it
    # may still wait for a batch. But the executor ends the others by SIGTERM when one
    # worker has died, so ignoring that would be for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(
        signal.SIGTERM, lambda *_: threading.Timer(GRACE_S, os._exit, [1]).start()
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(0)  # the workers are the parallelism


def _end_with_parent() -> None:
    """End this process when its parent is gone, killed perhaps: nobody would ever tell it to."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _read_in_worker(keys: list[Key], limit: int) -> ReadBatch:
    return _read_batch(_worker_dataset, keys, limit)
