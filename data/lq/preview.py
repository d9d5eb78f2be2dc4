"""A sheet of ground-truth images beside their degraded versions, to check settings."""

from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.folder import lq_draws, make_lq, read_gt, source_name
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.atomic import check_target
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.images import to_uint8, write_image
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    Row,
    contact_sheet,
    evenly_spaced,
)

IMAGES = 8
"""Images on the sheet, at most."""
SIDE = 384
"""Side of the crops that are shown [ground-truth pixels]."""


def write_preview(options: LQConfig, path: Path) -> int:
    """Write a sheet of some images before and after degradation; return how many.

    The low-quality images are those that `write_lq_folder` writes, upscaled by
    repetition; their random values are printed beside them.

    Args:
        options: where the ground truth is and how it is degraded.
        path: the PNG to write.

    Raises:
        UserError: there are no images, one is unreadable or tiny, or PyAV is missing.
    """
    check_installed(options)
    check_target(path)
    images = training_images(options.dataroot_gt, options.meta_info)
    rows = [_row(image, options) for image in evenly_spaced(images, IMAGES)]
    title = f"{options.dataroot_gt}: degraded with seed {options.manual_seed}"
    write_image(path, contact_sheet(rows, [], title))
    return len(rows)


def _row(path: Path, options: LQConfig) -> Row:
    scale = options.scale
    name = source_name(path, Path(options.dataroot_gt))
    gt = read_gt(path, scale)
    lq = make_lq(gt, name, options)

    (crop,) = most_detailed(lq, SIDE // scale, 1)
    small = crop.of(lq)
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    panels = [
        Panel("HR", to_uint8(crop.of(gt, scale))),
        Panel(f"LQ, each pixel {scale}x{scale}", large),
        Panel("LQ", _in_top_left(small, large.shape)),
    ]
    _, draws = lq_draws(name, options)
    return Row(f"{name}: {draws}", panels)


def _in_top_left(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return `image` on white, of this shape: all panels of a row have one size."""
    panel = np.full(shape, 255, np.uint8)
    height, width, _ = image.shape
    panel[:height, :width] = image
    return panel
