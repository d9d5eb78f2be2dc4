"""The drift alarm, with plain functions in place of networks, and runs that stop early."""

import numpy as np
import paddle
import pytest
from paddle.nn import functional
from sample_runs import assert_states_equal, picture, reported, run

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.options.schema.config import DomainLimits, GeneralLimits
from realesrgan_paddle.run.drift_pictures import (
    GENERAL,
    general_pictures,
    general_pictures_of,
)
from realesrgan_paddle.run.drift_watch import DriftAlarm, PictureSet
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle

SCALE = 4


class Bicubic(paddle.nn.Layer):
    """Enlarges, and then does `then` with the picture (1, 3, H, W)."""

    def __init__(self, then=lambda x: x):
        super().__init__()
        self.then = then

    def forward(self, x):
        size = [SCALE * side for side in x.shape[2:]]
        return self.then(
            functional.interpolate(x, size=size, mode="bicubic").clip(0, 1)
        ).clip(0, 1)


def tinted(x):
    return x + paddle.to_tensor([0.06, 0.0, -0.06], "float32").reshape([1, 3, 1, 1])


def blurred(x):
    return functional.avg_pool2d(functional.pad(x, [6] * 4, mode="reflect"), 13, 1)


def sharpened(x):
    return x + 3 * (
        x - functional.avg_pool2d(functional.pad(x, [3] * 4, mode="reflect"), 7, 1)
    )


def hardly_any(image, reference):
    return 0.01 * float((image != reference).any())


def alarm(start, *, gt=True):
    of = general_pictures(SCALE)[::2]
    pictures = of if gt else [ValidationImage(it.name, it.lq, None) for it in of]
    sets = [
        PictureSet("general", GeneralLimits(), pictures),
        PictureSet("held_out", DomainLimits(), pictures[:2]),
    ]
    return DriftAlarm(sets, start, SCALE, hardly_any)


def spoken(watch, network):
    """Which things moved, by what the warnings begin with; and the figures."""
    figures = watch.measure(network)
    return [warning.partition(":")[0] for warning in watch.warnings(figures)], figures


@pytest.mark.parametrize("gt", [True, False])
def test_the_network_that_was_not_changed_is_not_apart(gt):
    said, figures = spoken(alarm(Bicubic(), gt=gt), Bicubic())
    assert said == []
    for of in figures.values():
        assert (of["delta_e"], of["sharpness"], of["lpips"]) == (0, 1, 0)
        assert len(of) == (6 if gt else 3)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (tinted, "colours moved"),
        (blurred, "pictures are too blurred"),
        (sharpened, "pictures are too sharp"),
        (lambda x: 0.9 * x, "colours moved"),
    ],
)
def test_what_moved_is_named_and_nothing_else(spoil, what):
    watch = alarm(Bicubic())
    said, figures = spoken(watch, Bicubic(spoil))
    assert said == [what]
    (warning,) = watch.warnings(figures)
    assert "general " in warning
    assert "held_out " in warning
    assert "(usual: " in warning
    assert "; try " in warning


def test_a_network_that_gets_right_what_the_start_had_wrong_is_left_alone():
    for wrong in (tinted, blurred, sharpened):
        assert spoken(alarm(Bicubic(wrong)), Bicubic())[0] == []


def test_without_ground_truth_it_cannot_know_and_only_reports():
    said, figures = spoken(alarm(Bicubic(), gt=False), Bicubic(tinted))
    assert said == []
    assert figures["held_out"]["delta_e"] > 2


def test_texture_is_no_colour():
    noise = paddle.to_tensor(
        np.random.default_rng(0).normal(0, 0.03, (1, 3, 256, 256)).astype(np.float32)
    )
    _, figures = spoken(alarm(Bicubic()), Bicubic(lambda x: 0.1 + 0.8 * x))
    _, noisy = spoken(
        alarm(Bicubic(lambda x: 0.1 + 0.8 * x)),
        Bicubic(lambda x: 0.1 + 0.8 * x + noise),
    )
    assert noisy["general"]["delta_e"] < 0.2 * figures["general"]["delta_e"]


