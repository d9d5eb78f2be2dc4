"""PNG files that are encoded and written while the next frames are decoded."""

import errno
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

THREADS = 2
"""Images encoded at a time, in parallel, as OpenCV releases Python's lock."""


class FrameWriter:
    """Writes images in threads; a context manager that leaves no thread behind.

    Args:
        folder: the folder that the error about too many bytes names.
        max_bytes: stop when more is written.
    """

    def __init__(self, folder: Path, max_bytes: float) -> None:
        self.written = 0
        """Images whose files are complete."""
        self._folder = folder
        self._bytes_left = max_bytes
        self._pool = ThreadPoolExecutor(THREADS)
        self._running: deque[Future[int]] = deque()

    def put(self, path: Path, image: np.ndarray) -> None:
        """Start to write an image; waits while all threads are busy.

        Raises:
            OSError: an earlier image could not be written, or `max_bytes` are exceeded.
        """
        while len(self._running) >= THREADS:
            self._wait_for_oldest()
        self._running.append(self._pool.submit(_write, path, image))

    def finish(self) -> None:
        """Wait until all images are written; raises what `put` does."""
        while self._running:
            self._wait_for_oldest()

    def abandon(self) -> None:
        """Wait for the images of a video that failed, and drop their errors."""
        while self._running:
            with suppress(OSError, UserError):
                self._wait_for_oldest()

    def __enter__(self) -> "FrameWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _wait_for_oldest(self) -> None:
        self._bytes_left -= self._running.popleft().result()
        self.written += 1
        if self._bytes_left < 0:
            message = "as much as --max_gigabytes allows is written"
            raise OSError(errno.EDQUOT, message, str(self._folder))


def _write(path: Path, image: np.ndarray) -> int:
    """Write an image and return the size of its file [bytes]."""
    write_image(path, image)
    return path.stat().st_size
