"""Frames in dissolves, wipes and fades are told from good ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.shots import blends
from realesrgan_paddle.data.footage.shots.blends import BlendFinder
from realesrgan_paddle.data.footage.shots.small_frames import SmallFrame
from realesrgan_paddle.data.footage.shots.transitions import transition_at
from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.likeness import shrink

RATE = 25
START, LENGTH = 20, 25
"""First frame of the transition, and how many it lasts."""


def mask_of(kind: str, share: float) -> np.ndarray:
    """Return the share of the new picture at each pixel, (128, 192, 1)."""
    y, x = np.mgrid[0:128, 0:192]
    x, y = x / 191, y / 127
    place = {
        "dissolve": np.full(x.shape, share),
        "wipe": (x < share).astype(float),
        "soft wipe": np.clip((share * 1.3 - y) / 0.3, 0, 1),
        "diagonal": (x + y < 2 * share).astype(float),
    }
    return place[kind][..., None]


def transition(kind: str, *, step: float = 0.2) -> list[np.ndarray]:
    """Return 70 frames of two moving shots with a transition of one second."""
    shown = []
    for number in range(70):
        share = min(1.0, max(0.0, (number - START) / LENGTH))
        old, new = scene(1, number * step), scene(4, number * step)
        if kind == "fade":
            picture = old * max(0.0, 1 - 2 * share) + new * max(0.0, 2 * share - 1)
        else:
            mask = mask_of(kind, share)
            picture = old * (1 - mask) + new * mask
        shown.append(picture.round().astype(np.uint8))
    return shown


def found(shown: list[np.ndarray], number: int) -> bool:
    images = np.stack([shrink(picture) for picture in shown])
    seconds = np.arange(len(shown)) / RATE
    return transition_at(images, seconds, number) is not None


KINDS = ["dissolve", "wipe", "soft wipe", "diagonal", "fade"]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_inside_a_transition_are_found_and_others_are_not(kind: str):
    shown = transition(kind)
    for share in (0.3, 0.45, 0.7):
        assert found(shown, START + round(share * LENGTH)), share
    for number in (5, 12, 52, 62):
        assert not found(shown, number), number


def burn(number: int) -> np.ndarray:
    """Return a frame of fire: spots that come and go."""
    noise = np.random.default_rng(number).uniform(0, 255, (8, 12, 3))
    spots = cv2.resize(noise, (192, 128), interpolation=cv2.INTER_CUBIC)
    return spots.clip(0, 255).astype(np.uint8)


def flash(number: int) -> np.ndarray:
    """Return a frame of a scene that a flash lights up in two frames."""
    light = {30: 90, 31: 140, 32: 60}.get(number, 0)
    return cv2.add(scene(2, number * 0.2), np.full((128, 192, 3), light, np.uint8))


GOOD = {
    "cut": lambda number: scene(1 if number < 31 else 5, number * 0.2),
    "pan": lambda number: scene(2, number * 1.0),
    "fast pan": lambda number: scene(2, number * 2.0),
    "fire": burn,
    "flash": flash,
    "exposure": lambda number: (
        scene(2, 0.1 * number) * (1 - 0.4 * min(1, max(0, number - 20) / 25))
    ).astype(np.uint8),
    "still": lambda number: scene(2),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_changes_within_a_shot_is_no_transition(kind: str):
    shown = [GOOD[kind](number) for number in range(70)]
    assert [n for n in range(6, 66, 6) if found(shown, n)] == []


def test_a_short_shot_between_two_dissolves_gets_a_clean_frame(tmp_path: Path):
    shown = []
    for number in range(100):
        first = np.clip((number - 15) / 20, 0, 1)
        second = np.clip((number - 55) / 20, 0, 1)
        old, middle, new = (scene(seed, number * 0.1) for seed in (1, 3, 5))
        picture = (old * (1 - first) + middle * first) * (1 - second) + new * second
        shown.append(picture.round().astype(np.uint8))
    keys = ("-force_key_frames", "0,1.0,2.6,3.4", "-sc_threshold", "1000000000")
    options = ("-c:v", "mpeg4", "-q:v", 2, "-g", 1000, *keys)
    clip = picture_clip(tmp_path / "clip.mp4", shown, options=options)

    out = tmp_path / "out"
    words = ["--input", str(clip), "--output", str(out), "--min_frames", "0"]
    assert main(words) == 0
    by_time = {
        round(record["seconds"], 2): record
        for record in read_records(out / "manifest.jsonl")
    }
    assert by_time[1.0]["reason"] == by_time[2.6]["reason"] == "in a transition"
    clean = [time for time, record in by_time.items() if not record["reason"]]
    assert any(1.4 <= time <= 2.2 for time in clean), sorted(by_time)
    assert {0.0, 3.4} <= set(clean)
    shots = {by_time[time]["shot"] for time in clean}
    assert len(shots) == 3


def test_a_stretch_that_was_seen_is_not_decoded_again(monkeypatch):
    """And what is put together is what decoding the whole stretch gives."""
    decoded = []

    def small_frames(path, start, end):
        decoded.append((start, end))
        for number in range(1000):
            seconds = number / RATE
            if start <= seconds <= end:
                yield SmallFrame(seconds, np.zeros((54, 96, 3), np.uint8))

    monkeypatch.setattr(blends, "small_frames", small_frames)
    finder = BlendFinder(Path("video.mp4"))
    finder._around(1.0, 5.0)
    stretch = finder._around(3.0, 7.0)
    assert decoded == [(1.0, 5.0), (5.0, 7.0)]
    assert [small.seconds for small in stretch] == [n / RATE for n in range(75, 176)]

    finder._around(20.0, 24.0)
    assert decoded[-1] == (20.0, 24.0)
