"""Which images are pairs, and what is cut off them."""

from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.commands.evaluate import parse_model
from realesrgan_paddle.metrics.data_sets import (
    NamedFolder,
    Pair,
    open_sets,
    parse_folder,
    read_pair,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

DRAW = np.random.default_rng(0)


def picture(path, height, width):
    image = DRAW.integers(0, 256, (height, width, 3), np.uint8)
    write_image(path, image)
    return image


def opened(root, lq=None):
    inputs = [NamedFolder("lq", lq)] if lq else []
    (data,) = open_sets([NamedFolder("Set", root)], inputs, degraded=lq is None)
    return data


def names(data):
    return [(pair.name, pair.lq and pair.lq.name) for pair in data.pairs]


def test_pairs_have_the_same_stem(tmp_path):
    for name in (
        "hr/a.png",
        "hr/b.bmp",
        "hr/c.png",
        "lr/b.png",
        "lr/a.jpg",
        "lr/d.png",
    ):
        picture(tmp_path / name, 8, 8)
    data = opened(tmp_path / "hr", tmp_path / "lr")
    assert names(data) == [("a.png", "a.jpg"), ("b.bmp", "b.png")]
    assert data.failures == [
        f"{tmp_path}/hr/c.png: no image in {tmp_path}/lr is named like it",
        f"{tmp_path}/lr/d.png: no image in {tmp_path}/hr is named like it",
    ]


def test_of_two_images_of_one_name_the_first_is_taken(tmp_path):
    for name in ("hr/a.png", "lr/a.bmp", "lr/a.png"):
        picture(tmp_path / name, 8, 8)
    data = opened(tmp_path / "hr", tmp_path / "lr")
    assert names(data) == [("a.png", "a.bmp")]
    assert data.failures == [
        f"{tmp_path}/lr/a.png: {tmp_path}/lr/a.bmp has the same name"
    ]


def test_basicsrs_and_huangs_names_are_known(tmp_path):
    for name in ("hr/baby.png", "hr/bird.png", "lr/babyx4.png", "lr/birdx4.png"):
        picture(tmp_path / name, 8, 8)
    data = opened(tmp_path / "hr", tmp_path / "lr")
    assert names(data) == [("baby.png", "babyx4.png"), ("bird.png", "birdx4.png")]
    assert not data.failures

    for name in ("img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png"):
        picture(tmp_path / "both" / name, 8, 8)
    data = opened(tmp_path / "both", tmp_path / "both")
    assert names(data) == [("img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png")]
    assert names(opened(tmp_path / "both")) == [("img_001_SRF_4_HR.png", None)]


def test_two_files_are_a_pair_whatever_their_names(tmp_path):
    picture(tmp_path / "a.png", 8, 8)
    picture(tmp_path / "b.png", 4, 4)
    data = opened(tmp_path / "a.png", tmp_path / "b.png")
    assert names(data) == [("a.png", "b.png")]


def test_without_any_pair_there_is_nothing_to_measure(tmp_path):
    picture(tmp_path / "hr/a.png", 8, 8)
    picture(tmp_path / "lr/b.png", 8, 8)
    with pytest.raises(
        UserError, match=r"hr: no image is named like one of .*lr, such"
    ):
        opened(tmp_path / "hr", tmp_path / "lr")
    (tmp_path / "match.mp4").touch()
    with pytest.raises(
        UserError, match=r"a video; .* tools/compare.py --video measures"
    ):
        opened(tmp_path / "match.mp4")
    with pytest.raises(UserError, match="low-quality images are not known"):
        open_sets([NamedFolder("Set", tmp_path / "hr")], [], degraded=False)


def test_the_validation_images_of_a_set_are_found(tmp_path):
    picture(tmp_path / "val/HR/a.png", 8, 8)
    picture(tmp_path / "val/LR/a.png", 2, 2)
    (tmp_path / ".domain_set.json").write_text('{"scale": 4}')
    folder = NamedFolder("Soccer", tmp_path)
    (data,) = open_sets([folder], [], degraded=False)
    assert names(data) == [("a.png", "a.png")]
    (data,) = open_sets([folder], [], degraded=True)
    assert names(data) == [("a.png", None)]


def test_the_ground_truth_is_cut_at_its_bottom_and_right_as_mod_crop_does(tmp_path):
    image = picture(tmp_path / "hr.png", 43, 54)
    small = picture(tmp_path / "lr.png", 10, 13)
    pair = Pair("hr.png", tmp_path / "hr.png", tmp_path / "lr.png")
    lq, gt = read_pair(pair, 4, None)
    assert (gt == image[:40, :52]).all()
    assert (lq == small).all()

    with pytest.raises(UserError, match=r"54x43 pixels are not 3 times the 13x10 of"):
        read_pair(pair, 3, None)
    with pytest.raises(UserError, match="too few for a scale of 44"):
        read_pair(pair, 44, None)


def test_centers_are_the_same_place_in_both(tmp_path):
    small = picture(tmp_path / "lr.png", 20, 7)
    write_image(tmp_path / "hr.png", small.repeat(4, 0).repeat(4, 1))
    pair = Pair("hr.png", tmp_path / "hr.png", tmp_path / "lr.png")
    lq, gt = read_pair(pair, 4, None, size=8)
    assert (lq == small[6:14]).all()
    assert (gt == lq.repeat(4, 0).repeat(4, 1)).all()


def test_names_of_folders_and_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    assert parse_folder("Set5=x/y").name == "Set5"
    assert parse_folder("sets/Set14/HR").name == "Set14"
    assert parse_folder("sets/Set14").name == "Set14"
    assert parse_folder("a=b").path.name == "a=b"

    assert parse_model("mine=net.pdparams") == ("mine", "net.pdparams")
    assert parse_model("RealESRGAN_x4plus") == ("RealESRGAN_x4plus",) * 2
    assert parse_model("./infer") == ("infer", "./infer")
    assert parse_model("Bicubic") == ("bicubic", "bicubic")
    assert parse_model("a=b") == ("a_b", "a=b")
