"""Nothing that a stranger's file holds ends in more than one line and exit code 1.

    python -m pytest -m fuzz --minutes 20

goes on where the last campaign in the same folder (`--campaign`) has stopped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from campaign import PATHS, Campaign

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

RUN = """
import json, os, socket, subprocess, sys
from pathlib import Path
import child
from verdict import judge, snapshot

def fail(message):
    sys.stderr.write(message)
    return 1

def work():
    while True:
        pass

def leave():
    subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    os._exit(0)

RUNS = {
    "": lambda: Path("out").mkdir(),
    "2 lines of errors": lambda: fail("warning\\nerror: x\\n"),
    "succeeds, with errors": lambda: fail("error: x\\n") * 0,
    "not printable": lambda: fail("error: \\x1b[2J\\n"),
    "traceback: ZeroDivisionError": lambda: 1 // 0,
    "died of signal 11": lambda: os.kill(os.getpid(), 11),
    "took more than": work,
    "changed outside the output": lambda: Path("input").write_text("other"),
    "open: ": lambda: Path("../x").write_text("") * 0,
    "left behind": lambda: (Path(os.environ["TMPDIR"]) / "x").write_text("") * 0,
    "socket.connect: ('127.0.0.1', 9)": (
        lambda: socket.socket().connect(("127.0.0.1", 9))
    ),
    "starts true": lambda: subprocess.run(["true"], env={}),
    "left a process running": leave,
}
child.GRACE = 0.3
for number, (expected, main) in enumerate(RUNS.items()):
    place = child.Place(Path(sys.argv[1], str(number)))
    place.make()
    (place.work / "input").write_text("one")
    before = snapshot(place)
    child.SECONDS = 0.1 if main is work else 9
    ended = child.run_command(main, [expected], place, 500 << 20)
    print(json.dumps([expected, judge(place, ended, before)]), flush=True)
"""


def test_the_campaign_notices_what_it_is_there_to_notice(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 13
    for expected, problems in map(json.loads, lines):
        if expected:
            assert any(expected in problem for problem in problems), problems
        else:
            assert problems == []


@pytest.mark.slow
@pytest.mark.fuzz
def test_no_file_does_more_than_fail_in_one_line(request, record_property):
    campaign = Campaign(Path(request.config.getoption("--campaign")).resolve())
    number = request.config.getoption("--case")
    if number is None:
        results = campaign.run(60 * request.config.getoption("--minutes"))
    else:
        results = [campaign.run_one(number)]

    record_property("campaign", f"{summary(results)}; {campaign.folder}")
    assert results, "no case was run"
    failed = [result for result in results if result["problems"]]
    if failed:
        pytest.fail("\n".join(map(report, failed)), pytrace=False)


def summary(results: list[dict]) -> str:
    """Return the campaign's counts in one line."""
    run = [result for result in results if "seconds" in result]
    failed = sum(bool(result["problems"]) for result in results)
    longest = max((result["seconds"] for result in run), default=0)
    memory = max((result["memory_mb"] for result in run), default=0)
    return (
        f"{len(results)} cases, {failed} not accepted; "
        f"longest run {longest:.0f} s, peak memory {memory} MB"
    )


def report(result: dict) -> str:
    """Return a line on a failed case, with the command that runs it again."""
    again = f"python -m pytest -m fuzz --case {result['case']}"
    return f"{again}: {result.get('command')}: {'; '.join(result['problems'])}"
