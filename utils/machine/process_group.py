"""The processes of one training, one for each device, and what they tell one another.

`python -m paddle.distributed.launch` starts them, says in the environment which is
which, ends the others when one has failed, and passes SIGTERM on to all. Over NCCL on
GPUs, over gloo on CPUs.
"""

import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError

BUFFER = 2**23
"""Numbers that are averaged at a time, 32 MB of float32: more would cost memory and save no time."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one training, as one of them sees them. All must make the same calls in the same order.

    Attributes:
        rank: which of them this is, 0 being the one that writes files and the log.
        size: how many they are; with 1 the methods do nothing.
        over_gloo: whether they talk over gloo, else over NCCL.
    """

    rank: int = 0
    size: int = 1
    over_gloo: bool = False

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @paddle.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Set each of the tensors, float32, to its mean over the processes; all get the same bits.

        A number that is not finite in one process is not finite in any afterwards.
        """
        if self.size == 1:
            return
        for some in _buffers(tensors):
            flat = paddle.concat([tensor.flatten() for tensor in some])
            with self._exchange():
                paddle.distributed.all_reduce(flat)
            means = paddle.split(
                flat / self.size, [int(tensor.size) for tensor in some]
            )
            for tensor, mean in zip(some, means, strict=True):
                paddle.assign(mean.reshape(tensor.shape), tensor)

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes, of one shape, joined along the first axis in the order of ranks."""
        if self.size == 1:
            return tensor
        parts: list[Tensor] = []
        with self._exchange():
            paddle.distributed.all_gather(parts, tensor.contiguous())
        return paddle.concat(parts)

    def local_slice(self, length: int) -> slice:
        """Return which of the `length` samples of a batch of all processes together are this process's."""
        each = length // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def maximum(self, *numbers: int) -> list[int]:
        """Return the highest that any process gives of each number; all of them wait for the last."""
        if self.size == 1:
            return [*numbers]
        return (
            self.gather(paddle.to_tensor([numbers], dtype="int64")).max(axis=0).tolist()
        )

    def wait(self) -> None:
        """Return when all processes are here."""
        self.maximum(0)

    def check_equal(self, numbers: Mapping[str, int]) -> None:
        """Compare numbers that must be the same in all processes, by what the message calls them.

        Raises:
            UserError: names what differs.
        """
        if self.size == 1:
            return
        found = self.gather(
            paddle.to_tensor([list(numbers.values())], dtype="int64")
        ).numpy()
        differ = [
            name
            for name, column in zip(numbers, found.T, strict=True)
            if len(set(column)) > 1
        ]
        if differ:
            raise UserError(
                f"the {self.size} processes of this training do not have the same {' and '.join(differ)}; "
                "start all by one command, and let all machines see the same files"
            )

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Wait for the others, then exchange something with them.

        One of them may be long in validating or saving. gloo's exchanges give up after
        30 s, its barrier never.
        """
        with _in_one_line():
            if self.over_gloo:
                paddle.distributed.gloo_barrier()
            yield


ALONE = ProcessGroup()


def join_group() -> ProcessGroup:
    """Return the group that the launcher has started this process in, after waiting for the others; else `ALONE`."""
    size = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    if size == 1:
        return ALONE
    with (
        _in_one_line(),
        redirect_stderr(io.StringIO()),
    ):  # of flags that nobody has set, and of waiting
        paddle.distributed.init_parallel_env()
        rank, over_gloo = paddle.distributed.get_rank(), paddle.get_device() == "cpu"
        if over_gloo:
            first = os.environ["PADDLE_TRAINER_ENDPOINTS"].split(",")[0]
            with _elsewhere():
                paddle.distributed.gloo_init_parallel_env(rank, size, first)
    return ProcessGroup(rank, size, over_gloo)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in a folder that is thrown away: Paddle's server for gloo leaves an http.log where it is started."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn the failure of an exchange into one line."""
    try:
        yield
    except (
        OSError,
        RuntimeError,
    ) as error:  # what Paddle makes of an exchange that cannot be
        raise UserError(
            "another process of this training has ended or cannot be reached; "
            "the last line of its log (workerlog.N in the launcher's --log_dir) says why"
        ) from error


def _buffers(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in groups of `BUFFER` numbers, or a little more."""
    some: list[Tensor] = []
    length = 0
    for tensor in tensors:
        some.append(tensor)
        length += int(tensor.size)
        if length >= BUFFER:
            yield some
            some, length = [], 0
    if some:
        yield some
