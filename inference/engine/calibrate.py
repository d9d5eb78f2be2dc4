"""Find the ranges of a network's features on images, and what 8-bit integers cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.engine.check import check_integers
from realesrgan_paddle.inference.engine.engine import Engine, why_no_integers
from realesrgan_paddle.inference.engine.ranges import Ranges
from realesrgan_paddle.inference.graph.exported_files import exported_files
from realesrgan_paddle.inference.graph.inference_yml import checked_export, read_tensors
from realesrgan_paddle.ops.onednn.library import OneDNNError
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, to_uint8
from realesrgan_paddle.utils.metrics.similarity import psnr

CROP = 256
"""Longest side of what is taken of an image, from its middle [pixels]."""
MAX_IMAGES = 200
"""More change the ranges little, and are left out evenly."""
LEAST_IMAGES = 2
EQUAL = 100.0
"""The PSNR of equal images, which is infinite, in a mean [dB]."""


LEAST_PSNR = 38
"""Of int8 against float32 on held-out images, on average [dB]; below, int8 is refused.

docs/inference-speed.md has what the released networks reach, and what it costs.
"""


@dataclass(frozen=True)
class Calibration:
    """What calibration found.

    Attributes:
        ranges: of the features.
        psnr_db: int8 against float32, both as 8-bit images: the mean of the held-out
            images; 0 for a result that is no number.
    """

    ranges: Ranges
    psnr_db: float

    def check(self, model: Path) -> None:
        """Raise UserError if int8 loses more than it may."""
        if self.psnr_db < LEAST_PSNR:
            raise UserError(
                f"{model}: in int8 the held-out images are {self.psnr_db:.1f} dB from "
                f"float32, and {LEAST_PSNR} or more are needed; nothing was written, use "
                "bf16"
            )


def split(images: Sequence[Path], held_out: float) -> tuple[list[Path], list[Path]]:
    """Return the images that give the ranges, and those that are held out.

    Held-out images are spread evenly over all; there is at least one of each.
    """
    if len(images) < LEAST_IMAGES:
        raise UserError(
            f"--calibration: {len(images)} images; {LEAST_IMAGES} or more are needed, "
            "because some are held out"
        )
    kept = min(len(images), MAX_IMAGES)
    chosen = [images[i * len(images) // kept] for i in range(kept)]
    wanted = max(round(held_out * kept), 1)
    count = min(wanted, kept - 1)
    out = {(2 * i + 1) * kept // (2 * count) for i in range(count)}

    calibrating: list[Path] = []
    judging: list[Path] = []
    for i, path in enumerate(chosen):
        group = judging if i in out else calibrating
        group.append(path)
    return calibrating, judging


def calibrate(
    model: Path,
    calibrating: Iterable[Path],
    held_out: Sequence[Path],
    threads: int | None,
) -> Calibration:
    """Return the ranges on some images, and the loss on others.

    Raises:
        UserError: an image cannot be read, or the model has no int8 here.
    """
    program, _ = exported_files(model)
    export = checked_export(program)
    if isinstance(export, str):
        raise UserError(f"{model}: {export}")
    network = export.network
    if reason := why_no_integers(network):
        raise UserError(f"{model}: {reason}")
    tensors = read_tensors(program, export)

    try:
        check_integers()
        exact = Engine(network, tensors, "fp32", threads)
    except OneDNNError as error:
        raise UserError(f"{model}: the engine cannot run it: {error}") from error

    ranges: dict[str, np.ndarray] = {}
    for path in calibrating:
        for name, values in exact.measure_ranges(_read(path)).items():
            ranges[name] = np.maximum(ranges.get(name, 0), values)
    integers = Engine(network, tensors, "int8", threads, ranges=ranges)
    found = [_psnr(exact, integers, path) for path in held_out]
    return Calibration(ranges, float(np.mean(found)))


def _psnr(exact: Engine, integers: Engine, path: Path) -> float:
    image = _read(path)[None]
    found = integers(image)
    if not np.isfinite(found).all():
        return 0.0
    return min(psnr(_levels(found), _levels(exact(image))), EQUAL)


def _read(path: Path) -> np.ndarray:
    """Return the middle of an image, float32 (3, H, W) in [0, 1]."""
    image = read_rgb(path)
    height, width = image.shape[:2]
    top = max(0, height - CROP) // 2
    left = max(0, width - CROP) // 2
    bottom, right = top + CROP, left + CROP
    crop = image[top:bottom, left:right]
    channels_first = crop.transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first)


def _levels(image: np.ndarray) -> np.ndarray:
    """Return an output (1, 3, H, W) as an 8-bit image."""
    channels_last = image[0].transpose(1, 2, 0)
    return to_uint8(channels_last)
