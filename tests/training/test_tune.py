"""`tune`: set, training and export in one folder; what is stopped goes on where it was."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clips import picture_clip
from places import ROOT
from sample_runs import usable_ops
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle.commands import steps, tune_folder
from realesrgan_paddle.commands.steps import Steps
from realesrgan_paddle.commands.tune import Tune
from realesrgan_paddle.commands.tune_folder import Notes
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import tune
from realesrgan_paddle.utils import cli, next_steps
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

GOOD, POOR = "my 'first' 比赛.mp4", '-a "poor" one.mp4'
TINY = (
    f"cpu_ops={usable_ops()}",
    "gt_size=32",
    "queue_size=0",
    "datasets.train.batch_size_per_gpu=1",
    "datasets.train.num_worker_per_gpu=0",
    "train.lpips_opt=null",
    "train.total_iter=2",
    "val.drift=null",
    "val.metrics={psnr_y: {type: calculate_psnr, test_y_channel: true}}",
)
"""What makes the training of a tune a short one, beside no limit of time and no fit.

LPIPS would try both kinds of operators in one more process of each training.
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a sharp clip, a poor one, and a tiny network."""
    for name in (GOOD, POOR):
        shots = [scene(n // 2, 8 * (n % 2), width=96, height=64) for n in range(12)]
        picture_clip(tmp_path / name, shots, rate=1)
    tiny = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(tmp_path / "tiny.pdparams", {"params": tiny})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def short(monkeypatch):
    """Make each training of a tune a tiny one; return the steps that were begun."""
    begun = []
    start = next_steps.process_words

    def process_words(script, words):
        begun.append(Path(script).stem)
        if begun[-1] == "train":
            for flag in ("--minutes", "--lq"):
                if flag in words:
                    at = words.index(flag)
                    words = [*words[:at], *words[at + 2 :]]
            words = [word for word in words if not word.startswith("train.minutes=")]
            words = [*words, *TINY]
        if begun[-1] == "build_domain_set":
            words = [*words, "--crop_size", "64", "--step", "32"]
        return start(script, words)

    monkeypatch.setattr(next_steps, "process_words", process_words)
    return begun


def ended(words, capsys):
    """Run the command; return its exit code, what it printed, and its error."""
    with pytest.raises(SystemExit) as exit_code:
        cli.run(lambda: tune.main(words))
    captured = capsys.readouterr()
    return exit_code.value.code, captured.out, captured.err


@pytest.mark.paddle
def test_a_tune_holds_everything_and_goes_on_where_it_was(place, short, capsys):
    words = [GOOD, "--lq", f"./{POOR}", "--network", "tiny.pdparams", "--minutes", "9"]
    folder = place / "tuned" / Path(GOOD).stem
    notes = folder / "tune.json"

    code, printed, _ = ended(words, capsys)
    assert code == 0, printed
    assert short == ["build_domain_set", "train", "export_model"]
    for name in ("inference.pdmodel", "inference.pdiparams", "verdict.html", "log.txt"):
        assert (folder / name).stat().st_size, name
    assert (folder / "set/meta_info.txt").is_file()
    assert "[2/3] Fit, train and judge (8m " in printed
    assert "\nverdict: " in printed
    assert printed.count("next: ") == 1, "a step's own is not shown"
    assert set(printed.splitlines()[3:-9]) <= set(
        (folder / "log.txt").read_text().splitlines()
    )
    last = shlex.split(printed.splitlines()[-1])
    # Two iterations may be told to be worse, or too few; never to be better.
    assert last[2] in [str(ROOT / f"tools/{name}.py") for name in ("tune", "upscale")]
    assert f"./{POOR}" in last
    assert "-m" not in last

    # Typed again: nothing is made again, unless it is missing.
    code, printed, _ = ended(words, capsys)
    assert (code, printed.count("done before"), short[3:]) == (0, 3, [])
    known = json.loads(notes.read_text())
    known["done"].remove("train")  # as if it was killed right after its last state
    notes.write_text(json.dumps(known))
    latest = folder / "run/models/net_g_latest.pdparams"
    before = latest.stat().st_mtime_ns
    code, printed, _ = ended(words, capsys)
    assert (code, short[3:]) == (0, ["train", "export_model"])
    assert "run/config.yml' --auto_resume\n" in printed
    assert latest.stat().st_mtime_ns == before

    # Another tune is not put over it, nor anything else.
    is_there = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for changed, problem in (
        (["tiny.pdparams", *words[1:], "--output", str(folder)], "inputs: "),
        ([*words[:-1], "10"], "minutes: 9"),
        ([GOOD, *words[3:]], "lq: "),
    ):
        code, _, error = ended(changed, capsys)
        assert (code, error.count("\n")) == (1, 1)
        assert f"holds another tune ({problem}" in error
    code, _, error = ended([f"./{POOR}", "--output", str(place)], capsys)
    assert (code, error) == (
        1,
        f"error: {place}: holds other files; use another --output\n",
    )
    assert is_there == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_what_cannot_be_tuned_is_one_line_and_leaves_nothing(
    place, monkeypatch, capsys
):
    (place / "text.mp4").write_text("no video")
    assert ended([GOOD, "--lq", f"./{GOOD}"], capsys)[2] == (
        f"error: --lq {GOOD}: is what is learned from, too; if it is sharp, leave --lq out; "
        "if it is poor, name it with --lq alone\n"
    )
    description = RecurrentSRVGG(num_feat=16, num_conv=1)
    write_pdparams(place / "state.pdparams", {"params": sample_weights(description)})
    _, _, error = ended([GOOD, "--network", "state.pdparams"], capsys)
    assert error.startswith(
        "error: state.pdparams: carries a state from frame to frame"
    )
    write_image(place / "flat/a.png", scene(0, width=96, height=64) * 0)
    used = tune_folder.shutil.disk_usage

    for words, problem in (
        (["nowhere.mp4"], "nowhere.mp4: no such file or folder"),
        ([GOOD, "--lq", "nowhere"], "nowhere: no such file or folder"),
        ([GOOD, "--lq", "text.mp4"], "--lq text.mp4: none of it can be read: "),
        ([GOOD, "--network", "x4plu"], "x4plu: no such file, and no released model"),
    ):
        code, _, error = ended(words, capsys)
        assert (code, error.count("\n")) == (1, 1)
        assert error.startswith(f"error: {problem}")
    monkeypatch.setattr(
        tune_folder.shutil, "disk_usage", lambda path: used(path)._replace(free=10**8)
    )
    code, _, error = ended([GOOD], capsys)
    assert error.startswith(
        f"error: {place}: 0.1 GB are free, and a tune may take more"
    )
    assert not (place / "tuned").exists()
    monkeypatch.undo()
    monkeypatch.chdir(place)

    code, printed, error = ended(["text.mp4"], capsys)
    assert code == 1
    assert "no frame could be extracted" in printed
    assert error.startswith("error: step 1 of 3 failed")
    assert error.rstrip().endswith("tune.py text.mp4 --minutes 15")
    # Nothing is made of it yet, so another may take its place.
    (place / "other.mp4").write_text("no video either")
    _, _, error = ended(["other.mp4", "--output", "tuned/text"], capsys)
    assert error.startswith("error: step 1 of 3 failed")


STEP = """
import os, signal, sys, time
from realesrgan_paddle.utils.cli import run

