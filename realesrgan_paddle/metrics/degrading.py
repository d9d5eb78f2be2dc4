"""Low-quality images made of the ground truth while it is measured."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.metrics.matlab_bicubic import resize_bicubic
from realesrgan_paddle.metrics.names import BICUBIC
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.images import to_uint8

if TYPE_CHECKING:
    from realesrgan_paddle.options.schema.degradation import LQConfig

Degrade = Callable[[np.ndarray, str], np.ndarray]
"""Returns uint8 RGB (H / scale, W / scale, 3) of a ground truth, float32 RGB (H, W, 3)
in [0, 1] whose sides are multiples of the scale, and of its name."""


def open_degradation(way: str, scale: int, seed: int | None) -> Degrade:
    """Return what makes low-quality images.

    Args:
        way: "bicubic", or the option file of make_lq_data.py or of a training: then the
            images are those that `make_lq_data.py --yml_path` writes.
        scale: how much smaller they are.
        seed: of all draws; None: the file's. Bicubic draws nothing.

    Raises:
        UserError: the file cannot be read, or has another scale.
    """
    if way == BICUBIC:
        return _bicubic_by(scale)

    # Imports Paddle.
    from realesrgan_paddle.data.degradation.codec import check_installed
    from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options

    overrides = [] if seed is None else [f"manual_seed={seed}"]
    options: LQConfig = read_lq_options(way, overrides)
    if options.scale != scale:
        raise UserError(
            f"{way}: degrades to a scale of {options.scale}, and {scale} is measured; "
            "name another file, or give --scale"
        )
    check_installed(options)

    def degrade(gt: np.ndarray, name: str) -> np.ndarray:
        """See `Degrade`."""
        return make_lq(gt, name, options)

    return degrade


def check_way(way: str) -> None:
    """Raise UserError if there is no such way to degrade: before networks are loaded."""
    if way == BICUBIC or Path(way).exists():
        return
    hint = did_you_mean(way, [BICUBIC])
    raise UserError(
        f"--degrade {way}: no such file; bicubic, or an option file such as "
        f"options/generate_lq_data.yml{hint}"
    )


def _bicubic_by(scale: int) -> Degrade:
    def degrade(gt: np.ndarray, name: str) -> np.ndarray:
        """See `Degrade`."""
        levels = to_uint8(gt)
        return resize_bicubic(levels, 1 / scale)

    return degrade
