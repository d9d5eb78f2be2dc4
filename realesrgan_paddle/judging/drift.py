"""Drift: how far a network is from the one that the run started from.

Both upscale a few small images. Metrics are means over the images of a set, named
drift/SET/METRIC. `delta_e` (color), `sharpness` (a ratio) and `lpips` compare the
network's output with that of the start network: 0, 1 and 0 before anything is learned.
With the suffix `_gt` they compare it with the ground truth. `lattice` is the index of
the grid artifact in the output itself, `lattice_gt` that in the ground truth: about 1
without a grid.

On the domain the network is meant to change, and the start network may have been wrong.
So nothing is found where the output differs from the start network's, but where it is
further from the ground truth than that was. Without ground truth metrics are reported,
and nothing is found.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from realesrgan_paddle.data.loading.hold_out import HeldOutSet
from realesrgan_paddle.judging.figures import mean_gradient
from realesrgan_paddle.judging.findings import (
    BLURRED,
    COLORS,
    GRID,
    SHARP,
    WORSE,
    Finding,
)
from realesrgan_paddle.metrics.available_metrics import Measure
from realesrgan_paddle.options.schema.validation import (
    GENERAL,
    DriftOptions,
    GeneralLimits,
)
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e

Metrics = dict[str, float]
"""Metrics of one set, without the prefix of their names."""

Outputs = Mapping[str, Sequence[np.ndarray]]
"""What a network made of the images of each set, uint8 RGB (H, W, 3)."""


class Drift:
    """Compares a network's outputs with those of the start network and the truth.

    Args:
        options: the section `val.drift`: limits.
        sets: the images that are upscaled.
        start: the start network's outputs.
        lpips: None where it cannot be measured.
    """

    def __init__(
        self,
        options: DriftOptions,
        sets: Sequence[HeldOutSet],
        start: Outputs,
        lpips: Measure | None,
    ) -> None:
        self._options = options
        self._sets = sets
        self._lpips = lpips
        self._start = start
        self._start_metrics = self.measure(start)

    def measure(self, outputs: Outputs) -> dict[str, Metrics]:
        """Return the metrics of a network's outputs, by set."""
        return {each.name: self._measure_set(each, outputs) for each in self._sets}

    def found(self, metrics: Mapping[str, Metrics]) -> list[str]:
        """Return a line for each finding that these metrics show on any set."""
        places = defaultdict(list)
        for name, values in metrics.items():
            limits: GeneralLimits = self._options.domain
            if name == GENERAL and self._options.general is not None:
                limits = self._options.general
            for finding, amount in drifts(values, self._start_metrics[name], limits):
                places[finding].append(f"{name} {amount}")
        return [finding.line(*amounts) for finding, amounts in places.items()]

    def _measure_set(self, images: HeldOutSet, outputs: Outputs) -> Metrics:
        """Return the metrics of a network's outputs on one set."""
        mine = outputs[images.name]
        metrics = self._compare(mine, self._start[images.name])
        metrics["lattice"] = _mean_grid_index(mine, images.scale)

        known = [
            (output, image.gt)
            for output, image in zip(mine, images, strict=True)
            if image.gt is not None
        ]
        if known:
            known_outputs, truths = zip(*known, strict=True)
            for name, value in self._compare(known_outputs, truths).items():
                metrics[f"{name}_gt"] = value
            metrics["lattice_gt"] = _mean_grid_index(truths, images.scale)
        return metrics

    def _compare(
        self, images: Sequence[np.ndarray], references: Sequence[np.ndarray]
    ) -> Metrics:
        pairs = list(zip(images, references, strict=True))
        metrics = {
            "delta_e": _mean([mean_delta_e(*pair) for pair in pairs]),
            "sharpness": mean_gradient(images) / mean_gradient(references),
        }
        if self._lpips is not None:
            metrics["lpips"] = _mean([self._lpips(*pair) for pair in pairs])
        return metrics


def drifts(
    now: Metrics, start: Metrics, limits: GeneralLimits
) -> Iterator[tuple[Finding, str]]:
    """Yield what is beyond the limits on one set, and by how much.

    Args:
        now: the network's metrics; nothing is found if they have no ground truth.
        start: those of the start network.
        limits: beyond which something is found; None: never.
    """
    if "delta_e_gt" not in now:
        return

    increase = now["delta_e_gt"] - start["delta_e_gt"]
    if limits.delta_e is not None and increase > limits.delta_e:
        usual = f"usual: up to {limits.delta_e:g}"
        yield COLORS, f"by Delta E {increase:.1f} from the ground truth ({usual})"

    # Ratios to the sharpness of the ground truth, which is 1 therefore.
    softer, sharper = sorted((1.0, start["sharpness_gt"]))
    lowest, highest = limits.sharpness or (0.0, math.inf)
    ratio = now["sharpness_gt"] / softer
    if ratio < lowest:
        usual = f"usual: down to x{lowest:g}"
        yield BLURRED, f"x{ratio:.2f} as sharp as start network or truth ({usual})"
    ratio = now["sharpness_gt"] / sharper
    if ratio > highest:
        usual = f"usual: up to x{highest:g}"
        yield SHARP, f"x{ratio:.2f} as sharp as start network and truth ({usual})"

    increase = now.get("lpips_gt", 0.0) - start.get("lpips_gt", 0.0)
    if limits.lpips is not None and increase > limits.lpips:
        yield WORSE, f"by LPIPS {increase:.3f} (usual: up to {limits.lpips:g})"

    # Real pictures have indices around 1, so a lower one is no better.
    usual_grid = max(1.0, start["lattice"], now["lattice_gt"])
    ratio = now["lattice"] / usual_grid
    if limits.lattice is not None and ratio > limits.lattice:
        usual = f"usual: up to {limits.lattice:g}"
        yield GRID, f"with x{ratio:.1f} the energy at its frequencies ({usual})"


def _mean_grid_index(images: Sequence[np.ndarray], scale: int) -> float:
    """Return the mean index of the grid artifact; NaN if an image is too small."""
    return _mean([grid_index(image, scale) for image in images])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
