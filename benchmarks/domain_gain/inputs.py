"""The kinds of input that networks are judged on, made from frames of held-out clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.domain_gain.arms import GENERAL
from benchmarks.domain_gain.domains import Domain, read_frame
from benchmarks.domain_gain.finetune import ROOT
from benchmarks.domain_gain.judge import SCALE, Pair
from benchmarks.video.flicker import compressed
from realesrgan_paddle.utils.crops import Crop, most_detailed

FORGETTING = "matched"
"""The kind of input on which the general pictures are judged."""

CROP_SIZE = 64
"""Side of what is judged [low-quality pixels]."""
MARGIN = 64
"""What is degraded around it [low-quality pixels]."""
CANDIDATES = 4
"""Crops that are looked at for each that is judged."""
MASKED = 0.08
"""Share of values that are 0; a scoreboard that was masked has 0.1 and more."""

FRAMES, STEP = 12, 3
"""A still frame becomes a clip that pans onto it, this many pixels of it a frame."""

REPEATABLE = {"threads": "1", "x264-params": "mbtree=0"}
"""x264 encodes small frames in the same way each time only without its macroblock tree:
of five encodes of one clip of 310x92 pixels three differed, by up to 33 levels."""

Degrade = Callable[[np.ndarray, str], np.ndarray]
"""Takes a ground truth, uint8 RGB (H, W, 3), and its name; returns the input, uint8."""


def degradations() -> Mapping[str, Degrade]:
    """Return the kinds of input by name.

    "matched" is what `options/finetune_cpu.yml` makes, "unmatched" the broadcast preset.
    The others are real clips: averaged over 4 x 4 pixels, then encoded as a whole by x264
    or MPEG-2 at one of three rates, as the encoders do by default but for `REPEATABLE`.
    No code of the training's degradation takes part.
    """
    options = ROOT / "options"
    return {
        "matched": partial(_synthetic, options / "finetune_cpu.yml"),
        "unmatched": partial(_synthetic, options / "generate_lq_broadcast.yml"),
        "H.264, CRF 23": partial(encoded, "libx264", {"crf": "23", **REPEATABLE}),
        "H.264, CRF 28": partial(encoded, "libx264", {"crf": "28", **REPEATABLE}),
        "H.264, CRF 33": partial(encoded, "libx264", {"crf": "33", **REPEATABLE}),
        "MPEG-2, q 4": partial(encoded, "mpeg2video", {"qmin": "4", "qmax": "4"}),
        "MPEG-2, q 8": partial(encoded, "mpeg2video", {"qmin": "8", "qmax": "8"}),
        "MPEG-2, q 14": partial(encoded, "mpeg2video", {"qmin": "14", "qmax": "14"}),
    }


@dataclass(frozen=True)
class Part:
    """A part of a frame, with room around what is judged of it."""

    name: str
    clip: str
    gt: np.ndarray
    """uint8 RGB (H, W, 3); a low-quality side is even, for 4:2:0."""
    judged: Crop
    """Of the low-quality part."""


def cut_parts(domain: Domain) -> list[Part]:
    """Return the most detailed parts of the frames of the held-out clips."""
    parts = []
    for clip, frames in domain.test.items():
        for path, count in spread(frames, domain.crops):
            frame = read_frame(path, domain)
            height, width = (side // SCALE for side in frame.shape[:2])
            small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            for number, crop in enumerate(detailed(small, count)):
                room, judged = with_room(crop, height, width)
                gt = np.ascontiguousarray(room.of(frame, SCALE))
                parts.append(Part(f"{path.stem}_{number}.png", clip, gt, judged))
    return parts


def detailed(image: np.ndarray, count: int) -> list[Crop]:
    """Return the most detailed crops of an image that show no masked scoreboard."""
    crops = most_detailed(image, CROP_SIZE, CANDIDATES * count)
    shown = [crop for crop in crops if (crop.of(image) == 0).mean() < MASKED]
    return shown[:count]


def with_room(crop: Crop, height: int, width: int) -> tuple[Crop, Crop]:
    """Return a crop with room around it, and where the crop is in that.

    Args:
        crop: of an image.
        height: of the image.
        width: of the image.
    """
    left, top = max(0, crop.x - MARGIN), max(0, crop.y - MARGIN)
    right, bottom = min(width, crop.right + MARGIN), min(height, crop.bottom + MARGIN)
    room = Crop(left, top, (right - left) // 2 * 2, (bottom - top) // 2 * 2)
    x = min(crop.x - left, room.width - crop.width)
    y = min(crop.y - top, room.height - crop.height)
    return room, Crop(x, y, crop.width, crop.height)


def kinds_of(domain: Domain, inputs: Sequence[str]) -> dict[str, list[Pair]]:
    """Return the pairs of each kind of input that a domain is judged on."""
    parts = cut_parts(domain)
    degrade = degradations()
    chosen = [FORGETTING] if domain.name == GENERAL else inputs
    return {
        f"{domain.name}: {kind}": make_pairs(parts, degrade[kind]) for kind in chosen
    }


def make_pairs(parts: Sequence[Part], degrade: Degrade) -> list[Pair]:
    """Return the parts with their inputs of one kind."""
    pairs = []
    for part in parts:
        lq = degrade(part.gt, part.name)
        pairs.append(Pair(part.name, part.clip, lq, part.gt, [part.judged]))
    return pairs


def spread(frames: Sequence[Path], crops: int) -> list[tuple[Path, int]]:
    """Return frames that are spread over a clip, and how many crops to take of each."""
    count = min(crops, len(frames))
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    shares = np.full(count, crops // count)
    shares[: crops % count] += 1
    return [(frames[at], int(share)) for at, share in zip(chosen, shares, strict=True)]


def encoded(
    codec: str, settings: Mapping[str, str], gt: np.ndarray, name: str
) -> np.ndarray:
    """Return the last frame of a clip that pans onto `gt`, downscaled and encoded."""
    height, width = (side // SCALE for side in gt.shape[:2])
    frames = []
    for number in range(FRAMES):
        shift = STEP * (FRAMES - 1 - number)
        moved = np.pad(gt[:, shift:], ((0, 0), (0, shift), (0, 0)), mode="reflect")
        frames.append(cv2.resize(moved, (width, height), interpolation=cv2.INTER_AREA))
    return compressed(frames, codec, settings)[-1]


def _synthetic(yml: Path, gt: np.ndarray, name: str) -> np.ndarray:
    from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options

    return make_lq(gt.astype(np.float32) / 255, name, read_lq_options(yml))
