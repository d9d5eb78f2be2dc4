"""Pictures of what a degradation makes of a folder: what a network will be taught, to be looked at before it is."""

from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.folder import lq_draws, make_lq, source_name
from realesrgan_paddle.data.sets.meta_info import image_paths
from realesrgan_paddle.options.schema.config import LQConfig
from realesrgan_paddle.utils.atomic import check_target
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, to_uint8, write_image
from realesrgan_paddle.utils.report.contact_sheet import contact_sheet
from realesrgan_paddle.utils.report.panels import Panel, Row, evenly_spaced

IMAGES = 8
SIDE = 384
"""Of the pieces that are shown [pixels of the ground truth]."""


def write_preview(options: LQConfig, path: Path) -> int:
    """Write a sheet of some images beside what becomes of them, with the draws of each; return how many.

    Each low-quality image is the one that `write_lq_folder` writes, enlarged without
    smoothing.

    Args:
        options: where the images are and how they are degraded.
        path: the PNG to write.

    Raises:
        UserError: there are no images, one is unreadable or tiny, or PyAV is missing.
    """
    check_installed(options)
    check_target(path)
    paths = evenly_spaced(
        image_paths(Path(options.dataroot_gt), options.meta_info), IMAGES
    )
    rows = [_row(path, options) for path in paths]
    write_image(
        path,
        contact_sheet(
            rows,
            [],
            f"{options.dataroot_gt}: what seed {options.manual_seed} makes of it",
        ),
    )
    return len(rows)


def _row(path: Path, options: LQConfig) -> Row:
    name = source_name(path, Path(options.dataroot_gt))
    gt, scale = read_rgb(path), options.scale
    if min(gt.shape[:2]) < scale:
        raise UserError(
            f"{path}: {gt.shape[1]}x{gt.shape[0]} pixels are too few to be made {scale} times smaller"
        )
    lq = make_lq(gt, name, options)
    crop = most_detailed(lq, SIDE // scale, 1)[0]
    small = crop.of(lq)
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    draws = lq_draws(name, options)[1]
    panels = [
        Panel("HR", to_uint8(crop.of(gt, scale))),
        Panel(f"LQ, each pixel {scale}x{scale}", large),
    ]
    panels.append(Panel("LQ", _at_the_top(small, large.shape)))
    return Row(f"{name}: {draws}", panels)


def _at_the_top(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a white panel of this shape with `image` in its corner: panels of a row are of one size."""
    panel = np.full(shape, 255, np.uint8)
    panel[: image.shape[0], : image.shape[1]] = image
    return panel
