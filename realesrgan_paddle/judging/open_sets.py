"""Images that a run is judged on besides the validated ones: general, and real ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.video import is_video_name
from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import LARGEST_SIDE, SEED, HeldOutSet
from realesrgan_paddle.data.lq.folder import lq_options, make_lq
from realesrgan_paddle.data.lq.windows import Picture, read_real
from realesrgan_paddle.judging.drift_images import general_images, general_images_of
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.report.contact_sheet import evenly_spaced

GENERAL, REAL = "/general", "/real"
"""Names of the sets; no validation set has them, for each is the name of a folder."""
MOST_REAL = 12
"""Real images that are upscaled: as many as are shown on a page of tools/compare.py."""


def open_judged_sets(cfg: Config) -> tuple[list[HeldOutSet], list[str]]:
    """Return the sets of general and of real images, and what the log says of them.

    Raises:
        UserError: val.real_lq or val.drift.dataroot cannot be used.
    """
    sets: list[HeldOutSet] = []
    remarks: list[str] = []
    if cfg.val is None:
        return sets, remarks

    if cfg.val.real_lq is not None:
        images, failures = real_images(Path(cfg.val.real_lq), cfg.scale)
        sets.append(HeldOutSet(REAL, cfg.scale, images))
        remarks += [f"val.real_lq: left out: {failure}" for failure in failures]

    drift = cfg.val.drift
    if drift is None or drift.general is None:
        return sets, remarks
    try:
        images = degraded_general_images(cfg, drift.dataroot)
    except UserError as error:
        if drift.dataroot is not None:
            raise
        remarks.append(f"the verdict is without general images: {error}")
    else:
        sets.append(HeldOutSet(GENERAL, cfg.scale, images))
    return sets, remarks


def degraded_general_images(cfg: Config, dataroot: str | None) -> list[ValidationImage]:
    """Return the general images of the drift alarm, degraded as the run's images are.

    A run on given pairs synthesizes nothing: there they stay as the drift alarm has
    them.
    """
    if dataroot is None:
        images = general_images(cfg.scale)
    else:
        images = general_images_of(dataroot, cfg.scale)
    if not cfg.high_order_degradation:
        return images

    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    degraded = []
    for number, image in enumerate(images):
        assert image.gt is not None  # general images have theirs
        gt = image.gt.astype(np.float32) / 255
        name = f"{image.name}{number}"
        lq = make_lq(gt, name, options)
        degraded.append(replace(image, lq=lq))
    return degraded


def real_images(path: Path, scale: int) -> tuple[list[ValidationImage], list[str]]:
    """Return the most detailed crop of up to twelve real images, and what was left out.

    Frames of a video get names by which they are told to be of one clip.

    Args:
        path: a folder of images or videos, an image, or a video.
        scale: crops have at most `LARGEST_SIDE` pixels a side when upscaled by it.

    Raises:
        UserError: there is nothing to read, or none of it is readable.
    """
    pictures, failures = read_real(path)
    chosen = evenly_spaced(pictures, MOST_REAL)
    side = LARGEST_SIDE // scale
    images = []
    for name, picture in zip(real_names(chosen), chosen, strict=True):
        (crop,) = most_detailed(picture.pixels, side, 1)
        lq = np.ascontiguousarray(crop.of(picture.pixels))
        images.append(ValidationImage(name, lq, None))
    return images, failures


def real_names(pictures: Sequence[Picture]) -> list[str]:
    """Return the name of each: an image's own, or as tools/extract_keyframes.py names."""
    names = []
    for number, picture in enumerate(pictures):
        # A quarter of a video is "FILE#2".
        file = Path(picture.source.rpartition("#")[0] or picture.source)
        if is_video_name(file):
            names.append(f"{file.stem}_{number:06}.000")
        else:
            names.append(Path(picture.source).stem)
    return names
