"""PNG files written beside the decoding of the next frames."""

import errno
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np

from realesrgan_paddle.utils.images import write_image

THREADS = 2
"""OpenCV encodes side by side; one more frame waits while these two are written."""


class FrameWriter:
    """Writes images in threads of its own; a context manager that leaves no thread behind.

    Args:
        folder: what the error about too many bytes names.
        most_bytes: stop when so much is written.
    """

    def __init__(self, folder: Path, most_bytes: float) -> None:
        self._folder = folder
        self._bytes_left = most_bytes
        self._pool = ThreadPoolExecutor(THREADS)
        self._running: deque[Future[int]] = deque()

    def put(self, path: Path, image: np.ndarray) -> None:
        """Begin to write an image, when there is a thread for it.

        Raises:
            OSError: an earlier image could not be written, or as much is written as may
                be.
        """
        while len(self._running) >= THREADS:
            self._wait()
        self._running.append(self._pool.submit(_write, path, image))

    def finish(self) -> None:
        """Wait until all is written; raises what `put` does."""
        while self._running:
            self._wait()

    def __enter__(self) -> "FrameWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _wait(self) -> None:
        self._bytes_left -= self._running.popleft().result()
        if self._bytes_left < 0:
            raise OSError(
                errno.EDQUOT,
                "as much as --max_gigabytes allows is written",
                str(self._folder),
            )


def _write(path: Path, image: np.ndarray) -> int:
    """Write an image and return how many bytes it takes."""
    write_image(path, image)
    return path.stat().st_size
