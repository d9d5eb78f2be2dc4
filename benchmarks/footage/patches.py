"""Count which patches of made frames are chosen: blurred halves, grainy sky, boxes.

    python benchmarks/footage/patches.py FOLDER [FOLDER ...] [--step 240]

Each image of the folders, sharp frames, is spoilt in known ways: one half by a Gaussian
blur or a blurred side fill, a part replaced by a flat gradient with grain, a box with
text drawn. Patches wholly within the spoilt part must be left out ("bad"); those wholly
outside, and good in the image as it was, must be kept ("good"). A row says, for each
way, how many were left out: recall is the share of bad ones, precision that of bad ones
among all left out.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.patch_candidates import (
    CROWDED,
    JudgedFrame,
    judge_frame,
)
from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import list_images, read_image

MIN_DETAIL = 0.05
"""The default of build_domain_set."""

Spoil = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, Crop]]
"""Returns the image before, the spoilt image and the part that is spoilt."""


def right_half(image: np.ndarray) -> Crop:
    """Return the right half of an image."""
    height, width = image.shape[:2]
    return Crop(width // 2, 0, width - width // 2, height)


def blurred(sigma: float, grain: float) -> Spoil:
    """Return a function that blurs the right half, then adds grain to all."""

    def spoil(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Crop]:
        part = right_half(image)
        out = image.copy()
        part.of(out)[...] = cv2.GaussianBlur(part.of(image), (0, 0), sigma)
        return with_grain(image, grain), with_grain(out, grain), part

    return spoil


def filled(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Crop]:
    """Put an enlarged, blurred copy of the image into its right third."""
    height, width = image.shape[:2]
    part = Crop(width * 2 // 3, 0, width - width * 2 // 3, height)
    large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(large, (0, 0), 20)
    out = image.copy()
    part.of(out)[...] = part.of(soft)
    return image, out, part


def sky(grain: float, tone: tuple[int, int] = (130, 200)) -> Spoil:
    """Return a function that makes the upper half a gradient with grain."""

    def spoil(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Crop]:
        height, width = image.shape[:2]
        part = Crop(0, 0, width, height // 2)
        out = image.copy()
        gradient = np.linspace(*tone, part.height)[:, None, None]
        flat = np.broadcast_to(gradient, part.of(image).shape).astype(np.uint8)
        part.of(out)[...] = with_grain(flat, grain)
        return image, out, part

    return spoil


def with_grain(image: np.ndarray, sigma: float) -> np.ndarray:
    """Add white Gaussian noise, another in each channel."""
    if not sigma:
        return image
    noise = np.random.default_rng(1).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def film_grain(sigma: float) -> Spoil:
    """As `sky`, with gray grain that is a pixel wide: a Gaussian of sigma 0.6."""

    def spoil(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Crop]:
        _, out, part = sky(0)(image)
        noise = np.random.default_rng(2).normal(0, 1, (part.height, part.width))
        grain = cv2.GaussianBlur(noise, (0, 0), 0.6)
        grain = grain * (sigma / grain.std())
        grainy = part.of(out) + grain[..., None]
        part.of(out)[...] = np.clip(np.rint(grainy), 0, 255).astype(np.uint8)
        return image, out, part

    return spoil


def as_jpeg(spoil: Spoil, quality: int) -> Spoil:
    """Return a function that spoils an image, then compresses it."""

    def compressed(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, Crop]:
        before, out, part = spoil(image)
        return through_jpeg(before, quality), through_jpeg(out, quality), part

    return compressed


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image as a JPEG file of a quality shows it."""
    words = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), words)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


WAYS: dict[str, Spoil] = {
    "half blurred, sigma 3": blurred(3, 0),
    "half blurred, sigma 2": blurred(2, 0),
    "half blurred, sigma 3, grain 4": blurred(3, 4),
    "half blurred, sigma 3, JPEG 80": as_jpeg(blurred(3, 0), 80),
    "blurred side fill": filled,
    "sky": sky(0),
    "sky, grain 4": sky(4),
    "sky, grain 7": sky(7),
    "sky, grain 10": sky(10),
    "dark sky, grain 6": sky(6, (20, 60)),
    "sky, grain 6, JPEG 90": as_jpeg(sky(6), 90),
    "sky, film grain 6": film_grain(6),
}


def images(folders: list[Path], most: int) -> Iterator[np.ndarray]:
    """Yield up to `most` images of each folder, evenly spaced, uint8 RGB."""
    for folder in folders:
        paths = list_images(folder, recursive=True)
        for path in paths[:: -(-len(paths) // most)]:
            yield np.ascontiguousarray(read_image(path)[..., :3])


def good_numbers(judged: JudgedFrame) -> set[int]:
    """Return the numbers of the good patches, also of those that overlap better ones."""
    crowded = judged.rejected.get(CROWDED, [])
    return {patch.number for patch in [*judged.chosen, *crowded]}


def inside(crop: Crop, part: Crop) -> bool:
    """Return whether a crop lies within a part of the image."""
    in_x = part.x <= crop.x and crop.right <= part.right
    return in_x and part.y <= crop.y and crop.bottom <= part.bottom


def count(image: np.ndarray, spoil: Spoil, grid: CropGrid) -> Counter[str]:
    """Return how many patches are bad and good, and how many of each are left out."""
    image, spoilt, part = spoil(image)
    before = judge_frame(image, grid, (), min_detail=MIN_DETAIL, per_frame=10**6)
    after = judge_frame(spoilt, grid, (), min_detail=MIN_DETAIL, per_frame=10**6)
    was_good, is_good = good_numbers(before), good_numbers(after)

    counts: Counter[str] = Counter()
    for number, crop in enumerate(grid.crops(*image.shape[:2]), 1):
        left_out = number not in is_good
        if inside(crop, part):
            counts["bad"] += 1
            counts["bad_out"] += left_out
        elif not crop.touches(part) and number in was_good:
            counts["good"] += 1
            counts["good_out"] += left_out
    return counts


def main() -> None:
    """Print a row of JSON for each way to spoil frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--crop_size", type=int, default=240)
    parser.add_argument("--step", type=int, default=120)
    parser.add_argument("--most", type=int, default=6, help="images of each folder")
    args = parser.parse_args()
    grid = CropGrid(args.crop_size, args.step)
    frames = list(images(args.folders, args.most))

    for way, spoil in WAYS.items():
        total: Counter[str] = Counter()
        for image in frames:
            total += count(image, spoil, grid)
        out = total["bad_out"] + total["good_out"]
        recall = total["bad_out"] / max(1, total["bad"])
        precision = total["bad_out"] / max(1, out)
        row = {"way": way, **total, "recall": recall, "precision": precision}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
