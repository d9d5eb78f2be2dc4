"""The campaign notices what it is there to notice."""

import json
import os
import subprocess
import sys

import pytest
from campaign import PATHS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RUN = """
import json, os, socket, subprocess, sys, time
from pathlib import Path
import child
from verdict import judge, snapshot

def fail(message):
    sys.stderr.write(message)
    return 1

def eat():
    held = bytearray(200 << 20)
    time.sleep(9)

def crash():
    os.kill(os.getpid(), 11)

def work():
    while True:
        pass

def connect():
    socket.socket().connect(("127.0.0.1", 9))

def leave():
    waits = [sys.executable, "-c", "input()"]
    subprocess.Popen(waits, stdin=subprocess.PIPE)
    os._exit(0)

def start():
    subprocess.run(["true"], env={})

RUNS = {
    "succeeds": lambda: 0,
    "fails": lambda: fail("error: x: damaged\\n"),
    "fails for each": lambda: fail("failed: x\\nfailed: y\\n"),
    "writes its output": lambda: Path("out").mkdir(),
    "two lines": lambda: fail("warning\\nerror: x\\n"),
    "no line": lambda: 1,
    "an error, and success": lambda: fail("error: x\\n") * 0,
    "escapes": lambda: fail("error: \\x1b[2J\\n"),
    "traceback": lambda: 1 // 0,
    "exit code": lambda: 3,
    "dies": crash,
    "too long": work,
    "waits": lambda: time.sleep(99),
    "too much memory": eat,
    "changes an input": lambda: Path("input").write_text("other"),
    "writes to the home": lambda: (Path.home() / "x").write_text("") * 0,
    "writes anywhere": lambda: Path("../x").write_text("") * 0,
    "leaves a file": lambda: (Path(os.environ["TMPDIR"]) / "x").write_text("") * 0,
    "connects": connect,
    "starts a program": start,
    "leaves a process": leave,
}
child.LONGEST_WAIT, child.GRACE = 2, 0.3
for number, (name, main) in enumerate(RUNS.items()):
    place = child.Place(Path(sys.argv[1], str(number)))
    place.make()
    (place.work / "input").write_text("one")
    before = snapshot(place)
    child.SECONDS = 0.1 if name == "too long" else 9
    ended = child.run_command(main, [name], place, 150 << 20)
    print(json.dumps([name, judge(place, ended, before)]), flush=True)
"""
ACCEPTED = {"succeeds", "fails", "fails for each", "writes its output"}
FOUND = {
    "two lines": "2 lines of errors",
    "no line": "0 lines of errors",
    "an error, and success": "succeeds, with errors",
    "escapes": "not printable",
    "traceback": "traceback: ZeroDivisionError",
    "exit code": "exit code 3",
    "dies": "died of signal 11",
    "too long": "took more than",
    "waits": "did not end within",
    "too much memory": "GB of memory",
    "changes an input": "changed outside the output",
    "writes to the home": "changed outside the output",
    "writes anywhere": "open: ",
    "leaves a file": "left behind",
    "connects": "socket.connect: ('127.0.0.1', 9)",
    "starts a program": "starts true",
    "leaves a process": "left a process running",
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> dict[str, list[str]]:
    """What is found in runs that each do one thing wrong, or nothing."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    folder = tmp_path_factory.mktemp("cases")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


def test_all_of_them_ran(problems):
    assert problems.keys() == ACCEPTED | FOUND.keys()


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_what_is_accepted(problems, name):
    assert problems[name] == []


@pytest.mark.parametrize("name", FOUND)
def test_what_is_not_accepted(problems, name):
    assert any(FOUND[name] in problem for problem in problems[name]), problems[name]
