"""Locks between processes, with the system's locks and without."""

import errno
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from filelock import SoftFileLock, Timeout

from realesrgan_paddle.utils import locks
from realesrgan_paddle.utils.download import _without_links
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.runlog.experiment import Experiment

fcntl = pytest.importorskip("fcntl")


@pytest.fixture(params=[None, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS])
def flock(request, monkeypatch):
    """The system's locks, then file systems without."""

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    if request.param is not None:
        monkeypatch.setattr(fcntl, "flock", refuse)
    return request.param


def hold_and_die(path) -> None:
    lock = SoftFileLock(path)  # a lock that nothing names is released
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_lock_is_held_until_the_end_of_the_block(tmp_path, flock):
    path = tmp_path / ".x.lock"
    with locked(path), pytest.raises(Timeout), locked(path, wait=False):
        pass
    with locked(path, wait=False):
        pass


def test_another_kind_of_lock_is_named_in_one_line(tmp_path, flock, caplog):
    with locked(tmp_path / ".x.lock"):
        pass
    messages = [record.getMessage() for record in caplog.records]
    if flock is None:
        assert not messages
        return
    (message,) = messages
    assert message.startswith(f"{tmp_path / '.x.lock'}: its file system has no locks (")
    assert os.strerror(flock) in message


def test_a_running_training_keeps_its_name(tmp_path, flock):
    (tmp_path / "run").mkdir()
    run = Experiment(tmp_path / "run")
    said = "a training of this name is"
    with run.reserved(), pytest.raises(UserError, match=said), run.reserved():
        pass
    with run.reserved():
        pass


@pytest.mark.parametrize("flock", [errno.EOPNOTSUPP], indirect=True)
def test_a_killed_process_holds_nobody_up(tmp_path, flock):
    path = tmp_path / ".x.lock"
    killed = multiprocessing.Process(target=hold_and_die, args=[f"{path}.held"])
    killed.start()
    killed.join()
    assert (tmp_path / ".x.lock.held").exists()
    start = time.monotonic()
    with locked(path):
        assert time.monotonic() - start < 5


def test_who_waits_long_says_for_what(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    other = locks.FileLock(tmp_path / ".x.lock")
    other.acquire()
    monkeypatch.setattr(locks.logger, "warning", lambda *_: other.release())
    with locked(tmp_path / ".x.lock"):
        assert not other.is_locked


AS_NOBODY = """
import os, sys
from pathlib import Path
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.locks import locked

folder, sha256 = Path(sys.argv[1]), sys.argv[2]
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
assert download("http://127.0.0.1:9/whole", folder / "whole", sha256, 1).is_file()
with locked(folder / "common/.lock", wait=False):
    print("held")
"""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be two")
def test_two_users_share_a_folder(tmp_path):
    """One has whole files in it, and has locked what the other locks next."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == 0 and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "whole").write_bytes(b"x")
    common = tmp_path / "common"
    common.mkdir()
    common.chmod(0o777)
    with locked(common / ".lock"):
        pass

    words = [str(tmp_path), hashlib.sha256(b"x").hexdigest()]
    command = [sys.executable, "-c", AS_NOBODY, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("held\n", "")


def test_a_planted_link_is_not_followed(tmp_path):
    """Neither by a lock nor by a download: another user may have put it there."""
    own = tmp_path / "own"
    own.write_text("kept")
    (tmp_path / ".lock").symlink_to(own)
    with pytest.raises(OSError, match="symbolic"), locked(tmp_path / ".lock"):
        pass
    (tmp_path / "new.part").symlink_to(tmp_path / "missing")
    opened = tmp_path / "new.part"
    with pytest.raises(OSError, match="symbolic"):
        open(opened, "wb", opener=_without_links)  # noqa: SIM115
    assert own.read_text() == "kept"
    assert own.stat().st_mode & 0o777 != locks.ANYBODYS
    assert not (tmp_path / "missing").exists()
