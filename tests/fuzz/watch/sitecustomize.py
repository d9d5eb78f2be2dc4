"""Notes what a Python process writes, starts and connects to.

Python imports this file by its name when its folder is in PYTHONPATH, so it also
watches the processes that a command starts. Nothing happens without `EVENTS`.
"""

import json
import os
import sys

EVENTS = "FUZZ_EVENTS"
"""The environment variable that names the file for the notes, a json list a line."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.chmod": 1,
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.truncate": 1,
}
"""Events of changed files, and how many of their first arguments are paths."""
_PROGRAMS = {"os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"}
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
        paths = arguments[: _PATHS[event]]
        return [_absolute(path) for path in paths if not isinstance(path, int)]
    if event in _PROGRAMS:
        return [os.fsdecode(arguments[0])]
    if event in _CONNECTIONS and isinstance(arguments[1], tuple):  # not a Unix socket
        return [str(arguments[1])]
    if event == "socket.getaddrinfo":
        return [str(arguments[0])]
    return []


def _absolute(path: object) -> str:
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (pathlib has audit events)


if EVENTS in os.environ:
    watch(os.environ[EVENTS])
