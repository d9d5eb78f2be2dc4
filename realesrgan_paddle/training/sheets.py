"""A sheet of crops for each validation set: before the run, now, ground truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import HeldOutSet
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.similarity import psnr
from realesrgan_paddle.utils.report.contact_sheet import Panel, Row, contact_sheet


def draw_sheet(
    crops: HeldOutSet, columns: Mapping[str, Sequence[np.ndarray]], headline: str
) -> np.ndarray:
    """Return the sheet of a set, uint8 RGB (H, W, 3).

    Columns: the input upscaled by bicubic interpolation, those given, the ground truth;
    below each the PSNR of the crop's luma.

    Args:
        crops: small images of the set.
        columns: outputs for the crops, uint8 RGB (H, W, 3), by their heading.
        headline: text above.
    """
    rows = []
    for number, crop in enumerate(crops):
        images = {"input, bicubic": enlarge(crop.lq, crops.scale)}
        for label, outputs in columns.items():
            images[label] = outputs[number]
        rows.append(_row(crop, images))
    return contact_sheet(rows, [], headline)


def _row(crop: ValidationImage, images: Mapping[str, np.ndarray]) -> Row:
    """Return the panels of one crop, with PSNR and the ground truth if it is known."""
    if crop.gt is None:
        panels = [Panel(label, image) for label, image in images.items()]
        return Row(crop.name, panels)

    gt = np.ascontiguousarray(crop.gt)
    panels = []
    for label, image in images.items():
        decibels = psnr(image, gt, y_channel=True)
        panels.append(Panel(label, image, f"{decibels:.2f} dB"))
    panels.append(Panel("ground truth", gt))
    return Row(crop.name, panels)
