"""The next item is made in a thread while the caller works with the last one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from realesrgan_paddle.utils.machine.cpu import (
    compute_on_one_thread,
    shorten_spin_time,
)

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Makes numbered items in order, ahead of their requests, in a thread on one core.

    Args:
        make: returns the item of a number; called in the thread only.
    """

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._next: Future[T] | None = None
        shorten_spin_time()
        self._thread = ThreadPoolExecutor(
            1, "prefetch", initializer=compute_on_one_thread
        )

    def __call__(self, number: int) -> T:
        """Return item `number`, which follows that of the last call; start the next.

        Raises:
            Exception: what `make` raised for this item.
        """
        current = self._next or self._thread.submit(self._make, number)
        item = current.result()
        self._next = self._thread.submit(self._make, number + 1)
        return item

    @property
    def next_is_ready(self) -> bool:
        """Whether the item of the next call is made already."""
        return self._next is not None and self._next.done()

    def close(self) -> None:
        """End the thread, after the item that it is at."""
        self._thread.shutdown(cancel_futures=True)
