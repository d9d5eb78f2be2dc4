"""The drift alarm: the network against the one that the run started from.

Both upscale a few small images. Metrics are means over the images of a set, named
drift/SET/METRIC. `delta_e` (color), `sharpness` (a ratio) and `lpips` compare the
network's output with that of the start network: 0, 1 and 0 before anything is learned.
With the suffix `_gt` they compare it with the ground truth. `lattice` is the index of
the output itself, `lattice_gt` that of the ground truth: about 1 without a grid.

On the domain the network is meant to change, and the start network may have been wrong.
So the alarm does not go off where the output differs from the start network's, but
where it is further from the ground truth than that was. Without ground truth metrics
are reported, and there is no alarm.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.hold_out import ValidationSet
from realesrgan_paddle.judging.drift_images import (
    domain_images,
    general_images,
    general_images_of,
    upscaled,
)
from realesrgan_paddle.metrics.available_metrics import (
    Measure,
    missing_weights,
    open_metric,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import (
    GENERAL,
    DriftOptions,
    GeneralLimits,
    MetricOptions,
)
from realesrgan_paddle.training.checkpoints import RunRecord
from realesrgan_paddle.utils.crops import sobel_magnitude
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.grid_artifact import lattice_index
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e
from realesrgan_paddle.utils.runlog.experiment import Experiment

Metrics = dict[str, float]
"""Metrics of one set, without the prefix of their names."""

ADVICE = {
    "colors have shifted": (
        "a lower train.optim_g.lr, a larger train.pixel_opt.loss_weight or an earlier "
        "checkpoint; and check whether the images of datasets.train have the right colors"
    ),
    "images are too sharp": (
        "targets that are not sharpened (l1_gt_usm: false, percep_gt_usm: false, for "
        "RealESRNetModel gt_usm: false), a smaller train.gan_opt.loss_weight or an "
        "earlier checkpoint"
    ),
    "images are too blurred": (
        "a milder degradation, a larger weight of the perceptual or the adversarial loss "
        "or an earlier checkpoint"
    ),
    "images look worse": (
        "a lower train.optim_g.lr, a smaller train.gan_opt.loss_weight, more varied "
        "images in datasets.train or an earlier checkpoint"
    ),
    "a regular grid shows": (
        "more iterations (train.total_iter) on more images, a lower train.optim_g.lr, a "
        "smaller train.lpips_opt.loss_weight or an earlier checkpoint"
    ),
}
"""What to try, by what has drifted."""

MIN_GRADIENT = 1e-3
"""Added to mean gradients before a division, for flat images [levels per pixel]."""


class Drift(NamedTuple):
    """Something that went beyond its limit on one set."""

    what: str
    """A key of `ADVICE`."""
    amount: str
    """The set, how far it drifted, and the limit."""


@dataclass(frozen=True)
class ImageSet:
    """Small images, with or without ground truth, and the limits of drift on them."""

    name: str
    limits: GeneralLimits
    images: Sequence[ValidationImage]

    def drifts(self, now: Metrics, start: Metrics) -> list[Drift]:
        """Return what is beyond the limits; nothing without ground truth.

        Args:
            now: the network's metrics on this set.
            start: those of the start network.
        """
        if "delta_e_gt" not in now:
            return []
        return [
            *self._color_drift(now, start),
            *self._sharpness_drift(now, start),
            *self._lpips_drift(now, start),
            *self._lattice_drift(now, start),
        ]

    def _color_drift(self, now: Metrics, start: Metrics) -> list[Drift]:
        limit = self.limits.delta_e
        increase = now["delta_e_gt"] - start["delta_e_gt"]
        if limit is None or increase <= limit:
            return []
        amount = (
            f"{self.name} by Delta E {increase:.1f} from the ground truth "
            f"(usual: up to {limit:g})"
        )
        return [Drift("colors have shifted", amount)]

    def _sharpness_drift(self, now: Metrics, start: Metrics) -> list[Drift]:
        """Compare the sharpness with the range between start network and ground truth.

        All sharpnesses are ratios to that of the ground truth, which is 1 therefore.
        """
        lowest, highest = self.limits.sharpness or (0.0, math.inf)
        softer, sharper = sorted((1.0, start["sharpness_gt"]))
        to_softer = now["sharpness_gt"] / softer
        to_sharper = now["sharpness_gt"] / sharper

        drifts = []
        if to_softer < lowest:
            amount = (
                f"{self.name} x{to_softer:.2f} as sharp as the softer of start network "
                f"and ground truth (usual: down to x{lowest:g})"
            )
            drifts.append(Drift("images are too blurred", amount))
        if to_sharper > highest:
            amount = (
                f"{self.name} x{to_sharper:.2f} as sharp as the sharper of start network "
                f"and ground truth (usual: up to x{highest:g})"
            )
            drifts.append(Drift("images are too sharp", amount))
        return drifts

    def _lpips_drift(self, now: Metrics, start: Metrics) -> list[Drift]:
        limit = self.limits.lpips
        if limit is None or "lpips_gt" not in now:
            return []
        increase = now["lpips_gt"] - start["lpips_gt"]
        if increase <= limit:
            return []
        amount = f"{self.name} by LPIPS {increase:.3f} (usual: up to {limit:g})"
        return [Drift("images look worse", amount)]

    def _lattice_drift(self, now: Metrics, start: Metrics) -> list[Drift]:
        """Compare the grid with the strongest there may be: start network, ground truth.

        Real pictures have indices around 1, so a lower one is no better.
        """
        limit = self.limits.lattice
        usual = max(1.0, start["lattice"], now["lattice_gt"])
        if limit is None or not now["lattice"] > limit * usual:
            return []
        amount = (
            f"{self.name} with {now['lattice'] / usual:.1f} times the energy at its "
            f"frequencies (usual: up to {limit:g} times)"
        )
        return [Drift("a regular grid shows", amount)]


class DriftAlarm:
    """Measures a network against the start network, and warns of drift beyond limits.

    Args:
        sets: the images to measure on.
        network: the start network; its output is kept, the network is not.
        scale: its upscaling factor.
        lpips: None where it cannot be measured.
    """

    def __init__(
        self,
        sets: Sequence[ImageSet],
        network: nn.Layer,
        scale: int,
        lpips: Measure | None,
    ) -> None:
        self.sets = sets
        self._scale = scale
        self._lpips = lpips
        self._start_outputs = {
            each.name: upscaled(network, scale, each.images) for each in sets
        }
        self._start_metrics = {
            each.name: self._measure_set(each, self._start_outputs[each.name])
            for each in sets
        }

    def __call__(
        self,
        iteration: int,
        network: nn.Layer,
        experiment: Experiment,
        record: RunRecord,
    ) -> None:
        """Report the network's metrics, warn of drift, and set `record.drifted`."""
        metrics = self.measure(network)
        reported = {
            f"drift/{set_name}/{name}": value
            for set_name, values in metrics.items()
            for name, value in values.items()
        }
        summary = "  ".join(_summary(name, values) for name, values in metrics.items())
        experiment.report(iteration, reported, f"iter {iteration:,} drift  {summary}")

        warnings = self.warnings(metrics)
        for warning in warnings:
            experiment.log(f"warning: drift: {warning}")
        record.drifted = iteration if warnings else None

    def measure(self, network: nn.Layer) -> dict[str, Metrics]:
        """Return the network's metrics on each set."""
        metrics = {}
        for each in self.sets:
            outputs = upscaled(network, self._scale, each.images)
            metrics[each.name] = self._measure_set(each, outputs)
        return metrics

    def warnings(self, metrics: Mapping[str, Metrics]) -> list[str]:
        """Return a line for each kind of drift that these metrics show on any set."""
        drifts: list[Drift] = []
        for each in self.sets:
            drifts += each.drifts(metrics[each.name], self._start_metrics[each.name])

        lines = []
        for what, advice in ADVICE.items():
            amounts = [drift.amount for drift in drifts if drift.what == what]
            if amounts:
                lines.append(f"{what}: {', '.join(amounts)}; try {advice}")
        return lines

    def _measure_set(
        self, image_set: ImageSet, outputs: Sequence[np.ndarray]
    ) -> Metrics:
        """Return the metrics of a network's outputs on one set."""
        metrics = self._compare(outputs, self._start_outputs[image_set.name])
        metrics["lattice"] = self._lattice(outputs)

        known = [
            (output, image.gt)
            for output, image in zip(outputs, image_set.images, strict=True)
            if image.gt is not None
        ]
        if known:
            known_outputs, truths = zip(*known, strict=True)
            for name, value in self._compare(known_outputs, truths).items():
                metrics[f"{name}_gt"] = value
            metrics["lattice_gt"] = self._lattice(truths)
        return metrics

    def _compare(
        self, images: Sequence[np.ndarray], references: Sequence[np.ndarray]
    ) -> Metrics:
        pairs = list(zip(images, references, strict=True))
        metrics = {
            "delta_e": _mean([mean_delta_e(*pair) for pair in pairs]),
            "sharpness": _sharpness(images) / _sharpness(references),
        }
        if self._lpips is not None:
            metrics["lpips"] = _mean([self._lpips(*pair) for pair in pairs])
        return metrics

    def _lattice(self, images: Sequence[np.ndarray]) -> float:
        """Return the mean index of the images that are large enough for one."""
        indices = []
        for image in images:
            indices.append(lattice_index(image, self._scale))
        return _mean(indices)


