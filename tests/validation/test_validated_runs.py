"""Runs that are validated: what they measure, draw, warn of and stop for, also resumed."""

import json

import numpy as np
import pytest
from sample_runs import (
    assert_states_equal,
    log_of,
    opened,
    picture,
    reported,
    run,
    state_of,
    tiny_options,
    write_yml,
)
from sample_weights import sample_weights
from unfetched import fetch_nothing

from realesrgan_paddle.judging.images import (
    degraded_as_in_training,
    general_images,
    open_judged_sets,
)
from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.metrics.table import METRICS
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.run_record import Best
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


def validated_options(folder):
    """Options of a run from given weights, validated on six clips at each iteration."""
    options = tiny_options(folder)
    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4))
    write_pdparams(folder / "start.pdparams", {"params": weights})
    options["path"]["pretrain_network_g"] = str(folder / "start.pdparams")

    for clip in "abcdef":
        gt = picture(64, 64, ord(clip))
        write_image(folder / f"val/HR/{clip}.png", gt)
        write_image(folder / f"val/LR/{clip}.png", gt[::4, ::4])
        write_image(folder / f"real/{clip}.png", picture(40, 40, ord(clip)))
    options["datasets"]["val"] = {
        "name": "clips",
        "type": "PairedImageDataset",
        "dataroot_gt": str(folder / "val/HR"),
        "dataroot_lq": str(folder / "val/LR"),
    }
    metrics = {name: {"type": f"calculate_{name}"} for name in ("psnr", "ssim")}
    options["val"] = {"val_freq": 1, "save_img": False, "metrics": metrics}
    return options


