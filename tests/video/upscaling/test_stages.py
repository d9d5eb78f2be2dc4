"""A stage that computes ahead in a thread: in order, bounded, and it ends with its user."""

import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from realesrgan_paddle.inference.video.prefetch import Stream, prefetch

PATIENCE = 5.0
"""Seconds after which a thread that should do something does not."""


class Stage:
    """Numbers from 0 on, and what became of the thread that makes them.

    Args:
        fails_at: the number in whose place an error is raised; None: none.
        length: how many there are.
    """

    def __init__(self, fails_at: int | None = None, length: int = 1000) -> None:
        self.made = 0
        self.closed = threading.Event()
        self.threads: set[str] = set()
        self._fails_at = fails_at
        self._length = length
        self._kept: list[Stream[int]] = []

    def numbers(self) -> Stream[int]:
        # Kept, so that it does not end because nobody has it any more.
        self._kept.append(self._numbers())
        return self._kept[-1]

    def _numbers(self) -> Stream[int]:
        try:
            for number in range(self._length):
                self.threads.add(threading.current_thread().name)
                if number == self._fails_at:
                    raise ArithmeticError(f"no {number}")
                self.made += 1
                yield number
        finally:
            self.closed.set()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    until = time.monotonic() + PATIENCE
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before


def settled(stage: Stage) -> int:
    """Return how many items there are when no more are made."""
    made = -1
    while made != stage.made:
        made = stage.made
        time.sleep(0.05)
    return made


def test_items_come_in_order_from_a_thread_of_their_own():
    stage = Stage(length=100)
    found = list(prefetch(stage.numbers()))
    assert found == list(range(100))
    assert stage.threads.isdisjoint({threading.current_thread().name})
    assert stage.closed.is_set()


@pytest.mark.parametrize("size", [1, 3])
def test_no_more_wait_than_were_allowed(size: int):
    stage = Stage()
    items = prefetch(stage.numbers(), size=size)
    taken = [next(items) for _ in range(5)]
    # Those in the queue, and the one that the thread holds.
    assert settled(stage) == len(taken) + size + 1
    items.close()


def test_an_error_goes_through_stages_upon_stages():
    stage = Stage(fails_at=7)

    def doubled() -> Stream[int]:
        for number in prefetch(stage.numbers(), in_background=True):
            yield 2 * number

    found = []
    with pytest.raises(ArithmeticError, match="no 7"):
        for number in prefetch(doubled(), size=1):
            found.append(number)
    assert found == [0, 2, 4, 6, 8, 10, 12]
    assert len(stage.threads) == 1
    assert stage.closed.is_set()


def test_closing_ends_the_stages_below():
    stage = Stage()

    def doubled() -> Stream[int]:
        numbers = prefetch(stage.numbers())
        try:
            for number in numbers:
                yield 2 * number
        finally:
            numbers.close()

    items = prefetch(doubled())
    assert next(items) == 0
    items.close()
    assert stage.closed.is_set()
    assert settled(stage) < 20


def test_the_end_waits_for_what_takes_long(monkeypatch: pytest.MonkeyPatch):
    join = threading.Thread.join

    def quick_join(thread: threading.Thread, timeout: float | None = None) -> None:
        """As if time went a hundred times as fast."""
        join(thread, None if timeout is None else timeout / 100)

    monkeypatch.setattr(threading.Thread, "join", quick_join)
    stage = Stage()

    def slow() -> Stream[int]:
        for number in prefetch(stage.numbers()):
            yield number
            time.sleep(0.5)

    items = prefetch(slow())
    assert next(items) == 0
    items.close()
    assert stage.closed.is_set()


def test_nothing_is_started_for_one_who_does_not_ask():
    stage = Stage()
    items = prefetch(stage.numbers())
    items.close()
    assert stage.made == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this for a thread")
def test_a_thread_in_the_background_waits_for_others_but_is_not_starved():
    def niceness() -> Stream[int]:
        yield os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here = next(niceness())
    (in_front,) = prefetch(niceness())
    (behind,) = prefetch(niceness(), in_background=True)
    assert in_front == here
    assert behind == min(here + 10, 19)
    assert next(niceness()) == here
