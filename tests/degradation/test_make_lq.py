"""make_lq_data.py: training's degradation on files, reproducible file by file."""

from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from realesrgan_paddle.commands import make_lq_data
from realesrgan_paddle.data.degradation import pipeline
from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options
from realesrgan_paddle.data.sets.made_folders import LQ_FILE
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, read_rgb, write_image

pytestmark = pytest.mark.paddle


def command(*words: object) -> int:
    return make_lq_data.main([str(word) for word in words])


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
        if p.is_file() and p.name != LQ_FILE
    }


def test_each_image_becomes_one_png(folder: Path, capsys: pytest.CaptureFixture):
    assert make(folder, "--meta-info", folder / "pairs.txt") == 0
    first, _, following = capsys.readouterr().out.partition("\n")
    assert first == f"{folder / 'LQ'}: 3 low-quality images; 0 failed"
    assert following.startswith("next: ")
    sizes = {name: read_image(folder / "LQ" / name).shape for name in written(folder)}
    assert sizes == {
        "a.png": (12, 20, 3),
        "b.png": (12, 20, 3),
        "clip/c.d.png": (8, 16, 3),
    }
    pairs = (folder / "pairs.txt").read_text()
    assert pairs == "a.png, a.png\nb.jpg, b.png\nclip/c.d.png, clip/c.d.png\n"


def test_a_file_depends_only_on_the_seed_and_its_name(folder: Path):
    make(folder)
    (folder / "HR" / "b.jpg").unlink()
    make(folder, save_dir="alone")
    make(folder, "--seed", 7, save_dir="other")
    together = written(folder)
    alone = written(folder, "alone")
    other_seed = written(folder, "other")
    assert alone == {name: together[name] for name in ("a.png", "clip/c.d.png")}
    assert all(other_seed[name] != alone[name] for name in alone)


def test_existing_files_are_kept_unless_overwritten(
    folder: Path, capsys: pytest.CaptureFixture
):
    make(folder)
    first = written(folder)
    (folder / "LQ" / "a.png").write_bytes(b"mine")
    (folder / "LQ" / "b.png").unlink()
    assert make(folder) == 0
    count = "3 low-quality images, 2 of them existed before"
    assert count in capsys.readouterr().out
    assert written(folder) == {**first, "a.png": b"mine"}
    make(folder, "--overwrite")
    assert written(folder) == first


def test_bad_images_are_named_and_the_others_made(
    folder: Path, capsys: pytest.CaptureFixture
):
    (folder / "HR" / "aa.png").write_bytes(b"not an image")
    write_image(folder / "HR" / "tiny.png", picture(4, 3, 9))
    assert make(folder, "--meta_info", folder / "pairs.txt") == 1
    errors = capsys.readouterr().err
    assert "aa.png: not a readable image" in errors
    assert "tiny.png: 9x3 is too small to downscale by 4" in errors
    assert sorted(written(folder)) == ["a.png", "b.png", "clip/c.d.png"]
    assert len((folder / "pairs.txt").read_text().splitlines()) == 3


def test_two_images_of_one_name_are_refused(folder: Path):
    write_image(folder / "HR" / "a.jpg", picture(5, 48, 80))
    either = r"a\.(jpg and .*a\.png|png and .*a\.jpg) would both become"
    with pytest.raises(UserError, match=either):
        make(folder)
    assert not (folder / "LQ").exists()


@pytest.mark.parametrize("save_dir", ["HR", "HR/LQ"])
def test_the_ground_truth_is_never_overwritten(folder: Path, save_dir: str):
    before = written(folder, "HR")
    with pytest.raises(UserError, match="choose a folder outside it"):
        make(folder, "--overwrite", save_dir=save_dir)
    (folder / "meta.txt").write_text("a.png\n")
    with pytest.raises(UserError, match="ground truth that would be overwritten"):
        make(folder, "--overwrite", f"meta_info={folder / 'meta.txt'}", save_dir="HR")
    assert written(folder, "HR") == before


def test_input_replaces_meta_info(folder: Path):
    (folder / "meta.txt").write_text("a.png\n")
    meta_info = f"meta_info={folder / 'meta.txt'}"
    make(folder, meta_info)
    assert list(written(folder)) == ["a.png"]
    clip = folder / "HR" / "clip"
    make(folder, meta_info, "--input", clip, save_dir="clip")
    make(folder, clip, meta_info, save_dir="the_same")
    assert list(written(folder, "clip")) == ["c.d.png"]
    assert written(folder, "the_same") == written(folder, "clip")
    with pytest.raises(SystemExit, match="2"):
        make(folder, clip, clip, save_dir="two")


@pytest.mark.parametrize("gt_usm", [True, False])
def test_gt_usm_of_a_realesrnet_training_is_read(tmp_path: Path, gt_usm: bool):
    text = (ROOT / "options" / "train_realesrnet_x4plus.yml").read_text()
    (tmp_path / "net.yml").write_text(
        text.replace("gt_usm: true", f"gt_usm: {str(gt_usm).lower()}")
    )
    assert read_lq_options(tmp_path / "net.yml").gt_usm == gt_usm


