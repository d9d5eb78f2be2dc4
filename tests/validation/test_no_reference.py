"""NIQE in validation: on sets without ground truth too, and in the choice of the best."""

import shutil

import cv2
import pytest
from pydantic import ValidationError
from sample_runs import log_of, picture, reported, run

from realesrgan_paddle.options.schema.validation import MetricOptions, ValOptions
from realesrgan_paddle.training.validation import open_available
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.metrics import niqe as module
from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe

pytestmark = pytest.mark.paddle


@pytest.fixture
def validated(assets, tmp_path, options, monkeypatch):
    """A run that validates on a low-quality image alone, and then on a pair."""
    monkeypatch.chdir(tmp_path)  # weights/ is taken from where training is started
    (tmp_path / "weights").mkdir()
    shutil.copy(assets / "metrics" / module.PARAMETERS_FILE, tmp_path / "weights")

    gt = picture(104, 208, 9)
    write_image(tmp_path / "val_gt/a.png", gt)
    write_image(tmp_path / "val_lq/a.png", gt[::4, ::4])
    real = {"type": "SingleImageDataset", "name": "real"}
    pairs = {
        "type": "PairedImageDataset",
        "name": "pairs",
        "dataroot_gt": str(tmp_path / "val_gt"),
    }
    options["datasets"]["val"] = real | {"dataroot_lq": str(tmp_path / "val_lq")}
    options["datasets"]["val_2"] = pairs | {"dataroot_lq": str(tmp_path / "val_lq")}
    metrics = {
        "psnr": {"type": "calculate_psnr"},
        "quality": {"type": "calculate_niqe"},
    }
    options["val"] = {"val_freq": 2, "metrics": metrics, "drift": None}
    return options


def test_sets_without_ground_truth_are_measured_by_niqe_alone(tmp_path, validated):
    folder = run(tmp_path, validated, "train.total_iter=2")
    (line,) = [line for line in reported(folder) if "pairs/psnr" in line]
    assert "real/psnr" not in line

    image = cv2.imread(str(folder / "visualization/real/a/a_2.png"))
    expected = niqe(image[4:-4, 4:-4, ::-1], load_niqe())
    assert line["real/quality"] == pytest.approx(expected, rel=1e-6)
    assert line["pairs/quality"] == line["real/quality"]
    log = log_of(folder)
    assert "quality of the Y channel without 4 pixels at each border" in log
    assert "net_g_best.pdparams is now of iter 2: pairs/psnr" in log


def test_niqe_can_choose_the_best_network(tmp_path, validated):
    overrides = ("val.best=real/quality", "val.stop_after=3", "train.total_iter=2")
    folder = run(tmp_path, validated, *overrides)
    assert "net_g_best.pdparams is now of iter 2: real/quality" in log_of(folder)


def test_images_too_small_for_niqe_are_refused_before_training(tmp_path, validated):
    write_image(tmp_path / "val_lq/a.png", picture(20, 60, 9))
    del validated["datasets"]["val_2"]
    with pytest.raises(UserError, match="needs 96x192 pixels or more"):
        run(tmp_path, validated, "val.best=real/quality")


def test_missing_parameters_are_an_error_with_what_to_do(monkeypatch, tmp_path):
    def unreachable(url, *_):
        raise UserError(f"{url}: not reachable")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "download", unreachable)
    wanted = {"niqe": MetricOptions(type="calculate_niqe")}
    with pytest.raises(
        UserError, match=r"BasicSR.*not reachable; or bring BasicSR.*models"
    ):
        open_available(ValOptions(metrics=wanted))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"test_y_channel": True}, "because calculate_niqe has convert_to instead"),
        ({"convert_to": "rgb"}, "'y' or 'gray'"),
        ({"type": "calculate_psnr", "convert_to": "gray"}, "expected y, because"),
    ],
)
def test_options_that_niqe_does_not_have_are_refused(options, reason):
    with pytest.raises(ValidationError, match=reason):
        MetricOptions(**({"type": "calculate_niqe"} | options))
