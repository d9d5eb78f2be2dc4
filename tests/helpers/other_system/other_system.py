"""Run Python as if on another system: `python other_system.py windows|macos WORD ...`.

The words are a script, or -m or -c, and its arguments. Linux only; what is taken away, and
what stays Linux's, is told in `sitecustomize.py`.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYSTEMS = ("windows", "macos")


def environment(system: str) -> dict[str, str]:
    """Return the environment of a process that is to run as if on `system`."""
    paths = [str(HERE), str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "OTHER_SYSTEM": system,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    if system == "windows":  # what a pipe has there
        variables["PYTHONIOENCODING"] = "cp1252:strict"
    return variables


if __name__ == "__main__":
    _, system, *words = sys.argv
    if system not in SYSTEMS:
        sys.exit(f"system {system!r}: known are {', '.join(SYSTEMS)}")
    os.execve(sys.executable, [sys.executable, *words], environment(system))
