"""Runs a command in a forked process, within limits on time, memory and file sizes."""

import ctypes
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import sitecustomize

from realesrgan_paddle.utils.cli import run
from realesrgan_paddle.utils.signals import end_at_once

SECONDS = 30
"""The longest run: so much time, and so much work (other jobs may slow it down)."""
LONGEST_WAIT = 120
"""The longest run of a command that waits, for anything but a processor [s]."""
MEMORY = 2 << 30
"""The largest memory of a run without that for its pictures [bytes]."""
ADDRESS_SPACE = 24 << 30
"""Stops what would take the machine down before `MEMORY` is measured [bytes]."""
FILE_SIZE = 1 << 30
GRACE = 3
"""How long processes that a command has started may outlive it [s]."""

CAPABILITIES = (0x20080522, 0)
"""Of capset(2): its version 3, and the calling thread."""

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
"""Units of /proc."""


@dataclass(frozen=True)
class Place:
    """The folders of one case; everything that a command may touch."""

    folder: Path

    @property
    def work(self) -> Path:
        """The working directory, with the inputs."""
        return self.folder / "work"

    @property
    def out(self) -> Path:
        """The only folder for output."""
        return self.work / "out"

    @property
    def tmp(self) -> Path:
        """TMPDIR, which must be empty in the end."""
        return self.folder / "tmp"

    @property
    def home(self) -> Path:
        """HOME, which nothing may change."""
        return self.folder / "home"

    @property
    def canary(self) -> Path:
        """A file that hostile inputs try to write."""
        return self.home / ".ssh" / "authorized_keys"

    @property
    def events(self) -> Path:
        """What `sitecustomize.py` notes."""
        return self.folder / "events"

    def make(self) -> None:
        """Make the folders."""
        for folder in (self.work, self.tmp, self.canary.parent):
            folder.mkdir(parents=True)
        self.canary.write_text("nobody\n")

    def remove(self) -> None:
        """Remove the folders, of which HOME may refuse it."""
        if self.home.exists():
            self.home.chmod(0o755)
        shutil.rmtree(self.folder, ignore_errors=True)

    def text(self, stream: str) -> str:
        """Return what was printed to "stdout" or "stderr"."""
        return (self.folder / stream).read_bytes().decode(errors="surrogateescape")


@dataclass
class Conditions:
    """What a run meets besides its files, and what it must then come to.

    Attributes:
        addresses: bytes of addresses that it may take besides those it begins with; None:
            up to `ADDRESS_SPACE`. Then its files are good, and errors tell of memory.
        signal: what it is sent; 0: none.
        after: when that is [s].
        must_fail: whether its files are such that it may not succeed.
        video: of a success: the result, and another file with the same frames.
    """

    addresses: int | None = None
    signal: int = 0
    after: float = 0.0
    must_fail: bool = False
    video: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    """The exit code; minus the signal that ended it."""
    seconds: float
    cpu: float
    """Seconds of all cores."""
    memory: int
    """The peak of all processes [bytes]."""
    stopped: str = ""
    """Why the run was killed: it took too long, or too much memory."""
    left: bool = False
    """Whether a process that it had started was still running."""


def run_command(
    main: Callable[[], int],
    words: list[str],
    place: Place,
    conditions: Conditions,
    most: int,
) -> Ended:
    """Run a command in a fork of this process, which has imported it; return its end.

    Args:
        main: the command's function.
        words: its name and its arguments.
        place: where it runs.
        conditions: what it meets there.
        most: memory in bytes at which it is killed.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(main, words, place, conditions.addresses)
    return _watched(pid, conditions, most)


def _become(
    main: Callable[[], int], words: list[str], place: Place, addresses: int | None
) -> NoReturn:
    """Be the command: set up this process as a shell would, and run `main`."""
    gc.freeze()  # a collection would copy the parent's memory
    end_at_once()
    os.setsid()
    os.chdir(place.work)
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, place.folder / "stdout", os.O_WRONLY | os.O_CREAT),
        (2, place.folder / "stderr", os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(name, flags), number)

    begins_with = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    most_addresses = ADDRESS_SPACE if addresses is None else begins_with + addresses
    for limit, most in (
        (resource.RLIMIT_AS, most_addresses),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    if os.geteuid() == 0:  # else nothing would be forbidden
        version = (ctypes.c_uint32 * 2)(*CAPABILITIES)
        assert ctypes.CDLL(None).capset(version, (ctypes.c_uint32 * 6)()) == 0
    os.environ["HOME"] = str(place.home)
    os.environ["TMPDIR"] = str(place.tmp)
    os.environ["PIP_NO_INDEX"] = "1"  # metrics' weights would come from one
    os.environ[sitecustomize.EVENTS] = str(place.events)
    tempfile.tempdir = None  # what was found before the fork
    sitecustomize.watch(os.environ[sitecustomize.EVENTS])
    sys.argv = words
    run(main)


def _watched(pid: int, conditions: Conditions, most: int) -> Ended:
    """Wait for a command, and send its signal; kill it when it goes over a limit."""
    start = time.monotonic()
    peak, queued, stopped = 0, 0.0, ""
    waits = conditions.signal != 0
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        seconds = time.monotonic() - start
        if ended:
            break
        if waits and seconds > conditions.after:
            os.kill(pid, conditions.signal)
            waits = False
        now = usage(pid)
        peak, queued = max(peak, now.memory), max(queued, now.queued)
        if not stopped:
            stopped = _over_a_limit(seconds - queued, now.cpu, peak, most)
            if stopped:
                _kill(pid)
        time.sleep(0.02 if seconds < 2 else 0.1)

    left = _clear_up(pid)
    return Ended(
        os.waitstatus_to_exitcode(status),
        seconds,
        used.ru_utime + used.ru_stime,
        max(peak, used.ru_maxrss << 10),
        stopped,
        left and not stopped,
    )


def _over_a_limit(seconds: float, cpu: float, memory: int, most: int) -> str:
    """Return why a command must be killed, or ""."""
    if memory > most:
        return f"took {memory / 2**30:.1f} GB of memory"
    if seconds > LONGEST_WAIT:
        return f"did not end within {LONGEST_WAIT} s"
    if min(seconds, cpu) > SECONDS:
        return f"took more than {SECONDS} s"
    return ""


def _kill(pid: int) -> None:
    for process in family(pid):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _clear_up(group: int) -> bool:
    """End what a command has left running; return whether there was anything."""
    end = time.monotonic() + GRACE
    while group_is_alive(group) and time.monotonic() < end:
        time.sleep(0.02)
    left = group_is_alive(group)
    if left:
        os.killpg(group, signal.SIGKILL)
    return left


@dataclass(frozen=True)
class Usage:
    """What is used at one moment."""

    memory: int
    """Bytes of private memory."""
    cpu: float
    """Seconds of all cores."""
    queued: float
    """Seconds for which one of them, or several, could have worked but others did."""


def usage(pid: int) -> Usage:
    """Return what `pid` and its descendants use; nothing of those that have ended."""
    memory, cpu, queued = 0, 0.0, 0.0
    for process in family(pid):
        try:
            queued += int(Path(f"/proc/{process}/schedstat").read_text().split()[1])
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
            pages = Path(f"/proc/{process}/statm").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        memory += (int(pages[1]) - int(pages[2])) * PAGE  # resident without shared
        cpu += sum(map(int, fields.split()[11:15])) / TICKS  # own, waited-for children
    return Usage(memory, cpu, queued / 1e9)


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
