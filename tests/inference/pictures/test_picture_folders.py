"""Folders of pictures: names, order, what fails, resuming, overlap, reports, and ends."""

import json
import os
import signal
import sys
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
from realesrgan_paddle.inference.pictures.reading import read_picture
from realesrgan_paddle.inference.pictures.record import Record, check_report, reported
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
    shape = (6, width, channels) if channels > 1 else (6, width)
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    write_image(path, image)
    return image


def upscale(folder, output, run=nearest, *, recursive=False, report=None, **settings):
    inputs = find_inputs(folder, recursive=recursive, without=output)
    lines, records = [], [Record(path) for path in inputs]
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


NAMES = [
    ("a.png", 3, {}, "a_out.png"),
    ("a.JPG", 3, {}, "a_out.JPG"),
    ("a.b.png", 3, {"suffix": "x4"}, "a.b_x4.png"),
    ("a.bmp", 3, {"suffix": ""}, "a.bmp"),
    ("a.png", 3, {"ext": "jpg"}, "a_out.jpg"),
    ("a.webp", 4, {}, "a_out.png"),
    ("a.png", 4, {"ext": "jpg"}, "a_out.png"),
    ("图像 1.png", 1, {}, "图像 1_out.png"),
]
"""Input, its channels, settings, and the result."""


@pytest.mark.parametrize(("given", "channels", "settings", "result"), NAMES)
def test_a_results_name_follows_input_suffix_and_ext(
    folder, tmp_path, given, channels, settings, result
):
    draw(folder / given, channels=channels)
    failures, lines = upscale(folder, tmp_path / "out", **settings)
    assert not failures
    assert files(tmp_path / "out") == [result]
    shape = (12, 8, channels) if channels > 1 else (12, 8)
    assert read_image(tmp_path / "out" / result).shape == shape
    assert lines[0].startswith("[1/1]")
    assert "4x6 ->" in lines[0]
    assert "8x12" in lines[0]


def test_one_bad_file_does_not_stop_the_others(folder, tmp_path):
    draw(folder / "a.png")
    (folder / "b.png").write_text("<html>404</html>")
    (folder / "c.png").touch()
    (folder / "d.png").mkdir()
    (folder / "notes.txt").write_text("no image")
    draw(folder / "e.png")
    failures, lines = upscale(folder, tmp_path / "out")
    assert [path.name for path in failures] == ["b.png", "c.png"]
    assert "not a readable image" in failures[folder / "b.png"]
    assert lines[2].count("b.png") == 1
    assert files(tmp_path / "out") == ["a_out.png", "e_out.png"]


def test_results_of_an_earlier_run_are_replaced(folder, tmp_path):
    draw(folder / "a.png")
    (tmp_path / "a_out.png").write_text("old")
    assert not upscale(folder, tmp_path)[0]
    assert read_image(tmp_path / "a_out.png").shape == (12, 8, 3)


def test_an_input_is_never_overwritten(folder):
    before = draw(folder / "a.png")
    draw(folder / "a_out.png")
    failures, _ = upscale(folder, folder)
    assert list(failures) == [folder / "a.png"]
    assert "overwrite the input" in failures[folder / "a.png"]
    assert len(upscale(folder, folder, suffix="")[0]) == 3
    assert (read_image(folder / "a.png") == before).all()


def test_an_image_that_the_network_fails_on_is_named(folder, tmp_path):
    draw(folder / "a.png")
    write_image(folder / "b.png", np.full((3, 3, 3), 255, np.uint8))

    def diverging(images):
        return np.where(images.min() == 1, np.float32(np.nan), nearest(images))

    failures, lines = upscale(folder, tmp_path / "out", diverging)
    assert list(failures) == [folder / "b.png"]
    assert "b.png: failed: the network's output holds NaN" in lines[1]
    assert files(tmp_path / "out") == ["a_out.png"]


def test_an_output_that_is_no_folder_is_refused_before_any_work(folder, tmp_path):
    draw(folder / "a.png")
    (tmp_path / "out").write_text("a file where the folder should be")
    for output in (tmp_path / "out", tmp_path / "out/more"):
        with pytest.raises(UserError, match=r"out: not a folder"):
            upscale(folder, output)


