"""make_lq_data.py with several processes writes what one process writes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from ray_cluster import ray_cluster

from realesrgan_paddle.commands import make_lq_data
from realesrgan_paddle.data.sets.made_folders import LQ_FILE
from realesrgan_paddle.utils.images import write_image

PATIENCE = 120.0


def words(folder: Path, output: str, *more: str) -> list[str]:
    options = ["--yml_path", "generate_lq_data", "--input", f"{folder}/in"]
    pairs = ["--meta_info", f"{folder}/{output}.txt"]
    return [*options, "--save_dir", f"{folder}/{output}", *pairs, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """All results; nothing else is left there but the manifest."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert found.pop(LQ_FILE)
    found.pop("degraded.jsonl", None)
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """10 pictures, one of them in a sub-folder, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)
    (folder / "in/clip").mkdir(parents=True)
    for i in range(10):
        name = f"clip/{i}.png" if i == 9 else f"{i}.png"
        picture = rng.integers(0, 255, (96 + i, 128, 3), np.uint8)
        write_image(folder / "in" / name, picture)
    assert make_lq_data.main(words(folder, "one")) == 0
    return folder


def test_processes_give_what_one_gives_and_go_on(work: Path, capsys):
    expected = contents(work / "one")
    assert len(expected) == 10
    assert make_lq_data.main(words(work, "two", "--processes", "2")) == 0
    assert contents(work / "two") == expected
    assert (work / "two.txt").read_text() == (work / "one.txt").read_text()

    (work / "two/3.png").write_bytes(b"damaged")
    (work / "two/clip/9.png").unlink()
    capsys.readouterr()
    flags = words(work, "two", "--processes", "1")
    assert make_lq_data.main(flags) == 0
    assert "10 low-quality images, 8 of them existed" in capsys.readouterr().out
    assert contents(work / "two") == expected

    assert make_lq_data.main([*flags, "--seed", "7", "--overwrite"]) == 0
    assert all(contents(work / "two")[name] != expected[name] for name in expected)


def test_what_was_there_before_is_kept_and_bad_images_are_named(tmp_path: Path, capsys):
    for name in "abc":
        write_image(tmp_path / f"in/{name}.png", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    (tmp_path / "in/d.png").write_bytes(b"nor this")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"mine")

    assert make_lq_data.main(words(tmp_path, "out", "--processes", "1")) == 1
    found = contents(tmp_path / "out")
    assert found.keys() == {"a.png", "c.png"}
    assert found["a.png"] == b"mine"
    assert (tmp_path / "out.txt").read_text() == "a.png, a.png\nc.png, c.png\n"
    first, second = capsys.readouterr().err.splitlines()
    assert "b.png: not a readable image" in first
    assert "d.png: not a readable image" in second


def test_only_what_is_written_is_shared(capsys):
    flags = ["--yml_path", "generate_lq_data", "--preview", "sheet.png"]
    with pytest.raises(SystemExit, match="2"):
        make_lq_data.main([*flags, "--processes", "2"])
    assert "--processes and --cluster share" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="Ray's clusters run on Linux")
def test_a_cluster_gives_what_one_gives(work: Path):
    with ray_cluster(cores=2) as cluster:
        flags = words(work, "cluster", "--cluster", cluster.address)
        command = [sys.executable, "make_lq_data.py", *flags]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
        )
    assert done.returncode == 0, done.stderr
    assert contents(work / "cluster") == contents(work / "one")
