"""Drift, with plain functions in place of networks, and runs that stop early."""

import cv2
import numpy as np
import paddle
import pytest
from sample_runs import (
    assert_states_equal,
    log_of,
    opened,
    picture,
    reported,
    run,
    state_of,
)

from realesrgan_paddle.data.loading.hold_out import HeldOutSet
from realesrgan_paddle.judging.drift import Drift
from realesrgan_paddle.judging.images import GENERAL_CROPS, general_images
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.schema.validation import DriftOptions, ValOptions
from realesrgan_paddle.training.checkpoints import Best, is_better
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

SCALE = 4


def as_pixels(image):
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def unchanged(image):
    return image


def tinted(image):
    return as_pixels(image + np.array([15.0, 0.0, -15.0]))


def darker(image):
    return as_pixels(0.9 * image)


def blurred(image, radius=6):
    return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))


def sharpened(image):
    detail = image.astype(float) - blurred(image, 3)
    return as_pixels(image + 3 * detail)


def gridded(image):
    """Twelve levels more in the first of each 4 x 4 pixels that a network makes."""
    image = image.astype(float)
    image[::SCALE, ::SCALE] += 12
    return as_pixels(image)


def slightly_different(image, reference):
    """Stands in for LPIPS."""
    return 0.01 * float((image != reference).any())


def drifted(now, start=unchanged, *, gt=True):
    """What is found of a network that does `now` to enlarged images, and the metrics."""
    images = general_images(SCALE)[::2]
    if not gt:
        images = [type(it)(it.name, it.lq, None) for it in images]
    sets = [
        HeldOutSet("general", SCALE, images),
        HeldOutSet("held_out", SCALE, images[:2]),
    ]

    def outputs(change):
        enlarged = {each.name: [enlarge(it.lq, SCALE) for it in each] for each in sets}
        return {name: [*map(change, some)] for name, some in enlarged.items()}

    drift = Drift(DriftOptions(), sets, outputs(start), slightly_different)
    metrics = drift.measure(outputs(now))
    return drift.found(metrics), metrics


def test_an_unchanged_network_has_not_drifted():
    for gt in (True, False):
        found, metrics = drifted(unchanged, gt=gt)
        assert found == []
        for of_set in metrics.values():
            assert (of_set["delta_e"], of_set["sharpness"], of_set["lpips"]) == (
                0,
                1,
                0,
            )
            assert 0.7 < of_set["lattice"] < 1.6
            assert len(of_set) == (8 if gt else 4)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (tinted, "colors have shifted"),
        (darker, "colors have shifted"),
        (blurred, "images are too blurred"),
        (sharpened, "images are too sharp"),
        (gridded, "a regular grid shows"),
    ],
)
def test_what_has_drifted_is_named_and_nothing_else(change, what):
    (line,), _ = drifted(change)
    assert line.startswith(f"{what}: general ")
    for part in (", held_out ", "(usual: ", "; ", "try "):
        assert part in line
    # The start network was as wrong.
    assert drifted(unchanged, start=change)[0] == []


def test_without_ground_truth_there_are_metrics_and_no_warning():
    found, metrics = drifted(tinted, gt=False)
    assert found == []
    assert metrics["held_out"]["delta_e"] > 2


def test_texture_does_not_count_as_a_color_shift():
    noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))

    def duller(image):
        return as_pixels(25 + 0.8 * image)

    _, shifted = drifted(duller)
    _, noisy = drifted(lambda image: as_pixels(duller(image) + noise), start=duller)
    assert noisy["general"]["delta_e"] < 0.2 * shifted["general"]["delta_e"]


def test_the_general_images_are_always_the_same():
    images = general_images(SCALE)
    assert len(images) == len(GENERAL_CROPS) == 6
    for image in images:
        assert image.gt.shape == (256, 256, 3)
        assert image.lq.shape == (64, 64, 3)
    for image, other in zip(images, general_images(2), strict=True):
        np.testing.assert_array_equal(image.gt, other.gt)


