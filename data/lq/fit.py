"""How far the degradation of options is from real images, and which keys to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp, mannwhitneyu

from realesrgan_paddle.data.lq.compare import (
    GROUPS,
    Comparer,
    degradation,
    distances,
    read_sets,
)
from realesrgan_paddle.data.lq.parameters import QUALITY_KEYS
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import printable

ALIKE = 0.27
"""Up to this distance a group is called alike.

Eight pairs of sets that were made by the same options, with other seeds, were up to 0.26
apart in a group (soccer frames, four option files).
"""
OF_HALVES = 0.8
"""Or up to this share of the distance between halves of the real images.

Their scenes differ, those of the compared windows hardly: in the same pairs, 0.8 at most
where the halves were further apart than `ALIKE`.
"""
CLEAR_SHARE = 0.6
"""A set is called higher if its value is the larger in this share of window pairs."""
LEGEND = """\
distance: of Kolmogorov and Smirnov, the mean of a group of statistics, between windows that
show the same: 0 (equal) to 1 (no overlap). Up to 0.27, or 0.8 times that between halves of
the real images, counts as alike. Noise, blur and blocks hide one another: change what is
furthest first, then compare again. Or let --hr HR --write FILE.yml search for all of it."""

NOISE = "noise_range2 and poisson_scale_range2"
BLUR = "blur_sigma and blur_sigma2"


@dataclass(frozen=True)
class Sign:
    """A statistic that tells in which way images differ, and the keys that change it."""

    higher: str
    """What synthetic images are whose values are higher, and what to do."""
    lower: str
    keys: str


@dataclass(frozen=True)
class Fit:
    """How far synthetic images are from real ones, by group of statistics."""

    distances: Mapping[str, float]
    null: Mapping[str, float]
    """Between halves of the real images."""
    remarks: Mapping[str, str]
    """By group: how the synthetic images differ, and which keys to change."""
    real: np.ndarray
    """The windows, uint8 RGB (N, S, S, 3)."""
    synthetic: np.ndarray
    """The windows of ground truth that are most like `real`, degraded."""
    notes: Sequence[str]
    """What was measured: one line for each set."""
    failures: Sequence[str]
    """One line for each image that cannot be read."""

    def lines(self) -> list[str]:
        """Return the table: a line for each group, and one for all."""
        rows = []
        for group, distance in self.distances.items():
            numbers = f"{distance:.2f} (real halves {self.null[group]:.2f})"
            difference = self.remarks.get(group, "")
            rows.append(f"{group + ':':11}{numbers}  {difference}".rstrip())
        return rows

    def __str__(self) -> str:
        """Return the notes, the table and what its numbers mean."""
        notes = [printable(note) for note in self.notes]
        return "\n".join([*notes, *self.lines(), LEGEND])


def fit(options: LQConfig, real: Path) -> Fit:
    """Compare what options make of their ground truth with real images.

    By the statistics, and in the windows, that `solve_for` uses.

    Args:
        options: where the ground truth is and how it is degraded.
        real: images as a network will get them: a folder of images or videos, an image
            or a video.

    Raises:
        UserError: images are missing or too small, or PyAV is missing.
    """
    sets = read_sets(options, real)
    with Simulator(sets.gt.pixels, options.scale) as simulator:
        measured = Comparer(sets, simulator).measure(degradation(options))

    found = distances(measured.real, measured.synthetic, sets.names)
    remarks = {}
    for group in GROUPS:
        remarks[group] = "alike"
        if found[group] > max(ALIKE, OF_HALVES * sets.null[group]):
            columns = _columns(group, sets.names)
            real_values = {name: measured.real[:, at] for name, at in columns.items()}
            made_values = {
                name: measured.synthetic[:, at] for name, at in columns.items()
            }
            remarks[group] = remark(real_values, made_values, options)
    return Fit(
        distances=found,
        null=sets.null,
        remarks=remarks,
        real=sets.real.pixels,
        synthetic=measured.windows,
        notes=sets.notes,
        failures=sets.failures,
    )


def remark(
    real: Mapping[str, np.ndarray],
    synthetic: Mapping[str, np.ndarray],
    options: LQConfig,
) -> str:
    """Return how synthetic images differ, and which keys to change.

    By that one of the `signs` of a group whose values are the furthest apart.

    Args:
        real: values of a group's statistics, float64 (N,), by name.
        synthetic: the same of the synthetic windows.
        options: those that made them.
    """
    known = {name: sign for name, sign in signs(options).items() if name in real}
    apart = {}
    for name in known:
        found = ks_2samp(real[name], synthetic[name], method="asymp")
        apart[name] = float(found.statistic)
    # Of those that are about as far apart the first in the table.
    name = max(apart, key=lambda one: round(apart[one], 1))
    sign = known[name]

    pairs_won = mannwhitneyu(synthetic[name], real[name], method="asymptotic").statistic
    share_won = pairs_won / (len(real[name]) * len(synthetic[name]))
    if share_won > CLEAR_SHARE:
        return f"synthetic images {sign.higher}"
    if share_won < 1 - CLEAR_SHARE:
        return f"synthetic images {sign.lower}"
    if _range_80(synthetic[name]) > _range_80(real[name]):
        return f"synthetic images vary more: narrow {sign.keys}"
    return f"synthetic images vary less: widen {sign.keys}"


def signs(options: LQConfig) -> dict[str, Sign]:
    """Return the statistics that tell a direction; at least one in each group."""
    better, worse, qualities = _compression(options)
    colors = "gray_noise_prob2, jpeg_chroma_upsampling"
    return {
        "noise color share": Sign(
            "have more colored noise: raise gray_noise_prob2",
            "have grayer noise: lower gray_noise_prob2",
            "gray_noise_prob2",
        ),
        "noise 30": Sign(
            f"are noisier: lower {NOISE}", f"have less noise: raise {NOISE}", NOISE
        ),
        "grain 0 1": Sign(
            "have coarser noise: lower grain_size2, or the noise before resizing, "
            "noise_range",
            "have finer noise: raise grain_size2",
            "grain_size2",
        ),
        "edge 1": Sign(
            f"are sharper: raise {BLUR}, or lower halo_prob",
            f"are blurrier: lower {BLUR}, or raise the low ends of resize_range and "
            "resize_range2",
            f"{BLUR}, resize_range, resize_range2",
        ),
        "combing": Sign(
            "show combed lines: lower interlace_prob",
            "show fewer combed lines: raise interlace_prob",
            "interlace_prob",
        ),
        "direction 2": Sign(
            "have finer detail across than down: raise blur_aspect",
            "have finer detail down than across: lower blur_aspect",
            "blur_aspect",
        ),
        "color finest": Sign(
            "have finer color or more color noise: raise gray_noise_prob2, set "
            f"jpeg_chroma_upsampling to linear, or {worse}",
            f"have coarser color: lower gray_noise_prob2, or {better}",
            colors,
        ),
        "grid luma 8": Sign(
            f"show more blocks: {better}", f"show fewer blocks: {worse}", qualities
        ),
        "missing 8 6": Sign(
            f"are more compressed: {better}", f"are less compressed: {worse}", qualities
        ),
        "flat": Sign(
            f"have more flat parts: {better}, or raise {NOISE}",
            f"have fewer flat parts: {worse}, or lower {NOISE}",
            f"{qualities}, {NOISE}",
        ),
    }


def _columns(group: str, names: Sequence[str]) -> dict[str, int]:
    """Return the numbers of the statistics of a group, by name."""
    columns = {}
    for number, name in enumerate(names):
        if name.startswith(GROUPS[group]):
            columns[name] = number
    return columns


def _compression(options: LQConfig) -> tuple[str, str, str]:
    """Return how to compress less, how to compress more, and the keys for both."""
    better = "raise jpeg_range and jpeg_range2"
    worse = "lower jpeg_range and jpeg_range2"
    if not options.video_prob:
        return better, worse, "jpeg_range, jpeg_range2"

    # Higher CRFs and quantizers mean lower quality.
    drawn = zip(options.codec_list, options.codec_prob, strict=True)
    keys = ", ".join(QUALITY_KEYS[codec] for codec, share in drawn if share)
    return (
        f"{better}, lower {keys}",
        f"{worse}, raise {keys}",
        f"jpeg_range, jpeg_range2, {keys}",
    )


def _range_80(values: np.ndarray) -> float:
    """Return the width of the range that 80 % of the values lie in."""
    low, high = np.percentile(values, [10, 90])
    return high - low
