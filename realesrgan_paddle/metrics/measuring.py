"""All methods measured on all images of all sets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.metrics.data_sets import DataSet, Pair, read_pair
from realesrgan_paddle.metrics.degrading import Degrade
from realesrgan_paddle.metrics.figures import FID, Measure
from realesrgan_paddle.metrics.methods import Method
from realesrgan_paddle.metrics.names import GT
from realesrgan_paddle.metrics.steps import Clip, StepMeasure, Upscaled
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line

if TYPE_CHECKING:
    from realesrgan_paddle.loss.inception import Inception
    from realesrgan_paddle.metrics.fid import SetDistances

Scores = dict[str, float]
"""Metrics by name; infinite PSNR for equal images, NaN for what cannot be said."""


@dataclass(frozen=True)
class Rules:
    """How images are measured."""

    scale: int
    crop_border: int
    """Pixels left out at each border of result and ground truth, for all metrics."""
    size: int | None
    """Most pixels of the low-quality image's sides; None: as it is."""


@dataclass
class Result:
    """The figures of one method on one set."""

    method: str
    data: str
    images: dict[str, Scores] = field(default_factory=dict)
    """Of each image that all methods could be measured on."""
    whole: Scores = field(default_factory=dict)
    """Of all images together: FID."""

    @property
    def means(self) -> Scores:
        """The means over the images, without those that cannot be said; and `whole`."""
        by_name: dict[str, list[float]] = {}
        for scores in self.images.values():
            for name, value in scores.items():
                by_name.setdefault(name, []).append(value)

        means: Scores = {}
        for name, values in by_name.items():
            known = [value for value in values if not math.isnan(value)]
            means[name] = sum(known) / len(known) if known else math.nan
        return means | self.whole


def measure_sets(
    sets: Sequence[DataSet],
    methods: Sequence[Method],
    measures: Mapping[str, Measure],
    rules: Rules,
    degrade: Degrade | None = None,
    inception: "Inception | None" = None,
    steps: StepMeasure | None = None,
) -> list[Result]:
    """Return the figures of each method on each set; show a progress bar on a terminal.

    An image that cannot be read or measured is left out for all methods, and a line on
    it is added to its set's failures.

    Args:
        sets: what is measured on.
        methods: what is measured.
        measures: metrics of single images.
        rules: how.
        degrade: makes the low-quality images of sets that have none.
        inception: the network of FID; None: without FID.
        steps: metrics of clips; None: without them.
    """
    results: list[Result] = []
    total = sum(len(data.pairs) for data in sets)
    with tqdm(total=total, unit="image", disable=None) as bar:
        for data in sets:
            one = _OneSet(data, methods, inception, steps)
            for pair in data.pairs:
                try:
                    images = upscaled(pair, methods, rules, degrade)
                    one.add(pair, images, measures, rules.crop_border)
                except (UserError, OSError) as error:
                    one.interrupt()
                    data.failures.append(failure_line(pair.gt, error))
                bar.update()
            results += one.results()
    return results


def upscaled(
    pair: Pair, methods: Sequence[Method], rules: Rules, degrade: Degrade | None
) -> Upscaled:
    """Return the images of a pair and the result of each method."""
    lq, gt = read_pair(pair, rules.scale, degrade, rules.size)
    if min(gt.shape[:2]) <= 2 * rules.crop_border:
        raise UserError(
            f"{pair.gt}: --crop_border {rules.crop_border} leaves nothing of "
            f"{gt.shape[1]}x{gt.shape[0]} pixels"
        )
    results = {method.name: method.run(lq, rules.scale) for method in methods}
    return Upscaled(lq, gt, results)


class _OneSet:
    """The figures of all methods on one set, while its images are measured."""

    def __init__(
        self,
        data: DataSet,
        methods: Sequence[Method],
        inception: "Inception | None",
        steps: StepMeasure | None,
    ) -> None:
        self._results = {each.name: Result(each.name, data.name) for each in methods}
        self._distances = None if inception is None else _set_distances(inception)
        self._clip = None if steps is None else Clip(steps)

    def interrupt(self) -> None:
        """Know that an image of the set is missing."""
        if self._clip:
            self._clip.interrupt()

    def add(
        self,
        pair: Pair,
        images: Upscaled,
        measures: Mapping[str, Measure],
        border: int,
    ) -> None:
        """Take the images of one pair, or, if one cannot be measured, none of them."""
        inner = {GT: without_border(images.gt, border)}
        for name, sr in images.results.items():
            inner[name] = without_border(sr, border)

        found: dict[str, Scores] = {}
        try:
            steps = self._clip.add(images) if self._clip else {}
            for name in self._results:
                found[name] = steps.get(name, {}) | _scores(measures, inner, name)
        except UserError as error:
            raise UserError(f"{pair.gt}: {error}") from error

        if self._distances:
            features = self._distances.features(inner)
            self._distances.add(features)
        for name, scores in found.items():
            self._results[name].images[pair.name] = scores

    def results(self) -> list[Result]:
        """Return the figures, with FID where it is wanted."""
        results = list(self._results.values())
        if self._distances:
            for result in results:
                result.whole[FID] = self._distances.fid(result.method)
        return results


def _scores(
    measures: Mapping[str, Measure], images: Mapping[str, np.ndarray], name: str
) -> Scores:
    gt = images[GT]
    return {each: measure(images[name], gt) for each, measure in measures.items()}


def _set_distances(inception: "Inception") -> "SetDistances":
    # Imports Paddle.
    from realesrgan_paddle.metrics.fid import SetDistances

    return SetDistances(inception)


def without_border(image: np.ndarray, border: int) -> np.ndarray:
    """Return an image without so many pixels at each border."""
    inner = slice(border, -border or None)
    kept = image[inner, inner]
    return np.ascontiguousarray(kept)
