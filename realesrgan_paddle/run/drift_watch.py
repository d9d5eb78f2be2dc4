"""The drift alarm: the network as it is now beside the one that the run started from, on a few small pictures.

Figures are means over the pictures of a set, named drift/SET/FIGURE. `delta_e`
(colour), `sharpness` (a ratio) and `lpips` compare the present network's pictures with
the start network's: 0, 1 and 0 while nothing was learnt. With `_gt` they compare them
with the ground truth. On the domain the network is meant to change, and the start
network may have been wrong. So the alarm does not ask how far the pictures are from the
start's, but whether they are further from the ground truth than the start's were; where
there is none, it reports and does not judge.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import ValidationSet
from realesrgan_paddle.options.schema.config import (
    GENERAL,
    Config,
    DriftOptions,
    GeneralLimits,
    MetricOptions,
)
from realesrgan_paddle.run.available_metrics import (
    Measure,
    missing_weights,
    open_metric,
)
from realesrgan_paddle.run.checkpoints import RunRecord
from realesrgan_paddle.run.drift_pictures import (
    domain_pictures,
    enlarged,
    general_pictures,
    general_pictures_of,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics import mean_delta_e, sobel_magnitude
from realesrgan_paddle.utils.runlog.experiment import Experiment

ADVICE = {
    "colours moved": "a lower train.optim_g.lr, a larger train.pixel_opt.loss_weight or an earlier checkpoint; and see "
    "whether the images of datasets.train have the colours they should",
    "pictures are too sharp": "targets that are not sharpened (l1_gt_usm: false, percep_gt_usm: false, for "
    "RealESRNetModel gt_usm: false), a smaller train.gan_opt.loss_weight or an earlier checkpoint",
    "pictures are too blurred": "a milder degradation, a larger weight of the perceptual or the adversarial loss or an "
    "earlier checkpoint",
    "pictures look worse": "a lower train.optim_g.lr, a smaller train.gan_opt.loss_weight, more varied images in "
    "datasets.train or an earlier checkpoint",
}
FLAT = 1e-3
"""[levels per pixel] Added to gradients before they are divided: a picture may be of one colour."""


@dataclass(frozen=True)
class PictureSet:
    """Small pictures, with their ground truth or without, and how far a network may go on them."""

    name: str
    limits: GeneralLimits
    pictures: Sequence[ValidationImage]

    def moved(
        self, now: Mapping[str, float], start: Mapping[str, float]
    ) -> Iterator[tuple[str, str]]:
        """Yield what went beyond the limits, a key of `ADVICE`, and by how much; nothing without ground truth.

        Args:
            now: the network's figures, by their names without the prefix.
            start: the start network's.
        """
        if "delta_e_gt" not in now:
            return
        limits, name = self.limits, self.name
        further = now["delta_e_gt"] - start["delta_e_gt"]
        if limits.delta_e is not None and further > limits.delta_e:
            yield (
                "colours moved",
                f"{name} by Delta E {further:.1f} from the ground truth (usual: up to {limits.delta_e:g})",
            )
        softer, sharper = sorted((1.0, start["sharpness_gt"]))
        least, most = now["sharpness_gt"] / softer, now["sharpness_gt"] / sharper
        low, high = limits.sharpness or (0.0, math.inf)
        if least < low:
            usual = f"the softer of start and ground truth (usual: down to x{low:g})"
            yield "pictures are too blurred", f"{name} x{least:.2f} as sharp as {usual}"
        if most > high:
            usual = f"the sharper of start and ground truth (usual: up to x{high:g})"
            yield "pictures are too sharp", f"{name} x{most:.2f} as sharp as {usual}"
        worse = now["lpips_gt"] - start["lpips_gt"] if "lpips_gt" in now else 0.0
        if limits.lpips is not None and worse > limits.lpips:
            yield (
                "pictures look worse",
                f"{name} by LPIPS {worse:.3f} (usual: up to {limits.lpips:g})",
            )


class DriftAlarm:
    """Measures a network beside the start network, and says where it left what is usual.

    Args:
        sets: what to measure it on.
        network: the start network; its pictures are kept, it is not.
        scale: its enlargement.
        lpips: None where it cannot be measured.
    """

    def __init__(
        self,
        sets: Sequence[PictureSet],
        network: nn.Layer,
        scale: int,
        lpips: Measure | None,
    ) -> None:
        self.sets = sets
        self._scale = scale
        self._lpips = lpips
        self._start = {
            each.name: enlarged(network, scale, each.pictures) for each in sets
        }
        self._start_figures = {
            each.name: self._figures(self._start[each.name], each) for each in sets
        }

    def __call__(
        self,
        iteration: int,
        network: nn.Layer,
        experiment: Experiment,
        record: RunRecord,
    ) -> None:
        """Report the network's figures, warn where it drifted, and note in `record` whether it did."""
        figures = self.measure(network)
        named = {
            f"drift/{name}/{figure}": value
            for name, of in figures.items()
            for figure, value in of.items()
        }
        experiment.report(
            iteration,
            named,
            f"iter {iteration:,} drift  " + "  ".join(map(_line, figures.items())),
        )
        warnings = self.warnings(figures)
        for warning in warnings:
            experiment.log(f"warning: drift: {warning}")
        record.drifted = iteration if warnings else None

    def measure(self, network: nn.Layer) -> dict[str, dict[str, float]]:
        """Return the network's figures on each set, without the prefix of their names."""
        return {
            each.name: self._figures(
                enlarged(network, self._scale, each.pictures), each
            )
            for each in self.sets
        }

    def warnings(self, figures: Mapping[str, Mapping[str, float]]) -> list[str]:
        """Return a line for each thing that moved on any of the sets, whose figures these are."""
        found = [
            moved
            for each in self.sets
            for moved in each.moved(figures[each.name], self._start_figures[each.name])
        ]
        lines = []
        for what, advice in ADVICE.items():
            amounts = [amount for kind, amount in found if kind == what]
            if amounts:
                lines.append(f"{what}: {', '.join(amounts)}; try {advice}")
        return lines

    def _figures(
        self, images: Sequence[np.ndarray], of: PictureSet
    ) -> dict[str, float]:
        """Return the figures of a network's pictures against the start network's, and against the ground truth."""
        figures = self._compare(images, self._start[of.name])
        known = [
            (image, picture.gt)
            for image, picture in zip(images, of.pictures, strict=True)
            if picture.gt is not None
        ]
        if known:
            against = self._compare(
                [image for image, _ in known], [gt for _, gt in known]
            )
            figures |= {f"{name}_gt": value for name, value in against.items()}
        return figures

    def _compare(
        self, images: Sequence[np.ndarray], references: Sequence[np.ndarray]
    ) -> dict[str, float]:
        pairs = list(zip(images, references, strict=True))
        figures = {
            "delta_e": float(np.mean([mean_delta_e(*pair) for pair in pairs])),
            "sharpness": _sharpness(images) / _sharpness(references),
        }
        if self._lpips is not None:
            figures["lpips"] = float(np.mean([self._lpips(*pair) for pair in pairs]))
        return figures


