"""The processes of one training, one for each device, and their communication.

`python -m paddle.distributed.launch` starts them, tells each its rank in the
environment, ends the others when one has failed, and forwards SIGTERM to all. They
communicate over NCCL on GPUs, over gloo on CPUs. Without the launcher nothing is
initialized.

Each process draws the random values of the whole batch, from the same key, and works on
its part. After the backward passes, gradients and reported values are averaged together,
before they are checked: so all make the same update, skip the same one, and a training
state of one is a state of all. `paddle.DataParallel` is not used: it expects one forward
and one backward pass of a wrapped layer, while a GAN step goes through the discriminator
three times and accumulates.
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
from realesrgan_paddle.utils.machine.devices import launcher_number

BUFFER = 2**23
"""How many numbers are averaged at a time: 32 MB of float32.

More would take memory and save no time.
"""


@dataclass(frozen=True)
class ProcessGroup:
    """One process's view of the group; all must make the same calls in the same order.

    Attributes:
        rank: of this process; rank 0 writes files and the log.
        size: number of processes; with 1 the methods do nothing.
        over_gloo: whether they communicate over gloo, not NCCL.
    """

    rank: int = 0
    size: int = 1
    over_gloo: bool = False

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files and the log."""
        return self.rank == 0

    @paddle.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each float32 tensor by its mean over the processes, the same in all.

        A number that is not finite in one process becomes so in all.
        """
        if self.size == 1:
            return
        for group in _buffers(tensors):
            flat = paddle.concat([tensor.flatten() for tensor in group])
            with self._exchange():
                paddle.distributed.all_reduce(flat)
            lengths = [int(tensor.size) for tensor in group]
            means = paddle.split(flat / self.size, lengths)
            for tensor, mean in zip(group, means, strict=True):
                paddle.assign(mean.reshape(tensor.shape), tensor)

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes, joined along axis 0 in order of rank."""
        if self.size == 1:
            return tensor
        parts: list[Tensor] = []
        with self._exchange():
            paddle.distributed.all_gather(parts, tensor.contiguous())
        return paddle.concat(parts)

    def local_slice(self, length: int) -> slice:
        """Return which samples of a global batch of `length` belong to this process."""
        per_process = length // self.size
        start = self.rank * per_process
        return slice(start, start + per_process)

    def maximum(self, *numbers: int) -> list[int]:
        """Return each number's maximum over the processes; waits for all of them."""
        if self.size == 1:
            return [*numbers]
        gathered = self.gather(paddle.to_tensor([numbers], dtype="int64"))
        return gathered.max(axis=0).tolist()

    def wait(self) -> None:
        """Return when all processes have called this."""
        self.maximum(0)

    def check_equal(self, numbers: Mapping[str, int]) -> None:
        """Check that named numbers are equal in all processes.

        Raises:
            UserError: names those that differ.
        """
        if self.size == 1:
            return
        local = paddle.to_tensor([list(numbers.values())], dtype="int64")
        gathered = self.gather(local).numpy()  # (processes, numbers)
        different = [
            name
            for name, values in zip(numbers, gathered.T, strict=True)
            if len(set(values)) > 1
        ]
        if different:
            raise UserError(
                f"the {self.size} processes of this training do not have the same "
                f"{' and '.join(different)}; start all by one command, and let all "
                "machines see the same files"
            )

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Wait for the other processes before communicating with them.

        One of them may take long to validate or save. gloo's collectives time out after
        30 s, its barrier never.
        """
        with _as_user_error():
            if self.over_gloo:
                paddle.distributed.gloo_barrier()
            yield


ALONE = ProcessGroup()

NEEDED = ("PADDLE_TRAINER_ID", "PADDLE_CURRENT_ENDPOINT", "PADDLE_TRAINER_ENDPOINTS")
"""What Paddle's `init_parallel_env` reads besides, as its launcher sets it."""


def join_group() -> ProcessGroup:
    """Return the group in which the launcher started this process, else `ALONE`.

    Waits for the other processes.

    Raises:
        UserError: another process cannot be reached, or the launcher's environment
            variables are not all there.
    """
    size = launcher_number("PADDLE_TRAINERS_NUM")
    if size == 1:
        return ALONE
    for name in NEEDED:
        if not os.environ.get(name):
            raise UserError(
                f"environment variable PADDLE_TRAINERS_NUM is {size}, but {name} is not "
                "set; start with python -m paddle.distributed.launch, which sets both"
            )
    # Paddle prints about flags that nobody has set, and about waiting.
    with _as_user_error(), redirect_stderr(io.StringIO()):
        paddle.distributed.init_parallel_env()
        rank = paddle.distributed.get_rank()
        over_gloo = paddle.get_device() == "cpu"
        if over_gloo:
            first = os.environ["PADDLE_TRAINER_ENDPOINTS"].split(",")[0]
            with _temporary_working_folder():
                paddle.distributed.gloo_init_parallel_env(rank, size, first)
    return ProcessGroup(rank, size, over_gloo)


@contextmanager
def _temporary_working_folder() -> Iterator[None]:
    """Change to a temporary folder: Paddle's gloo server writes an http.log there."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


@contextmanager
def _as_user_error() -> Iterator[None]:
    """Turn a failed communication, by Paddle's exceptions for it, into one line."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise UserError(
            "another process of this training has ended or cannot be reached; the last "
            "line of its log (workerlog.N in the launcher's --log_dir) says why"
        ) from error


def _buffers(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in groups of `BUFFER` numbers or a little more."""
    group: list[Tensor] = []
    length = 0
    for tensor in tensors:
        group.append(tensor)
        length += int(tensor.size)
        if length >= BUFFER:
            yield group
            group, length = [], 0
    if group:
        yield group
