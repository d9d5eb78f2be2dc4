"""Downscaled versions of images, so that a network sees objects at several sizes."""

from functools import partial
from math import ceil, floor
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.data.sets.manifest import (
    DOWNSCALED,
    MANIFEST,
    Record,
    is_kept,
    read_records,
    write_records,
)
from realesrgan_paddle.data.sets.naming import check_outside, distinct_stems
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.files import make_folder
from realesrgan_paddle.utils.images import Size, read_image, write_image
from realesrgan_paddle.utils.jobs import run_each

SCALES = (0.75, 0.5, 1 / 3)
SHORTEST_EDGE = 400
"""These and the file names are those of Real-ESRGAN's generate_multiscale_DF2K.py."""


def generate_multiscale(
    source: Path,
    output: Path,
    *,
    manifest: Path | None = None,
    threads: int | None = None,
) -> tuple[int, list[str]]:
    """Downscale every image below `source` into the same folders below `output`.

    "nameT0.png", "nameT1.png" and "nameT2.png" have 0.75, 0.5 and 1/3 of the size;
    "nameT3.png" has a shortest edge of 400 and is left out where that would not be
    smaller. Gray, alpha and 16-bit images keep their type. Existing files are left
    alone.

    Args:
        source: folder of images.
        output: folder for the downscaled images.
        manifest: the manifest of tools/extract_keyframes.py; `output` gets one, too,
            with downscaled boxes of overlays, so that `extract_subimages` leaves them
            out.
        threads: how many images at a time; None: one per CPU.

    Returns:
        How many versions of these images `output` now holds, and one line for each
        image that failed.

    Raises:
        UserError: there are no images, two would get the same names, `output` lies in
            `source`, or `manifest` is no manifest.
    """
    check_outside(output, source)
    stems = distinct_stems(source)
    make_folder(output)
    if manifest:
        _write_manifest(manifest, stems, output)

    work = partial(_downscale, stems=stems, output=output)
    counts, failures = run_each(work, list(stems), threads=threads)
    return sum(counts), failures


def smaller_sizes(width: int, height: int) -> dict[int, Size]:
    """Return the size of each version that has pixels, by its number; rounded down."""
    sizes = {}
    for number, scale in enumerate(SCALES):
        sizes[number] = (int(width * scale), int(height * scale))

    shortest = min(width, height)
    if shortest > SHORTEST_EDGE:
        sizes[len(SCALES)] = (
            width * SHORTEST_EDGE // shortest,
            height * SHORTEST_EDGE // shortest,
        )
    return {number: size for number, size in sizes.items() if min(size) > 0}


def resize_lanczos(image: np.ndarray, size: Size) -> np.ndarray:
    """Return an image resized to `size` (width, height), in its own type.

    Lanczos-3 by Pillow, in float32; it widens the kernel by the scale, so it does not
    alias. (OpenCV's INTER_LANCZOS4 does not.)

    Args:
        image: uint8 or uint16, (H, W) or (H, W, C).
        size: width and height.
    """
    channels = np.atleast_3d(image).transpose(2, 0, 1)
    resized = []
    for channel in channels.astype(np.float32):
        small = Image.fromarray(channel).resize(size, Image.Resampling.LANCZOS)
        resized.append(np.asarray(small))

    white = np.iinfo(image.dtype).max
    levels = np.rint(np.stack(resized, axis=-1))
    levels = np.clip(levels, 0, white).astype(image.dtype)
    if image.ndim == 2:
        return levels[..., 0]
    return levels


def _downscale(path: Path, stems: dict[Path, Path], output: Path) -> int:
    """Write the missing versions of an image; return how many there are."""
    image = read_image(path)
    height, width = image.shape[:2]
    sizes = smaller_sizes(width, height)
    for number, size in sizes.items():
        target = output / _version_name(stems[path], number)
        if not target.exists():
            write_image(target, resize_lanczos(image, size))
    return len(sizes)


def _version_name(stem: Path, number: int) -> str:
    return f"{stem}T{number}.png"


def _write_manifest(manifest: Path, stems: dict[Path, Path], output: Path) -> None:
    """Write the manifest of the downscaled versions of the frames in `manifest`."""
    target = output / MANIFEST
    if target.exists():
        next(read_records(target), None)  # raises if it is another file

    by_file = {path.resolve(): stem for path, stem in stems.items()}
    records: list[Record] = []
    for record in filter(is_kept, read_records(manifest, DOWNSCALED)):
        file = manifest.parent / record["file"]
        stem = by_file.get(file.resolve())
        if stem is None:
            continue
        for number, size in smaller_sizes(*record["size"]).items():
            name = _version_name(stem, number)
            records.append(_downscaled_record(record, name, size))
    write_records(target, records)


def _downscaled_record(record: Record, file: str, size: Size) -> Record:
    """Return the record of a version of a frame that has the given file and size."""
    width, height = record["size"]
    new_width, new_height = size
    across, down = new_width / width, new_height / height

    # Rounded outward: a box holds every pixel that the overlay contributes to.
    boxes = []
    for overlay in record["overlays"]:
        box = Crop(*overlay)
        left, right = floor(box.x * across), ceil(box.right * across)
        top, bottom = floor(box.y * down), ceil(box.bottom * down)
        boxes.append([left, top, right - left, bottom - top])

    return {
        "source": record["source"],
        "decision": record["decision"],
        "reason": record["reason"],
        "seconds": record["seconds"],
        "shot": record["shot"],
        "file": file,
        "size": [new_width, new_height],
        "overlays": boxes,
    }
