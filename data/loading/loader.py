"""The endless, resumable stream of training batches, as arrays."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from typing import Protocol

import cv2
import numpy as np

from realesrgan_paddle.data.loading.datasets import Sample
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import end_with_parent
from realesrgan_paddle.utils.seeds import Stream, generator
from realesrgan_paddle.utils.signals import defer_interrupts, hangup_signals

Key = tuple[int, int]
"""(index, position): which file, and where in the stream; see datasets.py."""

ReadBatch = tuple[Sample, list[str]]
"""A batch, and the problems of the images that were skipped for it."""

BATCHES_AHEAD = 2
"""Batches that each worker reads ahead."""
GRACE_S = 10.0
"""How long a worker goes on after a SIGTERM [seconds]."""
DIED = "a process that reads training images died, perhaps for lack of memory"


class Dataset(Protocol):
    """The samples that batches are made of; see datasets.py."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Key) -> Sample: ...


@dataclass(frozen=True)
class EndlessSampler:
    """The keys of batch after batch, from iteration `start` on, without end.

    Each epoch goes through the dataset `enlarge_ratio` times, in a new order. A batch
    may reach into the next epoch. Every rank takes its own part of each global batch.
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
        global_batch_size = self.world_size * self.batch_size
        first = self.start * global_batch_size + self.rank * self.batch_size

        current, order = -1, np.arange(0)
        while True:
            keys = []
            for position in range(first, first + self.batch_size):
                epoch, place = divmod(position, epoch_length)
                if epoch != current:
                    current, order = epoch, self._order(epoch, epoch_length)
                index = int(order[place]) % self.length
                keys.append((index, position))
            yield keys
            first += global_batch_size

    def _order(self, epoch: int, epoch_length: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(epoch_length)
        return generator(self.seed, Stream.EPOCH, epoch).permutation(epoch_length)


@dataclass
class BadImages:
    """The unreadable images that were skipped: each is logged once, up to a limit.

    An unreadable image is replaced by the next one of the dataset that can be read. So
    the batches depend on the files only, not on the number of workers, nor on where a
    run was resumed.
    """

    limit: int
    """How many different images may be skipped."""
    log: Callable[[str], None]
    """Called with a line for each, in the order of the batches."""
    seen: set[str] = field(default_factory=set)

    def add(self, problem: str) -> None:
        """Log the problem of a skipped image once; UserError if there are too many."""
        if problem in self.seen:
            return
        self.seen.add(problem)
        if len(self.seen) > self.limit:
            raise too_many(problem, self.limit)
        self.log(f"skipped, {len(self.seen)} of at most {self.limit}: {problem}")


def too_many(problem: str, limit: int) -> UserError:
    """Return the error for one more unreadable image than may be skipped."""
    if limit == 0:
        return UserError(problem)
    return UserError(
        f"{problem}; more than datasets.train.max_bad_images: "
        f"{limit} images cannot be read"
    )


def endless_batches(
    dataset: Dataset, sampler: EndlessSampler, num_workers: int, bad: BadImages
) -> Generator[Sample, None, None]:
    """Yield the batches of `sampler`: each field of the samples, stacked on axis 0.

    Unreadable images are added to `bad` and replaced. With `num_workers` above 0, that
    many processes read ahead; closing the iterator ends them. They are spawned, not
    forked, so that none inherits the threads of Paddle. Where one dies, they are started
    again, once for each batch.

    Raises:
        UserError: too many images could not be read, or workers died twice at a batch.
    """
    if num_workers == 0:
        for keys in sampler:
            yield _report_skipped(_read_batch(dataset, keys, bad.limit), bad)
        return

    workers = _Workers(dataset, num_workers, bad)
    try:
        for keys in sampler:
            workers.request(keys)
            if workers.requested > BATCHES_AHEAD * num_workers:
                yield _report_skipped(workers.next_batch(), bad)
    finally:
        workers.close()


class _Workers:
    """Processes that read batches ahead; where one dies, all are started again.

    What a batch holds depends on its keys only, so it is the same when it is read again.

    Args:
        dataset: what they read.
        count: how many they are.
        bad: the limit of unreadable images, and what logs a death.
    """

    def __init__(self, dataset: Dataset, count: int, bad: BadImages) -> None:
        self._dataset = dataset
        self._count = count
        self._bad = bad
        self._pending: deque[tuple[list[Key], Future[ReadBatch]]] = deque()
        if os.name != "nt":
            # Started together with the first worker, it would unblock Ctrl-C there.
            resource_tracker.ensure_running()
        self._pool = self._start()

    @property
    def requested(self) -> int:
        """How many batches are requested and not returned yet."""
        return len(self._pending)

    def request(self, keys: list[Key]) -> None:
        """Let the next free process read the batch of these keys."""
        batch = self._submit(keys)
        self._pending.append((keys, batch))

    def next_batch(self) -> ReadBatch:
        """Return the batch that was requested first; wait for it.

        Raises:
            UserError: it cannot be read, or a process died while waiting for it, twice.
        """
        try:
            read = self._pending[0][1].result()
        except BrokenProcessPool:
            self._bad.log(f"{DIED}; all are started again")
            self._restart()
            read = self._read_again()
        self._pending.popleft()
        return read

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self._count, context, initializer=_start_worker, initargs=(self._dataset,)
        )

    def _submit(self, keys: list[Key]) -> Future[ReadBatch]:
        # Submitting may start a worker, which inherits the blocked Ctrl-C: only the
        # parent answers it.
        with defer_interrupts():
            try:
                return self._pool.submit(_read_in_worker, keys, self._bad.limit)
            except BrokenProcessPool as error:
                failed: Future[ReadBatch] = Future()
                failed.set_exception(error)
                return failed

    def _restart(self) -> None:
        """Start new processes, and let them read what the others have not read."""
        self.close()
        self._pool = self._start()
        requested, self._pending = self._pending, deque()
        for keys, future in requested:
            was_read = not future.cancelled() and future.exception() is None
            self._pending.append((keys, future if was_read else self._submit(keys)))

    def _read_again(self) -> ReadBatch:
        try:
            return self._pending[0][1].result()
        except BrokenProcessPool:
            raise UserError(
                f"{DIED}, and again at the same batch; try a smaller "
                "datasets.train.num_worker_per_gpu"
            ) from None


def _report_skipped(read: ReadBatch, bad: BadImages) -> Sample:
    """Return a batch, after adding the problems of its skipped images to `bad`."""
    batch, problems = read
    for problem in problems:
        bad.add(problem)
    return batch


def _read_batch(dataset: Dataset, keys: list[Key], limit: int) -> ReadBatch:
    problems: list[str] = []
    samples = [_read_sample(dataset, key, limit, problems) for key in keys]
    fields = zip(*samples, strict=True)
    batch = tuple(map(_stack, fields))
    return batch, problems


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays stacked on axis 0; uint8 images beside uint16 ones become uint16."""
    deepest = np.result_type(*arrays)
    if deepest == np.uint16:
        arrays = [
            each * np.uint16(257) if each.dtype == np.uint8 else each for each in arrays
        ]
    return np.stack(arrays)


