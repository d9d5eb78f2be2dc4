"""What a validation looks like: a sheet of pieces of its pictures, before the run, now, and as they should be."""

from collections.abc import Mapping, Sequence

import numpy as np
from paddle import nn
from PIL import Image

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import ValidationSet
from realesrgan_paddle.run.drift_pictures import domain_pictures, enlarged
from realesrgan_paddle.utils.metrics import psnr
from realesrgan_paddle.utils.report.contact_sheet import contact_sheet
from realesrgan_paddle.utils.report.panels import Panel, Row
from realesrgan_paddle.utils.runlog.experiment import Experiment


class Sheets:
    """Draws one sheet of each validation set: the most detailed pieces, 256 pixels wide, of up to six images.

    Columns: the input enlarged by bicubic interpolation, the start network's picture,
    the network's, the ground truth; below each the PSNR of the piece.

    Args:
        sets: what is validated on.
        network: the generator as the run starts; its pictures are kept, it is not.
        scale: its enlargement.
        trained: whether it has been trained before; the pictures of random weights are
            not shown.
    """

    def __init__(
        self,
        sets: Sequence[ValidationSet],
        network: nn.Layer,
        scale: int,
        *,
        trained: bool,
    ) -> None:
        self._scale = scale
        self._pieces = {each.name: domain_pictures(each) for each in sets}
        self._start = {
            name: enlarged(network, scale, pieces)
            for name, pieces in self._pieces.items()
            if trained
        }

    def __call__(
        self,
        iteration: int,
        network: nn.Layer,
        figures: Mapping[str, float],
        experiment: Experiment,
    ) -> None:
        """Write the sheets of `iteration`; their first lines are the `figures` of their sets."""
        for name, pieces in self._pieces.items():
            if not pieces:
                continue
            columns = {
                "input, bicubic": [_bicubic(piece.lq, self._scale) for piece in pieces]
            }
            if name in self._start:
                columns["start network"] = self._start[name]
            columns[f"iter {iteration:,}"] = enlarged(network, self._scale, pieces)
            rows = [
                _row(piece, {label: of[i] for label, of in columns.items()})
                for i, piece in enumerate(pieces)
            ]
            told = "  ".join(
                f"{k.split('/')[1]} {v:.4f}"
                for k, v in figures.items()
                if k.startswith(f"{name}/")
            )
            headline = f"{experiment.root.name}, {name}, iter {iteration:,}: {told or 'no ground truth'}"
            experiment.show(name, iteration, contact_sheet(rows, [], headline))


def _row(piece: ValidationImage, pictures: Mapping[str, np.ndarray]) -> Row:
    """Return the panels of one piece, with their PSNR and the ground truth where that is known."""
    if piece.gt is None:
        return Row(
            piece.name, [Panel(label, picture) for label, picture in pictures.items()]
        )
    gt = np.ascontiguousarray(piece.gt)
    panels = [
        Panel(label, picture, f"{psnr(picture, gt):.2f} dB")
        for label, picture in pictures.items()
    ]
    return Row(piece.name, [*panels, Panel("ground truth", gt)])


def _bicubic(picture: np.ndarray, scale: int) -> np.ndarray:
    size = picture.shape[1] * scale, picture.shape[0] * scale
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
