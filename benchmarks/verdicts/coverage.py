"""How often the verdict's intervals hold the truth, and how often it tells, by simulation.

    python -m benchmarks.verdicts.coverage --results benchmarks/domain_gain/results/arms.jsonl

Differences of crops are those that five-minute finetunes really made, in two domains:
their spread between clips, and how they are distributed within. The first table draws
clips and moments whose true mean is known; the second lets the verdict judge sets of
three clips with the gain as it was, and without any. Printed for docs/measurements.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.judge import Record, read_records
from realesrgan_paddle.judging.comparison import Comparison, compare_images
from realesrgan_paddle.metrics.measuring import SetMetrics
from realesrgan_paddle.metrics.table import METRICS
from realesrgan_paddle.utils.paired import paired_interval

TRIALS = 1000
JUDGED_TRIALS = 500
RELEASED = "realesr-general-x4v3"
DOMAINS = ("soccer", "dashcam")
INPUTS = ("matched", "H.264, CRF 28")
JUDGED = ("psnr", "ssim", "lpips")
"""What val.metrics measures by default."""
CROPS = 2
"""Of each moment."""

SIZES: Mapping[str, Sequence[int]] = {
    "4 clips": (4,),
    "5 clips": (5,),
    "8 clips": (8,),
    "12 clips": (12,),
    "4 moments of 3 clips": (2, 1, 1),
    "6 of 3": (2, 2, 2),
    "12 of 3": (4, 4, 4),
    "12 of 3, uneven": (8, 2, 2),
    "30 of 3": (10, 10, 10),
}
"""Units of each clip; of a single pot, where the claim is on clips."""


class Gains:
    """The differences of the crops of one domain and kind of input, by clip."""

    def __init__(self, released: Record, trained: Record) -> None:
        clips = np.array(released["group"])
        both = [
            np.array(trained[metric]) - np.array(released[metric]) for metric in JUDGED
        ]
        crops = np.stack(both, axis=1)
        names = np.unique(clips)
        self.mean = crops.mean(axis=0)
        self.clip_means = np.stack(
            [crops[clips == name].mean(axis=0) for name in names]
        )
        residuals = []
        for name in names:
            own = crops[clips == name]
            if len(own) > 1:
                larger = np.sqrt(len(own) / (len(own) - 1))
                residuals.append((own - own.mean(axis=0)) * larger)
        self.residuals = np.concatenate(residuals)

    def draw(self, rng: np.random.Generator, moments: Sequence[int]) -> np.ndarray:
        """Return crops (clip by clip, N x metrics) of clips whose mean gain is 0."""
        chosen = rng.integers(len(self.clip_means), size=len(moments))
        of_moments = np.repeat(self.clip_means[chosen], moments, axis=0)
        of_crops = np.repeat(of_moments, CROPS, axis=0)
        drawn = rng.integers(len(self.residuals), size=len(of_crops))
        return of_crops - of_moments.mean(axis=0) + self.residuals[drawn]


def coverage(gains: Gains, metric: int, sizes: Sequence[int]) -> float:
    """Return the share of intervals that hold the truth.

    Units of one size are clips, each with the mean 0; others are moments of given clips.
    """
    rng = np.random.default_rng(0)
    pool = gains.residuals[:, metric]
    spread = (gains.clip_means - gains.mean)[:, metric]
    spread = spread * np.sqrt(len(spread) / (len(spread) - 1))
    hits = 0
    for _ in range(TRIALS):
        if len(sizes) == 1:
            units = rng.choice(spread, sizes[0]) + rng.choice(pool, sizes[0])
            truth = 0.0
        else:
            clips = rng.choice(spread, len(sizes))
            of_units = np.repeat(clips, sizes)
            units = of_units + rng.choice(pool, sum(sizes))
            truth = float(of_units.mean())
        found = paired_interval(units.tolist())
        hits += found.low <= truth <= found.high
    return hits / TRIALS


def skewed_coverage(sizes: Sequence[int]) -> float:
    """Return the same for exponential differences, more skewed than any that was seen."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(TRIALS):
        of_units = np.repeat(rng.normal(size=len(sizes)) * (len(sizes) > 1), sizes)
        units = of_units + rng.exponential(size=sum(sizes)) - 1
        found = paired_interval(units.tolist())
        hits += found.low <= of_units.mean() <= found.high
    return hits / TRIALS


def judged(crops: np.ndarray, moments: Sequence[int]) -> Comparison:
    """Return what the verdict says of crops, `CROPS` of each moment of each clip."""
    ours: SetMetrics = {}
    theirs: SetMetrics = {}
    names = []
    for clip, count in enumerate(moments):
        for moment in range(count):
            frame = f"clip{chr(97 + clip)}_{3 * moment:06}.000"
            names += [f"{frame}_s{crop:03}" for crop in range(1, CROPS + 1)]
    for name, values in zip(names, crops, strict=True):
        ours[name] = dict(zip(JUDGED, values.tolist(), strict=True))
        theirs[name] = dict.fromkeys(JUDGED, 0.0)
    metrics = {name: METRICS[name] for name in JUDGED}
    (found,) = compare_images(ours, theirs, metrics)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    args = parser.parse_args()
    records = {(r["network"], r["input"]): r for r in read_records(args.results)}
    gains = {}
    for domain in DOMAINS:
        for kind in INPUTS:
            label = f"{domain}: {kind}"
            trained = records[f"domain, {domain}, seed 0", label]
            gains[label] = Gains(records[RELEASED, label], trained)

    print("intervals that hold the truth: lowest and highest of all; exponential")
    for name, sizes in SIZES.items():
        shares = [
            coverage(each, metric, sizes)
            for each in gains.values()
            for metric in range(len(JUDGED))
        ]
        skewed = skewed_coverage(sizes)
        print(
            f"{name:<22}{min(shares):.3f}  {max(shares):.3f}  {skewed:.3f}", flush=True
        )

    print(
        "sets of three clips called better: without a gain, with a half, with all of it"
    )
    for label, each in gains.items():
        for moments in ((2, 1, 1), (2, 2, 2), (3, 3, 2), (4, 4, 4)):
            told = [better(each, moments, share) for share in (0.0, 0.5, 1.0)]
            row = "  ".join(f"{share:.3f}" for share in told)
            print(f"{label:<24}{sum(moments):>3} moments  {row}", flush=True)


def better(gains: Gains, moments: Sequence[int], share: float) -> float:
    """Return how often the verdict calls a share of the domain's gain better."""
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(JUDGED_TRIALS):
        crops = gains.draw(rng, moments) + share * gains.mean
        count += judged(crops, moments).surplus > 0
    return count / JUDGED_TRIALS


if __name__ == "__main__":
    main()