@pytest.fixture
def validated(tmp_path):
    """As `validated_options`, without sheets."""
    options = validated_options(tmp_path)
    options["val"]["save_sheet"] = False
    return options


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of three iterations, and one of the same name that was stopped after one."""
    folder = tmp_path_factory.mktemp("validated")
    options = validated_options(folder)
    options["val"]["real_lq"] = str(folder / "real")
    roots = (f"path.experiments_root={folder / name}" for name in ("one", "two"))
    with pytest.MonkeyPatch.context() as patch:
        fetch_nothing(patch)
        options["logger"] |= {"save_checkpoint_freq": 1, "keep_checkpoints": 0}
        straight = run(folder, options, next(roots), "train.total_iter=3")
        stopped = next(roots)
        run(folder, options, stopped, "train.total_iter=1")
        resume = ("auto_resume=true", "train.total_iter=3")
        return straight, run(folder, options, stopped, *resume)


def verdict_of(folder):
    return json.loads((folder / "verdict.json").read_text())


def test_a_resumed_run_validates_draws_and_judges_as_one_that_never_stopped(runs):
    straight, resumed = runs
    assert reported(resumed) == reported(straight)
    assert_states_equal(state_of(straight, 3), state_of(resumed, 3))
    for part in ("figures", "sets"):
        assert verdict_of(resumed)[part] == verdict_of(straight)[part]

    sheets = [f"visualization/clips/sheet_{number}.png" for number in (1, 2, 3)]
    drawn = [(straight / sheet).read_bytes() for sheet in sheets]
    assert drawn == [(resumed / sheet).read_bytes() for sheet in sheets]
    assert len(set(drawn)) == 3


def test_all_that_the_judge_looks_at_is_reported(runs):
    (last,) = [line for line in reported(runs[0]) if "clips/psnr" in line][2:]
    known = {"psnr", "ssim", "delta_e", "sharpness", "grid"}
    expected = {"clips": known, "general": known}
    expected["real_lq"] = {"delta_e_lq", "sharpness_lq", "grid"}
    keys = {f"{name}/{metric}" for name in expected for metric in expected[name]}
    assert last.keys() == {"iter", *keys}
    log = log_of(runs[0])
    assert "iter 3 since the start  clips: Delta E " in log
    assert "  general: Delta E " in log


def test_the_verdict_is_logged_and_its_figures_are_those_of_the_log(runs):
    lines, logged = read_lines(runs[0]), log_of(runs[0]).splitlines()
    page = runs[0] / "verdict.html"
    assert lines[0].startswith("On images that it has not seen, the new network is ")
    assert "6 images" in lines[0]
    assert lines[1].startswith("On 6 clips images: ")
    shown = page.read_text(encoding="utf-8")
    assert f'<p class="lead">{lines[0]}</p>' in shown
    assert shown.count('<figure data-label="new network">') == 6
    assert "On 6 real low-quality images: " in "\n".join(lines)
    assert "general images of 5 groups: " in "\n".join(lines)
    assert f"verdict: {lines[0]}; see {page}" in "\n".join(logged)
    assert f"verdict: {lines[-1]}" in logged[-2]
    progress = (runs[0] / "progress.js").read_text(encoding="utf-8")
    assert '"state": "finished"' in progress
    assert f"open {runs[0] / 'index.html'} in a browser" in "\n".join(logged)

    figures = verdict_of(runs[0])["figures"]
    assert figures.keys() == {"bicubic", "the network it started from", "best", "last"}
    bicubic = figures["bicubic"]["clips"]
    mean = np.mean([image["psnr"] for image in bicubic.values()])
    assert f"bicubic interpolation  clips/psnr {mean:.4f}" in "\n".join(logged)
    for image in figures["bicubic"]["real_lq"].values():
        assert (image["delta_e_lq"], image["sharpness_lq"]) == (0, 1)

    change = verdict_of(runs[0])["sets"]["clips"]["bicubic"]["metrics"]["PSNR"]
    last = np.mean([image["psnr"] for image in figures["last"]["clips"].values()])
    assert change["mean"] == pytest.approx(last - mean)
    assert change["interval"][0] <= change["mean"] <= change["interval"][1]


def test_the_best_generator_is_kept_and_named(runs):
    values = {
        line["iter"]: line["clips/psnr"]
        for line in reported(runs[0])
        if "clips/psnr" in line
    }
    best = max(values, key=values.get)
    kept, expected = (
        read_weights(runs[0] / f"models/net_g_{when}.pdparams").groups
        for when in ("best", best)
    )
    assert kept.keys() == expected.keys() == {"params", "params_ema"}
    for group, arrays in expected.items():
        for name, array in arrays.items():
            assert np.array_equal(kept[group][name], array)

    log = log_of(runs[0])
    named = f"net_g_best.pdparams, clips/psnr {values[best]:.4f}, iter {best}; "
    assert log.count(named) == 1
    assert "tools/export_model.py --model_dir " in log.splitlines()[-1]


def test_drift_is_not_measured_if_unwanted_or_from_random_weights(tmp_path, validated):
    one = "train.total_iter=1"
    unwanted = run(tmp_path, validated, "val.drift=null", "name=unwanted", one)
    assert "drift from" not in log_of(unwanted)
    validated["path"]["pretrain_network_g"] = None
    random = run(tmp_path, validated, one)
    assert "drift is not measured: the run starts from random weights" in log_of(random)
    for folder in (unwanted, random):
        assert "since the start" not in log_of(folder)


def test_without_general_images_drift_is_measured_on_the_domain(
    tmp_path, validated, monkeypatch
):
    monkeypatch.setattr("skimage.__file__", str(tmp_path / "none/__init__.py"))
    log = log_of(run(tmp_path, validated, "train.total_iter=1"))
    assert "neither drift nor the verdict looks at general images: " in log
    assert "since the start  clips: Delta E " in log
    assert "  general: " not in log


def test_general_images_are_degraded_as_the_runs_own(tmp_path, validated):
    cfg = load_config(write_yml(tmp_path, validated))
    (general,), remarks = open_judged_sets(cfg)
    assert remarks == []
    images = general_images(4)
    for degraded, image in zip(general.images, images, strict=True):
        assert np.array_equal(degraded.gt, image.gt)
        assert degraded.lq.shape == image.lq.shape
        assert not np.array_equal(degraded.lq, image.lq)

    pairs = cfg.model_copy(update={"high_order_degradation": False})
    assert degraded_as_in_training(pairs, images) == images


def last_iteration(folder):
    return max(line["iter"] for line in reported(folder))


def test_drift_stops_a_run_that_asks_for_it_again_after_a_resume(tmp_path, validated):
    """A learning rate of 0.5 ruins the network at once."""
    del validated["train"]["artifact_opt"]
    validated["train"]["optim_g"]["lr"] = 0.5
    validated["train"]["total_iter"] = 3
    overrides = ["val.drift.stop=true", "val.drift.general=null", "val.val_freq=2"]
    folder = run(tmp_path, validated, *overrides)
    assert last_iteration(folder) == 2
    lines = log_of(folder).splitlines()
    assert any("warning: drift: colors have shifted: clips by " in it for it in lines)
    stopped = (
        "stopped early: the drift alarm went off at iter 2; to continue all the same"
    )
    assert stopped in lines[-2]
    assert "tools/export_model.py" in lines[-1]
    assert state_of(folder, 2).exists()

    text = "\n".join(read_lines(folder))
    assert "worse than bicubic in PSNR and SSIM" in text
    assert "do not use it: colors have shifted: clips by Delta E " in text

    run(tmp_path, validated, *overrides, "auto_resume=true")
    assert log_of(folder).count(stopped) == 2
    run(tmp_path, validated, *overrides, "auto_resume=true", "val.drift.stop=false")
    validated_at = [line["iter"] for line in reported(folder) if "clips/psnr" in line]
    assert validated_at == [2, 3], "the last iteration is validated, too"


def test_a_run_stops_when_its_metric_does_not_improve(tmp_path, validated):
    """At a learning rate of next to nothing: so the first validation stays the best."""
    validated["train"]["optim_g"]["lr"] = 1e-30
    overrides = ["val.stop_after=2", "val.drift=null", "auto_resume=true"]
    for stop in (1, 2, 3, 6):
        folder = run(tmp_path, validated, *overrides, f"train.total_iter={stop}")
        assert last_iteration(folder) == min(stop, 3)
    straight = run(tmp_path, validated, *overrides, "name=straight")
    assert last_iteration(straight) == 3
    assert reported(straight) == reported(folder)

    psnr = reported(folder)[1]["clips/psnr"]
    assert (
        f"stopped early: clips/psnr has not improved in 2 validations on {psnr:.4f} at "
        "iter 1, which is net_g_best.pdparams; to continue all the same: --auto_resume "
        "val.stop_after=null"
    ) in log_of(folder)
    run(tmp_path, validated, *overrides, "val.stop_after=3")
    assert last_iteration(folder) == 4


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("clips/psnr", [20.0, 22.0, 21.0, 22.0], Best("clips/psnr", 22.0, 2)),
        ("clips/ssim", [0.3, 0.2, 0.4], Best("clips/ssim", 0.4, 3)),
    ],
)
def test_the_best_network_is_that_of_the_best_value_of_the_chosen_metric(
    tmp_path, capsys, validated, metric, values, expected
):
    validated["val"] |= {"best": metric, "stop_after": 2, "drift": None}
    with opened(tmp_path, validated) as (cfg, training):
        checkpoints = training.checkpoints
        for iteration, value in enumerate(values, start=1):
            metrics = {"clips/psnr": 20.0 - iteration, metric: value}
            checkpoints.keep_best(iteration, metrics, cfg.val)

        assert checkpoints.record.best == expected
        assert checkpoints.record.stale == len(values) - expected.iteration
        stops = training.validator.stop_reason() is not None
        assert stops == (checkpoints.record.stale == 2)
        assert (training.experiment.models / "net_g_best.pdparams").is_file()
        checkpoints.report_networks()
        said = capsys.readouterr().out.rstrip()
        best = f"{metric} {expected.value:.4f}, iter {expected.iteration}"
        assert said.endswith(f"net_g_best.pdparams, {best}")


def test_a_lower_value_is_better_for_distances_only():
    for name, lower in (("psnr", False), ("lpips", True), ("niqe", True)):
        metric = METRICS[name]
        assert metric.is_better(0.2, 0.3) == lower
        assert metric.is_better(0.3, 0.2) != lower
        assert not metric.is_better(0.2, 0.2)
    assert not METRICS["niqe"].is_better(float("inf"), 4.0)


def test_a_black_image_is_left_out_of_what_decides(tmp_path, validated):
    """Of it PSNR is infinite, with released networks, too."""
    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4))
    for name in weights:
        if name.endswith("bias"):
            weights[name] *= 0
    write_pdparams(tmp_path / "start.pdparams", {"params": weights})
    for folder, side in (("HR", 64), ("LR", 16)):
        black = np.zeros((side, side, 3), np.uint8)
        write_image(tmp_path / f"val/{folder}/g.png", black)
    small = "train.optim_g.lr=1e-9"
    folder = run(tmp_path, validated, "train.total_iter=2", small)
    assert 10 < reported(folder)[-1]["clips/psnr"] < 30
    assert "net_g_best.pdparams is now of iter 1: clips/psnr 1" in log_of(folder)
    run(tmp_path, validated, "train.total_iter=3", small, "auto_resume=true")
    assert reported(folder)[-1]["iter"] == 3


def test_a_set_with_folders_keeps_their_names(tmp_path, validated):
    """Frames of REDS4 are 000/00000000.png: of one clip are those of one folder."""
    val = validated["datasets"]["val"]
    for folder, step in (("HR", 1), ("LR", 4)):
        for clip in ("000", "011"):
            for number in range(2):
                image = picture(64, 64, number)[::step, ::step]
                write_image(tmp_path / f"reds/{folder}/{clip}/{number:08}.png", image)
        val["dataroot_gt" if step == 1 else "dataroot_lq"] = f"{tmp_path}/reds/{folder}"
    validated["val"]["save_img"] = True
    folder = run(tmp_path, validated, "train.total_iter=1")
    drawn = sorted(path.name for path in (folder / "visualization/clips").iterdir())
    names = ["000_00000000", "000_00000001", "011_00000000", "011_00000001"]
    assert [name for name in drawn if name[0] == "0"] == names


def test_impossible_options_of_validation_are_refused(tmp_path, validated):
    with pytest.raises(UserError, match=r"val\.best: 'clips/lpips' is not measured; "):
        run(tmp_path, validated, "val.best=clips/lpips")
    with pytest.raises(UserError, match="low <= 1 <= high"):
        run(tmp_path, validated, "val.drift.general.sharpness=[1.1,2]")

    del validated["datasets"]["val"]["dataroot_gt"]
    validated["datasets"]["val"]["type"] = "SingleImageDataset"
    with pytest.raises(UserError, match=r"val\.stop_after needs a metric"):
        run(tmp_path, validated, "val.stop_after=2")
