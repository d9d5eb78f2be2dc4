"""Ctrl-C and SIGTERM while a command starts: one line and 130 or 143, at once."""

import ast
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

from realesrgan_paddle.utils.errors import NO_MEMORY
from realesrgan_paddle.utils.signals import end_at_once, ending_at_once

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

ENDINGS = [
    (signal.SIGINT, (130, "error: interrupted\n")),
    (signal.SIGTERM, (143, "error: terminated\n")),
]
SCRIPTS = [ROOT / "train.py", ROOT / "make_lq_data.py"]
SCRIPTS += sorted((ROOT / "tools").glob("[!_]*.py"))

LISTEN = """if __name__ == '__main__':
    from realesrgan_paddle.utils.signals import end_at_once
    end_at_once()"""

# The first module of each command that takes time to import is a signal instead.
INTERRUPTED = """
import os, runpy, sys, time

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "pydantic", "argparse", "yaml"):
            os.kill(os.getpid(), int(sys.argv.pop()))
            time.sleep(60)  # on a busy machine it may take a while to arrive

sys.meta_path.insert(0, Signal())
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# As Paddle does while it is imported: another handler, then a long time in C code.
LOADING = """
import os, signal, sys, time
from realesrgan_paddle.utils.cli import run
from realesrgan_paddle.utils.signals import ending_at_once

def main():
    with ending_at_once():
        signal.signal(signal.SIGTERM, lambda *_: print("a page of Paddle's"))
        os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(5)

run(main)
"""


IN_CALLBACK = """
import signal, sys, time, weakref
from realesrgan_paddle.utils.cli import run

class Thing:
    pass

def main():
    thing = Thing()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(int(sys.argv[1])))
    del thing
    time.sleep(5)
    return 0

run(main)
"""

IN_PARSING = """
import signal, sys
from dataclasses import dataclass
from realesrgan_paddle.utils.cli import parse_flags, run, setting

def convert(text):
    signal.raise_signal(int(text))

@dataclass(frozen=True)
class Flags:
    number: int = setting(0, "a signal", convert)

run(lambda: parse_flags(Flags, "", ["--number", sys.argv[1]]))
"""

# A signal where a command's work is done, and Python ends.
ENDED = """
import atexit, os, sys
from realesrgan_paddle.utils.cli import run

atexit.register(os.kill, os.getpid(), int(sys.argv[1]))
run(lambda: 0)
"""

RAISING = """
import sys
from realesrgan_paddle.utils.cli import run
run(lambda: exec(sys.argv[1]))
"""


def python(*words: object) -> tuple[int, str]:
    """Run Python with the words; return its exit code and what it printed."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_command_listens_before_it_imports(script):
    _, first = ast.parse(script.read_text(encoding="utf-8")).body[:2]
    assert ast.unparse(first).startswith(LISTEN)


@pytest.mark.parametrize(("number", "ending"), ENDINGS)
def test_a_signal_while_a_command_imports_is_one_line(number, ending):
    script = ROOT / "tools" / "preflight.py"
    assert python("-c", INTERRUPTED, script, int(number)) == ending


@pytest.mark.parametrize(("number", "ending"), ENDINGS)
def test_a_signal_while_paddle_loads_is_one_line(number, ending):
    assert python("-c", LOADING, int(number)) == ending


def test_the_handlers_before_are_back_after_the_import():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with ending_at_once():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_signal_after_the_work_says_nothing():
    """Nor changes the result, except Ctrl-C: it may end a library that hangs."""
    for number, code in (
        (signal.SIGTERM, 0),
        (signal.SIGHUP, 0),
        (signal.SIGINT, -signal.SIGINT),
    ):
        assert python("-c", ENDED, int(number)) == (code, "")


@pytest.mark.parametrize(("number", "ending"), ENDINGS)
def test_a_signal_where_python_drops_or_replaces_it_is_one_line(number, ending):
    assert python("-c", IN_CALLBACK, int(number)) == ending
    assert python("-c", IN_PARSING, int(number)) == ending


def test_a_library_that_lacks_memory_is_one_line():
    for words in NO_MEMORY:
        raised = f"raise RuntimeError({words!r})"
        code, line = python("-c", RAISING, raised)
        assert code == 1
        assert line.startswith("error: out of memory")
    code, line = python("-c", RAISING, "raise BlockingIOError(11, 'unavailable')")
    assert line.startswith("error: out of memory"), "as a thread that cannot start"
    code, line = python("-c", RAISING, "raise RuntimeError('another')")
    assert line.startswith("Traceback"), "a bug is shown as it is"


def test_an_ignored_signal_stays_ignored():
    before = {number: signal.getsignal(number) for number, _ in ENDINGS}
    try:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        end_at_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.paddle
@pytest.mark.parametrize(("number", "ending"), ENDINGS)
@pytest.mark.parametrize(
    "words",
    [
        "tools/infer.py --input README.md --model_path nowhere",
        "-m realesrgan_paddle compare --help",
        "train.py --yml_path options/finetune_cpu.yml --dry_run",
    ],
)
def test_a_signal_at_any_moment_is_one_line(number, ending, words):
    draws = random.Random(0)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, *words.split()],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        delay = 3 * draws.random()
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate()
        # Before its first line runs, Python itself ends: silently, and as -number.
        if process.returncode not in (0, 1, -number):
            assert (process.returncode, errors) == ending, delay
        assert errors.count("\n") <= 1, errors