def test_every_degradation_option_of_a_training_is_taken():
    yml = ROOT / "options" / "train_realesrgan_x4plus.yml"
    top = {
        "noise_range2": [3, 4],
        "video_prob": 0.25,
        "queue_size": 36,
        "manual_seed": 9,
        "scale": 2,
        "network_g.scale": 2,
    }
    train = {"blur_sigma2": [0.5, 0.75], "motion_blur_prob": 0.125, "meta_info": "list"}
    overrides = [f"{key}={value}" for key, value in top.items()]
    overrides += [f"datasets.train.{key}={value}" for key, value in train.items()]
    options = read_lq_options(yml, overrides)
    config = load_config(yml, overrides)
    for name in SynthesisOptions.model_fields.keys() | {"scale", "manual_seed"}:
        assert getattr(options, name) == getattr(config, name)
    for name in KernelOptions.model_fields.keys() | {"dataroot_gt", "meta_info"}:
        assert getattr(options, name) == getattr(config.datasets.train, name)


def test_a_training_file_gives_the_same_images(folder: Path):
    yml = ROOT / "options" / "train_realesrgan_x4plus.yml"
    words = ("--input", folder / "HR", "--save_dir", folder / "LQ2", "--seed", 0)
    assert command("--yml_path", yml, *words) == 0
    make(folder, "--seed", 0)
    assert written(folder, "LQ2") == written(folder)


def test_red_stays_red(folder: Path):
    rng = np.random.default_rng(0)
    red = rng.integers(0, 80, (64, 96, 3)) + np.array([150, 20, 5])
    write_image(folder / "HR" / "red.png", np.uint8(red))
    assert make(folder) == 0
    mean = read_rgb(folder / "LQ" / "red.png").mean(axis=(0, 1))
    assert mean[0] > mean[1] + 0.3 and mean[0] > mean[2] + 0.3


def test_gray_images_become_rgb(folder: Path):
    write_image(folder / "HR" / "gray.png", picture(6, 32, 48)[..., 0])
    assert make(folder) == 0
    assert read_image(folder / "LQ" / "gray.png").shape == (8, 12, 3)


def test_16_bit_images_are_degraded_as_8_bit_ones(folder: Path):
    image = picture(7, 32, 48)
    write_image(folder / "HR" / "deep.png", image.astype(np.uint16) * 257)
    write_image(folder / "HR8" / "deep.png", image)
    assert make(folder) == 0
    make(folder, "--input", folder / "HR8", save_dir="LQ8")
    assert written(folder, "LQ8")["deep.png"] == written(folder)["deep.png"]


def test_wrong_usage_writes_nothing(folder: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        make(folder, "--inptu", "x")
    assert "did you mean '--input'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command("--yml_path", folder / "lq.yml")
    assert "--save_dir DIR, the folder for" in capsys.readouterr().err
    with pytest.raises(UserError, match="not a folder"):
        make(folder, "--input", folder / "nowhere")
    with pytest.raises(UserError, match="did you mean 'jpeg_range'"):
        make(folder, "jpeg_rnge=[1,2]")
    assert not (folder / "LQ").exists()


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png"])
def test_images_outside_the_folder_are_refused(folder: Path, name: str):
    outside = folder / "outside.png"
    write_image(outside, picture(8, 16, 16))
    (folder / "meta.txt").write_text(str(outside) if name[0] == "/" else name)
    with pytest.raises(UserError, match=r"outside\.png: not in .*HR"):
        make(folder, f"meta_info={folder / 'meta.txt'}")


def test_a_name_with_the_separator_cannot_be_in_meta_info(folder: Path):
    (folder / "HR" / "a.png").rename(folder / "HR" / "a, b.png")
    with pytest.raises(UserError, match="cannot hold the name"):
        make(folder, "--meta_info", folder / "pairs.txt")
    assert (folder / "LQ" / "a, b.png").exists() and not (folder / "pairs.txt").exists()


def test_the_preview_shows_the_images_that_are_written(
    folder: Path, capsys: pytest.CaptureFixture
):
    sheet = folder / "sheet.png"
    assert command("--yml_path", folder / "lq.yml", "--preview", sheet) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{sheet}: 3 images before and after degradation\nnext: ")
    assert not (folder / "LQ").exists()

    make(folder)
    pixels = read_image(sheet)
    lq = read_image(folder / "LQ" / "a.png")
    windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 0], lq.shape[:2])
    assert (windows == lq[..., 0]).all(axis=(2, 3)).any()


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
def test_both_jpegs_upsample_chroma_as_the_option_says(upsampling, monkeypatch):
    used = []

    def record(image, quality, chroma_upsampling):
        used.append(chroma_upsampling)
        return image

    monkeypatch.setattr(pipeline, "jpeg", record)
    options = LQConfig(dataroot_gt="hr", jpeg_chroma_upsampling=upsampling)
    make_lq(picture(1, 32, 32) / np.float32(255), "a.png", options)
    assert used == [upsampling] * 2


def test_the_best_jpeg_quality_is_not_nan():
    best = {"jpeg_range": (100, 100), "jpeg_range2": (100, 100)}
    gt = picture(1, 64, 96) / np.float32(255)
    lq = make_lq(gt, "a.png", LQConfig(dataroot_gt="hr", **best))
    good = {"jpeg_range": (95, 95), "jpeg_range2": (95, 95)}
    almost = make_lq(gt, "a.png", LQConfig(dataroot_gt="hr", **good))
    assert np.abs(lq.astype(float) - almost).mean() < 4
