"""A run that is interrupted, damaged, or out of space loses nothing, and says what to do."""

import errno
import fcntl
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import termios

import pytest
from forkserver import FORKSERVER
from places import ROOT
from sample_runs import (
    alive,
    assert_states_equal,
    children,
    finish,
    log_of,
    newest_state,
    picture,
    reported,
    run,
    start,
    state_of,
    temporaries,
    usable_ops,
    wait_until,
    write_yml,
)
from sample_weights import sample_weights

from realesrgan_paddle.commands.train import main
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils import cli, files
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]


ENDLESS = ("train.total_iter=100000", "logger.save_checkpoint_freq=100000")


def iterations(folder):
    metrics = folder / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


def test_a_signal_saves_and_ends_the_run_with_its_workers(tmp_path, options):
    options["datasets"]["train"]["num_worker_per_gpu"] = 2
    process = start(tmp_path, options, *ENDLESS)
    folder = tmp_path / "runs/tiny"
    wait_until(lambda: iterations(folder) >= 2)
    workers = children(process.pid)
    assert sum(alive(worker) for worker in workers) >= 2
    # To all of them, as a terminal or a job scheduler does.
    for pid in (process.pid, *(int(worker.name) for worker in workers)):
        os.kill(pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 143
    assert not any(alive(worker) for worker in workers)

    last = reported(folder)[-1]["iter"]
    state, problems = newest_state(folder)
    assert (state.iteration, problems) == (last, [])
    saved = f"saved {state_of(folder, last)}"
    assert saved in log_of(folder)


def test_a_closed_terminal_saves_and_ends_the_run(tmp_path, options):
    options["datasets"]["train"]["num_worker_per_gpu"] = 2
    words = [ROOT / "train.py", "--yml_path", write_yml(tmp_path, options), *ENDLESS]
    ours, terminal = pty.openpty()

    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup of the tests ignores it

    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(terminal)
    folder = tmp_path / "runs/tiny"
    wait_until(lambda: iterations(folder) >= 2, seconds=90)
    os.close(ours)  # the kernel sends SIGHUP to the run and its workers
    assert process.wait(60) == 129

    state, problems = newest_state(folder)
    assert (state.iteration, problems) == (reported(folder)[-1]["iter"], [])
    assert f"SIGHUP: saved {state_of(folder, state.iteration)}" in log_of(folder)


def test_the_line_that_a_stopped_run_ends_with_resumes_it(tmp_path, monkeypatch):
    """A run of --recipe too, whose options are nowhere but in its folder."""
    place = tmp_path / 'it\'s a "place"'
    for i in range(2):
        write_image(place / f"my frames/{i}.png", picture(96, 128, i))
    tiny = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(place / "tiny.pdparams", {"params": tiny})
    monkeypatch.chdir(place)
    flags = ["--recipe", "auto", "--dataroot_gt", "my frames"]
    overrides = (
        "path.pretrain_network_g=tiny.pdparams",
        'path.experiments_root="my runs"',
        "gt_size=32",
        "train.lpips_opt=null",
        f"cpu_ops={usable_ops()}",
        "datasets.train.batch_size_per_gpu=1",
        "datasets.train.num_worker_per_gpu=0",
        "logger.print_freq=1",
        *ENDLESS,
    )
    folder = place / "my runs/finetune_tiny"
    process = FORKSERVER.Process(target=main, args=([*flags, *overrides],))
    process.start()
    wait_until(lambda: iterations(folder) >= 2, seconds=90)
    os.kill(process.pid, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 130

    said = log_of(folder).splitlines()[-1]
    total = iterations(folder) + 1
    line = f"{said.partition(' next: ')[2]} train.total_iter={total}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [each["iter"] for each in reported(folder)] == [*range(1, total + 1)]
    resumed = log_of(folder).partition(f"resumed after iteration {total - 1}")[2]
    assert resumed
    assert "is ignored" not in resumed
    assert "changed since the run was started: auto_resume" not in resumed


def test_resuming_after_a_signal_equals_not_stopping(tmp_path, options):
    folder, straight = tmp_path / "runs/tiny", tmp_path / "runs/straight"
    process = start(tmp_path, options, *ENDLESS)
    wait_until(lambda: iterations(folder) >= 2)
    os.kill(process.pid, signal.SIGINT)
    process.join(30)

    total = iterations(folder) + 2
    finish(tmp_path, options, f"train.total_iter={total}")
    finish(tmp_path, options, f"train.total_iter={total}", "name=straight")
    assert_states_equal(state_of(folder, total), state_of(straight, total))
    assert reported(folder) == reported(straight)


def test_a_second_ctrl_c_ends_at_once():
    code = (
        "import os, signal, time\n"
        "from realesrgan_paddle.utils.signals import StopRequest\n"
        "with StopRequest() as request:\n"
        "    os.kill(os.getpid(), signal.SIGINT); assert request.signal == 2\n"
        "    os.kill(os.getpid(), signal.SIGINT); print('still there')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert "Ctrl-C now ends at once" in done.stderr


def test_a_damaged_newest_state_is_skipped_by_name(tmp_path, options):
    folder = run(tmp_path, options, "logger.save_checkpoint_freq=2")
    straight = shutil.copytree(folder, tmp_path / "straight")
    newest = folder / "training_states/6.state"
    newest.write_bytes(newest.read_bytes()[:-1])
    run(tmp_path, options, "logger.save_checkpoint_freq=2", "auto_resume=true")
    assert_states_equal(state_of(straight, 6), newest)
    assert reported(straight) == reported(folder)
    assert f"skipped a damaged training state: {newest}: " in log_of(folder)
    assert "resumed after iteration 4" in log_of(folder)


def test_a_run_whose_states_are_all_damaged_is_not_started_anew(tmp_path, options):
    folder = run(tmp_path, options)
    for state in (folder / "training_states").iterdir():
        state.write_bytes(b"")
    with pytest.raises(UserError, match="no training state can be resumed from"):
        run(tmp_path, options, "auto_resume=true")
    assert len(reported(folder)) == 6
    assert [p.name for p in folder.parent.iterdir() if p.is_dir()] == ["tiny"]


def test_a_full_disk_is_one_line_and_spoils_nothing(
    tmp_path, options, monkeypatch, capsys
):
    flush = files._flush

    def raise_for_last_state(path):
        if ".state" in path.name and "-" in path.name and path.name.startswith(".6"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(path)

    monkeypatch.setattr(files, "_flush", raise_for_last_state)
    with pytest.raises(SystemExit) as stopped:
        cli.run(lambda: main(["--yml_path", str(write_yml(tmp_path, options))]))
    folder = tmp_path / "runs/tiny"
    assert stopped.value.code == 1
    message = f"{state_of(folder, 6)}: cannot be written (No space left on device)"
    assert capsys.readouterr().err == f"error: {message}\n"
    assert newest_state(folder)[0].iteration == 3
    assert temporaries(folder) == []


def kill_and_wait(process):
    """Kill a run; its workers end by themselves."""
    workers = children(process.pid)
    process.kill()
    process.join()
    wait_until(lambda: not any(alive(worker) for worker in workers))


def check_kills(tmp_path, options, workers, kills, total_iter):
    """Kill a run at random moments, again and again: in the end it equals one never killed."""
    options["datasets"]["train"]["num_worker_per_gpu"] = workers
    options["logger"] |= {"save_checkpoint_freq": 2, "keep_checkpoints": 3}
    finish(tmp_path, options, "name=straight", f"train.total_iter={total_iter}")
    folder, straight = tmp_path / "runs/tiny", tmp_path / "runs/straight"
    rng = random.Random(workers)
    killed = 0
    while True:
        process = start(tmp_path, options, f"train.total_iter={total_iter}")
        if killed < kills:
            # After up to six more iterations: machines differ in speed.
            goal = iterations(folder) + rng.randint(0, 6)

            def has_come_far(process=process, goal=goal):
                return iterations(folder) >= goal or process.exitcode is not None

            wait_until(has_come_far, 120)
            process.join(rng.uniform(0, 0.1))
        else:
            process.join()
        if process.exitcode is not None:
            break
        kill_and_wait(process)
        killed += 1
        _, problems = newest_state(folder)
        assert problems == [], "a state that was not whole"

    assert process.exitcode == 0
    assert killed >= kills / 2, "finished too early to show anything"
    assert [line["iter"] for line in reported(folder)] == list(range(1, total_iter + 1))
    assert reported(folder) == reported(straight)
    assert_states_equal(state_of(folder, total_iter), state_of(straight, total_iter))
    for file in ("models/net_g_latest.pdparams", "models/net_d_latest.pdparams"):
        assert (folder / file).read_bytes() == (straight / file).read_bytes()
    assert temporaries(folder) == []
    return killed


def test_a_run_killed_at_any_moment_loses_nothing(tmp_path, options):
    check_kills(tmp_path, options, workers=1, kills=2, total_iter=14)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_fifty_times_loses_nothing(tmp_path, options, workers):
    print(check_kills(tmp_path, options, workers, kills=50, total_iter=400), "kills")
