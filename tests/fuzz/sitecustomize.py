"""Notes what a Python process writes, starts and connects to.

Python imports this file by its name when its folder is in PYTHONPATH, so it also
watches the processes that a command starts. Nothing happens without `EVENTS`.
"""

import json
import os
import sys
from pathlib import Path

EVENTS = "FUZZ_EVENTS"
"""The environment variable that names the file for the notes, a json list a line."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.chmod": [(0, 2)],
    "os.link": [(0, 2), (1, 3)],
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.rename": [(0, 2), (1, 3)],
    "os.rmdir": [(0, 1)],
    "os.symlink": [(1, 2)],
    "os.truncate": [(0, None)],
}
"""Events of changed files: which arguments are their paths, and the folders of these."""
_PROGRAMS = {"os.exec", "os.posix_spawn", "subprocess.Popen"}
_CONNECTIONS = {"socket.bind", "socket.connect", "socket.sendto"}


def watch(log: str) -> None:
    """Note the events of this process in the file `log` from now on."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, arguments: tuple) -> None:
        """Write the event if it is of interest."""
        for detail in _details(event, arguments):
            line = json.dumps([event, detail])
            os.write(handle, f"{line}\n".encode())

    sys.addaudithook(note)


def _details(event: str, arguments: tuple) -> list[str]:
    """Return the paths, programs or addresses of an event; [] without interest."""
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        return [_absolute(path)] if writes and not isinstance(path, int) else []
    if event in _PATHS:
        found = []
        for path, folder in _PATHS[event]:
            if not isinstance(arguments[path], int):
                handle = -1 if folder is None else arguments[folder]
                found.append(_absolute(arguments[path], handle))
        return found
    if event in _PROGRAMS:
        words = [arguments[0], *arguments[1][1:]]
        return [" ".join(map(os.fsdecode, words))]
    if event == "os.system":
        return [os.fsdecode(arguments[0])]
    if event in _CONNECTIONS and isinstance(arguments[1], tuple):  # not a Unix socket
        return [str(arguments[1])]
    if event == "socket.getaddrinfo":
        return [str(arguments[0])]
    return []


def _absolute(path: object, folder: int = -1) -> str:
    """Return a path, which may be relative to a folder that is open as `folder`."""
    base = Path.cwd() if folder < 0 else Path(f"/proc/self/fd/{folder}").readlink()
    return os.path.normpath(base / os.fsdecode(path))


if EVENTS in os.environ:
    watch(os.environ[EVENTS])
