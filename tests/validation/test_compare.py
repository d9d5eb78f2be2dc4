"""The before/after sheet and page, with plain functions in place of networks."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from realesrgan_paddle.commands.compare import (
    compare,
    load_upscalers,
    match_ground_truths,
)
from realesrgan_paddle.commands.compare_command import metrics_to_measure
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.metrics.table import METRICS, OpenMetric
from realesrgan_paddle.tools import compare as tool
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image


def nearest(scale):
    return Upscaler(lambda x: x.repeat(scale, axis=2).repeat(scale, axis=3), scale)


class Elements(HTMLParser):
    """All start tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def images(self):
        """{label: RGB} of the first crop's panels."""
        found, of_crop = {}, False
        for tag, attributes in self.tags:
            if tag == "section":
                of_crop = attributes["class"] == "row"
            if tag == "img" and "src" in attributes and of_crop:
                head, data = attributes["src"].split(",")
                assert head == "data:image/png;base64"
                image = cv2.imdecode(
                    np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR
                )
                found.setdefault(attributes["alt"], image[..., ::-1])
        return found


@pytest.fixture
def work(tmp_path):
    """Folders lq (3 images of 20x30) and gt (their double, by repeating pixels)."""
    draw = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        lq = draw.integers(0, 256, (20, 30, 3), np.uint8)
        write_image(tmp_path / f"lq/{name}.png", lq)
        write_image(tmp_path / f"gt/{name}.png", lq.repeat(2, 0).repeat(2, 1))
    return tmp_path


def values_of(mean):
    """A row of means by the metrics' labels."""
    return {metric.label: value for metric, value in mean.values.items()}


def replace_metrics(monkeypatch, measures):
    """Let compare measure with functions in place of networks, by the metric's name."""

    def open_metric(name, border):
        return OpenMetric(METRICS[name], border, measures[name])

    monkeypatch.setattr("realesrgan_paddle.commands.compare.open_metric", open_metric)


def inputs(work):
    return sorted((work / "lq").iterdir())


def test_the_page_is_self_contained(work):
    done = compare(
        inputs(work),
        {"<released>": nearest(2), "fine": nearest(2)},
        work / "out",
        gt=work / "gt",
        crop=Crop(3, 4, 12, 8),
    )
    text = done.page.read_text(encoding="utf-8")
    assert done.page == work / "out/index.html"
    assert "http" not in text
    assert "<link" not in text
    assert "url(" not in text
    page = Elements(text)
    images = page.images()
    assert list(images) == ["input", "bicubic", "<released>", "fine", "ground truth"]
    lq = read_image(work / "lq/a.png")[4:12, 3:15]
    assert (images["input"] == lq).all(), "stored once, and enlarged by the page"
    for label in ("<released>", "fine", "ground truth"):
        assert (images[label] == lq.repeat(2, 0).repeat(2, 1)).all(), label
    assert images["bicubic"].shape == (16, 24, 3)
    assert "a.png, 12x8 pixels at (3, 4)" in page.text
    chosen = [
        attributes
        for tag, attributes in page.tags
        if tag == "option" and "selected" in attributes
    ]
    assert len(chosen) == 2
    assert re.findall(r"<option selected>(.*?)</option>", text) == [
        "&lt;released&gt;",
        "fine",
    ]
    wholes = [each for tag, each in page.tags if each.get("class") == "row whole"]
    assert [each["data-size"] for each in wholes] == ["60 40"] * 3
    left, _, width, _ = re.search(
        r'aria-label="crop" style="left:(.*?)%;top:(.*?)%;width:(.*?)%;height:(.*?)%"',
        text,
    ).groups()
    assert (float(left), float(width)) == (10, 40)


