"""How close the low-quality images that a degradation makes are to real ones: windows of both, measured alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.loading.header_checks import Size, look_at
from realesrgan_paddle.data.lq.fit_remarks import Verdict, remark
from realesrgan_paddle.data.lq.folder import make_lq, source_name
from realesrgan_paddle.data.lq.image_statistics import lq_statistics
from realesrgan_paddle.data.sets.meta_info import image_paths
from realesrgan_paddle.options.schema.config import LQConfig
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8

WINDOWS = 96
"""How many are measured of each set."""
SIDES = (128, 96, 64)
"""Of a window [pixels of the low-quality image]: the largest that half the images of both sets have room for."""
MARGIN = 16
"""By how much more ground truth is degraded, so that a window begins anywhere in the blocks of a compression, as a
real one does [pixels of the low-quality image]."""
PLACES = 4
"""Places drawn for a window; the one with most detail is taken, for of an empty sky nothing can be told."""
ALIKE = 0.3
"""The distance up to which two sets are called alike.

Two sets of 96 windows of one kind are more than 0.235 apart in one case of a hundred
(Smirnov 1948, "Table for Estimating the Goodness of Fit of Empirical Distributions");
here it is more, for windows of one image are akin."""
CLEARLY = 0.6
"""The share of pairs of windows in which one set's figure is the larger, from which on it is called higher."""


@dataclass(frozen=True)
class Compared:
    """One statistic of both sets; windows in which it cannot be told are left out."""

    name: str
    real: np.ndarray
    synthetic: np.ndarray
    distance: float
    """Of Kolmogorov and Smirnov: the largest difference between the two cumulative shares, 0 (alike) to 1 (apart)."""
    remark: str
    """How the synthetic images differ, and which keys to change."""

    def __str__(self) -> str:
        """Return a line of the table that `Fit` prints."""
        spreads = f"{spread_of(self.real):26}{spread_of(self.synthetic):26}"
        return f"{self.name:16}{spreads}{self.distance:<10.2f}{self.remark}"


@dataclass(frozen=True)
class Fit:
    """What `fit` found."""

    real: Sequence[np.ndarray]
    """The windows, uint8 RGB (side, side, 3)."""
    synthetic: Sequence[np.ndarray]
    compared: Sequence[Compared]
    notes: Sequence[str]
    """What was measured."""
    failures: Sequence[str]
    """One line for each image that cannot be read."""

    def __str__(self) -> str:
        """Return a table: the median of each statistic and, in brackets, where 80 % of the windows lie."""
        head = f"{'':16}{'real: median (10-90 %)':26}{'synthetic':26}{'distance':10}"
        legend = (
            f"distance: Kolmogorov-Smirnov, 0 (alike) to 1 (apart); up to {ALIKE} counts as alike\n"
            "Noise, blocks and blur hide one another: mend the one that is furthest apart, then look again."
        )
        return "\n".join([*self.notes, head, *map(str, self.compared), legend])


def fit(options: LQConfig, folder: Path) -> Fit:
    """Return how the low-quality images that `options` make compare with the real ones of a folder.

    Both sets are measured in windows of one size, so that a larger picture is not taken
    for a blurrier one. The synthetic ones are pieces of the ground truth, degraded by
    `make_lq`, each with draws of its own.

    Args:
        options: where the ground truth is and how it is degraded.
        folder: real low-quality images, also in folders inside it; of any size, as a
            network will be given them.

    Raises:
        UserError: there are no images, they are too small, or PyAV is missing.
    """
    check_installed(options)
    root = Path(options.dataroot_gt)
    originals = look_at(image_paths(root, options.meta_info))
    found = look_at(_images(folder))
    side = _side(originals.sizes, found.sizes, options.scale, folder)
    rng = np.random.default_rng(options.manual_seed)
    large = [path for path, size in found.sizes.items() if min(size) >= side]
    whole = (side + MARGIN) * options.scale
    sources = [path for path, size in originals.sizes.items() if min(size) >= whole]
    real = [to_uint8(piece) for _, piece in _pieces(large, side, rng)]
    synthetic = []
    pieces = tqdm(
        _pieces(sources, whole, rng), total=WINDOWS, unit="window", disable=None
    )
    for number, (path, piece) in enumerate(pieces):
        lq = make_lq(piece, f"{source_name(path, root)}#{number}", options)
        top, left = rng.integers(MARGIN, size=2)
        synthetic.append(lq[top : top + side, left : left + side])
    notes = [
        f"{name}: {WINDOWS} windows of {side}x{side} pixels, of {min(len(paths), WINDOWS)} images of {where}"
        for name, paths, where in (
            ("real", large, folder),
            ("synthetic", sources, root),
        )
    ]
    ours, made = (
        [lq_statistics(window) for window in windows] for windows in (real, synthetic)
    )
    compared = [
        compare(name, [w[name] for w in ours], [w[name] for w in made], options)
        for name in ours[0]
    ]
    return Fit(real, synthetic, compared, notes, [*originals.problems, *found.problems])


