"""Compare synthetic low-quality images with real ones, by statistics of windows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import ks_2samp, mannwhitneyu
from tqdm import tqdm

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.loading.header_checks import Size, check_headers
from realesrgan_paddle.data.lq.fit_remarks import Verdict, remark
from realesrgan_paddle.data.lq.folder import make_lq, source_name
from realesrgan_paddle.data.lq.image_statistics import lq_statistics
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8

WINDOWS = 96
"""Windows of each set that are measured."""
SIDES = (128, 96, 64)
"""Sides of a window [low-quality pixels].

The largest is taken that half the images of both sets have room for.
"""
MARGIN = 16
"""Extra ground truth that is degraded around a window [low-quality pixels].

So that a window starts anywhere in the blocks of a compression, as a real one does.
"""
PLACES = 4
"""Random places per window; the one with the most detail is used, not an empty sky."""
ALIKE_DISTANCE = 0.3
"""Largest distance at which two sets are called alike.

Two samples of 96 from one distribution exceed 0.235 in one case of a hundred (Smirnov
1948, "Table for Estimating the Goodness of Fit of Empirical Distributions"); this is
larger, because windows of one image resemble each other.
"""
CLEAR_SHARE = 0.6
"""A set is called higher if its value is the larger in this share of window pairs."""


@dataclass(frozen=True)
class Comparison:
    """One statistic of both sets, in the windows where it is measurable."""

    name: str
    real: np.ndarray
    synthetic: np.ndarray
    distance: float
    """Of Kolmogorov and Smirnov: 0 (equal distributions) to 1 (no overlap)."""
    remark: str
    """How the synthetic images differ, and which keys to change."""

    def __str__(self) -> str:
        """Return a line of the table that `Fit` prints."""
        real = spread_text(self.real)
        synthetic = spread_text(self.synthetic)
        return (
            f"{self.name:16}{real:26}{synthetic:26}{self.distance:<10.2f}{self.remark}"
        )


@dataclass(frozen=True)
class Fit:
    """How well synthetic images fit real ones."""

    real: Sequence[np.ndarray]
    """The windows, uint8 RGB (side, side, 3)."""
    synthetic: Sequence[np.ndarray]
    comparisons: Sequence[Comparison]
    notes: Sequence[str]
    """What was measured: one line for each set."""
    failures: Sequence[str]
    """One line for each image that cannot be read."""

    def __str__(self) -> str:
        """Return the table: medians and, in brackets, the ranges of 80 % of windows."""
        head = f"{'':16}{'real: median (10-90 %)':26}{'synthetic':26}{'distance':10}"
        rows = [str(comparison) for comparison in self.comparisons]
        legend = (
            "distance: Kolmogorov-Smirnov, 0 (equal) to 1 (no overlap); "
            f"up to {ALIKE_DISTANCE} counts as alike\n"
            "Noise, blocks and blur mask one another: "
            "fix the largest distance of the three, then compare again."
        )
        return "\n".join([*map(printable, self.notes), head, *rows, legend])


def fit(options: LQConfig, folder: Path) -> Fit:
    """Compare the low-quality images that `options` make with those of a folder.

    Both sets are measured in windows of one size, because a larger image would count as
    blurrier. The synthetic windows are crops of the ground truth, degraded by
    `make_lq`, each with its own random values.

    Args:
        options: where the ground truth is and how it is degraded.
        folder: real low-quality images as a network will get them, of any size; sub-
            folders are included.

    Raises:
        UserError: there are no images, they are too small, or PyAV is missing.
    """
    check_installed(options)
    root = Path(options.dataroot_gt)
    gt = check_headers(training_images(root, options.meta_info))
    lq = check_headers(_list_real(folder))
    side = _window_side(gt.sizes, lq.sizes, options.scale, folder)
    gt_side = (side + MARGIN) * options.scale
    gt_paths = _at_least(gt_side, gt.sizes)
    lq_paths = _at_least(side, lq.sizes)

    rng = np.random.default_rng(options.manual_seed)
    real = [to_uint8(window) for _, window in _windows(lq_paths, side, rng)]
    synthetic = _synthetic_windows(gt_paths, side, options, rng)
    notes = [
        _note("real", lq_paths, folder, side),
        _note("synthetic", gt_paths, root, side),
    ]

    of_real = [lq_statistics(window) for window in real]
    of_synthetic = [lq_statistics(window) for window in synthetic]
    comparisons = []
    for name in of_real[0]:
        real_values = [statistics[name] for statistics in of_real]
        synthetic_values = [statistics[name] for statistics in of_synthetic]
        comparisons.append(compare(name, real_values, synthetic_values, options))
    return Fit(real, synthetic, comparisons, notes, [*gt.problems, *lq.problems])


def compare(
    name: str,
    real_values: Sequence[float],
    synthetic_values: Sequence[float],
    options: LQConfig,
) -> Comparison:
    """Return how a statistic of `lq_statistics` differs between two sets of windows."""
    real = _finite(real_values)
    synthetic = _finite(synthetic_values)
    if min(len(real), len(synthetic)) < 2:
        unknown = "not measurable on these images"
        return Comparison(name, real, synthetic, np.nan, unknown)

    # The p-values are not used: the methods are those that cost nothing.
    distance = float(ks_2samp(real, synthetic, method="asymp").statistic)
    pairs_won = mannwhitneyu(synthetic, real, method="asymptotic").statistic
    share_won = pairs_won / (len(real) * len(synthetic))

    if distance <= ALIKE_DISTANCE:
        verdict: Verdict = "alike"
    elif max(share_won, 1 - share_won) > CLEAR_SHARE:
        verdict = "higher" if share_won > 0.5 else "lower"
    else:
        verdict = "wider" if _range_80(synthetic) > _range_80(real) else "narrower"
    return Comparison(name, real, synthetic, distance, remark(name, verdict, options))


def spread_text(values: np.ndarray) -> str:
    """Return the median and the 10th and 90th percentile: "0.61 (0.52 to 0.70)"."""
    if not len(values):
        return "-"
    low, median, high = np.percentile(values, [10, 50, 90])
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def _list_real(folder: Path) -> list[Path]:
    paths = list_images(folder, recursive=True)
    if not paths:
        raise UserError(
            f"{folder}: no images in it; "
            "--fit takes a folder of real low-quality images"
        )
    return paths


def _window_side(
    gt_sizes: Mapping[Path, Size],
    lq_sizes: Mapping[Path, Size],
    scale: int,
    folder: Path,
) -> int:
    """Return the side of the windows, in pixels of the low-quality image.

    Raises:
        UserError: half the images of a set are smaller than the smallest window.
    """
    room = 0.0
    if gt_sizes and lq_sizes:
        typical_gt = _median_side(gt_sizes) // scale
        room = min(typical_gt - MARGIN, _median_side(lq_sizes))
    for side in SIDES:
        if side <= room:
            return side
    smallest = SIDES[-1]
    raise UserError(
        f"{folder}: half of its images, or of the ground truth, are too small to be "
        f"compared, or none can be read; sides must be at least {smallest} pixels, "
        f"and {(smallest + MARGIN) * scale} of the ground truth"
    )


def _synthetic_windows(
    paths: Sequence[Path], side: int, options: LQConfig, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return WINDOWS windows of degraded ground truth, uint8 RGB (side, side, 3)."""
    root = Path(options.dataroot_gt)
    gt_side = (side + MARGIN) * options.scale
    crops = tqdm(
        _windows(paths, gt_side, rng), total=WINDOWS, unit="window", disable=None
    )
    windows = []
    for number, (path, crop) in enumerate(crops):
        # A name of its own, so that two windows of an image are degraded differently.
        lq = make_lq(crop, f"{source_name(path, root)}#{number}", options)
        top, left = rng.integers(MARGIN, size=2)
        windows.append(lq[top : top + side, left : left + side])
    return windows


