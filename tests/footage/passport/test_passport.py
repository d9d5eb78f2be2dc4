"""The passport of each source: its figures, its verdict, and what follows from it."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.passport.page import about_sources, summary_line
from realesrgan_paddle.data.footage.passport.passport import (
    EnlargedFrom,
    Passport,
    QuantizerFigures,
)
from realesrgan_paddle.data.footage.passport.picture import PictureMeter
from realesrgan_paddle.data.footage.passport.verdict import UNWANTED, with_verdict
from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.tools.extract_keyframes import main

GOOD = Passport(
    source="a.mp4",
    name="a",
    size=(1920, 1080),
    codec="h264",
    key_bits_per_pixel=0.8,
    quantizer=QuantizerFigures(name="QP", value=20, qp=20),
    wiped=0.2,
    blurred=0.0,
    blocky=0.0,
    kept=20,
)


def clip(path: Path, quality: int, seed: int) -> Path:
    """Make a clip of twelve key frames, of MPEG-2 with a quantizer of 1 to 31."""
    pictures = [scene(seed, 6 * step, width=320, height=192) for step in range(12)]
    options = ("-qmin", 1, "-qmax", 31, "-q:v", quality, "-g", 1)
    codec = ("-c:v", "mpeg2video", "-pix_fmt", "yuv420p", *options)
    return picture_clip(path, pictures, options=codec)


def extract(output: Path, *words: str | Path) -> int:
    return main(["--output", str(output), "--input", *map(str, words)])


def pngs(folder: Path) -> set[str]:
    return {path.name.split("_")[0] for path in folder.glob("*.png")}


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [clip(tmp_path / "good.mkv", 2, 0), clip(tmp_path / "poor.mkv", 31, 1)]


def test_a_good_and_a_bad_source(tmp_path: Path, clips: list[Path], capsys):
    out = tmp_path / "out"
    assert extract(out, *clips) == 0
    good, poor = json.loads((out / "passport.json").read_text())
    assert good["verdict"]["decision"] == "train"
    assert good["kept"] >= 1
    assert poor["verdict"]["decision"] == "do not train"
    assert "quantiser_scale 62" in poor["verdict"]["reasons"][0]
    assert poor["kept"] == 0

    assert pngs(out) == {"good"}  # not a frame of the other
    decisions = {
        Path(record["source"]).stem
        for record in read_records(out / "manifest.jsonl")
        if record["decision"] == "kept"
    }
    assert decisions == {"good"}
    printed = capsys.readouterr().out
    assert "good: train on it; 320x192" in printed
    assert "poor: do not train on it; 320x192" in printed

    page = (tmp_path / "out_sheet" / "index.html").read_text()
    name = re.escape(clips[1].name)
    said = rf'class="bad">\n<h2>{name}</h2>\n<p class="about"><b>Do not train on it'
    assert re.search(said, page)


def test_the_verdict_is_overruled_by_a_flag(tmp_path: Path, clips: list[Path]):
    flags = ["--trust_sources", "--max_blockiness", "9"]
    assert extract(tmp_path / "out", clips[1], *flags) == 0
    (poor,) = json.loads((tmp_path / "out/passport.json").read_text())
    assert poor["verdict"]["decision"] == "do not train"
    assert poor["kept"] >= 1
    assert pngs(tmp_path / "out") == {"poor"}


def test_a_bad_source_does_not_drop_the_frames_of_a_better_copy(tmp_path: Path):
    videos = [clip(tmp_path / "poor.mkv", 31, 0), clip(tmp_path / "good.mkv", 2, 0)]
    flags = ["--max_blockiness", "9"]  # without it they are dropped one by one
    assert extract(tmp_path / "out", *videos, *flags) == 0
    assert pngs(tmp_path / "out") == {"good"}
    poor = [
        record["reason"]
        for record in read_records(tmp_path / "out/manifest.jsonl")
        if record["source"].endswith("poor.mkv")
    ]
    assert UNWANTED in poor


def test_passports_are_read_again_when_a_set_is_resumed(
    tmp_path: Path, clips: list[Path]
):
    out = tmp_path / "out"
    extract(out, clips[0])
    before = (out / "passport.json").read_text()
    extract(out, clips[0])
    assert (out / "passport.json").read_text() == before

    (out / ".sources/good.passport.json").unlink()  # as in a set of earlier versions
    (out / "passport.json").unlink()
    assert extract(out, clips[0]) == 0
    assert not (out / "passport.json").exists()


@pytest.mark.parametrize(
    ("figures", "decision", "reason"),
    [
        ({}, "train", ""),
        ({"quantizer": None, "key_bits_per_pixel": 0.05}, "train", ""),  # easy content
        ({"key_bits_per_pixel": 0.05, "wiped": 0.6}, "do not train", "0.050 bit/pixel"),
        ({"blurred": 0.95}, "do not train", "95% of the frames are blurred"),
        ({"blocky": 0.6}, "do not train", "60% of the frames have"),
        (
            {"quantizer": QuantizerFigures(name="QP", value=40, qp=40)},
            "do not train",
            "QP 40",
        ),
    ],
)
def test_verdicts(figures: dict, decision: str, reason: str):
    verdict = with_verdict(GOOD.model_copy(update=figures)).verdict
    assert verdict.decision == decision
    assert bool(verdict.reasons) == bool(reason)
    assert not reason or reason in verdict.reasons[0]


def test_what_is_said_once_is_not_said_again():
    bad = GOOD.model_copy(update={"key_bits_per_pixel": 0.05, "wiped": 0.6})
    verdict = with_verdict(bad).verdict
    said = " ".join([*verdict.reasons, *verdict.warnings])
    assert said.count("60% of its texture has no fine detail") == 1


def test_fake_hd_is_to_be_downscaled():
    true = EnlargedFrom(width=960, height=540, factor_x=2, factor_y=2, how="bicubic")
    passport = with_verdict(GOOD.model_copy(update={"true_size": true}))
    assert str(passport.verdict) == "train on it downscaled to 960x540"
    assert "enlarged x2 from 960x540 (bicubic)" in summary_line(passport)


def test_footage_that_was_stretched_is_downscaled_in_its_shape():
    stretched = {"width": 960, "height": 1080, "factor_x": 2, "factor_y": 1}
    true = EnlargedFrom(**stretched, how="nearest")
    passport = with_verdict(GOOD.model_copy(update={"true_size": true}))
    assert str(passport.verdict) == "train on it downscaled to 960x540"


def test_a_poor_source_is_trained_on_if_there_is_nothing_better():
    poor = QuantizerFigures(name="QP", value=30, qp=30)
    passport = with_verdict(GOOD.model_copy(update={"quantizer": poor, "halo": 0.1}))
    assert str(passport.verdict) == "train on it if you have nothing better"
    assert passport.verdict.reasons[0].startswith("QP 30 in key frames")
    assert len(passport.verdict.warnings) == 1  # the halos
    (about,) = about_sources([passport]).values()
    assert (about.verdict, about.kind) == (
        "Train on it if you have nothing better.",
        "doubtful",
    )
    assert about.remarks[:2] == [
        "It is strongly compressed.",
        "It was sharpened: there are halos beside edges.",
    ]
    assert ("because", passport.verdict.reasons[0]) in about.details

    # A football video of 3 Mbit/s in full HD.
    soft = {"key_bits_per_pixel": 0.132, "wiped": 0.56}
    passport = with_verdict(GOOD.model_copy(update=soft))
    assert "a: train on it if you have nothing better; " in summary_line(passport)
    assert "56% of its texture has no fine detail" in passport.verdict.reasons[0]
    (about,) = about_sources([passport]).values()
    assert about.remarks[0] == "Compression has wiped its fine detail."


def test_slight_blocks_of_mpeg_2_are_no_reason_to_leave_a_source_out():
    quantizer = QuantizerFigures(name="quantizer_scale", value=8, qp=26.5)
    figures = {"codec": "mpeg2video", "quantizer": quantizer, "blocky": 0.9}
    smooth = with_verdict(GOOD.model_copy(update=figures))
    assert smooth.verdict.decision == "train"
    assert (
        "90% of the frames are dropped for slight blocks" in smooth.verdict.warnings[0]
    )

    wiped = with_verdict(smooth.model_copy(update={"wiped": 0.6}))
    assert wiped.verdict.decision == "do not train"


def test_a_bad_source_encoded_again_at_a_high_rate_is_warned_of():
    again = GOOD.model_copy(update={"key_bits_per_pixel": 0.4, "wiped": 0.5})
    assert "compressed before" in with_verdict(again).verdict.reasons[0]
    assert with_verdict(again).verdict.decision == "train if nothing better"
    smooth = GOOD.model_copy(update={"key_bits_per_pixel": 0.6, "wiped": 0.5})
    assert with_verdict(smooth).verdict.decision == "train"


@pytest.mark.parametrize(("strength", "halo"), [(0, 0), (0.5, 0.025), (2, 0.21)])
def test_halos_are_measured_as_shares_of_the_step(strength: float, halo: float):
    image = np.full((120, 160), 80, np.float32)
    image[:, 80:] = 160
    soft = cv2.GaussianBlur(image, (0, 0), 1)
    sharpened = soft + strength * (soft - cv2.GaussianBlur(soft, (0, 0), 1.5))
    noise = np.random.default_rng(0).normal(0, 0.5, image.shape)
    meter = PictureMeter()
    for _ in range(2):
        meter.add(np.rint(sharpened + noise).clip(0, 255).astype(np.uint8))
    assert meter.figures().halo == pytest.approx(halo, abs=0.015)


def test_texture_that_was_wiped_is_found():
    gray = cv2.cvtColor(scene(3, width=320, height=192), cv2.COLOR_RGB2GRAY)
    paint = cv2.medianBlur(gray, 15)  # large shapes stay
    found = []
    for image in (gray, paint):
        meter = PictureMeter()
        meter.add(image)
        found.append(meter.figures().wiped)
    assert found[0] is not None and found[1] is not None
    assert found[0] < 0.2 < 0.3 < found[1]


def test_frames_are_measured_less_and_less_often():
    meter = PictureMeter()
    counted: list[int] = []
    meter.add = counted.append  # type: ignore[method-assign, assignment]
    for number in range(1000):
        meter.offer(number)  # type: ignore[arg-type]
    assert len(counted) < 25
    assert max(counted) > 700