def test_general_images_may_be_those_of_a_folder_if_they_are_large_enough(tmp_path):
    write_image(tmp_path / "small.png", picture(30, 200, 0))
    with pytest.raises(
        UserError,
        match=r"val\.drift\.dataroot: .* no image of at least 36 pixels each way",
    ):
        general_images(SCALE, str(tmp_path))
    for i in range(9):
        write_image(tmp_path / f"{i}.png", picture(50 + i, 300, i))
    images = general_images(SCALE, str(tmp_path))
    assert 5 <= len(images) <= 6
    for image in images:
        assert image.gt.shape == (image.lq.shape[0] * SCALE, 256, 3)


@pytest.fixture
def validated(tmp_path, options):
    """A run of the small network from given weights, with a validation after each iteration."""
    paddle.seed(0)
    network = Network(SRVGGNetCompact(num_feat=8, num_conv=2))
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    write_pdparams(tmp_path / "start.pdparams", {"params": weights})
    options["path"]["pretrain_network_g"] = str(tmp_path / "start.pdparams")

    gt = picture(48, 80, 9)
    write_image(tmp_path / "val_gt/a.png", gt)
    write_image(tmp_path / "val_lq/a.png", gt[::4, ::4])
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }
    metrics = {name: {"type": f"calculate_{name}"} for name in ("psnr", "ssim")}
    options["val"] = {"val_freq": 1, "save_img": False, "metrics": metrics}
    return options


def last_iteration(folder):
    return max(line["iter"] for line in reported(folder))


def test_drift_is_reported_and_the_same_after_a_resume(tmp_path, validated):
    straight = run(tmp_path, validated, "name=straight", "train.total_iter=4")
    run(tmp_path, validated, "train.total_iter=2")
    resumed = run(tmp_path, validated, "auto_resume=true", "train.total_iter=4")
    assert reported(resumed) == reported(straight)
    assert_states_equal(state_of(straight, 4), state_of(resumed, 4))

    (last,) = [
        line
        for line in reported(straight)
        if line["iter"] == 4 and "drift/general/delta_e" in line
    ]
    expected = {
        f"drift/{name}/{metric}{suffix}"
        for name in ("general", "held_out")
        for metric in ("delta_e", "sharpness", "lattice")
        for suffix in ("", "_gt")
    }
    assert last.keys() == {"iter", *expected}
    assert last["drift/general/delta_e"] > 0
    assert "drift is measured without LPIPS: calculate_lpips: tests" in log_of(straight)
    assert "on crops of images: general (6), held_out (1)" in log_of(straight)


def test_drift_is_not_measured_from_random_weights_or_if_unwanted(tmp_path, validated):
    one = "train.total_iter=1"
    unwanted = run(tmp_path, validated, "val.drift=null", "name=unwanted", one)
    assert "drift is" not in log_of(unwanted)
    validated["path"]["pretrain_network_g"] = None
    random = run(tmp_path, validated, one)
    assert "drift is not measured: the run starts from random weights" in log_of(random)
    for folder in (unwanted, random):
        assert "drift/general/delta_e" not in {
            key for it in reported(folder) for key in it
        }


def test_without_general_images_drift_is_measured_on_the_domain(
    tmp_path, validated, monkeypatch
):
    monkeypatch.setattr("skimage.__file__", str(tmp_path / "none/__init__.py"))
    folder = run(tmp_path, validated, "train.total_iter=1")
    assert "neither drift nor the verdict looks at general images: " in log_of(folder)
    assert "on crops of images: held_out (1)" in log_of(folder)


def test_drift_stops_a_run_that_asks_for_it_again_after_a_resume(tmp_path, validated):
    """A learning rate of 1 ruins the network at once."""
    validated["train"]["optim_g"]["lr"] = 1.0
    validated["train"]["total_iter"] = 3
    overrides = ["val.drift.stop=true", "val.drift.general=null", "val.val_freq=2"]
    folder = run(tmp_path, validated, *overrides)
    assert last_iteration(folder) == 2
    lines = log_of(folder).splitlines()
    assert any(
        "warning: drift: colors have shifted: held_out by " in it for it in lines
    )
    stopped = (
        "stopped early: the drift alarm went off at iter 2; to continue all the same"
    )
    assert stopped in lines[-2]
    assert "tools/export_model.py" in lines[-1]
    assert state_of(folder, 2).exists()

    run(tmp_path, validated, *overrides, "auto_resume=true")
    assert log_of(folder).count(stopped) == 2
    run(tmp_path, validated, *overrides, "auto_resume=true", "val.drift.stop=false")
    assert last_iteration(folder) == 3


