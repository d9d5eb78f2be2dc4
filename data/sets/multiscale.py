"""Smaller versions of high-resolution images, so that a network sees objects at several sizes."""

from functools import partial
from math import ceil, floor
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.data.sets.manifest import (
    KEPT,
    MANIFEST,
    Record,
    read_records,
    write_records,
)
from realesrgan_paddle.data.sets.naming import check_apart, distinct_stems
from realesrgan_paddle.utils.atomic import make_folder
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.jobs import run_each

SCALES = (0.75, 0.5, 1 / 3)
SHORTEST_EDGE = 400
"""These and the names are those of Real-ESRGAN's generate_multiscale_DF2K.py."""


def generate_multiscale(
    source: Path,
    output: Path,
    *,
    manifest: Path | None = None,
    threads: int | None = None,
) -> tuple[int, list[str]]:
    """Write smaller versions of every image below `source` into the same folders below `output`.

    "nameT0.png", "nameT1.png" and "nameT2.png" are 0.75, 0.5 and 1/3 as large;
    "nameT3.png" has a shortest edge of 400 and is left out where that would not be
    smaller. Gray, alpha and 16-bit images stay what they are. Files that are there
    already are left alone.

    Args:
        source: folder of images.
        output: folder for the smaller versions.
        manifest: list of frames by tools/extract_keyframes.py; `output` gets one, too,
            with the boxes of overlays made smaller, so that `extract_subimages` cuts
            around them.
        threads: how many images at a time; None: one per CPU.

    Returns:
        How many versions `output` now holds of these images, and one line for each
            image that failed.

    Raises:
        UserError: there are no images, two would get the same names, `output` lies in
            `source` or is no folder, or a manifest is none.
    """
    check_apart(output, source)
    stems = distinct_stems(source)
    make_folder(output)
    if manifest:
        _write_manifest(manifest, stems, output)
    counts, failures = run_each(
        partial(_shrink_one, stems=stems, output=output), list(stems), threads=threads
    )
    return sum(counts), failures


def smaller_sizes(width: int, height: int) -> dict[int, tuple[int, int]]:
    """Return the (width, height) of each version by its number, rounded down; those without a pixel are left out."""
    sizes = dict(
        enumerate((int(width * scale), int(height * scale)) for scale in SCALES)
    )
    shortest = min(width, height)
    if shortest > SHORTEST_EDGE:
        sizes[len(SCALES)] = (
            width * SHORTEST_EDGE // shortest,
            height * SHORTEST_EDGE // shortest,
        )
    return {number: size for number, size in sizes.items() if min(size) > 0}


def resize_lanczos(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a uint8 or uint16 image resized to `size` (width, height), in its own type.

    Lanczos-3 with the kernel widened by the scale, which does not alias, in float32:
    Pillow's. (OpenCV's INTER_LANCZOS4 does not widen its kernel.)
    """
    channels = np.atleast_3d(image).transpose(2, 0, 1).astype(np.float32)
    resized = [
        np.asarray(Image.fromarray(c).resize(size, Image.Resampling.LANCZOS))
        for c in channels
    ]
    levels = np.clip(
        np.rint(np.stack(resized, axis=-1)), 0, np.iinfo(image.dtype).max
    ).astype(image.dtype)
    return levels[..., 0] if image.ndim == 2 else levels


def _shrink_one(path: Path, stems: dict[Path, Path], output: Path) -> int:
    image = read_image(path)
    sizes = smaller_sizes(image.shape[1], image.shape[0])
    for number, size in sizes.items():
        target = output / f"{stems[path]}T{number}.png"
        if not target.exists():
            write_image(target, resize_lanczos(image, size))
    return len(sizes)


def _write_manifest(manifest: Path, stems: dict[Path, Path], output: Path) -> None:
    """Write the list of the smaller versions of the frames that `manifest` keeps."""
    target = output / MANIFEST
    if target.exists():
        next(read_records(target), None)  # raises if it is somebody else's
    by_file = {path.resolve(): stem for path, stem in stems.items()}
    records: list[Record] = []
    for record in read_records(manifest):
        stem = (
            by_file.get((manifest.parent / record["file"]).resolve())
            if record["decision"] == KEPT
            else None
        )
        if stem is not None:
            sizes = smaller_sizes(*record["size"])
            records += [
                _smaller_record(record, f"{stem}T{number}.png", size)
                for number, size in sizes.items()
            ]
    write_records(target, records)


def _smaller_record(record: Record, file: str, size: tuple[int, int]) -> Record:
    """Return the line on a smaller version of a frame: boxes cover all pixels that an overlay has part in."""
    width, height = record["size"]
    across, down = size[0] / width, size[1] / height
    boxes = []
    for x, y, w, h in record["overlays"]:
        left, top = floor(x * across), floor(y * down)
        boxes.append(
            [left, top, ceil((x + w) * across) - left, ceil((y + h) * down) - top]
        )
    same = {
        key: record[key] for key in ("source", "decision", "reason", "seconds", "shot")
    }
    return same | {"file": file, "size": list(size), "overlays": boxes}
