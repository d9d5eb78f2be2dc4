"""make_lq_data.py --fit finds how synthetic images differ from real ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from in_process import InProcess
from scenes import world

from realesrgan_paddle.commands import make_lq_data
from realesrgan_paddle.data.lq import fit as fit_module
from realesrgan_paddle.data.lq import windows
from realesrgan_paddle.data.lq.compare import GROUPS
from realesrgan_paddle.data.lq.fit import fit, remark, signs
from realesrgan_paddle.data.lq.folder import write_lq_folder
from realesrgan_paddle.data.statistics.window_statistics import window_statistics
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image

pytestmark = pytest.mark.paddle

# A camera's softness, a little noise, one JPEG: each from one option, so that a test
# can change it alone.
SETTINGS = {
    "scale": 1,
    "gt_usm": False,
    "kernel_list": ("iso",),
    "kernel_prob": (1,),
    "sinc_prob": 0,
    "blur_sigma": (0.5, 0.8),
    "resize_prob": (0, 0, 1),
    "noise_range": (0, 0),
    "gaussian_noise_prob": 1,
    "jpeg_prob": 0,
    "second_blur_prob": 0,
    "resize_prob2": (0, 0, 1),
    "noise_range2": (4, 5),
    "gaussian_noise_prob2": 1,
    "gray_noise_prob2": 0,
    "jpeg_range2": (90, 95),
    "final_sinc_prob": 0,
}
# The change, and what is said of each group.
CHANGES = {
    "noise": ({"noise_range2": (8, 10)}, "noise", "are noisier: lower noise_range2"),
    "grain": (
        {"grain_size2": (1, 1)},
        "grain",
        "have coarser noise: lower grain_size2",
    ),
    "blur": ({"blur_sigma": (1.4, 1.7)}, "detail", "are blurrier: lower blur_sigma"),
    "halo": ({"halo_prob": 1}, "detail", "are sharper: raise blur_sigma"),
    "combing": (
        {"interlace_prob": 1, "interlace_list": ("weave",)},
        "direction",
        "show combed lines: lower interlace_prob",
    ),
    "quality": ({"jpeg_range2": (20, 35)}, "blocks", "raise jpeg_range"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with HR images, and "real", made of them by SETTINGS."""
    root = tmp_path_factory.mktemp("fit")
    for number in range(8):
        write_image(root / "HR" / f"{number}.png", world(number, 240))
    write_lq_folder(settings(root, manual_seed=100), root / "real")
    (root / "lq.yml").write_text(f"scale: 1\ndataroot_gt: {root / 'HR'}\n")
    return root


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    monkeypatch.setattr(fit_module, "Simulator", InProcess)
    monkeypatch.setattr(windows, "SIDES", (64,))


def settings(root: Path, **changes) -> LQConfig:
    return LQConfig(dataroot_gt=str(root / "HR"), **SETTINGS | changes)


def test_equal_settings_are_alike(folder):
    found = fit(settings(folder), folder / "real")
    assert set(found.remarks.values()) == {"alike"}
    assert found.remarks.keys() == GROUPS.keys()
    assert found.distances["all"] < 0.25
    assert found.real.shape == found.synthetic.shape == (64, 64, 64, 3)


def test_a_changed_setting_is_found_with_its_direction_and_its_key(folder, monkeypatch):
    monkeypatch.setattr(windows, "REAL_WINDOWS", 24)
    for name, (changes, group, expected) in CHANGES.items():
        found = fit(settings(folder, **changes), folder / "real")
        assert expected in found.remarks[group], name


def test_the_difference_is_said_of_the_statistic_that_is_furthest_apart():
    rng = np.random.default_rng(0)
    real = {
        "noise 30": rng.normal(10, 1, 60),
        "noise color share": rng.normal(0, 1, 60),
    }
    options = LQConfig(dataroot_gt="hr")

    def said(name: str, values: np.ndarray) -> str:
        return remark(real, real | {name: values}, options)

    assert "are noisier" in said("noise 30", real["noise 30"] + 1)
    assert "have less noise" in said("noise 30", real["noise 30"] - 1)
    assert "grayer noise" in said("noise color share", real["noise color share"] - 1)
    middle = real["noise 30"] - 10
    assert "vary more: narrow noise_range2" in said("noise 30", 10 + 4 * middle)
    assert "vary less: widen noise_range2" in said("noise 30", 10 + middle / 4)


def test_each_group_has_a_sign_and_signs_name_only_keys_that_exist():
    statistics = window_statistics(np.zeros((1, 96, 96, 3), np.uint8))
    for codec_prob in ((0.5, 0, 0.5, 0), None):
        video = {"video_prob": 0.5, "codec_prob": codec_prob} if codec_prob else {}
        known = signs(LQConfig(dataroot_gt="hr", **video))
        assert known.keys() <= statistics.keys()
        for starts in GROUPS.values():
            assert any(name.startswith(starts) for name in known)

        text = " ".join(
            f"{sign.higher} {sign.lower} {sign.keys}" for sign in known.values()
        )
        keys = {word for word in re.findall(r"\w+", text) if "_" in word}
        assert keys <= LQConfig.model_fields.keys()
        assert ("lower h264_crf, mpeg2_qscale" in text) == bool(video)


def test_the_command_prints_a_line_for_each_group_and_writes_the_sheet(
    folder, tmp_path, capsys
):
    for number in range(3):
        write_image(tmp_path / "real" / f"{number}.png", world(number, 128)[:100, :100])
    (tmp_path / "real" / "bad.png").write_bytes(b"no image")
    words = ["--yml_path", folder / "lq.yml", "--fit", tmp_path / "real"]
    words += ["--fit_report", tmp_path / "fit.png"]
    assert make_lq_data.main([str(word) for word in words]) == 1
    out, err = capsys.readouterr()
    assert "failed: " in err and "bad.png" in err

    lines = out.splitlines()
    assert lines[0].startswith("real: ")
    assert lines[1].startswith("ground truth: ") and str(folder / "HR") in lines[1]
    assert [line.partition(":")[0] for line in lines[2:10]] == [*GROUPS, "all"]
    assert "noise_range2" in lines[2]
    height, width, _ = read_image(tmp_path / "fit.png").shape
    assert height > 2 * 128 and width > 4 * 128


def test_unusable_folders_are_refused(folder, tmp_path):
    def refused(real: Path, message: str, *words: str):
        given = ["--yml_path", str(folder / "lq.yml"), "--fit", str(real), *words]
        with pytest.raises(UserError, match=message):
            make_lq_data.main(given)

    (tmp_path / "none").mkdir()
    write_image(tmp_path / "small" / "a.png", world(0, 128)[:60, :60])
    refused(tmp_path / "none", "none: no images or videos in it; --fit takes a folder")
    refused(tmp_path / "small", "too small; sides must be at least 64 pixels")
    refused(folder / "real", "64 pixels, and 256 of the ground truth", "scale=4")


def test_a_report_needs_a_comparison(folder, tmp_path, capsys):
    words = ["--yml_path", "lq.yml", "--save_dir", "LQ", "--fit_report", "fit.png"]
    with pytest.raises(SystemExit):
        make_lq_data.main(words)
    error = capsys.readouterr().err
    assert "--fit_report FILE.png shows the comparison of --fit; give both" in error