@pytest.mark.parametrize("stop", [None, 1, 2, 3])
def test_a_run_stops_when_its_metric_does_not_improve(tmp_path, validated, stop):
    """At a learning rate of next to nothing: so the first validation stays the best."""
    validated["train"]["optim_g"]["lr"] = 1e-30
    overrides = ["val.stop_after=2", "val.drift=null"]
    if stop:
        run(tmp_path, validated, *overrides, f"train.total_iter={stop}")
    folder = run(tmp_path, validated, *overrides, "auto_resume=true")
    assert last_iteration(folder) == 3
    psnr = reported(folder)[1]["held_out/psnr"]
    assert (
        f"stopped early: held_out/psnr has not improved in 2 validations on {psnr:.4f} at "
        "iter 1, which is net_g_best.pdparams; to continue all the same: --auto_resume "
        "val.stop_after=null"
    ) in log_of(folder)
    if stop is None:
        run(tmp_path, validated, *overrides, "auto_resume=true", "val.stop_after=3")
        assert last_iteration(folder) == 4


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("held_out/psnr", [20.0, 22.0, 21.0, 22.0], Best("held_out/psnr", 22.0, 2)),
        ("held_out/ssim", [0.3, 0.2, 0.4], Best("held_out/ssim", 0.4, 3)),
    ],
)
def test_the_best_network_is_that_of_the_best_value_of_the_chosen_metric(
    tmp_path, capsys, validated, metric, values, expected
):
    validated["val"] |= {"best": metric, "stop_after": 2, "drift": None}
    with opened(tmp_path, validated) as (cfg, training):
        checkpoints = training.checkpoints
        for iteration, value in enumerate(values, start=1):
            metrics = {"held_out/psnr": 20.0 - iteration, metric: value}
            checkpoints.keep_best(iteration, metrics, cfg.val)

        assert checkpoints.record.best == expected
        assert checkpoints.record.stale == len(values) - expected.iteration
        stops = training.validator.stop_reason() is not None
        assert stops == (checkpoints.record.stale == 2)
        assert (training.experiment.models / "net_g_best.pdparams").is_file()
        checkpoints.report_networks()
        assert (
            capsys.readouterr()
            .out.rstrip()
            .endswith(
                f"net_g_best.pdparams, {metric} {expected.value:.4f}, "
                f"iter {expected.iteration}"
            )
        )


@pytest.mark.parametrize(("name", "lower"), [("psnr", False), ("lpips", True)])
def test_a_lower_value_is_better_for_distances_only(name, lower):
    metrics = {name: {"type": f"calculate_{name}"}}
    options = ValOptions(best=f"held_out/{name}", metrics=metrics, val_freq=1)
    assert is_better(0.2, 0.3, options) == lower
    assert is_better(0.3, 0.2, options) != lower
    assert not is_better(0.2, 0.2, options)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "val.best=held_out/lpips",
            r"val\.best: 'held_out/lpips' is not measured; .* held_out/psnr, held_out/ssim",
        ),
        ("val.drift.general.sharpness=[1.1,2]", "low <= 1 <= high"),
    ],
)
def test_impossible_options_of_validation_are_refused(
    tmp_path, validated, override, message
):
    with pytest.raises(UserError, match=message):
        run(tmp_path, validated, override)


def test_stop_after_needs_a_metric(tmp_path, validated):
    del validated["datasets"]["val"]["dataroot_gt"]
    validated["datasets"]["val"]["type"] = "SingleImageDataset"
    with pytest.raises(UserError, match=r"val\.stop_after needs a metric"):
        run(tmp_path, validated, "val.stop_after=2")