def test_the_input_may_be_one_file(folder, tmp_path):
    draw(folder / "a.png")
    (folder / "scan").write_bytes((folder / "a.png").read_bytes())
    assert not upscale(folder / "scan", tmp_path / "out")[0]
    assert files(tmp_path / "out") == ["scan_out.png"]


def test_images_come_by_size_the_largest_first_and_equal_ones_by_name(folder, tmp_path):
    """A graph prepares itself for the largest image so far: once, not for each image."""
    for name, width in {"a": 4, "b": 9, "d": 12, "e": 4}.items():
        draw(folder / f"{name}.png", width)
    for name in ("f", "c"):
        (folder / f"{name}.png").write_bytes(b"no picture")

    widths = []

    def run(images):
        widths.append(images.shape[3])
        return nearest(images)

    failures, lines = upscale(folder, tmp_path / "out", run)
    assert widths == [12, 10, 4, 4]
    assert [path.name for path in failures] == ["c.png", "f.png"]
    for number, (name, line) in enumerate(zip("dbaecf", lines, strict=True), 1):
        assert line.startswith(f"[{number}/6] {folder / name}.png")


def test_missing_inputs_are_named(folder):
    with pytest.raises(UserError, match="no images in this folder"):
        find_inputs(folder)
    draw(folder / "sub" / "a.png")
    with pytest.raises(UserError, match=r"in this folder .*; there are some in .*sub$"):
        find_inputs(folder)
    with pytest.raises(UserError, match=r"nowhere: no such file"):
        find_inputs(folder / "nowhere")


def test_an_image_that_its_format_cannot_hold_is_refused(tmp_path):
    for shape, dtype in (((6, 4, 3), np.uint16), ((6, 4, 4), np.uint8)):
        with pytest.raises(UserError, match="cannot write"):
            write_image(tmp_path / "a.jpg", np.zeros(shape, dtype))
    assert not list(tmp_path.iterdir())


def test_pictures_beyond_max_pixels_are_refused_by_their_header(
    folder, tmp_path, monkeypatch
):
    draw(folder / "large.png", 50)
    draw(folder / "small.png", 49)
    read = []
    monkeypatch.setattr(
        module,
        "read_picture",
        lambda path, **flags: (read.append(path.name), read_picture(path, **flags))[1],
    )
    failures, lines = upscale(folder, tmp_path / "out", max_pixels=299)
    assert read == ["small.png"]
    assert failures == {
        folder / "large.png": "50x6 are 300 pixels, more than --max_pixels 299; cut "
        "it into smaller images, or allow more"
    }
    assert len(lines) == 2
    assert upscale(folder, tmp_path / "out", max_pixels=300)[0] == {}


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

    failures, _ = upscale(folder, tmp_path / "out", again, skip_existing=True)
    assert not failures
    assert (first.count, again.count) == (6, 1)  # alpha goes through it too
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


def test_two_pictures_with_one_result_fail_one_of_them_also_when_resumed(
    folder, tmp_path
):
    draw(folder / "a.jpg")
    draw(folder / "a.bmp")
    for skip in (False, True):
        failures, _ = upscale(folder, tmp_path / "out", ext="png", skip_existing=skip)
        assert [path.name for path in failures] == ["a.jpg"]
        assert "that of" in failures[folder / "a.jpg"]
        assert "a.bmp; rename the second" in failures[folder / "a.jpg"]
    assert files(tmp_path / "out") == ["a_out.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="disks that do not tell case")
def test_names_that_differ_in_their_case_are_two_on_linux(folder, tmp_path):
    for name in ("A.png", "a.png", "straße.png", "strasse.png"):
        draw(folder / name)
    assert not upscale(folder, tmp_path / "out")[0]
    assert len(files(tmp_path / "out")) == 4


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
        if result.image.shape[1] == 18:
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
        "not reached",
        "not reached",
        "failed",
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
        "size": [6, 6],
        "output_size": [12, 12],
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
    assert read_image(output / "9_out.png").shape == (12, 18, 3)

    told = json.loads(report.read_text())
    assert told["complete"] is False
    assert [file["status"] for file in told["files"]] == [
        "not reached",
        "not reached",
        "done",
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