def _windows(
    paths: Sequence[Path], side: int, rng: np.random.Generator
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield WINDOWS crops, spread over the images, each with its path.

    float32 RGB (side, side, 3) in [0, 1].
    """
    sources = [paths[number * len(paths) // WINDOWS] for number in range(WINDOWS)]
    for path, repeats in groupby(sources):
        image = read_rgb(path)
        for _ in repeats:
            yield path, _detailed_crop(image, side, rng)


def _detailed_crop(
    image: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the most detailed of PLACES random crops."""
    height, width = image.shape[:2]
    crops = []
    for _ in range(PLACES):
        top = int(rng.integers(height - side + 1))
        left = int(rng.integers(width - side + 1))
        crops.append(image[top : top + side, left : left + side])
    return max(crops, key=_horizontal_detail)


def _horizontal_detail(image: np.ndarray) -> float:
    """Return the mean absolute difference of horizontal neighbors."""
    right = image[:, 1:]
    left = image[:, :-1]
    return cv2.absdiff(right, left).mean()


def _at_least(side: int, sizes: Mapping[Path, Size]) -> list[Path]:
    """Return the images that are at least `side` pixels wide and high."""
    large_enough = []
    for path, size in sizes.items():
        if min(size) >= side:
            large_enough.append(path)
    return large_enough


def _median_side(sizes: Mapping[Path, Size]) -> float:
    """Return the median of the images' shorter sides."""
    shorter = [min(size) for size in sizes.values()]
    median = np.median(shorter)
    return float(median)


def _note(name: str, paths: Sequence[Path], folder: Path, side: int) -> str:
    images = min(len(paths), WINDOWS)
    return (
        f"{name}: {WINDOWS} windows of {side}x{side} pixels, "
        f"from {images} images of {folder}"
    )


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values)
    return array[np.isfinite(array)]


def _range_80(values: np.ndarray) -> float:
    """Return the width of the range that 80 % of the values lie in."""
    low, high = np.percentile(values, [10, 90])
    return high - low