def compare(
    name: str, real: Sequence[float], synthetic: Sequence[float], options: LQConfig
) -> Compared:
    """Return how a statistic of `lq_statistics` differs between two sets of windows."""
    ours, made = (
        np.array([value for value in values if np.isfinite(value)])
        for values in (real, synthetic)
    )
    if min(len(ours), len(made)) < 2:
        return Compared(name, ours, made, np.nan, "cannot be told of these images")
    distance, above = ks_distance(ours, made), share_above(made, ours)
    ranges = [np.ptp(np.percentile(values, [10, 90])) for values in (ours, made)]
    verdict: Verdict = "wider" if ranges[1] > ranges[0] else "narrower"
    if distance <= ALIKE:
        verdict = "alike"
    elif max(above, 1 - above) > CLEARLY:
        verdict = "higher" if above > 0.5 else "lower"
    return Compared(name, ours, made, distance, remark(name, verdict, options))


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference between the cumulative shares of two samples: 0 (alike) to 1 (apart)."""
    points = np.concatenate([first, second])
    shares = [
        np.searchsorted(np.sort(values), points, side="right") / len(values)
        for values in (first, second)
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def share_above(first: np.ndarray, second: np.ndarray) -> float:
    """Return in which share of all pairs the number of the `first` sample is the larger; equal ones count half."""
    return float((np.sign(first[:, None] - second).mean() + 1) / 2)


def spread_of(values: np.ndarray) -> str:
    """Return the median and the range from the 10th to the 90th percentile, such as "0.61 (0.52 to 0.70)"."""
    if not len(values):
        return "-"
    low, median, high = np.percentile(values, [10, 50, 90])
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def _images(folder: Path) -> list[Path]:
    paths = list_images(folder, recursive=True)
    if not paths:
        raise UserError(
            f"{folder}: no images in it; --fit takes a folder of real low-quality images"
        )
    return paths


def _side(
    originals: Mapping[Path, Size], found: Mapping[Path, Size], scale: int, folder: Path
) -> int:
    """Return the side of the windows, in pixels of the low-quality image."""
    typical = [
        np.median([min(size) for size in sizes.values()])
        for sizes in (originals, found)
        if sizes
    ]
    room = min(typical[0] // scale - MARGIN, typical[1]) if len(typical) == 2 else 0
    sides = [side for side in SIDES if side <= room]
    if not sides:
        raise UserError(
            f"{folder}: half of its images, or of the ground truth, are too small to be compared, or none can be read; "
            f"it takes sides of {SIDES[-1]} pixels, and {(SIDES[-1] + MARGIN) * scale} of the ground truth"
        )
    return sides[0]


def _pieces(
    paths: Sequence[Path], side: int, rng: np.random.Generator
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield WINDOWS square pieces, float32 RGB (side, side, 3) in [0, 1], spread over the images, with their paths."""
    for path, numbers in groupby(
        range(WINDOWS), lambda number: paths[number * len(paths) // WINDOWS]
    ):
        image = read_rgb(path)
        for _ in numbers:
            yield path, _piece(image, side, rng)


def _piece(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the piece with most detail of some that lie anywhere."""
    corners = [
        [int(rng.integers(length - side + 1)) for length in image.shape[:2]]
        for _ in range(PLACES)
    ]
    pieces = [image[top : top + side, left : left + side] for top, left in corners]
    return max(
        pieces, key=lambda piece: cv2.absdiff(piece[:, 1:], piece[:, :-1]).mean()
    )
