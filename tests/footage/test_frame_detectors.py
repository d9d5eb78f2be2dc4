"""Each detector on synthetic frames: precision and recall of at least 0.95."""

import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import picture_clip
from scenes import drive, letterboxed, scene

from realesrgan_paddle.data.footage.screen.borders import content_box
from realesrgan_paddle.data.footage.screen.overlays import OverlayFinder
from realesrgan_paddle.data.footage.selection import Selection, rejection_reason
from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.data.footage.video import Sampling, frames
from realesrgan_paddle.data.footage.views.features import (
    HashIndex,
    hash_distance,
    perceptual_hash,
)
from realesrgan_paddle.data.statistics.image_scores import measure
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.ffmpeg import probe

SEEDS = range(12)


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def reason_for(image: np.ndarray) -> str:
    return rejection_reason(
        measure(luma(image)), Crop(0, 0, image.shape[1], image.shape[0]), Selection()
    )


def assert_precision_and_recall(truth_and_answer: Iterable[tuple[bool, bool]]) -> None:
    pairs = list(truth_and_answer)
    right = sum(truth and answer for truth, answer in pairs)
    found, there = sum(answer for _, answer in pairs), sum(truth for truth, _ in pairs)
    assert 0 < there < len(pairs)
    assert right >= 0.95 * found, f"precision {right} of {found}"
    assert right >= 0.95 * there, f"recall {right} of {there}"


def test_key_frames_and_no_other_frames_are_extracted(tmp_path: Path):
    pairs = []
    for seed, codec in enumerate(("mpeg4", "mpeg2video", "mpeg4", "mpeg2video")):
        rng = np.random.default_rng(seed)
        keys = {0, *rng.choice(np.arange(1, 60), 8, replace=False).tolist()}
        forced = ",".join(f"{number / 25:.2f}" for number in sorted(keys))
        options = (
            "-c:v",
            codec,
            "-q:v",
            2,
            "-bf",
            seed // 2,
            "-g",
            600,
            "-sc_threshold",
            10**9,
            "-force_key_frames",
            forced,
        )
        clip = picture_clip(
            tmp_path / f"{seed}.mkv",
            [scene(seed, n) for n in range(60)],
            options=options,
        )
        found = {
            round(frame.seconds * 25) for frame in frames(clip, probe(clip), Sampling())
        }
        pairs += [(number in keys, number in found) for number in range(60)]
    assert_precision_and_recall(pairs)


def defocused(image: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(
        np.float32
    )
    return cv2.filter2D(image, -1, disc / disc.sum())


def motion_blurred(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    line = np.zeros((length, length), np.float32)
    step = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * length / 2
    middle = np.array([length, length]) / 2
    cv2.line(
        line,
        *(
            tuple(np.rint(middle + sign * step).astype(int).tolist())
            for sign in (-1, 1)
        ),
        1,
    )
    return cv2.filter2D(image, -1, line / line.sum())


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1],
        cv2.IMREAD_COLOR,
    )


def test_blurred_defocused_and_motion_blurred_frames_are_rejected():
    pairs = []
    for seed in SEEDS:
        sharp = scene(seed, width=320, height=192)
        soft_behind = defocused(sharp, 4)
        soft_behind[48:144, 80:240] = sharp[48:144, 80:240]
        noisy = np.clip(
            sharp + np.random.default_rng(seed).normal(0, 4, sharp.shape), 0, 255
        ).astype(np.uint8)
        good = [
            sharp,
            jpeg(sharp, 90),
            soft_behind,
            noisy,
            (sharp * 0.6).astype(np.uint8),
            sharp // 2 + 100,
        ]
        bad = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (2.5, 4)]
        bad += [defocused(sharp, radius) for radius in (4, 7)]
        bad += [motion_blurred(sharp, 23, angle) for angle in (0, 45, 90)] + [
            jpeg(cv2.GaussianBlur(sharp, (0, 0), 3), 90)
        ]
        pairs += [(False, reason_for(image) == "blurred") for image in good]
        pairs += [(True, reason_for(image) == "blurred") for image in bad]
    assert_precision_and_recall(pairs)


def test_jpeg_blocks_are_detected_at_any_grid_offset():
    pairs = []
    for seed in SEEDS:
        sharp = scene(seed, width=320, height=192)
        bad = [
            jpeg(sharp, 10),
            jpeg(sharp, 6)[3:, 5:],
            jpeg(cv2.GaussianBlur(sharp, (0, 0), 1), 15),
        ]
        good = [
            sharp,
            jpeg(sharp, 90),
            jpeg(sharp, 75),
            cv2.GaussianBlur(sharp, (0, 0), 1),
        ]
        pairs += [
            (False, measure(luma(image)).blockiness > Selection().max_blockiness)
            for image in good
        ]
        pairs += [
            (True, measure(luma(image)).blockiness > Selection().max_blockiness)
            for image in bad
        ]
    assert_precision_and_recall(pairs)


