"""Fake HD: which factor frames were enlarged by, and their way back."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.passport.true_size import (
    MAX_FRAMES,
    TrueSize,
    TrueSizeFinder,
)
from realesrgan_paddle.tools import build_domain_set
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import read_image

WIDTH, HEIGHT = 512, 384
FULL = Crop(0, 0, WIDTH, HEIGHT)
SEEDS = (1, 2, 3)


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return a sharp scene with grass, uint8 RGB."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 0.6)
    grass = 14 * noise / noise.std()
    image = scene(seed, width=width, height=height) + grass[..., None]
    return image.clip(0, 255).astype(np.uint8)


def enlarged(seed: int, kernel: int, across: float, down: float) -> np.ndarray:
    size = round(WIDTH / across), round(HEIGHT / down)
    small = picture(seed, *size)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=kernel)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def found(*images: np.ndarray, content: Crop = FULL) -> TrueSize | None:
    finder = TrueSizeFinder(every_frame=True)
    for image in images:
        finder.add(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), content)
    return finder.find()


@pytest.mark.parametrize("factor", [4 / 3, 1.5, 2, 8 / 3, 3, 4])
@pytest.mark.parametrize(
    "kernel", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
)
def test_the_factor_of_enlarged_frames_is_named(factor: float, kernel: int):
    size = found(*(enlarged(seed, kernel, factor, factor) for seed in SEEDS))

    assert size
    assert size.width == pytest.approx(WIDTH / factor, rel=0.03)
    assert size.height == pytest.approx(HEIGHT / factor, rel=0.03)


@pytest.mark.parametrize("factor", [4 / 3, 1.5, 2, 3])
def test_repeated_pixels_are_called_nearest(factor: float):
    frames = [enlarged(seed, cv2.INTER_NEAREST, factor, factor) for seed in SEEDS]

    size = found(*frames)

    assert size and size.how == "nearest"
    assert size.factor_x == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("quality", [95, 75, 50])
def test_blocks_of_jpeg_are_not_taken_for_a_factor(quality: int):
    assert found(*(jpeg(picture(seed), quality) for seed in SEEDS)) is None


def test_blocks_of_an_earlier_larger_jpeg_are_not_taken_for_a_factor():
    large = [jpeg(picture(seed, 640, 480), 60) for seed in SEEDS]
    frames = [cv2.resize(image, (WIDTH, HEIGHT)) for image in large]

    assert found(*frames) is None


@pytest.mark.parametrize("factor", [1.5, 2, 3])
def test_enlarged_frames_are_known_after_jpeg(factor: float):
    frames = [enlarged(seed, cv2.INTER_CUBIC, factor, factor) for seed in SEEDS]

    size = found(*(jpeg(frame, 85) for frame in frames))

    assert size and size.factor_x == pytest.approx(factor, rel=0.03)


def test_footage_enlarged_in_one_direction_has_one_factor():
    frames = [enlarged(seed, cv2.INTER_CUBIC, 1.5, 1) for seed in SEEDS]

    size = found(*frames)

    assert size and size.factor_x == pytest.approx(1.5, rel=0.03)
    assert size.factor_y == 1
    assert size.size_of(150, 90) == (100, 60), "no distortion"


def test_doubled_lines_are_deinterlacing_and_not_a_factor():
    frames = [enlarged(seed, cv2.INTER_LINEAR, 1, 2) for seed in SEEDS]

    assert found(*frames) is None


def test_defocus_is_not_taken_for_a_factor():
    sharp = [picture(seed) for seed in SEEDS]
    blurred = [cv2.GaussianBlur(image, (0, 0), 2.5) for image in sharp]

    assert found(*sharp) is None
    assert found(*blurred) is None


def test_black_bars_do_not_hide_the_factor():
    frames = [enlarged(seed, cv2.INTER_CUBIC, 1.5, 1.5) for seed in SEEDS]
    for frame in frames:
        frame[:40] = 0
        frame[-40:] = 0

    size = found(*frames, content=Crop(0, 42, WIDTH, HEIGHT - 84))

    assert size and size.height == pytest.approx(HEIGHT / 1.5, rel=0.03)


@pytest.mark.parametrize("shape", [(1, 1), (40, 600), (384, 512)])
def test_flat_or_tiny_frames_tell_nothing(shape: tuple[int, int]):
    finder = TrueSizeFinder()
    finder.add(np.full(shape, 90, np.uint8), Crop(0, 0, shape[1], shape[0]))

    assert finder.find() is None
    assert finder.bandwidth() is None


def test_a_long_video_costs_a_few_frames(monkeypatch: pytest.MonkeyPatch):
    finder = TrueSizeFinder()
    looked: list[int] = []
    monkeypatch.setattr(finder._across, "add", looked.append)
    luma = cv2.cvtColor(picture(1), cv2.COLOR_RGB2GRAY)
    finder.add(luma, FULL)
    monkeypatch.setattr(finder._across, "add", looked.append)
    monkeypatch.setattr(finder._down, "add", looked.append)
    for _ in range(200):
        finder.add(luma, FULL)

    assert len(looked) == 2 * (MAX_FRAMES - 1)


def fake_clip(path: Path) -> Path:
    frames = [enlarged(seed, cv2.INTER_CUBIC, 2, 2) for seed in SEEDS]
    return picture_clip(path, frames)


def records(output: Path) -> list[dict]:
    lines = (output / "manifest.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    return [record for record in kept if record["decision"] == "kept"]


def test_the_command_names_enlarged_footage_and_the_flag(tmp_path: Path, capsys):
    video = fake_clip(tmp_path / "fake.mkv")

    assert main(["--input", str(video), "--output", str(tmp_path / "out")]) == 0

    said = capsys.readouterr().out
    assert "enlarged x2 from 256x192" in said and "--true_size" in said
    assert all(
        record["size"] == [WIDTH, HEIGHT] for record in records(tmp_path / "out")
    )


def test_true_size_brings_frames_back_and_records_their_size(tmp_path: Path, capsys):
    video = fake_clip(tmp_path / "fake.mkv")
    output = tmp_path / "out"
    words = ["--input", str(video), "--output", str(output), "--true_size"]

    assert main(words) == 0
    before = {path: path.read_bytes() for path in output.rglob("*.png")}
    # A run that was killed before the records were written is completed.
    for path in output.rglob("*.jsonl"):
        path.unlink()
    assert main(words) == 0

    assert "brought back" in capsys.readouterr().out
    assert records(output)
    for record in records(output):
        assert record["size"] == [256, 192]
        assert read_image(output / record["file"]).shape == (192, 256, 3)
    assert before == {path: path.read_bytes() for path in output.rglob("*.png")}


def test_true_size_works_in_a_domain_set(tmp_path: Path):
    video = fake_clip(tmp_path / "fake.mkv")
    words = ["--input", str(video), "--output", str(tmp_path / "set"), "--true_size"]

    assert build_domain_set.main([*words, "--crop_size", "64", "--step", "64"]) == 0

    assert {tuple(r["size"]) for r in records(tmp_path / "set" / "frames")} == {
        (256, 192)
    }
