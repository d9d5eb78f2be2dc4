"""Files are looked at before a run begins, all problems at once; those that go bad later are passed over by name."""

import struct
import zlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from odd_images import colours, encode, place
from PIL import Image
from sample_runs import assert_states_equal, picture, run, write_yml

from realesrgan_paddle.batches import TrainingBatches
from realesrgan_paddle.data.preflight import look_at
from realesrgan_paddle.options.load import load_config
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, write_image

pytestmark = pytest.mark.paddle


def bomb(width: int, height: int) -> bytes:
    """A PNG of one pixel that declares others."""
    data = encode(Image.new("L", (1, 1)), "PNG")
    head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


HOSTILE = {
    "empty.png": (b"", "empty"),
    "cut.png": (encode(Image.fromarray(picture(40, 40, 0)), "PNG")[:-30], "cut short"),
    "cut.jpg": (encode(Image.fromarray(picture(40, 40, 0)), "JPEG")[:-30], "cut short"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git-LFS pointer"),
    "page.jpg": (b"<!DOCTYPE html><html></html>", "HTML page"),
    "text.bmp": (b"words", "not a readable image"),
    "bomb.png": (bomb(60_000, 60_000), "declares more than"),
    "only_a_mark.jpg": (b"\xff\xd8\xff\xd9", "not a readable image"),
    "zeros.webp": (bytes(5000), "not a readable image"),
    "float.tif": (encode(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"), "samples are float32"),
}
GOOD = {
    "dot.png": encode(Image.new("RGB", (1, 1)), "PNG"),
    "line.png": encode(Image.new("L", (100_000, 1)), "PNG"),
    "jpeg.png": encode(Image.fromarray(colours()), "JPEG"),
}


def hostile_folder(folder: Path) -> Path:
    """Fill a folder with what should not be among training images, and with some that may be."""
    for name, (data, _) in HOSTILE.items():
        place(folder, name, data)
    for name, data in GOOD.items():
        place(folder, name, data)
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    return folder


def test_each_hostile_file_has_its_reason_and_odd_ones_their_size(tmp_path):
    looked = look_at(list_images(hostile_folder(tmp_path)))
    assert len(looked.problems) == len(HOSTILE)
    for name, (_, reason) in HOSTILE.items():
        (line,) = [line for line in looked.problems if line.startswith(f"{tmp_path / name}: ")]
        assert reason in line
    assert looked.sizes[tmp_path / "line.png"] == (100_000, 1)
    assert {path.name for path in looked.sizes} == set(GOOD), "folders and broken links are no images"


def test_training_lists_all_problems_and_writes_nothing(tmp_path, options, capsys):
    hostile_folder(tmp_path / "hr")
    with pytest.raises(UserError, match=rf"^{len(HOSTILE)} problems with {len(HOSTILE) + len(GOOD) + 3} image files"):
        run(tmp_path, options)
    lines = capsys.readouterr().err.splitlines()
    assert all(any(str(tmp_path / "hr" / name) in line for line in lines) for name in HOSTILE)
    assert not (tmp_path / "runs").exists()


def test_twenty_problems_are_shown_and_a_file_lists_all(tmp_path, options, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for number in range(30):
        place(tmp_path / "hr", f"bad{number:02d}.png", b"")
    with pytest.raises(UserError, match="10 more are listed in ") as error:
        run(tmp_path, options)
    assert capsys.readouterr().err.count("bad") == 20
    file = Path(str(error.value).partition("listed in ")[2].partition(";")[0])
    assert file.read_text().count("bad") == 30


def test_all_pairs_that_do_not_fit_are_listed_for_training_and_validation(tmp_path, options, capsys):
    sizes = {"small": (16, 4), "wrong": (64, 15), "good": (64, 16), "turned": (64, 16)}
    for name, (gt, lq) in sizes.items():
        write_image(tmp_path / "gt" / f"{name}.png", picture(gt, gt, 0))
        write_image(tmp_path / "lq" / f"{name}.png", picture(lq, lq, 0))
    write_image(tmp_path / "gt" / "turned.png", picture(64, 80, 0))
    folders = {"dataroot_gt": str(tmp_path / "gt"), "dataroot_lq": str(tmp_path / "lq")}
    options["datasets"]["train"] |= folders | {"type": "RealESRGANPairedDataset"}
    options["datasets"]["val"] = folders | {"type": "PairedImageDataset"}
    options["high_order_degradation"] = False
    with pytest.raises(UserError, match="5 problems with 8 image files"):
        run(tmp_path, options)
    report = capsys.readouterr().err
    assert report.count("small.png: 16x16 is smaller than gt_size 32\n") == 1, "validation takes small ones"
    assert report.count("wrong.png is 15x15: not 4 times as large") == 2
    assert report.count("turned.png is 80x64 but ") == 2


def test_images_smaller_than_the_crop_are_only_counted(tmp_path, options):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        sources = TrainingBatches(load_config(write_yml(tmp_path, options)), 0).sources
    assert "3 image files looked at; 1 are smaller than the crop of 52" in sources


def spoil(monkeypatch, path: Path, after: int):
    """Let an image go bad once training batches have been asked for `after` times."""
    given = TrainingBatches.__next__

    def _next(batches):
        if batches.number == after:
            path.write_bytes(path.read_bytes()[:40])
        return given(batches)

    monkeypatch.setattr(TrainingBatches, "__next__", _next)


def test_an_image_that_goes_bad_is_passed_over_by_name(tmp_path, options, monkeypatch):
    path = tmp_path / "hr" / "1.png"
    spoil(monkeypatch, path, after=2)
    folder = run(tmp_path, options)
    log = (folder / "train.log").read_text()
    assert log.count(f"passed over, 1 of at most 10: {path}: not a readable image (cut short)") == 1


def test_the_stand_in_is_the_same_for_any_number_of_workers_and_after_a_resume(tmp_path, options):
    path = tmp_path / "hr" / "1.png"
    cfg = load_config(write_yml(tmp_path, options))
    runs = [TrainingBatches(cfg, 0)]
    runs.append(TrainingBatches(load_config(write_yml(tmp_path, options), ["datasets.train.num_worker_per_gpu=2"]), 0))
    path.write_bytes(path.read_bytes()[:40])
    runs.append(TrainingBatches(cfg, 2))  # a resumed run does not refuse what the first one passed over
    streams = []
    for batches in runs:
        stream = [sample[0] for sample in islice(batches.samples[False], 6 - batches.number)]
        assert len(batches.bad.seen) == 1
        batches.close()
        streams.append(np.stack(stream))
    assert np.array_equal(streams[0], streams[1])
    assert np.array_equal(streams[0][2:], streams[2])


def test_too_many_bad_images_end_the_run_by_name(tmp_path, options, monkeypatch):
    spoil(monkeypatch, tmp_path / "hr" / "1.png", after=1)
    with pytest.raises(UserError, match=r"1\.png: not a readable image \(cut short\)$"):
        run(tmp_path, options, "datasets.train.max_bad_images=0")


def test_more_bad_images_than_allowed_are_an_error_that_names_the_option(tmp_path, options):
    batches = TrainingBatches(load_config(write_yml(tmp_path, options), ["datasets.train.max_bad_images=1"]), 0)
    for name in ("0.png", "1.png", "2.png"):
        (tmp_path / "hr" / name).unlink()
    with pytest.raises(UserError, match=r"\.png: No such file.*; more than datasets\.train\.max_bad_images: 1 images"):
        next(batches)


def test_resuming_past_a_bad_image_equals_not_stopping(tmp_path, options, monkeypatch):
    path = tmp_path / "hr" / "1.png"
    whole = path.read_bytes()
    spoil(monkeypatch, path, after=1)
    options["logger"]["save_checkpoint_freq"] = 2
    straight = run(tmp_path, options)
    path.write_bytes(whole)
    options["name"] = "stopped"
    run(tmp_path, options, "train.total_iter=4")
    resumed = run(tmp_path, options, "auto_resume=true")
    assert_states_equal(straight / "training_states/6.state", resumed / "training_states/6.state")