def test_the_general_pictures_are_always_the_same():
    pictures = general_pictures(SCALE)
    assert len(pictures) == len(GENERAL) == 6
    assert all(
        it.gt.shape == (256, 256, 3) and it.lq.shape == (64, 64, 3) for it in pictures
    )
    sums = [int(it.gt.sum()) for it in pictures]
    assert sums == [int(it.gt.sum()) for it in general_pictures(2)]


def test_a_folder_of_ones_own(tmp_path):
    write_image(tmp_path / "small.png", picture(30, 200, 0))
    with pytest.raises(
        UserError,
        match=r"val\.drift\.dataroot: .* no picture of at least 36 pixels each way",
    ):
        general_pictures_of(str(tmp_path), SCALE)
    for i in range(9):
        write_image(tmp_path / f"{i}.png", picture(50 + i, 300, i))
    found = general_pictures_of(str(tmp_path), SCALE)
    assert 5 <= len(found) <= 6
    for it in found:
        assert it.gt.shape == (it.lq.shape[0] * SCALE, 256, 3)


@pytest.fixture
def validated(tmp_path, options, monkeypatch):
    """A run of the small network from given weights, with a validation after each iteration."""
    monkeypatch.setattr(
        "realesrgan_paddle.run.drift_watch.missing_weights",
        lambda *_: "LPIPS is out of reach",
    )
    folder = run(tmp_path, options, "name=start", "train.total_iter=1")
    gt = picture(48, 80, 9)
    write_image(tmp_path / "val_gt/a.png", gt)
    write_image(tmp_path / "val_lq/a.png", gt[::4, ::4])
    roots = {
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        **roots,
    }
    figures = {name: {"type": f"calculate_{name}"} for name in ("psnr", "ssim")}
    options["val"] = {"val_freq": 1, "save_img": False, "metrics": figures}
    options["path"]["pretrain_network_g"] = str(folder / "models/net_g_latest.pdparams")
    return options


def log(folder):
    return (folder / "train.log").read_text()


def test_figures_are_reported_and_the_same_after_a_resume(tmp_path, validated):
    straight = run(tmp_path, validated, "name=straight")
    run(tmp_path, validated, "train.total_iter=4")
    resumed = run(tmp_path, validated, "auto_resume=true")
    assert reported(resumed) == reported(straight)
    assert_states_equal(
        *(folder / "training_states/6.state" for folder in (straight, resumed))
    )
    (last,) = [
        line
        for line in reported(straight)
        if line["iter"] == 6 and "drift/general/delta_e" in line
    ]
    assert last.keys() == {
        "iter",
        *(f"drift/{name}/{figure}{gt}" for name in ("general", "held_out") for gt in ("", "_gt")
          for figure in ("delta_e", "sharpness")),
    }  # fmt: skip
    assert last["drift/general/delta_e"] > 0
    assert "drift is measured without LPIPS: LPIPS is out of reach" in log(straight)
    assert "on pieces of pictures: general (6), held_out (1)" in log(straight)


def test_without_a_start_network_or_by_wish_nothing_is_measured(tmp_path, validated):
    folder = run(tmp_path, validated, "val.drift=null", "name=unwatched")
    assert "drift" not in log(folder)
    validated["path"]["pretrain_network_g"] = None
    folder = run(tmp_path, validated)
    assert "drift is not measured: path.pretrain_network_g names no network" in log(
        folder
    )
    assert not [line for line in reported(folder) if "drift/general/delta_e" in line]


def test_pictures_out_of_reach_leave_the_domain(tmp_path, validated, monkeypatch):
    monkeypatch.setattr(
        "realesrgan_paddle.run.drift_pictures.skimage.__file__",
        str(tmp_path / "none/__init__.py"),
    )
    folder = run(tmp_path, validated)
    assert "drift is not measured on general pictures (" in log(folder)
    assert "on pieces of pictures: held_out (1)" in log(folder)


