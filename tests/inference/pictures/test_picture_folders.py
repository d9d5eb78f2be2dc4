"""Folders of pictures: order, folders within, resuming, overlap, reports, and ends."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from forkserver import FORKSERVER
from killed import run_until_killed
from odd_images import place

from realesrgan_paddle.inference.pictures import upscale_files as module
from realesrgan_paddle.inference.pictures import writing
from realesrgan_paddle.inference.pictures.files import find_inputs
from realesrgan_paddle.inference.pictures.record import check_report, reported
from realesrgan_paddle.inference.pictures.upscale_files import (
    PictureSettings,
    upscale_files,
)
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.cli import run
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import is_leftover
from realesrgan_paddle.utils.images import read_image, write_image


def nearest(images):
    return images.repeat(2, axis=2).repeat(2, axis=3)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "inputs"
    path.mkdir()
    return path


def draw(path, width=4, channels=3, dtype=np.uint8):
    shape = (3, width, channels) if channels > 1 else (3, width)
    write_image(path, np.full(shape, 90, dtype))


def upscale(folder, output, run=nearest, *, recursive=False, report=None, **settings):
    inputs = find_inputs(folder, recursive=recursive, without=output)
    lines, records = [], []
    with reported(report, records, "net"):
        failures = upscale_files(
            Upscaler(run, 2),
            inputs,
            output,
            PictureSettings(**settings),
            root=folder if recursive else None,
            records=records,
            report=lines.append,
        )
    return failures, lines


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


class Counted:
    """Counts how many pictures the network gets."""

    def __init__(self):
        self.count = 0

    def __call__(self, images):
        self.count += 1
        return nearest(images)


def test_folders_within_are_repeated_under_the_output(folder, tmp_path):
    for name in ("a.png", "b/a.png", "b/c/a.jpg", ".thumbs/a.png", "b/.hidden.png"):
        draw(folder / name)
    failures, _ = upscale(folder, tmp_path / "out", recursive=True)
    assert not failures
    assert files(tmp_path / "out") == ["a_out.png", "b/a_out.png", "b/c/a_out.jpg"]

    upscale(folder, tmp_path / "flat")
    assert files(tmp_path / "flat") == ["a_out.png"]


def test_results_within_the_input_are_not_upscaled_again(folder):
    draw(folder / "b/a.png")
    for _ in range(2):
        assert not upscale(folder, folder / "results", recursive=True)[0]
    assert files(folder) == ["b/a.png", "results/b/a_out.png"]


def test_pictures_whose_results_are_there_are_left_out(folder, tmp_path):
    for name in ("a.png", "b.webp", "c.jpg", "d.gif.png"):
        draw(folder / name)
    draw(folder / "clear.webp", channels=4)
    first, again = Counted(), Counted()
    upscale(folder, tmp_path / "out", first)
    (tmp_path / "out/c_out.jpg").write_bytes(b"")
    before = (tmp_path / "out/a_out.png").stat()

    failures, lines = upscale(folder, tmp_path / "out", again, skip_existing=True)
    assert not failures
    assert (first.count, again.count) == (5, 1)
    assert lines[-1] == "4 results were there before, and are left as they are"
    assert (tmp_path / "out/a_out.png").stat() == before
    assert len(files(tmp_path / "out")) == 5


def test_another_pictures_result_is_not_taken_for_ones_own(folder, tmp_path):
    """a.webp could have become a_out.png: but here that is the result of a.png."""
    draw(folder / "a.png")
    draw(folder / "a.webp")
    upscale(folder, tmp_path / "out")
    (tmp_path / "out/a_out.webp").unlink()
    assert not upscale(folder, tmp_path / "out", skip_existing=True)[0]
    assert files(tmp_path / "out") == ["a_out.png", "a_out.webp"]


def test_two_pictures_with_one_result_still_fail_when_resumed(folder, tmp_path):
    draw(folder / "a.bmp")
    draw(folder / "a.jpg")
    for skip in (False, True):
        failures, _ = upscale(folder, tmp_path / "out", ext="png", skip_existing=skip)
        assert [path.name for path in failures] == ["a.jpg"]


def test_one_is_read_and_one_written_while_one_is_computed(
    folder, tmp_path, monkeypatch
):
    """Each step waits for the steps of its neighbors to begin: alone it would not end."""
    for width in (9, 8, 7):
        draw(folder / f"{width}.png", width)
    begun = {(step, w): threading.Event() for step in ("read", "write") for w in (9, 7)}

    def read(path, **options):
        if path.stem == "7":
            begun["read", 7].set()
        return real_read(path, **options)

    def write(result):
        if result.frames[0].shape[1] == 18:
            begun["write", 9].set()
        return real_write(result)

    def compute(images):
        if images.shape[3] == 8:
            assert begun["read", 7].wait(10)
            assert begun["write", 9].wait(10)
        return nearest(images)

    real_read, real_write = module.read_picture, module.write_result
    monkeypatch.setattr(module, "read_picture", read)
    monkeypatch.setattr(module, "write_result", write)
    failures, lines = upscale(folder, tmp_path / "out", compute)
    assert not failures
    assert [line[:5] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]


@pytest.mark.parametrize("step", ["read_picture", "write_result"])
def test_lack_of_memory_for_one_picture_does_not_stop_the_others(
    folder, tmp_path, monkeypatch, step
):
    for width in (9, 8, 7):
        draw(folder / f"{width}.png", width)
    real = getattr(module, step)

    def fail_on_8(subject, **options):
        if "8.png" in str(subject) or "8_out" in str(getattr(subject, "target", "")):
            raise MemoryError
        return real(subject, **options)

    monkeypatch.setattr(module, step, fail_on_8)
    failures, _ = upscale(folder, tmp_path / "out")
    assert failures == {folder / "8.png": "out of memory"}
    assert files(tmp_path / "out") == ["7_out.png", "9_out.png"]


def test_a_full_disk_ends_the_run_and_is_reported(folder, tmp_path, monkeypatch):
    for width in (9, 8, 7):
        draw(folder / f"{width}.png", width)

    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(writing, "write_file", full)
    report = tmp_path / "report.json"
    with pytest.raises(OSError, match="No space left"):
        upscale(folder, tmp_path / "out", report=report)
    told = json.loads(report.read_text())
    assert told["complete"] is False
    assert [file["status"] for file in told["files"]] == [
        "failed",
        "not reached",
        "not reached",
    ]


def test_the_report_says_what_became_of_each_picture(folder, tmp_path):
    draw(folder / "a.png", 6)
    draw(folder / "b.png", 5, dtype=np.uint16)
    draw(folder / "c.png", 4)
    place(folder, "d.png", b"no picture")
    place(folder, "bytes \udcff.png", b"no picture")
    draw(tmp_path / "out/c_out.jpg", 8)
    report = tmp_path / "reports/report.json"
    failures, _ = upscale(
        folder,
        tmp_path / "out",
        ext="jpg",
        skip_existing=True,
        report=report,
    )
    assert len(failures) == 2
    told = json.loads(report.read_text())
    assert told["version"] == 1
    assert told["model"] == "net"
    assert told["complete"] is True

    totals = told["totals"]
    assert totals.pop("seconds") > 0
    steps = [totals.pop(step) for step in ("decode", "compute", "encode")]
    assert min(steps) > 0
    assert totals == {
        "files": 5,
        "done": 2,
        "failed": 2,
        "skipped": 1,
        "not_reached": 0,
    }

    by_name = {Path(file["input"]).name: file for file in told["files"]}
    a = by_name["a.png"]
    assert a["seconds"].keys() == {"decode", "compute", "encode"}
    assert a.pop("seconds")["encode"] > 0
    assert a == {
        "input": str(folder / "a.png"),
        "output": str(tmp_path / "out/a_out.jpg"),
        "status": "done",
        "error": None,
        "remarks": [],
        "size": [6, 3],
        "output_size": [12, 6],
        "frames": 1,
    }
    assert by_name["b.png"]["remarks"] == [".jpg holds 8 bits"]
    assert by_name["c.png"]["status"] == "skipped"
    assert by_name["c.png"]["output"] == str(tmp_path / "out/c_out.jpg")
    for name in ("d.png", "bytes \udcff.png"):
        assert by_name[name]["status"] == "failed"
        assert by_name[name]["error"].startswith("not a readable image")
        assert by_name[name]["output"] is None


def test_a_report_never_replaces_an_input(folder, tmp_path):
    draw(folder / "a.png")
    with pytest.raises(UserError, match=r"a\.png: an input; choose another"):
        check_report(folder / "a.png", [folder / "a.png"])
    with pytest.raises(UserError, match="is a folder"):
        check_report(folder, [folder / "a.png"])


def interrupted(folder, output, report, number):
    """Upscale in a process of its own, which gets a signal on the second picture."""

    def signal_on_second(images):
        if images.shape[3] == 8:
            os.kill(os.getpid(), number)
            time.sleep(10)
        return nearest(images)

    def main():
        upscale(folder, output, signal_on_second, report=report)
        return 0

    run(main)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_leaves_whole_files_and_a_report(folder, tmp_path, number, code):
    for width in (9, 8, 7):
        draw(folder / f"{width}.png", width)
    output, report = tmp_path / "out", tmp_path / "report.json"
    process = FORKSERVER.Process(
        target=interrupted, args=(folder, output, report, number)
    )
    process.start()
    process.join(60)
    assert process.exitcode == code
    assert files(output) == ["9_out.png"]
    assert read_image(output / "9_out.png").shape == (6, 18, 3)

    told = json.loads(report.read_text())
    assert told["complete"] is False
    assert [file["status"] for file in told["files"]] == [
        "done",
        "not reached",
        "not reached",
    ]


def upscale_words(words):
    folder, output, skip = words
    upscale(Path(folder), output, skip_existing=bool(skip))
    return 0


def test_a_killed_run_is_resumed_where_it_was(folder, tmp_path):
    for width in (9, 8, 7):
        draw(folder / f"{width}.png", width)
    output = tmp_path / "out"
    run_until_killed(upscale_words, [str(folder), str(output), ""], "_out.png", 2)
    whole = [path.name for path in output.iterdir() if not is_leftover(path)]
    assert whole == ["9_out.png"]

    again = Counted()
    failures, _ = upscale(folder, output, again, skip_existing=True)
    assert not failures
    assert again.count == 2
    assert files(output) == ["7_out.png", "8_out.png", "9_out.png"]
