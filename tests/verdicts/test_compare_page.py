"""The top of compare's page: the verdict on networks, and what a run left."""

import json

import numpy as np
import pytest

from realesrgan_paddle.commands.compare import compare
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.crops import Crop, most_different
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image


def nearest(then=lambda x: x):
    return Upscaler(lambda x: then(x.repeat(2, axis=2).repeat(2, axis=3)), 2)


@pytest.fixture
def work(tmp_path):
    """Folders lq and gt of six images; gt is lq with its pixels repeated."""
    draw = np.random.default_rng(0)
    for name in "abcdef":
        lq = draw.integers(40, 200, (24, 32, 3), np.uint8)
        write_image(tmp_path / f"lq/{name}.png", lq)
        write_image(tmp_path / f"gt/{name}.png", lq.repeat(2, 0).repeat(2, 1))
    return tmp_path


def compared(work, upscalers, **arguments):
    inputs = sorted((work / "lq").iterdir())
    return compare(inputs, upscalers, work / "out", gt=work / "gt", **arguments)


def test_the_last_network_is_judged_against_the_first_and_bicubic(work):
    bright = nearest(lambda x: (x + 0.02).clip(0, 1))
    brighter = nearest(lambda x: (x + 0.2).clip(0, 1))
    done = compared(work, {"old": brighter, "new": bright}, crop_size=8)
    first, second, *_ = done.verdict
    assert first.startswith(
        "On these images, new is closer to the truth than old: in 6 of 6 images, PSNR-Y +"
    )
    assert second == (
        "On 6 compared images: better than old in PSNR-Y and SSIM-Y; better than bicubic "
        "in PSNR-Y and SSIM-Y"
    )
    page = done.page.read_text(encoding="utf-8")
    assert page.index(done.verdict[0]) < page.index("<table>")
    assert str(done).startswith(done.verdict[0])

    done = compared(work, {"old": bright, "new": brighter}, crop_size=8)
    assert "new is further from the truth than old: in 6 of 6" in done.verdict[0]
    assert "worse than old in PSNR-Y and SSIM-Y" in done.verdict[1]


def test_without_ground_truth_there_is_no_verdict(work):
    inputs = sorted((work / "lq").iterdir())
    done = compare(inputs, {"one": nearest()}, work / "out", crop_size=8)
    assert done.verdict == []
    assert 'class="verdict"' not in done.page.read_text(encoding="utf-8")


def test_crops_show_where_two_networks_differ():
    one = np.full((64, 96, 3), 90, np.uint8)
    other = one.copy()
    other[40:48, 64:72] = 200
    (crop,) = most_different(one, other, 4, 2, 1)
    assert crop == Crop(16, 10, 2, 2)
    first, second = most_different(one, other, 4, 6, 2)
    assert not first.touches(second)
    assert len(most_different(one, one, 4, 6, 2)) == 2


def write_run(folder, lines):
    folder.mkdir()
    (folder / "config.yml").write_text("name: mine\n")
    records = [{"iter": number, "l_g_pix": 1 / number} for number in (1, 2, 3)]
    text = "".join(f"{json.dumps(record)}\n" for record in records)
    (folder / "metrics.jsonl").write_text(text)
    (folder / "verdict.json").write_text(json.dumps({"lines": lines, "next": "train"}))


def test_a_run_adds_its_verdict_its_curves_and_its_commands(work):
    write_run(work / "mine", ["<b>better</b>", "  by 1 dB"])
    done = compared(
        work, {"one": nearest()}, crop_size=8, run=work / "mine", commands=["again"]
    )
    page = done.page.read_text(encoding="utf-8")
    assert "&lt;b&gt;better&lt;/b&gt;" in page
    assert "<summary>curves of the run</summary>" in page
    assert '"points": [[1.0, 1.0], [2.0, 0.5], [3.0, 0.3' in page
    commands = page.partition("<pre>")[2].partition("</pre>")[0].splitlines()
    assert commands[0] == "again"
    assert "mine/config.yml" in commands[1]
    assert "mine/models/net_g_latest.pdparams" in commands[2]


def test_a_folder_that_is_no_run_is_refused_before_anything_is_upscaled(work):
    def never(x):
        raise AssertionError

    with pytest.raises(UserError, match=r"lq: no run of train\.py"):
        compared(work, {"one": nearest(never)}, run=work / "lq")
