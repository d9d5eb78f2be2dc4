"""State files: damage, full disks, and the leftovers of killed processes."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.utils import files
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, remove_leftovers
from realesrgan_paddle.utils.runlog import training_state
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_newest_state,
    load_state,
    save_state,
)
from realesrgan_paddle.utils.weights.writer import save_safetensors, write_pdparams


def state(iteration: int, size: int = 40) -> TrainingState:
    parts = {
        "generator": {
            "a": np.arange(size, dtype=np.float32) + iteration,
            "b": np.ones((2, 3), np.int64),
        }
    }
    return TrainingState(iteration, parts, {"run": {"saved": [iteration]}})


def accept(_: TrainingState) -> None:
    """Find every state sound."""


def assert_same(found: TrainingState, expected: TrainingState) -> None:
    assert (found.iteration, found.record) == (expected.iteration, expected.record)
    for name, array in expected.parts["generator"].items():
        np.testing.assert_array_equal(found.parts["generator"][name], array)


def test_a_flipped_bit_anywhere_is_detected(tmp_path):
    file = tmp_path / "7.state"
    save_state(file, state(7))
    whole = file.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            # Spaces that pad the header do not matter.
            assert_same(load_state(file), state(7))
        except UserError as error:
            assert str(error).startswith(f"{file}: ")
            refused += 1
    assert refused > 0.95 * len(whole)


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-1], lambda b: b[:100], lambda b: b"", lambda b: b"<html>" + b],
)
def test_the_newest_undamaged_state_is_loaded_and_newer_ones_are_reported(
    tmp_path, damage
):
    for iteration in (2, 10, 9):
        save_state(tmp_path / f"{iteration}.state", state(iteration))
    newest = tmp_path / "10.state"
    newest.write_bytes(damage(newest.read_bytes()))
    found, problems = load_newest_state(tmp_path, accept)
    assert_same(found, state(9))
    assert len(problems) == 1
    assert problems[0].startswith(f"{newest}: ")


def test_only_damaged_states_are_an_error_but_no_states_are_none(tmp_path):
    assert load_newest_state(tmp_path / "missing", accept) == (None, [])
    for iteration in (1, 2):
        (tmp_path / f"{iteration}.state").write_bytes(b"no state")
    with pytest.raises(UserError, match=r"2\.state: .* \(and 1 older\); restore one"):
        load_newest_state(tmp_path, accept)


WRONG_RECORDS = [
    "[]",
    "null",
    "",
    "{",
    "[" * 100_000,
    "{}",
    '{"iteration": -3}',
    '{"iteration": 0}',
    '{"iteration": true}',
    '{"iteration": "10"}',
    '{"iteration": 10.0}',
    '{"iteration": null}',
    '{"iteration": 9}',
    '{"iteration": [%s]}' % ("1, " * 5000 + "1"),
    '{"iteration": %s}' % ("[" * 400 + "]" * 400),
    '{"iteration": 1%s}' % ("0" * 5000),
]


def test_a_wrong_record_with_a_right_checksum_is_one_line_and_passed_over(
    tmp_path, monkeypatch
):
    for record in WRONG_RECORDS:
        save_state(tmp_path / "9.state", state(9))
        with monkeypatch.context() as patch:
            patch.setattr(training_state.json, "dumps", lambda _, record=record: record)
            save_state(tmp_path / "10.state", state(10))
        found, (problem,) = load_newest_state(tmp_path, accept)
        assert_same(found, state(9))
        assert problem.startswith(f"{tmp_path / '10.state'}: its record "), record[:40]
        assert len(problem) < len(str(tmp_path)) + 150, record[:40]


def test_a_state_without_a_record_is_one_line(tmp_path):
    tensors = {"generator/a": np.ones(3, np.float32)}
    checksum = training_state._sha256("", tensors)
    metadata = {"format": training_state.FORMAT, "sha256": checksum}
    save_safetensors(tmp_path / "1.state", tensors, metadata)
    with pytest.raises(
        UserError, match=r"1\.state: its record is '', not a json object"
    ):
        load_state(tmp_path / "1.state")


def test_a_state_that_is_not_sound_is_passed_over(tmp_path):
    def refuse(found: TrainingState) -> None:
        if found.iteration > 2:
            raise UserError(f"{found.path}: not sound")

    for iteration in (2, 9, 10):
        save_state(tmp_path / f"{iteration}.state", state(iteration))
    found, problems = load_newest_state(tmp_path, refuse)
    assert_same(found, state(2))
    assert problems == [f"{tmp_path}/{i}.state: not sound" for i in (10, 9)]


def test_files_that_no_run_writes_are_no_states(tmp_path):
    save_state(tmp_path / "9.state", state(9))
    (tmp_path / "\N{SUPERSCRIPT TWO}0.state").write_bytes(b"isdigit() is true of it")
    (tmp_path / "best.state").write_bytes(b"")
    assert load_newest_state(tmp_path, accept)[1] == []


@pytest.fixture
def full_disk():
    """A file system of 256 KiB."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", name]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root may mount a small file system")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


