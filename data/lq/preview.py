"""Sheets to check settings: before and after, and real windows beside synthetic ones."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.folder import lq_params, make_lq, read_gt, source_name
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.files import check_target
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
WINDOWS = 8
"""Windows of each kind on the sheet of a comparison."""
ENLARGED = 2
"""Each of their pixels is shown this many times each way."""


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


def write_windows(
    real: np.ndarray,
    synthetic: np.ndarray,
    path: Path,
    headline: str,
    lines: Sequence[str] = (),
) -> None:
    """Write a PNG: real windows above the synthetic ones that are most like them.

    Args:
        real: uint8 RGB (N, S, S, 3).
        synthetic: as `real`, in its order.
        path: the PNG.
        headline: its first line.
        lines: below that.
    """
    places = evenly_spaced(range(len(real)), WINDOWS)
    rows = []
    for title, windows in (("real", real), ("synthetic", synthetic)):
        panels = [Panel("", _enlarged(windows[place], ENLARGED)) for place in places]
        rows.append(Row(title, panels))
    write_image(path, contact_sheet(rows, [], headline, list(lines)))


def _row(path: Path, options: LQConfig) -> Row:
    scale = options.scale
    name = source_name(path, Path(options.dataroot_gt))
    gt = read_gt(path, scale)
    lq = make_lq(gt, name, options)

    (crop,) = most_detailed(lq, SIDE // scale, 1)
    small = crop.of(lq)
    large = _enlarged(small, scale)
    panels = [
        Panel("HR", to_uint8(crop.of(gt, scale))),
        Panel(f"LQ, each pixel {scale}x{scale}", large),
        Panel("LQ", _in_top_left(small, large.shape)),
    ]
    _, params = lq_params(name, options)
    return Row(f"{name}: {params}", panels)


def _in_top_left(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return `image` on white, of this shape: all panels of a row have one size."""
    panel = np.full(shape, 255, np.uint8)
    height, width, _ = image.shape
    panel[:height, :width] = image
    return panel


def _enlarged(image: np.ndarray, times: int) -> np.ndarray:
    """Return `image` with each pixel repeated."""
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
