"""tools/evaluate.py, from files to figures."""

import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import sample_perceptual_metrics as samples
from formulas import picture
from sample_weights import sample_weights

from realesrgan_paddle.commands import make_lq_data
from realesrgan_paddle.metrics.data_sets import DataSet, Pair
from realesrgan_paddle.metrics.evaluation import Evaluation
from realesrgan_paddle.metrics.matlab_bicubic import resize_bicubic
from realesrgan_paddle.metrics.measuring import Rules, SetResult, measure_sets
from realesrgan_paddle.metrics.methods import Card, Method
from realesrgan_paddle.metrics.table import open_metric, parse_metric
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import evaluate as tool
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.metrics.frechet import FeatureStatistics, frechet_distance
from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe
from realesrgan_paddle.utils.metrics.similarity import psnr, without_border
from realesrgan_paddle.utils.weights.writer import write_pdparams


def nearest(lq, scale):
    return lq.repeat(scale, 0).repeat(scale, 1)


def inverted(lq, scale):
    return 255 - nearest(lq, scale)


def opened(border):
    """Metrics that need no weights."""
    names = ("psnr", "ssim", "delta_e", "sharpness")
    return {name: open_metric(name, border) for name in names}


def method(name, run):
    return Method(name, name, "", None, run, None)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with hr (three images, two of odd sizes) and lr, and a network."""
    for number, (height, width) in enumerate([(64, 72), (70, 61), (67, 80)]):
        image = picture(f"{number}", (1, 3, height, width))[0].transpose(1, 2, 0)
        hr = np.uint8(image * 255)
        write_image(tmp_path / f"hr/{number}.png", hr)
        whole = hr[: height - height % 4, : width - width % 4]
        write_image(tmp_path / f"lr/{number}.png", resize_bicubic(whole, 1 / 4))
    network = SRVGGNetCompact(num_feat=8, num_conv=1)
    write_pdparams(tmp_path / "net.pdparams", {"params": sample_weights(network)})
    (tmp_path / "lq.yml").write_text("dataroot_gt: hr\nmanual_seed: 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, code=0):
    """Run the command; return what --json wrote."""
    assert tool.main([*words, "--json", "out.json"]) == code
    return json.loads(Path("out.json").read_text(encoding="utf-8"))


def test_metrics_are_of_the_images_without_border(tmp_path):
    lq = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    gt = nearest(lq, 2)
    gt[0] = 0  # at the border, where nobody looks
    write_image(tmp_path / "lq.png", lq)
    write_image(tmp_path / "gt.png", gt)
    pair = Pair("gt.png", tmp_path / "gt.png", tmp_path / "lq.png")
    data = DataSet("One", tmp_path, tmp_path, [pair])
    runs = {"right": nearest, "wrong": inverted}
    right, wrong = measure_sets([data], runs, opened(2), Rules(2, 2))
    assert not data.failures
    assert right.means["psnr"] == math.inf
    assert right.means["ssim"] == right.means["sharpness"] == pytest.approx(1)
    assert right.means["delta_e"] == pytest.approx(0)
    inner = without_border(inverted(lq, 2), 2), without_border(gt, 2)
    assert wrong.images["gt.png"]["psnr"] == psnr(*inner)

    wide, _ = measure_sets([data], runs, opened(0), Rules(2, 0))
    assert wide.means["psnr"] < math.inf


def test_a_bad_image_is_left_out_for_all_methods(tmp_path):
    lq = np.zeros((16, 16, 3), np.uint8)
    pairs = []
    for name, side in (("a", 32), ("b", 30), ("c", 32)):
        write_image(tmp_path / f"lq_{name}.png", lq)
        write_image(tmp_path / f"{name}.png", np.zeros((side, 32, 3), np.uint8))
        pairs.append(
            Pair(f"{name}.png", tmp_path / f"{name}.png", tmp_path / f"lq_{name}.png")
        )
    (tmp_path / "c.png").write_bytes(b"no image")
    data = DataSet("One", tmp_path, tmp_path, pairs)
    (result,) = measure_sets([data], {"m": nearest}, opened(2), Rules(2, 2))
    assert list(result.images) == ["a.png"]
    size, damaged = data.failures
    assert size.startswith(
        f"{tmp_path}/b.png: 32x30 pixels are not 2 times the 16x16 of"
    )
    assert damaged.startswith(f"{tmp_path}/c.png: not a readable image")

    data = DataSet("One", tmp_path, tmp_path, pairs[:1])
    measure_sets([data], {"m": nearest}, opened(16), Rules(2, 16))
    assert data.failures == [
        f"{tmp_path}/a.png: crop_border 16 leaves nothing of 32x32 pixels"
    ]


@pytest.mark.paddle
def test_several_sets_and_methods_in_one_table(place, capsys):
    flags = ["--gt", "One=hr", "Two=hr", "--input", "lr", "lr", "--markdown", "t.md"]
    found = run("--models", "bicubic", "mine=net.pdparams", *flags)
    assert [each["name"] for each in found["sets"]] == ["One", "Two"]
    assert [each["count"] for each in found["results"]] == [3, 3, 3, 3]
    bicubic, mine = found["results"][:2]
    assert bicubic["means"]["psnr"] > mine["means"]["psnr"]

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "x4, given inputs, without 4 pixels at each border"
    assert re.split(r"  +", printed[1]) == [
        *("set", "images", "model", "PSNR [dB]", "SSIM", "PSNR-Y [dB]", "SSIM-Y")
    ]
    cells = re.split(r" +", printed[2])
    assert cells[:4] == ["One", "3", "bicubic", f"{bicubic['means']['psnr']:.2f}"]
    assert printed[-1].startswith("next: ")
    assert "compare.py --input lr --gt hr --models mine=net.pdparams" in printed[-1]

    table = (place / "t.md").read_text().splitlines()
    assert "| model | One (3) | Two (3) |" in table
    best = f"| bicubic | **{bicubic['means']['psnr']:.2f}** / "
    assert any(line.startswith(best) for line in table)
    assert any("| mine | SRVGGNetCompact x4, 1 convolutions" in line for line in table)


@pytest.mark.paddle
def test_inputs_made_on_the_way_are_those_of_make_lq_data(place, capsys):
    words = ["--yml_path", "lq.yml", "--save_dir", "lq", "--seed", "7"]
    assert make_lq_data.main(words) == 0
    flags = ["--models", "bicubic", "--gt", "hr"]
    written = run(*flags, "--input", "lq")
    made = run(*flags, "--degrade", "lq.yml", "--seed", "7")
    assert made["results"] == written["results"]
    assert (made["degrade"], made["seed"]) == ("lq.yml", 7)
    line = "make_lq_data.py --yml_path lq.yml --save_dir LQ --input hr --seed 7"
    assert capsys.readouterr().out.rstrip().endswith(line)

    by_file = run(*flags, "--degrade", "lq.yml")
    assert by_file["results"] != made["results"]
    assert by_file["results"] == run(*flags, "--degrade", "lq.yml")["results"]


@pytest.mark.paddle
def test_bicubic_inputs_made_on_the_way_are_matlabs(place):
    flags = ["--models", "bicubic", "--gt", "hr"]
    made = run(*flags, "--degrade", "bicubic")
    assert made["results"] == run(*flags, "--input", "lr")["results"]


@pytest.mark.paddle
def test_the_json_says_what_was_measured_and_how(place):
    flags = ["--metrics", "PSNR", "psnr-y", "--crop_border", "2", "--size", "9"]
    models = ["bicubic", "mine=net.pdparams"]
    found = run("--models", *models, "--gt", "Set=hr", "--input", "lr", *flags)
    assert list(found) == [
        *("version", "scale", "crop_border", "size", "degrade", "seed", "metrics"),
        *("sets", "models", "results"),
    ]
    assert (found["scale"], found["crop_border"], found["size"]) == (4, 2, 9)
    assert found["metrics"] == ["psnr", "psnr_y"]
    assert found["sets"] == [{"name": "Set", "gt": "hr", "input": "lr", "failures": []}]
    bicubic, mine = found["models"]
    assert bicubic == {"name": "bicubic", "model": "bicubic"}
    assert list(mine) == [
        *("name", "model", "precision", "scale", "network", "parameters"),
        *("macs_at_128x128", "macs_per_input_pixel", "seconds_per_output_megapixel"),
        "runs_on",
    ]
    for result in found["results"]:
        assert list(result) == ["model", "set", "count", "means", "images"]
        assert list(result["images"]) == ["0.png", "1.png", "2.png"]
        for name, mean in result["means"].items():
            values = [scores[name] for scores in result["images"].values()]
            assert mean == pytest.approx(np.mean(values))


def test_what_is_not_finite_is_null_in_json_and_shown(tmp_path):
    result = SetResult("m", "S", {"a": {"psnr": math.inf, "sharpness": math.nan}})
    methods = [method("m", nearest)]
    data = DataSet("S\x1b[2J", tmp_path, None)
    result.data = data.name
    found = Evaluation(
        [data],
        methods,
        ["psnr", "sharpness"],
        Rules(4, 4, None),
        "bicubic",
        None,
        [result],
    )
    found.write_json(tmp_path / "out.json")
    (record,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert record["images"] == {"a": {"psnr": None, "sharpness": None}}
    assert record["means"] == {"psnr": None, "sharpness": None}
    assert re.search(r"S\\x1b\[2J +1 +m +inf +-$", found.text())
    assert "| m | inf / - |" in found.markdown()


def test_a_graph_that_is_not_known_has_no_counts():
    card = Card("its operator 1 is another", None, None, 0.5, "cpu")
    methods = [Method("m", "infer", "fp32", 4, nearest, card)]
    data = DataSet("S", "hr", None)
    results = [SetResult("m", "S")]
    rules = Rules(4, 4, None)
    found = Evaluation([data], methods, ["psnr"], rules, "bicubic", None, results)
    assert "| m | its operator 1 is another | - | - | - | 0.500 |" in found.markdown()
    assert found.record()["models"][0]["parameters"] is None


@pytest.mark.paddle
def test_bad_files_cost_their_own_figures_and_the_exit_code(place, capsys):
    (place / "lr/0.png").write_bytes(b"no image")
    (place / "lr/1.png").unlink()
    os.mkfifo(place / "hr/3.png")
    os.mkfifo(place / "lr/4.png")
    found = run("--models", "bicubic", "--gt", "hr", "--input", "lr", code=1)
    assert [each["count"] for each in found["results"]] == [1]
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "failed: hr/1.png: no image in lr is named like it",
        next(line for line in printed.err.splitlines() if "lr/0.png: not a" in line),
    ]
    assert len(found["sets"][0]["failures"]) == 2


@pytest.mark.paddle
def test_what_is_left_of_nothing_is_an_error(place):
    for path in (place / "lr").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(Exception, match=r"no image could be measured: lr/0.png: not a"):
        run("--models", "bicubic", "--gt", "hr", "--input", "lr")
    assert not (place / "out.json").exists()


def test_metrics_are_spelled_either_way():
    assert parse_metric("PSNR-Y") == "psnr_y"
    with pytest.raises(
        Exception, match=r"unknown metric 'psnry'; did you mean 'psnr_y'"
    ):
        parse_metric("psnry")


@pytest.mark.paddle
def test_lpips_and_dists_are_those_of_their_networks(place):
    """Of each network by formulas: that it is the right one, whatever the weights."""
    from realesrgan_paddle.loss.lpips_dists import load_dists, load_lpips
    from realesrgan_paddle.metrics.perceptual import perceptual_distance

    for net in ("alex", "vgg", "squeeze"):
        tensors = samples.network(net) | samples.linear(net)
        write_pdparams(place / f"weights/lpips_{net}.pdparams", {"": tensors})
    vgg16 = samples.network("vgg") | samples.dists()
    write_pdparams(place / "weights/dists.pdparams", {"": vgg16})

    images = [read_image(place / f"hr/{n}.png")[:60, :60] for n in (0, 1)]
    networks = {
        "lpips": load_lpips("alex"),
        "lpips_vgg": load_lpips("vgg"),
        "lpips_squeeze": load_lpips("squeeze"),
        "dists": load_dists(),
    }
    for name, network in networks.items():
        expected = perceptual_distance(network, *images)
        found = open_metric(name)(*images)
        assert found == pytest.approx(expected, rel=1e-4), name


@pytest.mark.paddle
def test_niqe_is_that_of_the_result(place, assets):
    (place / "weights").mkdir()
    shutil.copy(assets / "metrics/niqe_pris_params.npz", place / "weights")
    image = read_image(assets / "images/set5/img_002_SRF_4_HR.png")
    measure = open_metric("niqe")
    assert measure(image, image[::-1]) == niqe(image, load_niqe())


@pytest.fixture
def mean_colors(monkeypatch):
    """Features of FID that can be followed: each image's mean colors."""
    features = lambda image: image.mean((0, 1))[None] / 255  # noqa: E731
    name = "realesrgan_paddle.commands.evaluate.open_features"
    monkeypatch.setattr(name, lambda: features)


