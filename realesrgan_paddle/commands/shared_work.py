"""Rows of work for several processes, of this machine or of a Ray cluster."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Generic, TypeVar

from realesrgan_paddle.utils.cli import int_range, say, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import end_with_parent
from realesrgan_paddle.utils.machine.devices import core_count

PICTURES = 8
"""Most of a batch: one is read while another is computed, and a killed process loses few."""
MOST_BYTES = 1 << 30
"""Of a manifest: a million rows of 300 bytes, three times."""
AHEAD = 2
"""Batches for each process: it computes one while the next one waits for it."""
RETRIES = 3
"""How often Ray begins a batch anew whose process or machine is gone."""
PATIENCE = 2.0
"""After so many seconds one looks whether machines have joined [s]."""

Batch = TypeVar("Batch")
Result = TypeVar("Result")


class Work(Generic[Batch, Result]):
    """What is done with a batch of rows, by a process that has nothing yet; is pickled.

    A batch may be done twice, as after a process was killed: it has the same result.
    """

    def open(self) -> Any:
        """Return what is loaded once for all batches, such as a network."""
        raise NotImplementedError

    def do(self, opened: Any, batch: Batch) -> Result:
        """Return what became of a batch. What fails in it is told in the result."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """The flags of commands whose work several processes can share."""

    processes: int | None = setting(
        None,
        "so many processes share the work on this machine, each with its part of the "
        "cores; what they have done is noted beside the results, from where the same "
        "command goes on (docs/scale.md)",
        int_range(1, 1024),
        heading="several processes",
        rare=True,
    )
    cluster: str | None = setting(
        None,
        "the machines of a Ray cluster share the work: its address, or auto; all must "
        "see inputs and results under the same paths (docs/scale.md)",
        metavar="auto|ADDRESS",
        rare=True,
    )

    def __post_init__(self) -> None:
        if self.processes is not None and self.cluster is not None:
            raise UserError("--processes and --cluster: give one of the two")

    def __bool__(self) -> bool:
        """Return whether other processes do the work."""
        return self.processes is not None or self.cluster is not None

    def threads(self, wanted: int | None = None) -> int:
        """Return how many threads a process computes with: `wanted`, or its part."""
        if self.cluster is not None:
            return wanted or 1
        return wanted or max(1, core_count() // (self.processes or 1))

    def batch_size(self, pictures: int) -> int:
        """Return how many pictures a batch has, so that each process gets some of few."""
        return max(1, min(PICTURES, pictures // (self.processes or PICTURES)))

    def path(self, path: Path) -> Path:
        """Return a path as other processes find it, which may be in other folders."""
        return path if self.cluster is None else path.absolute()

    def done(
        self, work: Work[Batch, Result], batches: Iterable[Batch], threads: int
    ) -> Iterator[tuple[Batch, Result | UserError]]:
        """Yield each batch with what became of it; see the two functions below."""
        if self.cluster is not None:
            yield from done_by_cluster(work, batches, self.cluster, threads)
        else:
            yield from done_by_processes(work, batches, self.processes or 1)


_opened: dict[str, Any] = {}
"""What this process has loaded, by the text that stands for its work."""


def _do(work: Work[Batch, Result], batch: Batch) -> Result:
    """Do a batch, in a process that may have done others of this work."""
    key = repr(work)
    if key not in _opened:
        _opened.clear()
        _opened[key] = work.open()
    return work.do(_opened[key], batch)


def done_by_processes(
    work: Work[Batch, Result], batches: Iterable[Batch], processes: int
) -> Iterator[tuple[Batch, Result]]:
    """Yield each batch with what became of it, done by processes of this machine.

    `batches` are taken as they are needed.

    Raises:
        UserError: a process was killed.
    """
    context = get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, end_with_parent)
    coming = iter(batches)
    running: dict[Future[Result], Batch] = {}
    try:
        while True:
            for batch in islice(coming, AHEAD * processes - len(running)):
                running[pool.submit(_do, work, batch)] = batch
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise UserError(
            "a process of --processes was killed, as where memory is short; the same "
            "command goes on, best with fewer"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def done_by_cluster(
    work: Work[Batch, Result], batches: Iterable[Batch], address: str, cores: int
) -> Iterator[tuple[Batch, Result | UserError]]:
    """Yield each batch with what became of it, done by the machines of a Ray cluster.

    Plain tasks, and not Ray Data: a row has 300 bytes and its result is a file, so there
    are no blocks to move; and Ray's own scheduler does what is asked for here. It begins a
    task anew whose process or machine is gone, gives tasks to machines that join, and
    leaves a process alive between tasks, which so has its network.

    Args:
        work: what is done.
        batches: are taken as they are needed.
        address: of the cluster; "auto": that of this machine, or a new one in it.
        cores: of the CPU that a batch takes; where there are GPUs, it takes one too.

    Raises:
        UserError: there is no Ray, or no cluster.
    """
    ray = _connected(address)
    gpus = 1 if ray.cluster_resources().get("GPU") else 0
    # As many calls as come: a process with a GPU would be ended after each otherwise.
    options = {"num_cpus": cores, "num_gpus": gpus, "max_calls": 0}
    task = ray.remote(max_retries=RETRIES, **options)(_do)
    kept = ray.put(work)
    coming = iter(batches)
    running: dict[Any, Batch] = {}
    places = 0
    try:
        while True:
            found = ray.cluster_resources()
            slots = int(found.get("CPU", 0) // cores)
            slots = min(slots, int(found.get("GPU", 0))) if gpus else slots
            if slots != places:
                say(f"cluster: {slots} batches at a time")
                places = slots
            for batch in islice(coming, max(0, AHEAD * max(1, slots) - len(running))):
                running[task.remote(kept, batch)] = batch
            if not running:
                return
            ready, _ = ray.wait(list(running), timeout=PATIENCE)
            for reference in ready:
                yield running.pop(reference), _result(ray, reference)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _connected(address: str) -> Any:
    """Return Ray, connected to a cluster; with "auto" one of this machine alone if none runs.

    Raises:
        UserError: it is not installed, or there is no such cluster.
    """
    if find_spec("ray") is None:
        raise UserError(
            "--cluster needs Ray, which is not installed: pip install 'ray>=2.60' on each "
            "machine; --processes N needs nothing"
        )
    # Read by Ray when it is imported and started: nothing is sent to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address, **quiet)
    except ConnectionError as error:
        if address != "auto":
            raise UserError(f"--cluster {address}: {error}") from None
        # Its page would be open to all users of this machine.
        ray.init(include_dashboard=False, **quiet)
    return ray


def _result(ray: Any, reference: Any) -> Any:
    """Return what a task returned, or why it did not."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, UserError):
            return cause
        raise
    except ray.exceptions.RayError as error:
        line = str(error).splitlines()[0]
        return UserError(f"given up after {RETRIES} retries: {line}")