@pytest.mark.parametrize(("quantizer", "blocky"), [(2, False), (31, True)])
def test_blocks_of_a_video_codec_are_detected(
    tmp_path: Path, quantizer: int, blocky: bool
):
    pictures = [scene(1, step, width=320, height=192) for step in range(4)]
    codec = (
        "-c:v",
        "mpeg2video",
        "-q:v",
        quantizer,
        "-qmin",
        2,
        "-qmax",
        31,
        "-pix_fmt",
        "yuv420p",
    )
    clip = picture_clip(tmp_path / "clip.mpg", pictures, options=codec)
    for frame in frames(clip, probe(clip), Sampling(select="interval", interval=0.04)):
        assert (reason_for(frame.image) == "blocky") == blocky


def test_black_white_faded_and_empty_frames_are_rejected():
    pairs = []
    noise = np.random.default_rng(0)
    for seed in SEEDS:
        picture = scene(seed)
        low, high = np.percentile(luma(picture), [1, 99])
        for share in (0, 0.1, 0.2, 0.3, 0.7, 0.85, 1):
            for end in (0, 16, 255):
                faded = np.rint(end + share * (picture.astype(float) - end)).astype(
                    np.uint8
                )
                pairs.append(
                    (
                        share <= 0.3,
                        reason_for(faded) in ("black", "white", "faded or empty"),
                    )
                )
        flat = np.clip(noise.normal(seed * 20, 3, picture.shape), 0, 255).astype(
            np.uint8
        )
        pairs.append((True, reason_for(flat) in ("black", "white", "faded or empty")))
        assert high - low > 115
    assert_precision_and_recall(pairs)
    assert reason_for(np.zeros((100, 100, 3), np.uint8)) == "black"
    assert reason_for(np.full((100, 100, 3), 250, np.uint8)) == "white"


def test_near_duplicates_are_detected_by_the_distance_of_hashes():
    pairs = []
    least = Selection().min_difference
    for seed in SEEDS:
        picture = scene(seed)
        hash_ = perceptual_hash(luma(picture))
        larger = cv2.resize(
            picture, None, fx=2.3, fy=2.2, interpolation=cv2.INTER_CUBIC
        )
        moved = scene(seed, 0.3)
        same = [
            picture,
            jpeg(picture, 20),
            larger,
            picture // 2,
            255 - (255 - picture) // 2,
            moved,
        ]
        same += [cv2.GaussianBlur(picture, (0, 0), 2)]
        others = [
            scene(seed + 1),
            scene(seed, 8),
            scene(seed, 20),
            picture[:, ::-1],
            picture[:96, :144],
        ]
        pairs += [
            (True, hash_distance(hash_, perceptual_hash(luma(image))) < least)
            for image in same
        ]
        pairs += [
            (False, hash_distance(hash_, perceptual_hash(luma(image))) < least)
            for image in others
        ]
    assert_precision_and_recall(pairs)


def test_the_hash_index_returns_the_nearest_hash():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (200, 32), dtype=np.uint8)
    index = HashIndex()
    assert index.nearest(hashes[0]) is None
    for number, hash_ in enumerate(hashes):
        index.add(str(number), hash_)
    asked = hashes[150].copy()
    asked[3] ^= 0b101
    assert index.nearest(asked) == ("150", 2 / 256)


BARS = [(0, 0), (16, 0), (9, 0), (24, 0), (0, 24), (0, 11), (12, 16), (40, 0)]


def test_black_bars_are_detected_within_four_pixels_and_dark_scenes_are_not():
    pairs = []
    for seed in SEEDS:
        picture = scene(seed)
        for level in (0, 16):
            for rows, columns in BARS:
                barred = jpeg(letterboxed(picture, rows, columns, level), 85)
                found = content_box(luma(barred))
                exact = (
                    rows <= found.y <= rows + 4
                    and columns <= found.x <= columns + 4
                    and 0 <= 192 - 2 * columns - found.width <= 8
                    and 0 <= 128 - 2 * rows - found.height <= 8
                )
                pairs.append(
                    (
                        rows + columns > 0,
                        exact
                        if rows + columns
                        else (found.width, found.height) != (192, 128),
                    )
                )
        night = (picture * 0.2).astype(np.uint8)
        night[:64] = 0  # a black sky, and lights below
        pairs.append((False, content_box(luma(night)).height < 128))
    assert_precision_and_recall(pairs)


def test_a_bar_with_subtitles_is_detected():
    barred = letterboxed(scene(1, width=320, height=240), 40)
    cv2.putText(
        barred,
        "what was said",
        (70, 228),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.7,
        (255, 255, 255),
        2,
    )
    found = content_box(luma(barred))
    assert 40 <= found.y <= 44
    assert 196 <= found.y + found.height <= 200


def test_a_black_image_has_no_bars():
    assert content_box(np.zeros((90, 160), np.uint8)) == Crop(0, 0, 160, 90)


