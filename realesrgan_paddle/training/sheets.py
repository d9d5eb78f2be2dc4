"""A sheet of crops for each validation set: before the run, now, ground truth."""

from collections.abc import Mapping, Sequence

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import ValidationSet
from realesrgan_paddle.judging.drift_images import domain_images, upscaled
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.similarity import psnr
from realesrgan_paddle.utils.report.contact_sheet import Panel, Row, contact_sheet
from realesrgan_paddle.utils.runlog.experiment import Experiment


class Sheets:
    """Draws one sheet per validation set: the most detailed crops of up to six images.

    Columns: the input upscaled by bicubic interpolation, the output of the start
    network, that of the network, the ground truth; below each the PSNR of the crop's luma.

    Args:
        sets: the validation sets.
        network: the generator as the run starts; only its output is kept.
        scale: its upscaling factor.
        pretrained: whether it has pretrained weights; the output of random weights is
            not shown.
    """

    def __init__(
        self,
        sets: Sequence[ValidationSet],
        network: nn.Layer,
        scale: int,
        *,
        pretrained: bool,
    ) -> None:
        self._scale = scale
        self._crops = {each.name: domain_images(each) for each in sets}
        self._start_outputs: dict[str, list[np.ndarray]] = {}
        if pretrained:
            for name, crops in self._crops.items():
                self._start_outputs[name] = upscaled(network, scale, crops)

    def __call__(
        self,
        iteration: int,
        network: nn.Layer,
        metrics: Mapping[str, float],
        experiment: Experiment,
    ) -> None:
        """Write the sheets of `iteration`, each headed by the `metrics` of its set."""
        for name, crops in self._crops.items():
            if not crops:
                continue

            columns = {"input, bicubic": [enlarge(c.lq, self._scale) for c in crops]}
            if name in self._start_outputs:
                columns["start network"] = self._start_outputs[name]
            columns[f"iter {iteration:,}"] = upscaled(network, self._scale, crops)

            rows = []
            for i, crop in enumerate(crops):
                images = {label: column[i] for label, column in columns.items()}
                rows.append(_row(crop, images))

            run = experiment.root.name
            summary = _summary(name, metrics)
            headline = f"{run}, {name}, iter {iteration:,}: {summary}"
            experiment.show(name, iteration, contact_sheet(rows, [], headline))


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


def _summary(set_name: str, metrics: Mapping[str, float]) -> str:
    """Return the metrics of one set as text."""
    prefix = f"{set_name}/"
    values = [
        f"{name.removeprefix(prefix)} {value:.4f}"
        for name, value in metrics.items()
        if name.startswith(prefix)
    ]
    return "  ".join(values) or "no ground truth"