def open_drift(
    cfg: Config, network: nn.Layer, val_sets: Sequence[ValidationSet]
) -> tuple[DriftAlarm | None, list[str]]:
    """Return the drift alarm, if there is one, and what the log says of it.

    Args:
        cfg: options; a run that starts from random weights has no alarm.
        network: the generator with the weights of path.pretrain_network_g.
        val_sets: the validation sets, for images of the domain.

    Raises:
        UserError: the images of val.drift.dataroot cannot be used.
    """
    if cfg.val is None or cfg.val.drift is None or not val_sets:
        return None, []
    if cfg.path.pretrain_network_g is None:
        return None, [
            "drift is not measured: the run starts from random weights "
            "(path.pretrain_network_g)"
        ]

    sets, remarks = _open_image_sets(cfg.val.drift, cfg.scale, val_sets)

    lpips = None
    if reason := missing_weights("calculate_lpips"):
        remarks.append(f"drift is measured without LPIPS: {reason}")
    else:
        lpips = open_metric(MetricOptions(type="calculate_lpips", crop_border=0))

    if not sets:
        return None, [*remarks, "drift is not measured: there are no images for it"]
    counts = ", ".join(f"{each.name} ({len(each.images)})" for each in sets)
    remarks.append(
        f"drift from {cfg.path.pretrain_network_g} is measured at each validation, on "
        f"crops of images: {counts}"
    )
    return DriftAlarm(sets, network, cfg.scale, lpips), remarks