def overlap(one: Crop, other: Crop) -> float:
    """Return intersection over union."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(0, width) * max(0, height)
    return both / (one.width * one.height + other.width * other.height - both)


def with_overlays(
    picture: np.ndarray, kind: str, number: int
) -> tuple[np.ndarray, list[Crop]]:
    image = picture.copy()
    height, width = image.shape[:2]
    if kind == "logo":
        cv2.circle(image, (width - 70, 50), 22, (240, 240, 240), 4, cv2.LINE_AA)
        cv2.putText(
            image,
            "TV",
            (width - 86, 58),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.8,
            (240, 240, 240),
            2,
            cv2.LINE_AA,
        )
        return image, [Crop(width - 95, 26, 50, 49)]
    if kind == "watermark":
        paint = np.zeros_like(image)
        cv2.putText(
            paint,
            "SAMPLE",
            (40, height - 40),
            cv2.FONT_HERSHEY_SIMPLEX,
            1.5,
            (255, 255, 255),
            4,
            cv2.LINE_AA,
        )
        return np.clip(image + 0.4 * paint, 0, 255).astype(np.uint8), [
            Crop(40, height - 75, 185, 38)
        ]
    cv2.rectangle(image, (30, 24), (230, 60), (20, 30, 90), -1)
    cv2.rectangle(image, (30, 24), (230, 60), (250, 250, 250), 2)
    for text, left in (("AAA", 40), ("BBB", 165), (f"{number // 9}-{number % 3}", 108)):
        cv2.putText(
            image,
            text,
            (left, 50),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.7,
            (255, 255, 255),
            2,
            cv2.LINE_AA,
        )
    return image, [Crop(29, 23, 203, 39)]


@pytest.mark.parametrize("kind", ["logo", "watermark", "scoreboard"])
@pytest.mark.parametrize("shown", [1.0, 0.75])
def test_logos_watermarks_and_scoreboards_are_detected(kind: str, shown: float):
    finder = OverlayFinder()
    for number in range(24):
        picture = scene(number % 8, 4 * number, width=640, height=360)
        barred = letterboxed(picture, 20) if number % 4 else picture
        image, truth = (
            with_overlays(barred, kind, number)
            if number % 8 < 8 * shown
            else (barred, [])
        )
        finder.add(luma(image), content_box(luma(image)))
    found = finder.boxes(640, 360)
    truth = with_overlays(picture, kind, 0)[1]
    assert len(found) == len(truth) == 1
    assert overlap(found[0], truth[0]) > 0.5
    assert finder.boxes(1280, 720)[0].x == pytest.approx(2 * found[0].x, abs=1)


CORNERS = [(24, 20), (470, 24), (30, 280), (500, 290), (250, 300)]


def badge(picture: np.ndarray, seed: int) -> tuple[np.ndarray, Crop]:
    """Return the image with a channel's logo, opaque or transparent, and its box."""
    x, y = CORNERS[seed % len(CORNERS)]
    paint = np.zeros_like(picture)
    cv2.rectangle(paint, (x, y), (x + 62, y + 30), (255, 255, 255), 3)
    cv2.putText(
        paint,
        f"C{seed}",
        (x + 8, y + 24),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.8,
        (255, 255, 255),
        3,
        cv2.LINE_AA,
    )
    strength = (0.35, 0.6, 1.0)[seed % 3]
    return np.clip(picture + strength * paint.astype(float), 0, 255).astype(
        np.uint8
    ), Crop(x - 2, y - 2, 66, 34)


def test_overlays_of_moving_shots_are_detected_and_scenery_is_not():
    pairs = []
    for seed in range(5):
        shots = [scene(seed + n % 3, 6 * n, width=640, height=360) for n in range(15)]
        ahead = [drive(seed + n // 10, 2 * (n % 10)) for n in range(20)]
        for clip in (shots, ahead):
            plain, marked = OverlayFinder(), OverlayFinder()
            for picture in clip:
                plain.add(luma(picture), Crop(0, 0, 640, 360))
                marked.add(luma(badge(picture, seed)[0]), Crop(0, 0, 640, 360))
            truth = badge(clip[0], seed)[1]
            boxes = marked.boxes(640, 360)
            pairs += [(True, any(overlap(box, truth) > 0.5 for box in boxes))]
            pairs += [
                (False, True)
                for box in (*plain.boxes(640, 360), *boxes)
                if overlap(box, truth) <= 0.5
            ]
            pairs += [(False, bool(plain.boxes(640, 360)))]
    assert_precision_and_recall(pairs)


def test_cuts_between_shots_are_detected():
    pairs, shots, before = [], ShotCounter(), 0
    for seed in range(20):
        for step in range(6):
            picture = scene(seed, 2 * step, width=320, height=192)
            number = shots.shot_of_next(picture, 6 * seed + step)
            pairs.append((step == 0 and seed > 0, number != before))
            before = number
    assert_precision_and_recall(pairs)


def test_faded_and_blurred_frames_have_a_lower_total_score():
    picture = luma(scene(3))
    faded = (picture * 0.5).astype(np.uint8)
    assert measure(picture).total > 1.2 * measure(faded).total
    assert measure(picture).total > measure(cv2.GaussianBlur(picture, (0, 0), 1)).total


def test_a_frame_of_two_lines_takes_little_memory():
    luma_of_lines = np.random.default_rng(0).integers(0, 256, (2, 640), np.uint8)
    tracemalloc.start()
    try:
        OverlayFinder().add(luma_of_lines, Crop(0, 0, 640, 2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6