def test_drift_stops_a_run_that_wants_it_and_says_so_again(
    tmp_path, validated, monkeypatch
):
    strict = ["val.drift.stop=true", "val.drift.general=null", "val.val_freq=2"]
    monkeypatch.setattr(
        DriftAlarm, "warnings", lambda *_: ["colours moved: held_out by Delta E 9"]
    )
    folder = run(tmp_path, validated, *strict)
    assert max(line["iter"] for line in reported(folder)) == 2
    said = log(folder).splitlines()
    assert any(
        "warning: drift: colours moved: held_out by Delta E" in line for line in said
    )
    assert (
        "stopped early: the drift alarm spoke at iter 2; to go on all the same"
        in log(folder)
    )
    assert "next: python tools/export_model.py" in said[-1]
    assert (folder / "training_states/2.state").exists()

    run(tmp_path, validated, *strict, "auto_resume=true")
    assert log(folder).count("stopped early: the drift alarm spoke at iter 2") == 2
    run(tmp_path, validated, *strict, "auto_resume=true", "val.drift.stop=false")
    assert max(line["iter"] for line in reported(folder)) == 6


def constant(monkeypatch, figures):
    """Let validations find these figures of held_out/psnr, one after the other, and 0 from then on."""
    found = dict(enumerate(figures, start=1))

    def validate(options, network, sets, experiment, iteration):
        values = {
            "held_out/psnr": found.get(iteration, 0.0),
            "held_out/ssim": iteration / 10,
        }
        return values, f"iter {iteration}"

    monkeypatch.setattr("realesrgan_paddle.run.validator.validate", validate)


@pytest.mark.parametrize("stop", [None, 1, 2, 3, 4])
def test_a_run_stops_when_nothing_gets_better(tmp_path, validated, monkeypatch, stop):
    constant(monkeypatch, [20.0, 22.0, 21.0, 22.0])
    validated["train"]["total_iter"] = 9
    patient = ["val.stop_after=2", "val.drift=null"]
    if stop:
        run(tmp_path, validated, *patient, f"train.total_iter={stop}")
    folder = run(tmp_path, validated, *patient, "auto_resume=true")
    assert max(line["iter"] for line in reported(folder)) == 4
    assert (
        "stopped early: held_out/psnr has not got better in 2 validations than 22.0000 at iter 2, which is "
        "net_g_best.pdparams; to go on all the same: --auto_resume val.stop_after=null"
        in log(folder)
    )
    run(tmp_path, validated, *patient, "auto_resume=true", "val.stop_after=3")
    assert max(line["iter"] for line in reported(folder)) == 5


def test_the_best_is_by_the_figure_that_is_wanted(tmp_path, validated, monkeypatch):
    constant(monkeypatch, [22.0, 21.0, 20.0])
    validated["train"]["total_iter"] = 3
    folder = run(tmp_path, validated, "val.best=held_out/ssim")
    assert (
        "(or net_g_best.pdparams: held_out/ssim 0.3000, iter 3)"
        in log(folder).splitlines()[-1]
    )
    best, last = (folder / f"models/net_g_{when}.pdparams" for when in ("best", "3"))
    assert best.read_bytes() == last.read_bytes()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("val.best=held_out/lpips", r"val\.best: 'held_out/lpips' is not measured; .* held_out/psnr, held_out/ssim"),
        ("val.drift.general.sharpness=[1.1,2]", "low <= 1 <= high"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path, validated, override, message):
    with pytest.raises(UserError, match=message):
        run(tmp_path, validated, override)


def test_patience_needs_a_figure(tmp_path, validated):
    del validated["datasets"]["val"]["dataroot_gt"]
    validated["datasets"]["val"]["type"] = "SingleImageDataset"
    with pytest.raises(UserError, match=r"val\.stop_after needs a metric"):
        run(tmp_path, validated, "val.stop_after=2")
