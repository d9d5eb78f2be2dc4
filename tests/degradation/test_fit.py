"""make_lq_data.py --fit finds how synthetic images differ from real ones."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import scatter
from test_make_lq import command

from realesrgan_paddle.data.lq.fit import ALIKE_DISTANCE, WINDOWS, Fit, compare, fit
from realesrgan_paddle.data.lq.fit_plot import PANEL, write_plot
from realesrgan_paddle.data.lq.fit_remarks import remark
from realesrgan_paddle.data.lq.folder import write_lq_folder
from realesrgan_paddle.data.lq.image_statistics import (
    chroma_detail,
    lq_statistics,
    noise,
    spectral_slope,
)
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
    "jpeg_range": (95, 95),
    "second_blur_prob": 0,
    "resize_prob2": (0, 0, 1),
    "noise_range2": (1, 2),
    "gaussian_noise_prob2": 1,
    "jpeg_range2": (75, 90),
    "final_sinc_prob": 0,
}

LQ = LQConfig(dataroot_gt="hr")


def things(seed: int, side: int = 240) -> np.ndarray:
    """Return flat colored shapes on a color gradient, uint8 RGB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    slopes = [
        rng.uniform(80, 170) + rng.uniform(-40, 40) * x + rng.uniform(-40, 40) * y
        for _ in range(3)
    ]
    picture = np.stack(slopes, axis=2).astype(np.uint8)
    scatter(picture, rng, 45, radii=(3, 16), colors=(20, 236))
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with HR images, and "real", made by SETTINGS with other seeds."""
    root = tmp_path_factory.mktemp("fit")
    for number in range(16):
        write_image(root / "HR" / f"{number}.png", things(number))
    for seed in range(2):
        write_lq_folder(
            settings(root, manual_seed=100 + seed), root / "real" / str(seed)
        )
    return root


def settings(root: Path, **changes) -> LQConfig:
    return LQConfig(dataroot_gt=str(root / "HR"), **SETTINGS | changes)


def verdicts(found: Fit) -> dict[str, str]:
    """Return the remark on each statistic, without the keys."""
    remarks = {}
    for comparison in found.comparisons:
        difference, _, _ = comparison.remark.partition(":")
        remarks[comparison.name] = difference.removeprefix("synthetic images ")
    return remarks


def test_equal_settings_are_alike(folder):
    found = fit(settings(folder), folder / "real")
    assert set(verdicts(found).values()) == {"alike"}
    assert max(each.distance for each in found.comparisons) < ALIKE_DISTANCE
    assert len(found.real) == len(found.synthetic) == WINDOWS
    windows = [*found.real, *found.synthetic]
    assert {window.shape for window in windows} == {(128, 128, 3)}


@pytest.mark.parametrize(
    ("changes", "expected", "untouched"),
    [
        (
            {"noise_range2": (4, 7)},
            {"noise": "are noisier", "sharpness": "are sharper"},
            {"contrast"},
        ),
        (
            {"blur_sigma": (1.2, 1.5)},
            {"sharpness": "are blurrier"},
            {"noise", "contrast"},
        ),
        ({"jpeg_range2": (20, 35)}, {"blockiness": "show more blocks"}, {"contrast"}),
        (
            {"resize_prob2": (0, 1, 0), "resize_range2": (0.4, 1)},
            {"sharpness": "are blurrier", "chroma detail": "have coarser color"},
            {"contrast"},
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_a_changed_setting_is_found_with_its_direction(
    folder, changes, expected, untouched
):
    found = fit(settings(folder, **changes), folder / "real")
    said = verdicts(found)
    assert expected.items() <= said.items()
    assert {said[name] for name in untouched} == {"alike"}

    furthest = max(found.comparisons[:3], key=lambda each: each.distance)
    assert furthest.name == next(iter(expected)), "the one to fix first"
    (key,) = [key for key in changes if key.endswith(("range2", "sigma"))]
    assert any(key in each.remark for each in found.comparisons)


SLOPE = np.linspace(60, 180, 128, dtype=np.float32) + np.zeros((128, 1), np.float32)
GRAIN = np.random.default_rng(0).standard_normal((128, 128), np.float32)


@pytest.mark.parametrize("sigma", [1, 5, 20])
def test_noise_is_measured_up_to_a_fifth_too_low(sigma):
    assert noise(SLOPE) < 0.01
    assert 0.8 * sigma < noise(SLOPE + sigma * GRAIN) < sigma


def test_noise_ignores_detail_beside_calm_squares():
    left_half = np.arange(128) < 64
    assert noise(SLOPE + 5 * GRAIN * left_half) < 0.01


def test_noise_ignores_black_bars():
    image = SLOPE + 5 * GRAIN
    image[:32] = 0
    assert 4 < noise(image) < 5


@pytest.mark.parametrize("level", [0, 255])
def test_noise_is_not_measurable_in_black_or_white(level):
    assert np.isnan(noise(np.full((64, 64), level, np.float32)))


@pytest.mark.parametrize("power", [0, -2, -4])
def test_the_slope_is_the_exponent_of_the_spectrum(power):
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))
    frequency[0, 0] = 1
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((256, 256)))
    image = np.fft.irfft2(white * frequency ** (power / 2))
    assert spectral_slope(image) == pytest.approx(power, abs=0.15)


def test_chroma_detail_is_1_for_noise_and_less_for_upscaled_color():
    rng = np.random.default_rng(0)
    sharp = rng.uniform(60, 190, (128, 128, 2)).astype(np.float32)
    small = rng.uniform(60, 190, (32, 32, 2)).astype(np.float32)
    nearest, smooth = (
        cv2.resize(small, (128, 128), interpolation=how)
        for how in (cv2.INTER_NEAREST, cv2.INTER_CUBIC)
    )
    assert chroma_detail(sharp) == pytest.approx(1, abs=0.02)
    assert chroma_detail(nearest) == pytest.approx(0.5, abs=0.02)
    assert chroma_detail(smooth) < 0.42


def test_chroma_detail_is_not_measurable_in_gray_images():
    luma = np.random.default_rng(0).integers(0, 256, (64, 64, 1)).astype(np.uint8)
    assert np.isnan(lq_statistics(luma.repeat(3, axis=2))["chroma detail"])


def test_the_distance_is_the_largest_difference_of_the_cumulative_shares():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(0, 1, 500), rng.normal(1, 1, 400)
    points = np.concatenate([real, synthetic])
    largest = max(abs((real <= x).mean() - (synthetic <= x).mean()) for x in points)
    assert compare("noise", real, synthetic, LQ).distance == pytest.approx(largest)
    assert compare("noise", real, real, LQ).distance == 0
    assert compare("noise", real, real + 100, LQ).distance == 1


@pytest.mark.parametrize(("shift", "verdict"), [(1, "are noisier"), (-1, "have less")])
def test_a_set_is_higher_if_its_values_win_most_comparisons(shift, verdict):
    real = np.random.default_rng(0).normal(10, 1, 500)
    compared = compare("noise", real, real[:400] + shift, LQ)
    assert f"synthetic images {verdict}" in compared.remark


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0, 3, "more: narrow"), (1.45, 1.55, "less: widen")]
)
def test_a_set_of_equal_middle_may_vary_more_or_less(low, high, verdict):
    real = np.linspace(1, 2, 50)
    compared = compare("noise", real, np.linspace(low, high, 50), LQ)
    assert f"synthetic images vary {verdict} noise_range" in compared.remark


def test_a_statistic_needs_two_finite_values_in_each_set():
    compared = compare("noise", [np.nan, 1.0], np.linspace(1, 2, 50), LQ)
    assert compared.remark == "not measurable on these images"
    assert np.isnan(compared.distance)


def test_the_keys_of_the_codecs_are_named_if_there_are_videos():
    video = with_videos(0.5)
    assert remark("blockiness", "higher", with_videos(0)).endswith(
        "show more blocks: raise jpeg_range and jpeg_range2"
    )
    assert remark("blockiness", "higher", video).endswith(
        "jpeg_range2, lower h264_crf, mpeg2_qscale"
    )
    assert remark("blockiness", "wider", video).endswith(
        "narrow jpeg_range, jpeg_range2, h264_crf, mpeg2_qscale"
    )


@pytest.mark.parametrize("verdict", ["higher", "lower", "wider", "narrower"])
def test_remarks_name_only_keys_that_exist(verdict):
    for name in lq_statistics(things(0)):
        words = re.findall(r"\w+", remark(name, verdict, with_videos(0.5)))
        keys = {word for word in words if "_" in word}
        assert keys <= LQConfig.model_fields.keys()


def with_videos(probability: float) -> LQConfig:
    codec_prob = (0.5, 0, 0.5, 0)
    return LQConfig(dataroot_gt="hr", video_prob=probability, codec_prob=codec_prob)


@pytest.fixture
def few_windows(monkeypatch):
    monkeypatch.setattr("realesrgan_paddle.data.lq.fit.WINDOWS", 12)


@pytest.fixture
def lq_yml(folder, tmp_path) -> Path:
    yml = tmp_path / "lq.yml"
    yml.write_text(f"scale: 1\ndataroot_gt: {folder / 'HR'}\n")
    return yml


def test_the_command_prints_a_table_and_names_bad_images(
    lq_yml, few_windows, tmp_path, capsys
):
    for number in range(3):
        write_image(tmp_path / "real" / f"{number}.png", things(number, 100))
    (tmp_path / "real" / "bad.png").write_bytes(b"no image")
    words = ("--yml_path", lq_yml, "--fit", tmp_path / "real")
    assert command(*words) == 1
    out, err = capsys.readouterr()
    assert err.startswith("failed: ") and "bad.png" in err

    real, synthetic, _, first_row, *_ = out.splitlines()
    folder = tmp_path / "real"
    assert real == f"real: 12 windows of 96x96 pixels, from 3 images of {folder}"
    assert synthetic.startswith("synthetic: 12 windows of 96x96 pixels, from 12 images")
    assert first_row.startswith("noise ")
    assert "synthetic images are noisier: lower noise_range" in first_row

    command(*words)
    assert capsys.readouterr().out == out, "the same seed gives the same figures"


def test_the_report_is_written_by_the_command(lq_yml, folder, few_windows, tmp_path):
    pytest.importorskip("matplotlib")
    report = tmp_path / "fit.png"
    words = ("--yml_path", lq_yml, "--fit", folder / "real", "--fit_report", report)
    assert command(*words) == 0
    pixels = read_image(report)
    assert count_bars(pixels[: -2 * PANEL]) > 0


def test_unusable_folders_are_refused(lq_yml, folder, tmp_path):
    def refused(real: Path, message: str, *words: str):
        with pytest.raises(UserError, match=message):
            command("--yml_path", lq_yml, "--fit", real, *words)

    (tmp_path / "none").mkdir()
    write_image(tmp_path / "small" / "a.png", things(0, 60))
    advice = "--fit takes a folder of real low-quality images"
    refused(tmp_path / "none", f"none: no images in it; {advice}")
    too_small = "too small to be compared.* 64 pixels, and {} of the ground truth"
    refused(tmp_path / "small", too_small.format(80))
    refused(folder / "real", too_small.format(320), "scale=4")


def test_a_report_needs_a_comparison(lq_yml, tmp_path, capsys):
    report = ("--fit_report", tmp_path / "fit.png")
    with pytest.raises(SystemExit):
        command("--yml_path", lq_yml, "--save_dir", tmp_path / "LQ", *report)
    error = capsys.readouterr().err
    assert "--fit_report FILE.png plots the comparison of --fit; give both" in error


def test_without_matplotlib_nothing_is_measured(lq_yml, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(
        "realesrgan_paddle.data.lq.fit.fit", lambda *_: pytest.fail("measured in vain")
    )
    words = ("--fit", folder / "real", "--fit_report", tmp_path / "fit.png")
    with pytest.raises(UserError, match="pip install matplotlib"):
        command("--yml_path", lq_yml, *words)


def test_the_plot_shows_histograms_and_the_windows(tmp_path):
    pixels = plotted(tmp_path, np.linspace(1, 2, 40))
    assert count_bars(pixels) > 1000
    large = things(1, 64).repeat(PANEL // 64, axis=0).repeat(PANEL // 64, axis=1)
    differences = cv2.matchTemplate(pixels, large, cv2.TM_SQDIFF)
    top, left = np.unravel_index(differences.argmin(), differences.shape)
    np.testing.assert_array_equal(pixels[top : top + PANEL, left : left + PANEL], large)


def test_the_plot_of_a_statistic_that_is_not_measurable_is_empty(tmp_path):
    assert count_bars(plotted(tmp_path, np.array([]))) == 0


def plotted(folder: Path, real: np.ndarray) -> np.ndarray:
    """Return the plot of one statistic of two gray windows and two colored ones."""
    pytest.importorskip("matplotlib")
    gray = [np.full((64, 64, 3), 128, np.uint8)] * 2
    comparison = compare("noise", real, np.linspace(1, 2, 40), LQ)
    windows = [things(0, 64), things(1, 64)]
    notes = ["real", "synthetic"]
    write_plot(Fit(gray, windows, [comparison], notes, []), folder / "fit.png")
    return read_image(folder / "fit.png")


def count_bars(pixels: np.ndarray) -> int:
    """Return how many pixels have the color of a bar of both sets: blue over orange."""
    from matplotlib.colors import to_rgb

    blue = np.array(to_rgb("C0"))
    orange = np.array(to_rgb("C1"))
    one = 0.55 + 0.45 * blue
    both = 255 * (0.55 * one + 0.45 * orange)
    return int((np.abs(pixels - both) < 4).all(axis=2).sum())