def open_drift(
    cfg: Config, network: nn.Layer, val_sets: Sequence[ValidationSet]
) -> tuple[DriftAlarm | None, list[str]]:
    """Return the drift alarm, if one is wanted and can be had, and what the log should say of it.

    Args:
        cfg: options; a run that starts from random weights has no alarm.
        network: the generator with the weights of path.pretrain_network_g.
        val_sets: the domain.

    Raises:
        UserError: the pictures of val.drift.dataroot cannot be used.
    """
    if cfg.val is None or cfg.val.drift is None or not val_sets:
        return None, []
    if cfg.path.pretrain_network_g is None:
        return None, [
            "drift is not measured: path.pretrain_network_g names no network that the run starts from"
        ]
    remarks = []
    sets = [
        PictureSet(each.name, cfg.val.drift.domain, domain_pictures(each))
        for each in val_sets
    ]
    try:
        sets = [*_general(cfg.val.drift, cfg.scale), *sets]
    except UserError as error:
        if cfg.val.drift.dataroot is not None:
            raise
        remarks.append(
            f"drift is not measured on general pictures ({error}); val.drift.dataroot may name some"
        )
    why_not = missing_weights("calculate_lpips")
    lpips = (
        open_metric(MetricOptions(type="calculate_lpips", crop_border=0))
        if why_not is None
        else None
    )
    if why_not is not None:
        remarks.append(f"drift is measured without LPIPS: {why_not}")
    sets = [each for each in sets if each.pictures]
    if not sets:
        return None, [
            *remarks,
            "drift is not measured: there are no pictures to measure it on",
        ]
    on = ", ".join(f"{each.name} ({len(each.pictures)})" for each in sets)
    remarks.append(
        f"drift from {cfg.path.pretrain_network_g} is measured at each validation, on pieces of pictures: {on}"
    )
    return DriftAlarm(sets, network, cfg.scale, lpips), remarks


def _general(options: DriftOptions, scale: int) -> list[PictureSet]:
    """Return the set of general pictures, if it is wanted."""
    if options.general is None:
        return []
    pictures = (
        general_pictures_of(options.dataroot, scale)
        if options.dataroot
        else general_pictures(scale)
    )
    return [PictureSet(GENERAL, options.general, pictures)]


def _sharpness(images: Sequence[np.ndarray]) -> float:
    return float(np.mean([sobel_magnitude(image).mean() for image in images])) + FLAT


def _line(item: tuple[str, Mapping[str, float]]) -> str:
    name, figures = item
    lpips = f", LPIPS {figures['lpips']:.4f}" if "lpips" in figures else ""
    return f"{name}: Delta E {figures['delta_e']:.2f}, sharpness x{figures['sharpness']:.3f}{lpips}"
