"""Drift: how far a network is from the one that the run started from.

On the domain the network is meant to change, and the start network may have been wrong.
So nothing is found where its images differ from the start network's, but where they are
further from the ground truth than those were. Without ground truth, colors are compared
with the input's, and how sharp the images should be is not known.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from realesrgan_paddle.judging.findings import (
    BLURRED,
    COLORS,
    GRIDDED,
    SHARP,
    WORSE,
    Finding,
)
from realesrgan_paddle.metrics.measuring import Metrics, SetMetrics, mean_of
from realesrgan_paddle.metrics.table import ImageMetrics
from realesrgan_paddle.options.schema.validation import (
    GENERAL,
    GeneralLimits,
    ValOptions,
)
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e, sharpness

if TYPE_CHECKING:
    from realesrgan_paddle.data.loading.datasets import ValidationImage

DELTA_E, DELTA_E_LQ = "delta_e", "delta_e_lq"
"""Color difference (`mean_delta_e`) from the ground truth, or where that is not known from
the input, enlarged (bicubic): upscaling has no business with the color of areas."""
SHARPNESS, SHARPNESS_LQ = "sharpness", "sharpness_lq"
"""Sharpness relative to the ground truth, or to the enlarged input."""
GRID = "grid"
"""Index of the grid artifact in the most detailed crop of up to `GRID_SIDE` pixels, that
of either (at least 1, which is no grid) being 1."""

GRID_SIDE = 256
"""The index of a whole frame would take seconds."""


class Drift(NamedTuple):
    """Something that is beyond its limit on one set."""

    finding: Finding
    set_name: str
    amount: str
    """How far, and the limit."""


def measure_drift(sr: np.ndarray, image: "ValidationImage", scale: int) -> ImageMetrics:
    """Return the metrics of one result by which drift is found.

    Args:
        sr: the result, uint8 RGB (H, W, 3).
        image: its input and, if known, ground truth.
        scale: how much larger the result is than the input.
    """
    names, reference = (DELTA_E, SHARPNESS), image.gt
    if reference is None:
        names = DELTA_E_LQ, SHARPNESS_LQ
        reference = enlarge(image.lq, scale)
    (crop,) = most_detailed(reference, GRID_SIDE, 1)
    usual_grid = max(1.0, grid_index(crop.of(reference), scale))
    delta_e, sharp = names
    return {
        delta_e: mean_delta_e(sr, reference),
        sharp: sharpness(sr, reference),
        GRID: grid_index(crop.of(sr), scale) / usual_grid,
    }


def find_drift(options: ValOptions, now: Metrics, start: Metrics) -> list[Drift]:
    """Return what is beyond the limits of `val.drift`.

    Args:
        options: the section `val`.
        now: the network's metrics.
        start: those of the start network; sets that it lacks are passed over.
    """
    if options.drift is None:
        return []
    drifts = []
    for name, images in now.items():
        limits: GeneralLimits = options.drift.domain
        if name == GENERAL and options.drift.general is not None:
            limits = options.drift.general
        if name in start:
            beyond = _beyond(images, start[name], limits, lpips_name(options))
            drifts += [Drift(finding, name, amount) for finding, amount in beyond]
    return drifts


def lpips_name(options: ValOptions) -> str:
    """Return the name that val.metrics gives LPIPS; "" where it is not measured."""
    for name, metric in options.metrics.items():
        if metric.type == "calculate_lpips":
            return name
    return ""


def _beyond(
    now: SetMetrics, start: SetMetrics, limits: GeneralLimits, lpips: str
) -> Iterator[tuple[Finding, str]]:
    """Yield what is beyond the limits on one set, and by how much."""
    for name in (DELTA_E, DELTA_E_LQ):
        increase = mean_of(now, name) - mean_of(start, name)
        if limits.delta_e is not None and increase > limits.delta_e:
            yield COLORS, f"by Delta E {increase:.1f} (usual: up to {limits.delta_e:g})"

    # The sharpness of the ground truth is 1.
    sharp = mean_of(now, SHARPNESS)
    softer, sharper = sorted((1.0, mean_of(start, SHARPNESS)))
    lowest, highest = limits.sharpness or (0.0, math.inf)
    if sharp / softer < lowest:
        ratio, usual = sharp / softer, f"usual: down to x{lowest:g}"
        yield BLURRED, f"x{ratio:.2f} as sharp as start network or truth ({usual})"
    if sharp / sharper > highest:
        ratio, usual = sharp / sharper, f"usual: up to x{highest:g}"
        yield SHARP, f"x{ratio:.2f} as sharp as start network and truth ({usual})"

    increase = mean_of(now, lpips) - mean_of(start, lpips)
    if limits.lpips is not None and increase > limits.lpips:
        yield WORSE, f"by LPIPS {increase:.3f} (usual: up to {limits.lpips:g})"

    # Real pictures have indices around 1, so a lower one is no better.
    ratio = mean_of(now, GRID) / max(1.0, mean_of(start, GRID))
    if limits.lattice is not None and ratio > limits.lattice:
        usual = f"usual: up to {limits.lattice:g}"
        yield GRIDDED, f"with x{ratio:.1f} the energy at its frequencies ({usual})"


def described(drifts: Sequence[Drift]) -> list[str]:
    """Return a line for each finding, with all sets, and what to do."""
    return [finding.line(*amounts) for finding, amounts in by_finding(drifts).items()]


def by_finding(drifts: Sequence[Drift]) -> dict[Finding, list[str]]:
    """Return the sets and amounts of each finding."""
    found: dict[Finding, list[str]] = {}
    for drift in drifts:
        found.setdefault(drift.finding, []).append(f"{drift.set_name} {drift.amount}")
    return found
