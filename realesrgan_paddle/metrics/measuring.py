"""Methods measured on pairs of images: read, upscale, measure, average.

tools/evaluate.py and tools/compare.py measure so; a validation takes the averages.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.data.loading.clips import runs_of
from realesrgan_paddle.inference.video.recurrent import with_next
from realesrgan_paddle.metrics.clips import Clip, StepMeasure, Upscaled
from realesrgan_paddle.metrics.data_sets import DataSet, Degrade, Pair, read_pair
from realesrgan_paddle.metrics.methods import ClipRun, Run
from realesrgan_paddle.metrics.table import (
    FID,
    GT,
    ImageMetrics,
    OpenMetric,
    measure_image,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.metrics.frechet import FeatureStatistics, frechet_distance
from realesrgan_paddle.utils.metrics.similarity import without_border

SetMetrics = dict[str, ImageMetrics]
"""Metrics of the images of one set, by the image's name."""
Metrics = dict[str, SetMetrics]
"""Metrics of several sets, by their names."""


@dataclass(frozen=True)
class Rules:
    """How images are measured."""

    scale: int
    crop_border: int
    """Pixels left out at each border of result and ground truth, for all metrics."""
    size: int | None = None
    """Most pixels of the low-quality image's sides; None: as it is."""


@dataclass
class SetResult:
    """The metrics of one method on one set."""

    method: str
    data: str
    images: SetMetrics = field(default_factory=dict)
    """Of each image that all methods could be measured on."""
    whole: ImageMetrics = field(default_factory=dict)
    """Of all images together: FID."""

    @property
    def means(self) -> ImageMetrics:
        """The means over the images, and `whole`."""
        return means_of(self.images) | self.whole


def measure_sets(
    sets: Sequence[DataSet],
    runs: Mapping[str, Run],
    metrics: Mapping[str, OpenMetric],
    rules: Rules,
    degrade: Degrade | None = None,
    features: Callable[[np.ndarray], np.ndarray] | None = None,
    steps: StepMeasure | None = None,
) -> list[SetResult]:
    """Return the metrics of each method on each set; show a progress bar on a terminal.

    An image that cannot be read or measured is left out for all methods, and a line on
    it is added to its set's failures.

    Args:
        sets: what is measured on.
        runs: what is measured, by name.
        metrics: of single images.
        rules: how.
        degrade: makes the low-quality images of sets that have none.
        features: of FID, see `perceptual.open_features`; None: without FID.
        steps: metrics of clips, through which a state is then carried; None: without them.
    """
    measured: list[SetResult] = []
    total = sum(len(data.pairs) for data in sets)
    with tqdm(total=total, unit="image", disable=None) as bar:
        for data in sets:
            clip = Clip(steps) if steps else None
            distances = SetDistances(features, rules.crop_border) if features else None
            of_set = {name: SetResult(name, data.name) for name in runs}
            clips = _clips_of(data.pairs) if steps else [data.pairs]
            for pair, read, following, begins in _read(clips, rules, degrade):
                if begins:
                    _begin_clip(clip, runs)
                try:
                    images = _upscaled(read, following, runs, rules, of_clip=bool(clip))
                    found = _measured(pair, images, metrics, clip)
                    if distances:
                        distances.add(images)
                    for name, values in found.items():
                        of_set[name].images[pair.name] = values
                except (UserError, OSError) as error:
                    _begin_clip(clip, runs)
                    data.failures.append(failure_line(pair.gt, error))
                bar.update()

            for name, result in of_set.items():
                if distances:
                    result.whole[FID] = distances.fid(name)
                measured.append(result)
    return measured


Images = tuple[np.ndarray, np.ndarray] | Exception
"""A low-quality image with its ground truth, or why they cannot be read."""


class Read(NamedTuple):
    """One pair of a set, in its place."""

    pair: Pair
    images: Images
    following: Images | None
    """Of the next frame of its clip."""
    begins: bool
    """Whether it is the first of its clip."""