def test_a_full_disk_leaves_the_old_files_and_nothing_else(full_disk):
    save_state(full_disk / "1.state", state(1))
    write_pdparams(full_disk / "a.pdparams", {"params": {"w": np.ones(3)}})
    before = (full_disk / "a.pdparams").read_bytes()
    with pytest.raises(OSError, match="No space left on device") as error:
        save_state(full_disk / "1.state", state(2, 10**6))
    assert error.value.filename == str(full_disk / "1.state")
    with pytest.raises(OSError, match="No space left on device") as error:
        write_pdparams(full_disk / "a.pdparams", {"params": {"w": np.ones(10**6)}})
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(full_disk / "a.pdparams")
    assert_same(load_state(full_disk / "1.state"), state(1))
    assert (full_disk / "a.pdparams").read_bytes() == before
    assert sorted(p.name for p in full_disk.iterdir()) == ["1.state", "a.pdparams"]


def test_only_our_own_temporary_files_are_removed(tmp_path):
    unrelated = [
        ".hidden",
        ".notes.tmp",
        "a.tmp",
        ".a-12345678.tmp2",
        ".swap.swp",
        ".a-1234567.tmp.png",
    ]
    for name in unrelated:
        (tmp_path / "models" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "models" / name).touch()
    left = []
    for name in ("net_g_5.pdparams", "5.state", "x" * 90, "metrics.jsonl"):
        with atomic_path(tmp_path / "models" / name) as temporary:
            left.append(temporary)
    for path in left:
        path.touch()
    assert sorted(remove_leftovers(tmp_path)) == sorted(left)
    assert {
        p.name
        for p in (tmp_path / "models").iterdir()
        if p.name.startswith((".", "a."))
    } == set(unrelated)


def test_what_another_process_writes_is_no_leftover(tmp_path):
    """A child of this process holds one file; it is killed, and then it is one."""
    code = (
        "import sys, time\n"
        "from realesrgan_paddle.utils.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    target = tmp_path / "below/a.png"
    command = [sys.executable, "-c", code, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline()
        assert not remove_leftovers(tmp_path)
        writer.kill()
    assert not remove_leftovers(tmp_path, below=False)
    (left,) = remove_leftovers(tmp_path)
    assert left.name.startswith(".a-")


def test_threads_that_write_at_once_leave_the_umask_alone(tmp_path, monkeypatch):
    set_umask = os.umask

    def slow_umask(mask: int) -> int:
        before = set_umask(mask)
        time.sleep(0.002)
        return before

    def write(number: int) -> int:
        path = tmp_path / f"{number}.txt"
        with atomic_path(path) as temporary:
            temporary.write_text("text")
        return path.stat().st_mode & 0o777

    expected = set_umask(0o027)
    monkeypatch.setattr(files.os, "umask", slow_umask)
    try:
        with ThreadPoolExecutor(8) as threads:
            modes = set(threads.map(write, range(40)))
        left = set_umask(0o027)
    finally:
        set_umask(expected)
    assert modes == {0o640}
    assert left == 0o027
