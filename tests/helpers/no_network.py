"""Run a command that is killed as soon as it opens a socket of the network.

    python no_network.py WORD ...

By a filter of system calls (seccomp), which holds for native code and child processes too;
Linux only.
Sockets between processes of this machine (AF_UNIX) are allowed.
"""

import ctypes
import os
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the system call `socket`; see linux/unistd.h."""
INET, INET6 = 2, 10
"""Address families; see linux/socket.h."""
SET_SECCOMP, FILTER, NO_NEW_PRIVILEGES = 22, 2, 38
"""See linux/prctl.h and linux/seccomp.h."""
ALLOW, KILL = 0x7FFF0000, 0x80000000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
"""Instructions of a filter; see linux/filter.h."""


def forbid_network() -> None:
    """Kill this process, or any that it starts, when it opens a socket of IPv4 or IPv6."""
    steps = [
        (LOAD, 0, 0, 0),  # the call's number
        (EQUAL, 0, 4, SOCKET[platform.machine()]),
        (LOAD, 0, 0, 16),  # its first argument
        (EQUAL, 1, 0, INET),
        (EQUAL, 0, 1, INET6),
        (RETURN, 0, 0, KILL),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(memory))

    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((NO_NEW_PRIVILEGES, 1, 0), (SET_SECCOMP, FILTER, program)):
        if libc.prctl(*words, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    forbid_network()
    os.execvp(sys.argv[1], sys.argv[1:])
