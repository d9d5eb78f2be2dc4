"""A method against another on the same images, metric by metric, and in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from realesrgan_paddle.data.sets.naming import clips_of
from realesrgan_paddle.metrics.measuring import SetMetrics
from realesrgan_paddle.metrics.table import METRICS, Metric
from realesrgan_paddle.utils.paired import FEWEST_GROUPS, Interval, paired_interval

START = "the network it started from"

NOTICEABLE = {
    METRICS["psnr"]: 0.1,
    METRICS["psnr_y"]: 0.1,
    METRICS["ssim"]: 0.002,
    METRICS["ssim_y"]: 0.002,
    METRICS["lpips"]: 0.005,
    METRICS["dists"]: 0.005,
}
"""A gain that certainly stays below this is none. About a twentieth of what docs/soccer.md
gained (PSNR +2.2 dB, LPIPS -0.12, DISTS -0.09); of other metrics, 0."""


class Answer(str, Enum):
    """What the images say of one metric."""

    BETTER = "better"
    NOT_BETTER = "not better"
    WORSE = "worse"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Change:
    """One metric of a method against another."""

    metric: Metric
    interval: Interval
    """Its value less the other's, as measured: below 0 is better for a distance."""

    @property
    def answer(self) -> Answer:
        """What the interval says; see `NOTICEABLE`."""
        if not self.interval.is_known:
            return Answer.UNKNOWN
        low, high = self.interval.low, self.interval.high
        if self.metric.lower_is_better:
            low, high = -high, -low
        if low > 0:
            return Answer.BETTER
        if high < 0:
            return Answer.WORSE
        if high < NOTICEABLE.get(self.metric, 0):
            return Answer.NOT_BETTER
        return Answer.UNKNOWN

    def __str__(self) -> str:
        """Return such as "PSNR-Y +0.52 dB (+0.31 to +0.73)"."""
        metric, found = self.metric, self.interval
        digits = metric.digits
        unit = f" {metric.unit}" if metric.unit else ""
        text = f"{metric.label} {found.mean:+.{digits}f}{unit}"
        if not found.is_known:
            return text
        return f"{text} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


@dataclass(frozen=True)
class Comparison:
    """A method against another on the images of one set."""

    images: int
    clips: int
    changes: list[Change]
    """In the order of the metrics; empty if the images have no metrics in common."""

    @property
    def surplus(self) -> int:
        """How many more metrics are better than worse."""
        answers = [each.answer for each in self.changes]
        return answers.count(Answer.BETTER) - answers.count(Answer.WORSE)

    def place(self, kind: str) -> str:
        """Return such as "12 held-out images of 5 clips"."""
        text = f"{self.images} {kind} image{'s' * (self.images != 1)}"
        if self.clips == self.images:
            return text
        return f"{text} of {self.clips} clip{'s' * (self.clips != 1)}"

    def described(self, name: str) -> str:
        """Return such as "better than bicubic in LPIPS, cannot be told in PSNR-Y"."""
        parts: list[str] = []
        for answer in Answer:
            metrics = [e.metric.label for e in self.changes if e.answer is answer]
            if not metrics:
                continue
            listed = joined(metrics)
            if answer is Answer.UNKNOWN:
                against_what = "" if parts else f"against {name} it "
                parts.append(f"{against_what}cannot be told in {listed}")
            else:
                parts.append(f"{answer.value} than {name} in {listed}")
        return ", ".join(parts)

    def intervals(self, name: str) -> str:
        """Return such as "against bicubic: PSNR-Y +0.52 dB (+0.31 to +0.73), ..."."""
        return f"against {name}: {', '.join(map(str, self.changes))}"


def compare_images(
    ours: SetMetrics, theirs: SetMetrics, metrics: Mapping[str, Metric]
) -> Comparison:
    """Return how a method compares with another one, image by image.

    Images of one clip count as one; see `clips_of`.

    Args:
        ours: metrics of the method.
        theirs: of the other method; images that only one of them has are left out.
        metrics: which, by the names that `ours` and `theirs` give them.
    """
    present = {}
    for name, metric in metrics.items():
        if _common_images(ours, theirs, [name]):
            present[name] = metric
    images = _common_images(ours, theirs, present) if present else []
    if not images:
        return Comparison(0, 0, [])

    clips = clips_of(images)
    changes = []
    for name, metric in present.items():
        differences = [ours[image][name] - theirs[image][name] for image in images]
        changes.append(Change(metric, paired_interval(differences, clips)))
    return Comparison(len(images), len(set(clips)), changes)


def _common_images(
    ours: SetMetrics, theirs: SetMetrics, metrics: Iterable[str]
) -> list[str]:
    """Return the images for which both methods have all of `metrics`."""
    wanted = set(metrics)
    found = []
    for name, values in ours.items():
        if wanted <= values.keys() and wanted <= theirs.get(name, {}).keys():
            found.append(name)
    return found


def described_set(kind: str, compared: Mapping[str, Comparison]) -> list[str]:
    """Return the sentence on one set, and the intervals of each comparison.

    [] if nothing was measured on it.

    Args:
        kind: what the images are, such as "held-out".
        compared: how the network compares with each other method, by name.
    """
    measured = {name: each for name, each in compared.items() if each.changes}
    if not measured:
        return []
    first = next(iter(measured.values()))
    parts = [each.described(name) for name, each in measured.items()]
    sentence = f"On {first.place(kind)}: {'; '.join(parts)}"
    if first.clips < FEWEST_GROUPS:
        sentence = (
            f"On {first.place(kind)}: whether it is better than "
            f"{joined([*measured])} cannot be told; "
            f"that takes at least {FEWEST_GROUPS} clips"
        )
    return [sentence, *(f"  {each.intervals(name)}" for name, each in measured.items())]


def joined(words: Sequence[str]) -> str:
    """Return such as "A, B and C"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