def _clips_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return the pairs as clips: frames between which none is missing, in their order."""
    by_path = {pair.gt: pair for pair in pairs}
    return [[by_path[path] for path in run] for run in runs_of([*by_path])]


def _read(
    clips: Sequence[Sequence[Pair]], rules: Rules, degrade: Degrade | None
) -> Iterator[Read]:
    for pairs in clips:
        images = (_images(pair, rules, degrade) for pair in pairs)
        for number, (now, following) in enumerate(with_next(images)):
            yield Read(pairs[number], now, following, begins=number == 0)


def _images(pair: Pair, rules: Rules, degrade: Degrade | None) -> Images:
    try:
        return read_pair(pair, rules.scale, degrade, rules.size)
    except (UserError, OSError) as error:
        return error


def _upscaled(
    read: Images,
    following: Images | None,
    runs: Mapping[str, Run],
    rules: Rules,
    *,
    of_clip: bool,
) -> Upscaled:
    """Return the results of all methods; raises why the image cannot be read."""
    if isinstance(read, Exception):
        raise read
    lq, gt = read
    after = _frame_after(lq, following)
    results = {
        name: _run(run, lq, after, rules.scale, of_clip=of_clip)
        for name, run in runs.items()
    }
    return Upscaled(lq, gt, results)


def _frame_after(lq: np.ndarray, following: Images | None) -> np.ndarray | None:
    """Return the frame that follows `lq` in its clip, if it could be read."""
    if following is None or isinstance(following, Exception):
        return None
    after, _ = following
    return after if after.shape == lq.shape else None


def _begin_clip(clip: Clip | None, runs: Mapping[str, Run]) -> None:
    """Let nothing be before the next frame."""
    if clip:
        clip.interrupt()
    for run in runs.values():
        if isinstance(run, ClipRun):
            run.begin()


def _run(
    run: Run, lq: np.ndarray, after: np.ndarray | None, scale: int, *, of_clip: bool
) -> np.ndarray:
    """Return a method's result, in a clip with the state if the network carries one."""
    if of_clip and isinstance(run, ClipRun):
        return run.frame(lq, after, scale)
    return run(lq, scale)


def _measured(
    pair: Pair,
    images: Upscaled,
    metrics: Mapping[str, OpenMetric],
    clip: Clip | None,
) -> dict[str, ImageMetrics]:
    """Return the metrics of each method on one pair."""
    found = {}
    try:
        steps = clip.add(images) if clip else {}
        for name, sr in images.results.items():
            values = measure_image(sr, images.gt, metrics)
            found[name] = steps.get(name, {}) | values
    except UserError as error:
        raise UserError(f"{pair.gt}: {error}") from error
    return found


class SetDistances:
    """Features of one set's images by method, from which FID follows.

    Args:
        features: see `perceptual.open_features`.
        border: pixels left out at each border.
    """

    def __init__(
        self, features: Callable[[np.ndarray], np.ndarray], border: int
    ) -> None:
        self._features = features
        self._border = border
        self._statistics: dict[str, FeatureStatistics] = {}

    def add(self, images: Upscaled) -> None:
        """Take one more image of all methods and of the ground truth.

        Raises:
            UserError: it is smaller than its borders; then none of them is taken.
        """
        found = {}
        for name, image in {GT: images.gt, **images.results}.items():
            found[name] = self._features(without_border(image, self._border))
        for name, of_image in found.items():
            if name not in self._statistics:
                self._statistics[name] = FeatureStatistics(of_image.shape[1])
            self._statistics[name].add(of_image)

    def fid(self, method: str) -> float:
        """Return the FID of a method's images so far; NaN of fewer than two."""
        truth = self._statistics.get(GT)
        if truth is None or truth.count < 2:
            return math.nan
        return frechet_distance(self._statistics[method], truth)


def means_of(images: SetMetrics) -> ImageMetrics:
    """Return the means of all metrics of a set; see `mean_of`."""
    names = dict.fromkeys(name for each in images.values() for name in each)
    return {name: mean_of(images, name) for name in names}


def mean_of(images: SetMetrics, metric: str) -> float:
    """Return the mean of a metric over the images for which it is known, else NaN.

    Infinite where it is infinite for one of them.
    """
    values = [each[metric] for each in images.values() if metric in each]
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def add_image(images: SetMetrics, name: str, values: ImageMetrics) -> None:
    """Add an image's values under its name, or where that is taken, a numbered name.

    Crops of one image, numbered so, count as one clip; see `clips_of`.
    """
    key, number = name, 1
    while key in images:
        number += 1
        key = f"{name} {number}"
    images[key] = values


def only_finite(metrics: Metrics) -> Metrics:
    """Return the metrics without those that are not finite, which no interval can have."""
    sets: Metrics = {}
    for dataset, images in metrics.items():
        sets[dataset] = {}
        for image, values in images.items():
            finite = {key: each for key, each in values.items() if math.isfinite(each)}
            sets[dataset][image] = finite
    return sets


def all_means(measured: Metrics) -> dict[str, float]:
    """Return the means of all metrics, named "<set>/<metric>"."""
    found = {}
    for name, images in measured.items():
        for metric, mean in means_of(images).items():
            found[f"{name}/{metric}"] = mean
    return found