def test_a_page_of_five_pictures_is_light_and_says_what_that_costs(tmp_path):
    """Noise is the worst case: whole pictures are reduced, crops become JPEG."""
    draw = np.random.default_rng(0)
    for name in "abcde":
        lq = draw.integers(0, 256, (150, 260, 3), np.uint8)
        write_image(tmp_path / f"{name}.png", cv2.GaussianBlur(lq, (0, 0), 1.5))
    networks = {"one": nearest(4), "two": Upscaler(lambda x: 1 - nearest(4).run(x), 4)}
    done = compare(sorted(tmp_path.iterdir()), networks, tmp_path / "out")
    assert done.page.stat().st_size < 3e6
    page = Elements(done.page.read_text(encoding="utf-8"))
    assert re.search(r"Crops are JPEG files of quality (95|90|85), to", page.text)
    assert "Whole pictures are reduced to 960 pixels" in page.text
    assert page.text.count("80x80 pixels at") == 10


def test_metrics_are_those_of_the_images(work):
    done = compare(
        inputs(work),
        {"right": nearest(2), "wrong": Upscaler(lambda x: 1 - nearest(2).run(x), 2)},
        work,
        gt=work / "gt",
    )
    means = {mean.label: values_of(mean) for mean in done.means}
    assert list(means) == ["bicubic", "right", "wrong"]
    assert means["right"]["PSNR-Y"] == float("inf")
    assert means["right"]["SSIM-Y"] == pytest.approx(1)
    assert means["wrong"]["PSNR-Y"] < means["bicubic"]["PSNR-Y"] < 40
    page = Elements(done.page.read_text(encoding="utf-8")).text
    assert "inf" in page
    assert f"{means['wrong']['PSNR-Y']:.2f}" in page
    assert done.remark.startswith("3 images; PSNR-Y and SSIM-Y of the Y channel")


@pytest.mark.paddle
def test_each_metric_has_a_column_and_a_channel_of_its_own(work, monkeypatch):
    replace_metrics(
        monkeypatch,
        {
            "lpips": lambda sr, gt: 0.25 * (sr != gt).any(),
            "dists": lambda sr, gt: 0.125 * (sr != gt).any(),
            "psnr": lambda sr, gt: 20.0 if (sr != gt).any() else np.inf,
            "psnr_y": lambda sr, gt: 30.0,
        },
    )
    networks = {
        "right": nearest(2),
        "wrong": Upscaler(lambda x: 1 - nearest(2).run(x), 2),
    }
    done = compare(
        inputs(work),
        networks,
        work,
        gt=work / "gt",
        metrics=["dists", "psnr", "lpips", "psnr_y"],
    )
    means = {mean.label: mean for mean in done.means}
    assert str(means["wrong"]) == (
        "0.1250 DISTS, 20.00 dB PSNR, 0.2500 LPIPS, 30.00 dB PSNR-Y, 0.65 grid index"
    )
    page = done.page.read_text(encoding="utf-8")
    assert (
        "<th>DISTS</th><th>PSNR [dB]</th><th>LPIPS</th><th>PSNR-Y [dB]</th>"
    ) in page
    best = ("0.0000", "inf", "0.0000", "30.00")
    cells = "".join(f'<td class="best">{value}</td>' for value in best)
    assert f"<td>right</td>{cells}" in page
    assert (
        "DISTS (lower is better) and PSNR and LPIPS (lower is better) of RGB, "
        "PSNR-Y of the Y channel, without 2"
    ) in done.remark
    assert f"  wrong            {means['wrong']}" in str(done).splitlines()

    assert metrics_to_measure(None, Path("gt")) == (
        ["psnr_y", "ssim_y"],
        ["LPIPS is left out: lpips: tests fetch nothing"],
    )


def test_without_ground_truth_nothing_is_measured(work):
    done = compare(inputs(work), {"one": nearest(2)}, work / "out")
    assert not done.means
    assert "nothing is measured" in done.remark
    page = Elements(done.page.read_text(encoding="utf-8"))
    assert "table" not in [tag for tag, _ in page.tags]
    assert "ground truth" not in page.images()