def _read_sample(dataset: Dataset, key: Key, limit: int, problems: list[str]) -> Sample:
    """Return the sample of `key`, or of the next image that can be read.

    Appends a line to `problems` for each image that cannot be read. That of one frame
    ends all clips that it is in.
    """
    index, position = key
    found: set[str] = set()
    for number in range(index, index + len(dataset)):
        try:
            return dataset[number % len(dataset), position]
        except UserError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.filename}: {error.strerror or error}"
        if problem not in found:
            found.add(problem)
            problems.append(problem)
        if len(found) > limit:
            break
    raise too_many(problem, limit)


_worker_dataset: Dataset
"""The dataset of a worker process; sent once, because it may list a million files."""


def _start_worker(dataset: Dataset) -> None:
    global _worker_dataset
    _worker_dataset = dataset

    # Ctrl-C, and a SIGTERM or SIGHUP to all processes, are for the parent to handle: it
    # may still be waiting for a batch. But SIGTERM must end a worker eventually: the
    # executor sends it to all workers when one has died.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, *hangup_signals()):
        signal.signal(number, lambda *_: _exit_later())

    end_with_parent()
    cv2.setNumThreads(0)  # the workers are the parallelism


def _exit_later() -> None:
    threading.Timer(GRACE_S, os._exit, [1]).start()


def _read_in_worker(keys: list[Key], limit: int) -> ReadBatch:
    return _read_batch(_worker_dataset, keys, limit)