def main():
    try:
        print("begun", os.getpid(), flush=True)
        time.sleep(60)
    finally:
        open("ended", "w").close()

run(main)
"""
TWO_STEPS = f"""
import sys
from realesrgan_paddle.commands import steps
from realesrgan_paddle.utils import next_steps
from realesrgan_paddle.utils.cli import run

next_steps.process_words = lambda script, words: [sys.executable, "-c", {STEP!r}]
run(lambda: steps.Steps(2, {{}}, "again.py", steps.Path("log"))("Work", "work.py"))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_signal_ends_the_step_too_and_the_line_goes_on(tmp_path):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    processes = {number: start_two_steps(tmp_path / number.name) for number in numbers}
    for number, process in processes.items():
        folder = tmp_path / number.name
        lines = iter(process.stdout.readline, "")
        begun = next(line for line in lines if line.startswith("begun"))
        process.send_signal(number)
        process.communicate()
        assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)

        until = time.monotonic() + 20
        while not (folder / "ended").exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert (folder / "ended").exists(), "the step has cleaned up"
        log = (folder / "log").read_text()
        assert begun in log
        stopped = "stopped; to go on where it was:\nnext: again.py\n"
        assert log.endswith(stopped) == (number != signal.SIGKILL)


def start_two_steps(folder):
    """Start a process of two steps in a folder; SIGHUP is not ignored, as under nohup."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", TWO_STEPS],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


def test_steps_say_what_they_do_and_how_long_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        next_steps,
        "process_words",
        lambda script, words: [sys.executable, "-c", *words],
    )
    monkeypatch.setattr(steps, "QUIET_S", 0.5)
    code = "import time; print('next: no'); time.sleep(3); print('\\x1b[2J'); exit(3)"
    left = iter([100.0] + [0.0] * 9)
    run = Steps(1, {"code": code}, "again", tmp_path / "log", lambda: next(left))
    assert run.run("Work", "work.py {code}") == 3
    printed = capsys.readouterr().out
    assert printed.startswith("\n[1/1] Work (1m 40s left)\n$ ")
    assert re.search(r"\n\[1/1\] still at work, past the limit\n", printed)
    assert printed.endswith("\n\\x1b[2J\n")
    assert "next: no\n" not in printed.splitlines(keepends=True)
    assert (tmp_path / "log").read_text() == printed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_log_on_a_full_disk_stops_no_step(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        next_steps,
        "process_words",
        lambda script, words: [sys.executable, "-c", *words],
    )
    code = "print('x' * 200_000)"  # more than a pipe holds
    run = Steps(1, {"code": code}, "again", Path("/dev/full"))
    assert run.run("Work", "work.py {code}") == 0
    printed = capsys.readouterr().out
    assert "x" * 200_000 in printed
    assert printed.count("/dev/full: goes no further") == 1


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        ("use it: a command", "upscale.py a.mp4 -m tuned/a"),
        ("use the best network, of iter 40: it", "upscale.py a.mp4 -m tuned/a"),
        ("do not use it: images became worse", "upscale.py a.mp4"),
        ("it gained nothing: train on more", "upscale.py a.mp4"),
        (
            "train for longer: the last validation is the best",
            "tune.py b.mp4 --lq a.mp4 --minutes 18 --output tuned/a_longer",
        ),
        (
            "compare by eye (realesrgan-paddle compare): there is too little to tell",
            "compare.py --video --input a.mp4 --models tuned=tuned/a --output tuned/a_compare",
        ),
        (
            None,
            "compare.py --video --input a.mp4 --models tuned=tuned/a --output tuned/a_compare",
        ),
    ],
)
def test_the_next_command_is_true_to_the_verdict(place, advice, words):
    """Only a network that is known to be better is used without a look."""
    folder = Path("tuned/a")
    (folder / "run").mkdir(parents=True)
    if advice is not None:
        verdict = {"lines": ["On moments ..."], "next": advice}
        (folder / "run/verdict.json").write_text(json.dumps(verdict))
    notes = Notes([str(place / "b.mp4")], str(place / "a.mp4"), None, 9, str(place))
    given = {"inputs": ["b.mp4"], "lq": "a.mp4", "minutes": "9"}
    made = Tune(folder, notes, given, time.monotonic())
    assert made.next().endswith(f"/tools/{words}")
