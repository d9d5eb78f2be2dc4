"""make_lq_data.py --fit: what differs between synthetic and real images is found and signed; equal sets are alike."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import scatter
from test_make_lq import command

from realesrgan_paddle.data.lq import fit_plot
from realesrgan_paddle.data.lq.fit import (
    ALIKE,
    WINDOWS,
    Compared,
    Fit,
    compare,
    fit,
    ks_distance,
    share_above,
)
from realesrgan_paddle.data.lq.fit_remarks import remark
from realesrgan_paddle.data.lq.folder import write_lq_folder
from realesrgan_paddle.data.lq.image_statistics import (
    chroma_detail,
    lq_statistics,
    noise,
    spectral_slope,
)
from realesrgan_paddle.options.schema.config import LQConfig
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image

pytestmark = pytest.mark.paddle

# A camera's softness, a little noise, one JPEG: each stage by itself, so that a change
# of one is known to be of one.
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


def things(seed: int, side: int = 240) -> np.ndarray:
    """Flat coloured things on a slope of colours, uint8 RGB."""
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
    """HR, and a folder "real" of what SETTINGS made of it with other seeds."""
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
    """The remark on each statistic, without the keys."""
    return {
        each.name: each.remark.removeprefix("synthetic images ").split(":")[0]
        for each in found.compared
    }


def test_equal_settings_are_alike(folder):
    found = fit(settings(folder), folder / "real")
    assert set(verdicts(found).values()) == {"alike"}
    assert max(each.distance for each in found.compared) < ALIKE
    assert len(found.real) == len(found.synthetic) == WINDOWS
    assert {window.shape for window in [*found.real, *found.synthetic]} == {
        (128, 128, 3)
    }


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
            {"sharpness": "are blurrier", "chroma detail": "have coarser colour"},
            {"contrast"},
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_what_differs_is_named_with_its_sign(folder, changes, expected, untouched):
    found = fit(settings(folder, **changes), folder / "real")
    said = verdicts(found)
    furthest = max(found.compared[:3], key=lambda each: each.distance)
    assert furthest.name == next(iter(expected)), "what is to be mended first"
    assert expected.items() <= said.items()
    assert {said[name] for name in untouched} == {"alike"}
    (key,) = [key for key in changes if key.endswith(("range2", "sigma"))]
    assert any(key in each.remark for each in found.compared)


def test_noise_is_what_was_added():
    slope = np.linspace(60, 180, 128, dtype=np.float32) + np.zeros((128, 1), np.float32)
    grain = np.random.default_rng(0).standard_normal((128, 128), np.float32)
    assert noise(slope) < 0.01
    for sigma in (1, 5, 20):
        assert 0.8 * sigma < noise(slope + sigma * grain) < sigma
    half = slope + 5 * grain * (np.arange(128) < 64)
    assert noise(half) < 0.01, "detail counts where there are calm squares"
    assert np.isnan(noise(np.zeros((64, 64), np.float32))) and np.isnan(
        noise(np.full((64, 64), 255, np.float32))
    )
    bars = slope + 5 * grain
    bars[:32] = 0
    assert 4 < noise(bars) < 5


def test_the_slope_is_the_exponent_of_the_spectrum():
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))
    frequency[0, 0] = 1
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((256, 256)))
    for power in (0, -2, -4):
        assert spectral_slope(
            np.fft.irfft2(white * frequency ** (power / 2))
        ) == pytest.approx(power, abs=0.15)


def test_chroma_detail_tells_sharp_from_enlarged_colour():
    rng = np.random.default_rng(0)
    small = rng.uniform(60, 190, (32, 32, 2)).astype(np.float32)
    sharp, nearest, smooth = (
        rng.uniform(60, 190, (128, 128, 2)).astype(np.float32),
        *(
            cv2.resize(small, (128, 128), interpolation=how)
            for how in (cv2.INTER_NEAREST, cv2.INTER_CUBIC)
        ),
    )
    assert chroma_detail(sharp) == pytest.approx(1, abs=0.02)
    assert (
        chroma_detail(smooth)
        < 0.42
        < chroma_detail(nearest)
        == pytest.approx(0.5, abs=0.02)
    )
    assert np.isnan(
        lq_statistics(
            np.repeat(rng.integers(0, 256, (64, 64, 1)), 3, axis=2).astype(np.uint8)
        )["chroma detail"]
    )


def test_distances_of_samples():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 500), rng.normal(1, 1, 400)
    ordered = np.sort(np.concatenate([first, second]))
    shares = [
        np.array([(values <= x).mean() for x in ordered]) for values in (first, second)
    ]
    assert ks_distance(first, second) == pytest.approx(
        np.abs(shares[0] - shares[1]).max()
    )
    assert ks_distance(first, first) == 0 and ks_distance(first, first + 100) == 1
    assert share_above(second, first) == pytest.approx(np.mean(second[:, None] > first))
    assert share_above(first, first) == pytest.approx(0.5)


def test_a_wider_set_is_called_wider():
    options = LQConfig(dataroot_gt="hr")
    real = np.linspace(1, 2, 50)
    for low, high, verdict in (
        (0, 3, "more among themselves: narrow"),
        (1.45, 1.55, "less among themselves: widen"),
    ):
        compared = compare("noise", real, np.linspace(low, high, 50), options)
        assert f"synthetic images differ {verdict} noise_range" in compared.remark
    assert (
        compare("noise", [np.nan, 1.0], real, options).remark
        == "cannot be told of these images"
    )


def test_the_keys_of_the_codecs_are_named_where_there_are_videos():
    still, video = (
        LQConfig(dataroot_gt="hr", video_prob=p, codec_prob=(0.5, 0, 0.5, 0))
        for p in (0, 0.5)
    )
    assert remark("blockiness", "higher", still).endswith(
        "show more blocks: raise jpeg_range and jpeg_range2"
    )
    assert remark("blockiness", "higher", video).endswith(
        "jpeg_range2, lower h264_crf, mpeg2_qscale"
    )
    assert remark("blockiness", "wider", video).endswith(
        "narrow jpeg_range, jpeg_range2, h264_crf, mpeg2_qscale"
    )
    fields = LQConfig.model_fields
    for name in lq_statistics(things(0)):
        for verdict in ("higher", "lower", "wider", "narrower"):
            words = (
                remark(name, verdict, video).replace(",", " ").replace(":", " ").split()
            )
            assert all(word in fields for word in words if "_" in word)


def test_the_command_prints_the_table_and_draws_it(
    folder, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("realesrgan_paddle.data.lq.fit.WINDOWS", 12)
    (tmp_path / "lq.yml").write_text(f"scale: 1\ndataroot_gt: {folder / 'HR'}\n")
    (tmp_path / "real").mkdir()
    for number in range(3):
        write_image(tmp_path / "real" / f"{number}.png", things(number, 100))
    (tmp_path / "real" / "bad.png").write_bytes(b"no image")
    report = tmp_path / "fit.png"
    words = ("--yml_path", tmp_path / "lq.yml", "--fit", tmp_path / "real")
    assert command(*words, "--fit_report", report) == 1
    out, err = capsys.readouterr()
    assert err.startswith("failed: ") and "bad.png" in err
    lines = out.splitlines()
    assert (
        lines[0]
        == f"real: 12 windows of 96x96 pixels, of 3 images of {tmp_path / 'real'}"
    )
    assert lines[1].startswith(
        "synthetic: 12 windows of 96x96 pixels, of 12 images of "
    )
    assert (
        lines[3].startswith("noise ")
        and "synthetic images are noisier: lower noise_range" in lines[3]
    )
    picture = read_image(report)
    assert picture.shape[0] > 1000 and picture.shape[1] > 1500
    assert len(np.unique(picture[:600].reshape(-1, 3), axis=0)) > 20, "nothing is drawn"
    first = out
    command(*words)
    assert capsys.readouterr().out == first, "the same seed gives the same figures"


def test_errors_are_one_line_before_anything_is_measured(
    folder, tmp_path, monkeypatch, capsys
):
    yml = tmp_path / "lq.yml"
    yml.write_text(f"scale: 1\ndataroot_gt: {folder / 'HR'}\n")
    (tmp_path / "none").mkdir()
    write_image(tmp_path / "small" / "a.png", things(0, 60))
    with pytest.raises(
        UserError,
        match="none: no images in it; --fit takes a folder of real low-quality images",
    ):
        command("--yml_path", yml, "--fit", tmp_path / "none")
    with pytest.raises(
        UserError,
        match=r"too small to be compared.* 64 pixels, and 80 of the ground truth",
    ):
        command("--yml_path", yml, "--fit", tmp_path / "small")
    with pytest.raises(UserError, match=r"and 320 of the ground truth"):
        command("--yml_path", yml, "--fit", folder / "real", "scale=4")
    with pytest.raises(SystemExit):
        command(
            "--yml_path",
            yml,
            "--save_dir",
            tmp_path / "LQ",
            "--fit_report",
            tmp_path / "fit.png",
        )
    assert "--fit_report FILE.png draws what --fit DIR finds" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(
        "realesrgan_paddle.data.lq.fit.fit", lambda *_: pytest.fail("measured in vain")
    )
    with pytest.raises(UserError, match="pip install matplotlib"):
        command(
            "--yml_path",
            yml,
            "--fit",
            folder / "real",
            "--fit_report",
            tmp_path / "fit.png",
        )


def test_a_statistic_that_cannot_be_told_is_drawn_as_none(tmp_path):
    pytest.importorskip("matplotlib")
    windows = [things(0, 96)] * 2
    nothing = Compared(
        "chroma detail",
        np.array([]),
        np.array([1.0]),
        np.nan,
        "cannot be told of these images",
    )
    fit_plot.write_plot(
        Fit(windows, windows, [nothing], ["real", "synthetic"], []),
        tmp_path / "fit.png",
    )
    assert (tmp_path / "fit.png").exists()
    assert "cannot be told" in str(nothing)
