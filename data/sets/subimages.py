"""Large images cut into overlapping sub-images, which load faster than the whole."""

import re
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.frame_scores import share_of_detail
from realesrgan_paddle.data.sets.manifest import overlays_by_file
from realesrgan_paddle.data.sets.naming import check_apart, distinct_stems
from realesrgan_paddle.data.sets.settings_file import keep_settings
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.jobs import run_each

SETTINGS_FILE = ".subimages.json"
"""File in the output folder that says how its sub-images were cut."""


@dataclass(frozen=True)
class CropGrid:
    """Where an image is cut, in pixels; names and meaning as in BasicSR's extract_subimages.py."""

    crop_size: int = 480
    """Side of a sub-image."""
    step: int = 240
    """From one sub-image to the next; smaller than crop_size means overlap."""
    thresh_size: int = 0
    """What is left at the border gets a sub-image of its own, aligned to the border, if it is wider than this."""

    def __post_init__(self) -> None:
        if self.crop_size < 1 or self.step < 1 or self.thresh_size < 0:
            raise UserError(
                f"crop_size and step must be at least 1 and thresh_size at least 0; got {self}"
            )

    def starts(self, length: int) -> list[int]:
        """Return the first pixel of each sub-image along a side of `length`; one at 0 if it is shorter than a crop."""
        if length <= self.crop_size:
            return [0]
        starts = list(range(0, length - self.crop_size + 1, self.step))
        if length - (starts[-1] + self.crop_size) > self.thresh_size:
            starts.append(length - self.crop_size)
        return starts

    def crops(self, height: int, width: int) -> list[Crop]:
        """Return where the sub-images are, row by row; a side shorter than crop_size is kept whole."""
        size = (min(self.crop_size, width), min(self.crop_size, height))
        return [
            Crop(x, y, *size) for y in self.starts(height) for x in self.starts(width)
        ]


@dataclass(frozen=True)
class Cut:
    """What `extract_subimages` did."""

    count: int
    """Sub-images that are there now of these images."""
    flat: int
    """How many were left out, for they show next to nothing."""
    failures: list[str]
    """One line for each image that failed."""


def extract_subimages(
    source: Path,
    output: Path,
    grid: CropGrid,
    *,
    manifest: Path | None = None,
    min_detail: float = 0.0,
    threads: int | None = None,
    png_compression: int | None = 3,
) -> Cut:
    """Cut every image below `source` and write "name_s001.png", ... into the same folders below `output`.

    Gray, alpha and 16-bit images stay what they are. Files that are there already are
    left alone, so an interrupted run can be run again, with the same grid. The "x2",
    "x3", "x4", "x8" behind the number of DIV2K's low-quality files is dropped from the
    names, as in BasicSR, so that both halves of a pair agree.

    Args:
        source: folder of images.
        output: folder for the sub-images.
        grid: where to cut.
        manifest: list of frames by tools/extract_keyframes.py; sub-images that touch an
            overlay which it names, such as a channel's logo, are left out (their
            numbers are, too).
        min_detail: leave out sub-images of which a smaller share is not flat, see
            `share_of_detail`.
        threads: how many images at a time; None: one per CPU.
        png_compression: 0 (large, fast) to 9; None: OpenCV chooses.

    Raises:
        UserError: there are no images, two would get the same names, or `output` lies
            in `source` or was cut in another way.
    """
    check_apart(output, source)
    stems = {
        path: _without_scale(stem) for path, stem in distinct_stems(source).items()
    }
    if len(set(stems.values())) < len(stems):
        raise UserError(
            f"{source}: images differ in nothing but an ending such as x4; cut them apart from each other"
        )
    overlays = overlays_by_file(manifest) if manifest else {}
    avoid = (
        {(manifest.parent / file).resolve(): boxes for file, boxes in overlays.items()}
        if manifest
        else {}
    )
    _keep_settings(output, grid, min_detail, avoids_overlays=manifest is not None)
    work = partial(
        _cut_one,
        stems=stems,
        output=output,
        grid=grid,
        avoid=avoid,
        min_detail=min_detail,
        png_compression=png_compression,
    )
    counts, failures = run_each(work, list(stems), threads=threads)
    return Cut(
        sum(count for count, _ in counts), sum(flat for _, flat in counts), failures
    )


def _cut_one(
    path: Path,
    stems: dict[Path, Path],
    output: Path,
    grid: CropGrid,
    avoid: dict[Path, list[Crop]],
    min_detail: float,
    png_compression: int | None,
) -> tuple[int, int]:
    """Return how many sub-images of an image are there, and how many were left out as flat."""
    image = read_image(path)
    boxes = avoid.get(path.resolve(), [])
    count = flat = 0
    for number, crop in enumerate(grid.crops(*image.shape[:2]), 1):
        if any(crop.touches(box) for box in boxes):
            continue
        piece = crop.of(image)
        if min_detail and share_of_detail(_luma(piece)) < min_detail:
            flat += 1
            continue
        count += 1
        target = output / f"{stems[path]}_s{number:03d}.png"
        if not target.exists():
            write_image(target, piece, png_compression=png_compression)
    return count, flat


def _luma(image: np.ndarray) -> np.ndarray:
    """Return the luma of an image of any kind, uint8 (H, W)."""
    levels = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    return (
        levels
        if levels.ndim == 2
        else cv2.cvtColor(np.ascontiguousarray(levels[..., :3]), cv2.COLOR_RGB2GRAY)
    )


def _without_scale(stem: Path) -> Path:
    return stem.with_name(re.sub(r"(?<=\d)x[2348]$", "", stem.name))


def _keep_settings(
    output: Path, grid: CropGrid, min_detail: float, *, avoids_overlays: bool
) -> None:
    """Write down how `output` is cut, or refuse if it has been cut in another way."""
    others = {"avoids_overlays": avoids_overlays, "min_detail": min_detail}
    settings = asdict(grid) | {key: value for key, value in others.items() if value}
    keep_settings(output / SETTINGS_FILE, settings, output)
