"""Files that are none: pipes, sockets and devices where a command expects a file."""

import os
import socket
from pathlib import Path

SPECIAL = ("pipe", "socket", "zero")


def make_special(path: Path, kind: str) -> Path:
    """Put a pipe, a socket, or a link to a device that never ends, at `path`."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # A socket's whole path may have 107 bytes only, so it is named from its folder.
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(before)
    else:
        path.symlink_to("/dev/zero")
    return path
