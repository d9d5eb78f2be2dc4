"""make_lq_data.py: the training's degradation on files, repeatable file by file, never at the cost of another file."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, read_rgb, write_image

pytestmark = pytest.mark.paddle


def command(*words: object) -> int:
    spec = importlib.util.spec_from_file_location(
        "make_lq_data", ROOT / "make_lq_data.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(word) for word in words])


def picture(seed: int, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((seed + c) * 0.1 * x + 0.3 * c * y) for c in range(3)]
    return np.uint8(128 + 100 * np.stack(waves, axis=2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """HR with 3 images, one in a sub-folder, and an option file beside it."""
    (tmp_path / "HR" / "clip").mkdir(parents=True)
    write_image(tmp_path / "HR" / "a.png", picture(1, 50, 83))
    write_image(tmp_path / "HR" / "b.jpg", picture(2, 48, 80))
    write_image(tmp_path / "HR" / "clip" / "c.d.png", picture(3, 33, 64))
    (tmp_path / "lq.yml").write_text(f"scale: 4\ndataroot_gt: {tmp_path / 'HR'}\n")
    return tmp_path


def make(folder: Path, *words: object, save_dir: str = "LQ") -> int:
    return command(
        "--yml_path", folder / "lq.yml", "--save_dir", folder / save_dir, *words
    )


def written(folder: Path, save_dir: str = "LQ") -> dict[str, bytes]:
    root = folder / save_dir
    return {
        p.relative_to(root).as_posix(): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file()
    }


def test_writes_one_png_for_each_image(folder: Path, capsys: pytest.CaptureFixture):
    assert make(folder, "--meta-info", folder / "pairs.txt") == 0
    assert "3 low-quality images; 0 failed" in capsys.readouterr().out
    sizes = {name: read_image(folder / "LQ" / name).shape for name in written(folder)}
    assert sizes == {
        "a.png": (12, 20, 3),
        "b.png": (12, 20, 3),
        "clip/c.d.png": (8, 16, 3),
    }
    assert (
        folder / "pairs.txt"
    ).read_text() == "a.png, a.png\nb.jpg, b.png\nclip/c.d.png, clip/c.d.png\n"


def test_a_file_depends_on_the_seed_and_its_name_alone(folder: Path):
    make(folder)
    (folder / "HR" / "b.jpg").unlink()
    make(folder, save_dir="alone")
    make(folder, "--seed", 7, save_dir="other")
    everything, alone, other = (
        written(folder),
        written(folder, "alone"),
        written(folder, "other"),
    )
    assert alone == {name: everything[name] for name in ("a.png", "clip/c.d.png")}
    assert all(other[name] != alone[name] for name in alone)


def test_leaves_alone_what_is_there(folder: Path, capsys: pytest.CaptureFixture):
    make(folder)
    first = written(folder)
    (folder / "LQ" / "a.png").write_bytes(b"mine")
    (folder / "LQ" / "b.png").unlink()
    assert make(folder) == 0
    assert "3 low-quality images, 2 of them there before" in capsys.readouterr().out
    assert written(folder) == {**first, "a.png": b"mine"}
    make(folder, "--overwrite")
    assert written(folder) == first


def test_a_bad_image_is_named_and_the_rest_is_made(
    folder: Path, capsys: pytest.CaptureFixture
):
    (folder / "HR" / "aa.png").write_bytes(b"not an image")
    write_image(folder / "HR" / "tiny.png", picture(4, 3, 9))
    assert make(folder, "--meta_info", folder / "pairs.txt") == 1
    errors = capsys.readouterr().err
    assert "aa.png: not a readable image" in errors
    assert "tiny.png: 9x3 pixels are too few to be made 4 times smaller" in errors
    assert sorted(written(folder)) == ["a.png", "b.png", "clip/c.d.png"]
    assert len((folder / "pairs.txt").read_text().splitlines()) == 3


def test_names_that_would_clash_are_refused(folder: Path):
    write_image(folder / "HR" / "a.jpg", picture(5, 48, 80))
    with pytest.raises(
        UserError,
        match=r"a\.jpg and .*a\.png would both become|a\.png and .*a\.jpg would both become",
    ):
        make(folder)
    assert not (folder / "LQ").exists()


@pytest.mark.parametrize("save_dir", ["HR", "HR/LQ"])
def test_does_not_write_among_the_ground_truth(folder: Path, save_dir: str):
    before = written(folder, "HR")
    with pytest.raises(UserError, match="choose a folder beside it"):
        make(folder, "--overwrite", save_dir=save_dir)
    (folder / "meta.txt").write_text("a.png\n")
    with pytest.raises(UserError, match="ground truth that would be overwritten"):
        make(folder, "--overwrite", f"meta_info={folder / 'meta.txt'}", save_dir="HR")
    assert written(folder, "HR") == before


def test_meta_info_names_the_images_unless_a_folder_is_given(folder: Path):
    (folder / "meta.txt").write_text("a.png\n")
    meta_info = f"meta_info={folder / 'meta.txt'}"
    make(folder, meta_info)
    assert list(written(folder)) == ["a.png"]
    make(folder, meta_info, "--input", folder / "HR" / "clip", save_dir="clip")
    assert list(written(folder, "clip")) == ["c.d.png"]


def test_takes_the_options_of_a_training(folder: Path):
    gan, net = (
        read_lq_options(ROOT / "options" / f"train_{name}_x4plus.yml")
        for name in ("realesrgan", "realesrnet")
    )
    assert (gan.scale, gan.resize_range2, gan.blur_sigma2, gan.gt_usm) == (
        4,
        (0.3, 1.2),
        (0.2, 1.5),
        True,
    )
    assert net.gt_usm
    net_yml = (ROOT / "options" / "train_realesrnet_x4plus.yml").read_text()
    (folder / "net.yml").write_text(net_yml.replace("gt_usm: true", "gt_usm: false"))
    assert not read_lq_options(folder / "net.yml").gt_usm
    yml = ROOT / "options" / "train_realesrgan_x4plus.yml"
    words = ("--input", folder / "HR", "--save_dir", folder / "LQ2", "--seed", 0)
    assert command("--yml_path", yml, *words) == 0
    make(folder, "--seed", 0)
    assert written(folder, "LQ2") == written(folder)


def test_red_is_red_and_gray_and_16_bit_are_read(folder: Path):
    red = np.uint8(
        np.random.default_rng(0).integers(0, 80, (64, 96, 3)) + np.array([150, 20, 5])
    )
    write_image(folder / "HR" / "red.png", red)
    write_image(folder / "HR" / "gray.png", picture(6, 32, 48)[..., 0])
    write_image(folder / "HR" / "deep.png", picture(7, 32, 48).astype(np.uint16) * 257)
    write_image(folder / "HR8" / "deep.png", picture(7, 32, 48))
    assert make(folder) == 0
    mean = read_rgb(folder / "LQ" / "red.png").mean(axis=(0, 1))
    assert mean[0] > mean[1] + 0.3 and mean[0] > mean[2] + 0.3
    make(folder, "--input", folder / "HR8", save_dir="LQ8")
    assert written(folder, "LQ8")["deep.png"] == written(folder)["deep.png"]


def test_is_the_degradation_of_the_image_itself(folder: Path):
    options = read_lq_options(folder / "lq.yml")
    gt = read_rgb(folder / "HR" / "b.jpg")
    error = {}
    for name in ("b.jpg", "other.jpg", "third.jpg"):
        lq = make_lq(gt, name, options).astype(float)
        error[name] = np.abs(lq - 255 * gt[2::4, 2::4]).mean()
    assert len(set(error.values())) == 3  # another name, other draws
    assert max(error.values()) < 60  # noise and blur, but the same picture


def test_usage_errors(folder: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        make(folder, "--inptu", "x")
    assert "did you mean '--input'" in capsys.readouterr().err
    with pytest.raises(UserError, match="not a folder"):
        make(folder, "--input", folder / "nowhere")
    with pytest.raises(UserError, match="did you mean 'jpeg_range'"):
        make(folder, "jpeg_rnge=[1,2]")
    assert not (folder / "LQ").exists()


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png"])
def test_stays_in_its_folder(folder: Path, name: str):
    outside = folder / "outside.png"
    write_image(outside, picture(8, 16, 16))
    (folder / "meta.txt").write_text(str(outside) if name[0] == "/" else name)
    with pytest.raises(UserError, match=r"outside\.png: not in .*HR"):
        make(folder, f"meta_info={folder / 'meta.txt'}")


def test_a_name_that_no_line_can_hold(folder: Path):
    (folder / "HR" / "a.png").rename(folder / "HR" / "a, b.png")
    with pytest.raises(UserError, match="cannot hold the name"):
        make(folder, "--meta_info", folder / "pairs.txt")
    assert (folder / "LQ" / "a, b.png").exists() and not (folder / "pairs.txt").exists()


def test_the_preview_shows_the_very_images_that_are_written(
    folder: Path, capsys: pytest.CaptureFixture
):
    yml, sheet = folder / "lq.yml", folder / "sheet.png"
    assert command("--yml_path", yml, "--preview", sheet) == 0
    assert capsys.readouterr().out == f"{sheet}: 3 images and what becomes of them\n"
    assert not (folder / "LQ").exists()
    make(folder)
    pixels = read_image(sheet)
    lq = read_image(folder / "LQ" / "a.png")
    windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 0], lq.shape[:2])
    assert (windows == lq[..., 0]).all(axis=(2, 3)).any()
    with pytest.raises(SystemExit):
        command("--yml_path", yml)
