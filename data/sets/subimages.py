"""Large images cut into overlapping sub-images, which load faster than the whole."""

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.made_folders import SUBIMAGES_FILE, keep_settings
from realesrgan_paddle.data.sets.manifest import overlays_by_file
from realesrgan_paddle.data.sets.naming import check_outside, distinct_stems
from realesrgan_paddle.data.statistics.tiles import judge_tiles
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.jobs import run_each

FLAT = "flat"
"""Reason to leave a sub-image out: it shows next to nothing."""

# The ending of DIV2K's low-quality files, "0801x4.png".
_SCALE_ENDING = re.compile(r"(?<=\d)x[2348]$")


@dataclass(frozen=True)
class CropGrid:
    """Where images are cut [pixels]; as in BasicSR's extract_subimages.py."""

    crop_size: int
    """Side of a sub-image."""
    step: int
    """From one sub-image to the next; smaller than crop_size means overlap."""
    thresh_size: int = 0
    """A wider remainder at the border gets a sub-image, aligned to the border."""

    def __post_init__(self) -> None:
        if self.crop_size < 1 or self.step < 1 or self.thresh_size < 0:
            raise UserError(
                "crop_size and step must be at least 1 and thresh_size at least 0; "
                f"got {self}"
            )

    def starts(self, length: int) -> list[int]:
        """Return the first pixel of each sub-image along a side of `length` pixels."""
        if length <= self.crop_size:
            return [0]
        last = length - self.crop_size
        starts = list(range(0, last + 1, self.step))
        if last - starts[-1] > self.thresh_size:
            starts.append(last)
        return starts

    def crops(self, height: int, width: int) -> list[Crop]:
        """Return the sub-images, row by row; a shorter side than crop_size stays whole."""
        crop_width, crop_height = (
            min(self.crop_size, width),
            min(self.crop_size, height),
        )
        crops = []
        for y in self.starts(height):
            for x in self.starts(width):
                crops.append(Crop(x, y, crop_width, crop_height))
        return crops

    def gap_lines(self) -> list[str]:
        """Return a line for the user if the step leaves pixels out."""
        if self.step <= self.crop_size:
            return []
        return [
            f"the step of {self.step} leaves {self.step - self.crop_size} pixels between "
            f"sub-images of {self.crop_size}: --step {max(1, self.crop_size // 2)} makes "
            "them overlap"
        ]


@dataclass(frozen=True)
class Cutting:
    """How images are cut into sub-images."""

    grid: CropGrid
    """Where."""
    min_detail: float
    """Share of a sub-image's tiles that must have detail above the noise."""
    patches_per_frame: int = 8
    """Of the best patches: the most of one frame."""
    max_patches: int = 0
    """Of the best patches: the most of all; 0: all that are good and new."""
    manifest: Path | None = None
    """That of tools/extract_keyframes.py: overlays, which are left out, shots and times."""
    threads: int | None = None
    """How many images at a time; None: one per CPU."""
    png_compression: int | None = 3
    """0 (large, fast) to 9; None: OpenCV's default."""


@dataclass
class CutImages:
    """What was cut of the images of a folder."""

    count: int = 0
    """Sub-images that exist now."""
    rejected: Counter[str] = field(default_factory=Counter)
    """How many this run has left out, by reason."""
    failures: list[str] = field(default_factory=list)
    """One line for each image that failed."""

    @property
    def flat(self) -> int:
        """Sub-images that were left out because they show next to nothing."""
        return self.rejected[FLAT]

    def other_reasons(self) -> str:
        """Return how many were left out for other reasons: "7 repeated, 2 overlay"."""
        others = []
        for reason, count in self.rejected.most_common():
            if count and reason != FLAT:
                others.append(f"{count} {reason}")
        return ", ".join(others)


def extract_subimages(source: Path, output: Path, cutting: Cutting) -> CutImages:
    """Cut every image below `source` into "name_s001.png", ... in `output`.

    Folders below `source` become folders below `output`. Gray, alpha and 16-bit images
    keep their type. Existing files are left alone, so an interrupted run is resumed by
    running it again, with the same grid. The "x2", "x3", "x4", "x8" after the number of
    DIV2K's low-quality files is dropped from the names, as in BasicSR, so that both
    images of a pair get the same names. Sub-images that are left out for an overlay, such
    as a channel's logo, or for their little detail keep their numbers.

    Raises:
        UserError: there are no images, two would get the same names, `output` lies in
            `source` or was cut in another way, or the manifest is none.
    """
    check_outside(output, source)
    stems = stems_without_scale(source)
    overlays = overlays_by_path(cutting.manifest)
    keep_cut(output, cutting)

    work = partial(
        _cut_image, stems=stems, output=output, cutting=cutting, overlays=overlays
    )
    counts, failures = run_each(work, list(stems), threads=cutting.threads)
    return CutImages(
        count=sum(count for count, _ in counts),
        rejected=Counter({FLAT: sum(flat for _, flat in counts)}),
        failures=failures,
    )


def overlays_by_path(manifest: Path | None) -> dict[Path, list[Crop]]:
    """Return the boxes of the overlays in each frame that has any."""
    by_path: dict[Path, list[Crop]] = {}
    if manifest is None:
        return by_path
    for file, boxes in overlays_by_file(manifest).items():
        path = manifest.parent / file
        by_path[path.resolve()] = boxes
    return by_path


def _cut_image(
    path: Path,
    stems: dict[Path, Path],
    output: Path,
    cutting: Cutting,
    overlays: dict[Path, list[Crop]],
) -> tuple[int, int]:
    """Write the missing sub-images of an image; return how many exist and are flat."""
    image = read_image(path)
    boxes = overlays.get(path.resolve(), [])
    tiles = judge_tiles(luma_of(image)) if cutting.min_detail else None
    count = flat = 0

    for number, crop in enumerate(cutting.grid.crops(*image.shape[:2]), 1):
        if any(crop.touches(box) for box in boxes):
            continue
        if tiles and tiles.is_flat(crop, cutting.min_detail):
            flat += 1
            continue

        count += 1
        target = output / f"{stems[path]}_s{number:03d}.png"
        if not target.exists():
            write_image(target, crop.of(image), png_compression=cutting.png_compression)
    return count, flat


def luma_of(image: np.ndarray) -> np.ndarray:
    """Return the luma of an image of any type, uint8 (H, W)."""
    levels = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    if levels.ndim == 2:
        return levels
    rgb = np.ascontiguousarray(levels[..., :3])
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def stems_without_scale(source: Path) -> dict[Path, Path]:
    """Return what `distinct_stems` does, without the scale endings of DIV2K."""
    stems = {}
    for path, stem in distinct_stems(source).items():
        name = _SCALE_ENDING.sub("", stem.name)
        stems[path] = stem.with_name(name)

    if len(set(stems.values())) < len(stems):
        raise UserError(
            f"{source}: images differ in nothing but an ending such as x4; cut them "
            "into separate folders"
        )
    return stems


def keep_cut(output: Path, cutting: Cutting, *, best: bool = False) -> None:
    """Write how `output` is cut, or refuse another way than the written one.

    Args:
        output: the folder.
        cutting: how.
        best: only into the best patches.
    """
    settings = asdict(cutting.grid)
    # Only where they are used, so that sets cut before these options stay valid.
    if cutting.manifest is not None:
        settings["avoids_overlays"] = True
    if cutting.min_detail:
        settings["min_detail"] = cutting.min_detail
    if best:
        settings["patches_per_frame"] = cutting.patches_per_frame
        settings["max_patches"] = cutting.max_patches
    keep_settings(output / SUBIMAGES_FILE, settings, output)
