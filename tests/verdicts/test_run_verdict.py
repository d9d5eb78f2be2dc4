"""Runs end with a verdict, which a resumed run gives too, and its record is checked."""

import json

import numpy as np
import pytest
from sample_runs import log_of, picture, run, state_of

from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.training.checkpoints import RunRecord
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.training_state import TrainingState, load_state
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

METRICS = {name: {"type": f"calculate_{name}"} for name in ("psnr", "ssim")}


@pytest.fixture
def validated(tmp_path, options):
    """Options of a run with a start network, that validates six images of six clips."""
    for clip in "abcdef":
        number = ord(clip)
        write_image(tmp_path / f"val/HR/{clip}.png", picture(64, 64, number))
        write_image(tmp_path / f"val/LR/{clip}.png", picture(64, 64, number)[::4, ::4])
        write_image(tmp_path / f"real/{clip}.png", picture(40, 40, number))

    network = Network(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4))
    weights = {name: each.numpy() for name, each in network.state_dict().items()}
    write_pdparams(tmp_path / "start.pdparams", {"params": weights})
    options["path"]["pretrain_network_g"] = str(tmp_path / "start.pdparams")
    options["datasets"]["val"] = {
        "name": "clips",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "val/HR"),
        "dataroot_lq": str(tmp_path / "val/LR"),
    }
    options["val"] = {
        "val_freq": 1,
        "save_img": False,
        "save_sheet": False,
        "metrics": METRICS,
        "real_lq": str(tmp_path / "real"),
    }
    return options


def verdict_of(folder):
    return json.loads((folder / "verdict.json").read_text())


def test_a_run_ends_with_a_verdict_that_a_resumed_one_gives_too(tmp_path, validated):
    straight = run(tmp_path, validated, "name=straight", "train.total_iter=3")
    run(tmp_path, validated, "train.total_iter=1")
    resumed = run(tmp_path, validated, "auto_resume=true", "train.total_iter=3")

    found = verdict_of(straight)
    assert verdict_of(resumed)["figures"] == found["figures"]
    assert verdict_of(resumed)["sets"] == found["sets"]

    lines = read_lines(straight)
    assert lines[0].startswith("On 6 clips images: ")
    assert "On 6 real low-quality images: " in "\n".join(lines)
    assert "general images of 5 clips: " in "\n".join(lines)
    logged = log_of(straight).splitlines()
    assert f"verdict: {lines[0]}" in "\n".join(logged)
    assert f"verdict: {lines[-1]}" in logged[-2]


def test_its_figures_are_the_means_of_the_log(tmp_path, validated):
    folder = run(tmp_path, validated, "train.total_iter=1")
    figures = verdict_of(folder)["figures"]
    assert figures.keys() == {"bicubic", "the network it started from", "best", "last"}
    bicubic = figures["bicubic"]["clips"]
    mean = np.mean([image["psnr"] for image in bicubic.values()])
    assert f"bicubic interpolation  clips/psnr {mean:.4f}" in log_of(folder)
    assert {image["color"] for image in bicubic.values()} == {0.0}
    assert {image["sharpness"] for image in bicubic.values()} == {1.0}

    change = verdict_of(folder)["sets"]["clips"]["bicubic"]["metrics"]["PSNR"]
    last = np.mean([image["psnr"] for image in figures["last"]["clips"].values()])
    assert change["mean"] == pytest.approx(last - mean)
    assert change["interval"][0] <= change["mean"] <= change["interval"][1]


def test_a_ruined_network_is_told_not_to_be_used(tmp_path, validated):
    validated["train"]["optim_g"]["lr"] = 1.0
    folder = run(tmp_path, validated, "train.total_iter=2")
    text = "\n".join(read_lines(folder))
    assert "worse than bicubic in PSNR and SSIM" in text
    assert "do not use it: colors have shifted: Delta E " in text


def test_a_run_that_validates_nothing_has_no_verdict(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    assert not (folder / "verdict.json").exists()
    assert "verdict" not in log_of(folder)
    assert read_lines(folder) == []


@pytest.mark.parametrize(
    "figures",
    [
        {"last": {"set": {"a.png": {"psnr": "30"}}}},
        {"last": {"set": {"a.png": {"psnr": float("nan")}}}},
        {"last": {"set": [1.0]}},
        {"last": 3},
    ],
)
def test_figures_in_a_record_are_checked(tmp_path, options, figures):
    folder = run(tmp_path, options, "train.total_iter=1")
    state = load_state(state_of(folder, 1))
    record = {**state.record["run"], "figures": figures}
    with pytest.raises(UserError, match=r"its record has run\.figures"):
        RunRecord.of(
            TrainingState(1, state.parts, {**state.record, "run": record}, state.path)
        )


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"lines": 3, "next": ""}', '{"lines": [1], "next": ""}'],
)
def test_a_verdict_that_no_run_wrote_is_refused(tmp_path, text):
    (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(UserError, match="not the verdict of a run"):
        read_lines(tmp_path)