def test_niqe_is_measured_without_ground_truth_too(work, monkeypatch):
    brightness = {"niqe": lambda sr, _: sr.mean(), "psnr": lambda sr, gt: np.inf}
    replace_metrics(monkeypatch, brightness)
    (work / "gt/a.png").unlink()
    networks = {"one": nearest(2), "dark": Upscaler(lambda x: nearest(2).run(x / 2), 2)}
    metrics = ["psnr", "niqe"]
    done = compare(inputs(work), networks, work / "out", metrics=metrics)
    assert done.remark == (
        "3 images; no ground truth; NIQE (lower is better) of the Y channel, "
        "without 2 pixels at each border"
    )
    bicubic, one, dark = map(values_of, done.means)
    assert list(one) == ["NIQE"]
    assert bicubic["NIQE"] > 1.9 * dark["NIQE"]
    assert "<th>NIQE</th>" in done.page.read_text(encoding="utf-8")

    done = compare(
        inputs(work), networks, work / "out", gt=work / "gt", metrics=metrics
    )
    assert "2 with a ground truth, NIQE (lower is better) over all" in done.remark
    assert values_of(done.means[1]) == {"NIQE": one["NIQE"], "PSNR": float("inf")}


def test_some_ground_truths_may_be_missing(work):
    (work / "gt/a.png").unlink()
    done = compare(inputs(work), {"one": nearest(2)}, work / "out", gt=work / "gt")
    assert values_of(done.means[1])["PSNR-Y"] == float("inf")
    assert "means over the 2 with a ground truth" in done.remark
    assert "<option>ground truth</option>" not in done.page.read_text(encoding="utf-8")


def test_the_sheet_shows_the_panels_side_by_side(work):
    done = compare(
        inputs(work),
        {"one": nearest(2)},
        work / "out",
        gt=work / "gt",
        crop=Crop(0, 0, 20, 10),
    )
    sheet = read_image(done.sheet)
    lq = read_image(work / "lq/b.png")[:10, :20].repeat(2, 0).repeat(2, 1)
    found = [
        np.abs(sheet[y : y + 20, 12:52].astype(int) - lq).max() == 0
        for y in range(sheet.shape[0] - 20)
    ]
    assert sum(found) == 1, "the input of the second row stands once at the left"
    assert sheet.shape[1] == 12 + 4 * (40 + 12)


def test_networks_of_two_scales_are_compared_at_the_larger(work):
    done = compare(
        inputs(work)[:1],
        {"x1": nearest(1), "x2": nearest(2)},
        work / "out",
        gt=work / "gt/a.png",
    )
    images = Elements(done.page.read_text(encoding="utf-8")).images()
    del images["input"]  # stored once
    assert {image.shape for image in images.values()} == {(40, 60, 3)}
    assert values_of(done.means[2])["PSNR-Y"] == float("inf")


def test_a_ground_truth_may_be_larger_by_less_than_the_scale(work):
    for path in (work / "gt").iterdir():
        write_image(path, np.pad(read_image(path), ((0, 1), (0, 1), (0, 0))))
    done = compare(inputs(work), {"one": nearest(2)}, work / "out", gt=work / "gt")
    assert values_of(done.means[1])["PSNR-Y"] == float("inf")


def test_rows_are_limited_and_spread(work):
    page = Elements(
        compare(
            inputs(work), {"one": nearest(2)}, work, crop_size=8, crops=1, most_rows=2
        ).page.read_text()
    )
    assert page.text.count("8x8 pixels at") == 2
    assert "a.png" in page.text
    assert "b.png" in page.text
    page = Elements(
        compare(
            inputs(work), {"one": nearest(2)}, work, crop_size=8, crops=3
        ).page.read_text()
    )
    assert page.text.count("a.png, 8x8 pixels at") == 3