@pytest.mark.paddle
def test_fid_is_of_all_images_together(place, mean_colors):
    metrics = ["--metrics", "psnr", "fid", "--crop_border", "0"]
    flags = ["--models", "bicubic", "--gt", "hr", "--input", "lr", *metrics]
    found = run(*flags)

    expected = []
    for number in range(3):
        hr, lr = (read_image(f"{kind}/{number}.png") for kind in ("hr", "lr"))
        sr = resize_bicubic(lr, 4)
        hr = hr[: sr.shape[0], : sr.shape[1]]
        expected.append([hr.mean((0, 1)) / 255, sr.mean((0, 1)) / 255])
    truth, results = np.swapaxes(expected, 0, 1)
    statistics = [FeatureStatistics(3), FeatureStatistics(3)]
    statistics[0].add(truth)
    statistics[1].add(results)
    (result,) = found["results"]
    value = frechet_distance(*statistics)
    assert result["means"]["fid"] == pytest.approx(value, rel=1e-3, abs=1e-9)
    assert list(result["images"]["0.png"]) == ["psnr"]


@pytest.mark.paddle
def test_fid_of_one_image_is_not_known_and_of_few_is_doubted(
    place, mean_colors, capsys
):
    flags = ["--models", "bicubic", "--gt", "hr/0.png", "--input", "lr/0.png"]
    found = run(*flags, "--metrics", "fid")
    assert found["results"][0]["means"] == {"fid": None}
    assert "0.png: FID of 1 images: below 2,048" in capsys.readouterr().out