def _open_image_sets(
    options: DriftOptions, scale: int, val_sets: Sequence[ValidationSet]
) -> tuple[list[ImageSet], list[str]]:
    """Return the sets that have images, general and of the domain, and remarks."""
    sets, remarks = [], []
    try:
        sets += _open_general(options, scale)
    except UserError as error:
        if options.dataroot is not None:
            raise
        remarks.append(
            f"drift is not measured on general images ({error}); "
            "val.drift.dataroot may name others"
        )
    for each in val_sets:
        sets.append(ImageSet(each.name, options.domain, domain_images(each)))
    return [each for each in sets if each.images], remarks


def _open_general(options: DriftOptions, scale: int) -> list[ImageSet]:
    """Return the set of general images, unless val.drift.general is null."""
    if options.general is None:
        return []
    if options.dataroot is None:
        images = general_images(scale)
        return [ImageSet(GENERAL, options.general, images)]
    images = general_images_of(options.dataroot, scale)
    return [ImageSet(GENERAL, options.general, images)]


def _sharpness(images: Sequence[np.ndarray]) -> float:
    """Return the mean gradient magnitude of the luma over all images."""
    magnitudes = [sobel_magnitude(image).mean() for image in images]
    mean = _mean(magnitudes)
    return mean + MIN_GRADIENT


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _summary(set_name: str, metrics: Metrics) -> str:
    """Return the metrics against the start network in a few words."""
    text = (
        f"{set_name}: Delta E {metrics['delta_e']:.2f}, "
        f"sharpness x{metrics['sharpness']:.3f}"
    )
    if "lpips" in metrics:
        text += f", LPIPS {metrics['lpips']:.4f}"
    return f"{text}, lattice {metrics['lattice']:.2f}"