def test_ground_truths_of_two_folders_are_told_apart(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    images = [tmp_path / name for name in ("a/1.png", "b/1.png", "gt/1.png")]
    for path in (*images, tmp_path / "hr/a/1.png", tmp_path / "hr/b/1.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, image)
    found = match_ground_truths(images[:2], tmp_path / "hr")
    assert [str(each.relative_to(tmp_path)) for each in found.values()] == [
        "hr/a/1.png",
        "hr/b/1.png",
    ]
    with pytest.raises(UserError, match="is the ground truth of two inputs, one of"):
        match_ground_truths(images[:2], tmp_path / "gt")


def test_inputs_that_do_not_fit_are_named(work):
    networks = {"one": nearest(2)}
    with pytest.raises(
        UserError,
        match=r"gt/a.png: 60x40 pixels are not 3 times the 30x20 of .*lq/a.png",
    ):
        compare(inputs(work), {"one": nearest(3)}, work / "out", gt=work / "gt")
    with pytest.raises(UserError, match=r"lq/a.png: has 30x20 pixels"):
        compare(inputs(work), networks, work / "out", crop=Crop(25, 0, 6, 6))
    (work / "other").mkdir()
    with pytest.raises(
        UserError, match=r"no image here is named like an input, such as a.png"
    ):
        compare(inputs(work), networks, work / "out", gt=work / "other")
    (work / "lq/d.png").write_text("no image")
    with pytest.raises(UserError, match=r"d.png: not a readable image"):
        compare(inputs(work), networks, work / "out")
    assert not (work / "out").exists()


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(UserError, match="cannot be named 'bicubic'"):
        load_upscalers([("bicubic", "x.pdparams")])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--models", "infer"], "'infer' is not NAME=MODEL"),
        (["--models", "a=b", "--crop", "1,2,3"], "'1,2,3' is not X,Y,W,H"),
        (["--models", "a=b", "--crop", "1,-2,4,5"], "is not X,Y,W,H"),
        (["--models", "a=b", "--crop", "1,2,0,5"], "is not X,Y,W,H"),
        (["--models", "a=b", "--crop", "x,2,3,5"], "is not X,Y,W,H"),
    ],
)
def test_wrong_flags_are_named(work, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        tool.main(["--input", str(work / "lq"), *flags])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_crops_go_where_the_detail_is():
    image = np.full((60, 90, 3), 120, np.uint8)
    image[10:26, 60:76] = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    image[40:50, 4:14] = np.random.default_rng(1).integers(90, 150, (10, 10, 3))
    first, second = most_detailed(image, 16, 2)
    assert abs(first.x - 60) <= 2
    assert abs(first.y - 10) <= 2
    assert second.x <= 6
    assert 34 <= second.y <= 44


def test_crops_do_not_overlap_and_stay_inside():
    image = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    seen = np.zeros((40, 70), int)
    crops = most_detailed(image, 16, 20)
    assert len(crops) > 2
    for crop in crops:
        assert crop.of(seen).shape == (16, 16)
        crop.of(seen)[...] += 1
    assert seen.max() == 1


def test_of_a_small_image_the_crop_is_all():
    assert most_detailed(np.zeros((5, 9, 3), np.uint8), 96, 3) == [Crop(0, 0, 9, 5)]


def gridded(scale):
    """Repeats pixels, and makes the first of each `scale` x `scale` brighter."""

    def run(x):
        out = nearest(scale).run(x) * 0.5
        out[..., ::scale, ::scale] += 0.2
        return out

    return Upscaler(run, scale)


@pytest.mark.parametrize("known", [True, False])
def test_a_network_that_leaves_a_grid_is_warned_of_and_never_best(tmp_path, known):
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (40, 40, 3), np.uint8)
    gt = gridded(4)(noise)
    write_image(tmp_path / "lq/a.png", noise)
    write_image(tmp_path / "gt/a.png", cv2.GaussianBlur(gt, (0, 0), 1))
    done = compare(
        [tmp_path / "lq/a.png"],
        {"fine": nearest(4), "grid": gridded(4)},
        tmp_path / "out",
        gt=tmp_path / "gt" if known else None,
    )
    (warning,) = done.warnings
    assert warning.startswith("grid: a regular grid shows in its images: grid index")
    assert f"warning: {warning}" in str(done).splitlines()
    page = done.page.read_text(encoding="utf-8")
    assert '<p class="warning">grid: a regular grid' in page
    if not known:
        return

    _, fine, grid = done.means
    others = [values_of(mean)["PSNR-Y"] for mean in done.means[:2]]
    assert values_of(grid)["PSNR-Y"] > max(others)
    assert "(a grid shows)" in str(grid)
    assert "(a grid shows)" not in str(fine)
    (row,) = re.findall(r"<tr><td>grid</td>.*?</tr>", page)
    assert 'class="best"' not in row
    assert 'class="best"' in page
