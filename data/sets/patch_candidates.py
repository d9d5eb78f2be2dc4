"""The patches of one frame: where they may lie, and which of them are good."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from realesrgan_paddle.data.sets.subimages import FLAT, CropGrid, luma_of
from realesrgan_paddle.data.statistics.tiles import Tiles, can_judge, judge_tiles
from realesrgan_paddle.utils.crops import Crop

OVERLAY, SOFT = "overlay", "out of focus"
CROWDED, REPEATED, ONE_VIEW = "better ones in the frame", "repeated", "of one view"
SURPLUS = "beyond the number"
"""Reasons to leave a patch out, beside `FLAT`; those after the first line are said of good
ones."""

MAX_OVERLAP = 0.5
"""Patches of one frame may share this much of their area: neighbors on a grid whose step
is half a patch still do."""

THUMB = 8
"""Side [pixels] of the luma that a patch is compared by; its color and its detail have
half of that."""

DETAIL_LEVELS = 24
"""Levels of the comparison by which a doubled detail differs."""


@dataclass(frozen=True)
class Patch:
    """A part of a frame."""

    number: int
    """From 1 on: of a position on the grid, as `CropGrid.crops` counts; then of those
    beside overlays."""
    crop: Crop
    score: float = 0.0
    """Mean of log2(1 + detail) of its tiles: much detail in all of them counts most."""
    signature: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    """What it is compared by, uint8 (128,): 8x8 luma, 4x4x3 color, 4x4 detail."""


@dataclass(frozen=True)
class JudgedFrame:
    """The patches of a frame."""

    chosen: list[Patch]
    """Good ones, best first."""
    rejected: dict[str, list[Patch]]
    """The others, by reason."""


def judge_frame(
    image: np.ndarray,
    grid: CropGrid,
    overlays: Sequence[Crop],
    *,
    min_detail: float,
    per_frame: int,
) -> JudgedFrame:
    """Return the good patches of a frame and the others.

    Args:
        image: uint8 or uint16; (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.
        grid: where patches may lie.
        overlays: boxes that no patch may touch.
        min_detail: share of a patch's tiles that must have detail, 0 to 1.
        per_frame: the most to choose.
    """
    luma = luma_of(image)
    tiles = judge_tiles(luma)
    good: list[Patch] = []
    rejected: dict[str, list[Patch]] = {}
    for number, crop in enumerate(positions(luma.shape, grid, overlays), 1):
        reason = _reason(crop, tiles, overlays, min_detail)
        if reason:
            rejected.setdefault(reason, []).append(Patch(number, crop))
        else:
            good.append(Patch(number, crop, _score(crop, tiles)))

    chosen = _apart(good, per_frame)
    numbers = {patch.number for patch in chosen}
    crowded = [patch for patch in good if patch.number not in numbers]
    if crowded:
        rejected[CROWDED] = crowded
    seen = [_with_signature(patch, image, luma, tiles) for patch in chosen]
    return JudgedFrame(seen, rejected)


def positions(
    shape: tuple[int, ...], grid: CropGrid, overlays: Sequence[Crop]
) -> list[Crop]:
    """Return where patches may lie: the grid, then right beside each overlay.

    So a box at the edge of a row of patches does not cost the row: they also lie above
    and below it, and to its left and right, in the columns and rows of the grid.

    Args:
        shape: height and width of the frame.
        grid: the grid.
        overlays: boxes in the frame.
    """
    height, width = shape[:2]
    on_grid = grid.crops(height, width)
    side = on_grid[0]
    known = set(on_grid)
    beside: list[Crop] = []

    for box in overlays:
        rows = (box.y - side.height, box.bottom)
        columns = (box.x - side.width, box.right)
        moved = [(x, y) for y in rows for x in grid.starts(width)]
        moved += [(x, y) for y in grid.starts(height) for x in columns]
        for x, y in moved:
            crop = Crop(x, y, side.width, side.height)
            inside = 0 <= x <= width - side.width and 0 <= y <= height - side.height
            if inside and crop not in known and not _touches(crop, overlays):
                known.add(crop)
                beside.append(crop)
    return on_grid + beside


def _touches(crop: Crop, overlays: Sequence[Crop]) -> bool:
    touched = map(crop.touches, overlays)
    return any(touched)


def _reason(
    crop: Crop, tiles: Tiles, overlays: Sequence[Crop], min_detail: float
) -> str:
    """Return why a patch is left out; nothing for a good one."""
    if _touches(crop, overlays):
        return OVERLAY
    if not min_detail or not can_judge(crop):
        return ""
    if tiles.soft_share(crop) > tiles.share(crop):
        return SOFT
    return FLAT if tiles.is_flat(crop, min_detail) else ""


def _score(crop: Crop, tiles: Tiles) -> float:
    """Return the score of a patch, see `Patch`."""
    detail = tiles.within(tiles.detail, crop)
    octaves = np.log2(1 + detail)
    return float(octaves.mean())


def _apart(good: Sequence[Patch], count: int) -> list[Patch]:
    """Return up to `count` patches that hardly overlap, best first.

    The score of a patch counts for the part that no chosen one shows.
    """
    left = list(good)
    overlap = [0.0] * len(left)
    chosen: list[Patch] = []
    while left and len(chosen) < count:
        worth = [
            patch.score * (1 - shared)
            for patch, shared in zip(left, overlap, strict=True)
        ]
        best = left[int(np.argmax(worth))]
        chosen.append(best)

        pairs = zip(left, overlap, strict=True)
        shared_now = [
            (patch, max(before, _shared(patch, best))) for patch, before in pairs
        ]
        allowed = [pair for pair in shared_now if pair[1] <= MAX_OVERLAP]
        left = [patch for patch, _ in allowed]
        overlap = [shared for _, shared in allowed]
    return chosen


def _shared(one: Patch, other: Patch) -> float:
    """Return the share of its area that a patch has in common with another."""
    area = one.crop.width * one.crop.height
    return one.crop.common_area(other.crop) / area


def _with_signature(
    patch: Patch, image: np.ndarray, luma: np.ndarray, tiles: Tiles
) -> Patch:
    """Return a patch with what it is compared by."""
    crop = patch.crop
    half = THUMB // 2
    brightness = _thumb(crop.of(luma), THUMB)
    color = np.full((half, half, 3), 128.0)
    if image.ndim == 3:
        pixels = crop.of(image)
        levels = _thumb(pixels[..., :3], half)
        if image.dtype != np.uint8:
            levels = levels / 257
        gray = levels.mean(axis=2, keepdims=True)
        color = levels - gray + 128

    detail = _thumb(tiles.within(tiles.detail, crop), half)
    octaves = np.log2(1 + detail)
    parts = (brightness, color, octaves * DETAIL_LEVELS)
    values = np.concatenate([part.ravel() for part in parts])
    rounded = np.rint(values).clip(0, 255)
    signature = rounded.astype(np.uint8)
    return Patch(patch.number, crop, patch.score, signature)


def _thumb(values: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of each of `side` x `side` parts, float32."""
    size = (side, side)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)
