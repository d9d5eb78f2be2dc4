"""Runs the cases whose numbers it reads, one a line, and prints a json line about each.

    python tests/fuzz/worker.py CAMPAIGN_FOLDER < numbers

Started by `campaign.py`, which sets PYTHONPATH. Paddle and all commands are imported
once, and each case is a fork, so that it takes no longer than its work.
"""

import importlib
import json
import os
import shlex
import socket
import sys
from pathlib import Path

from child import Place, run_command
from commands import COMMANDS, draw_case
from verdict import judge, memory_limit, snapshot

from realesrgan_paddle.utils.machine.devices import start_paddle

ALSO_IMPORTED = [
    "matplotlib.font_manager",  # the first import lists all fonts
    "realesrgan_paddle.commands.compare",
    "realesrgan_paddle.commands.upscale_videos",
    "realesrgan_paddle.data.lq.folder",
    "realesrgan_paddle.metrics.measuring",
    "realesrgan_paddle.metrics.methods",
    "realesrgan_paddle.inference.export",
    "realesrgan_paddle.inference.runners.dygraph_runner",
    "realesrgan_paddle.training.guards",
    "realesrgan_paddle.training.open_training",
]
"""What commands import after they have read their arguments."""


def main() -> None:
    """Answer numbers until there are no more."""
    campaign = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    import_all()
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        for line in sys.stdin:
            answers.write(json.dumps(run_case(int(line), campaign, canary)) + "\n")
            answers.flush()


def import_all() -> None:
    """Import what takes seconds, once for all runs."""
    start_paddle()
    for module in (*map(module_of, COMMANDS), *ALSO_IMPORTED):
        importlib.import_module(module)


def module_of(command: str) -> str:
    """Return the module of a tool, of train, or of make_lq_data."""
    if command in ("train", "make_lq_data"):
        return command
    return f"realesrgan_paddle.tools.{command}"


def run_case(number: int, campaign: Path, canary: socket.socket) -> dict:
    """Draw and run a case; return what is known of it, with the problems found."""
    place = Place(campaign / "cases" / str(number))
    place.remove()
    place.make()
    address = "{}:{}".format(*canary.getsockname())
    words, conditions = draw_case(number, place, campaign / "samples", address)
    command = words[0]

    before, most = snapshot(place), memory_limit(place)
    ended = run_command(lambda: call(*words), words, place, conditions, most)
    problems = judge(place, conditions, ended, before)
    problems += ["connected to the canary"] * _was_called(canary)

    answer = {
        "case": number,
        "command": command,
        "code": ended.code,
        "seconds": round(ended.seconds, 2),
        "cpu": round(ended.cpu, 2),
        "memory_mb": ended.memory >> 20,
        "problems": problems,
    }
    if problems:
        answer["line"] = f"cd {place.work}; {shlex.join(words)}  # {conditions}"
        answer["errors"] = (
            place.text("stderr")[-3000:].encode(errors="replace").decode()
        )
    else:
        place.remove()
    return answer


def call(command: str, *words: str) -> int:
    """Be the program `command` and return its exit code."""
    module = importlib.import_module(module_of(command))
    # What multiprocessing imports in the processes that it starts.
    sys.modules["__main__"] = module
    return module.main([*words])


def _was_called(canary: socket.socket) -> bool:
    """Return whether anything has connected to the canary since it was last asked."""
    try:
        connection, _ = canary.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True


if __name__ == "__main__":
    main()
