"""Stages of work that overlap: each in a thread of its own, with bounded queues between."""

import os
import queue
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

Stream = Generator[Item, None, None]
"""Items one after another; closing it ends what makes them."""

PATIENCE = 0.1
"""Seconds after which a thread that waits looks whether it is still wanted."""

IN_BACKGROUND = 10
"""How much nicer than its process a thread is.

It gets a tenth of a core that another thread wants. With the most there is, a 60th, whatever
else the machine computes holds up the whole video: beside three busy processes on two cores,
a clip that takes 0.8 s alone took more than 25 s, and takes 3.5 s so.
"""
MOST_NICENESS = 19
"""Of Linux."""


@dataclass(frozen=True)
class _Ended(Generic[Item]):
    """The end of a stage, by itself or by an error."""

    error: BaseException | None = None


def prefetch(
    items: Stream[Item], *, size: int = 2, in_background: bool = False
) -> Stream[Item]:
    """Yield `items`, which a thread of its own computes, up to `size` ahead.

    An error of theirs is raised here. Closing this generator ends the thread, and closes
    theirs there; it waits for an item that is being computed, however long that takes, or
    a file that the thread writes would be left behind.

    Args:
        items: computed in the thread.
        size: so many wait at most.
        in_background: the thread, and those that it starts, compute when others do not.
    """
    waiting: queue.Queue[Item | _Ended[Item]] = queue.Queue(size)
    unwanted = threading.Event()
    arguments = (items, waiting, unwanted, in_background)
    thread = threading.Thread(target=_compute, args=arguments, daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if not isinstance(item, _Ended):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return
    finally:
        unwanted.set()
        while thread.is_alive():
            thread.join(
                PATIENCE
            )  # not without end, which Windows lets nobody interrupt


def _compute(
    items: Any, waiting: queue.Queue, unwanted: threading.Event, in_background: bool
) -> None:
    """Put all items into the queue, and then their end."""
    if in_background:
        _lower_priority()
    end: _Ended = _Ended()
    try:
        for item in items:
            if not _put(item, waiting, unwanted):
                break
    except BaseException as error:  # raised anew by `prefetch`
        end = _Ended(error)
    finally:
        items.close()
    _put(end, waiting, unwanted)


def _put(item: object, waiting: queue.Queue, unwanted: threading.Event) -> bool:
    """Put an item into the queue; return whether it is still wanted."""
    while not unwanted.is_set():
        try:
            waiting.put(item, timeout=PATIENCE)
        except queue.Full:
            continue
        return True
    return False


def _lower_priority() -> None:
    """Let the process's other threads compute first; only Linux has this for a thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + IN_BACKGROUND
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, MOST_NICENESS))
