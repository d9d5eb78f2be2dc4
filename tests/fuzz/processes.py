"""What a command and the processes that it has started use, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What is used at one moment."""

    memory: int
    """Bytes of private memory."""
    cpu: float
    """Seconds of all cores."""


def usage(pid: int) -> Usage:
    """Return what `pid` and its descendants use; nothing of those that have ended."""
    memory, cpu = 0, 0.0
    for process in family(pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
            pages = Path(f"/proc/{process}/statm").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        memory += (int(pages[1]) - int(pages[2])) * PAGE  # resident without shared
        cpu += sum(map(int, fields.split()[11:15])) / TICKS  # own, waited-for children
    return Usage(memory, cpu)


def family(pid: int) -> list[int]:
    """Return `pid` and all of its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                children = Path(task, "children").read_text()
                found += map(int, children.split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return found


def group_is_alive(group: int) -> bool:
    """Return whether any process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
