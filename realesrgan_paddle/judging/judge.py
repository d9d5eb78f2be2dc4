"""A method against another on the same images, metric by metric: better or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from realesrgan_paddle.data.sets.naming import clips_of
from realesrgan_paddle.judging.figures import ImageFigures, common_images
from realesrgan_paddle.utils.paired import Interval, paired_interval
from realesrgan_paddle.utils.report.metric_formats import MetricFormat

NOTICEABLE = {"PSNR": 0.1, "SSIM": 0.002, "LPIPS": 0.005, "DISTS": 0.005}
"""A gain that certainly stays below this is none. About a twentieth of what docs/soccer.md
gained (PSNR +2.2 dB, LPIPS -0.12, DISTS -0.09); of other figures, 0."""


class Answer(str, Enum):
    """What the images say of one metric."""

    BETTER = "better"
    NOT_BETTER = "not better"
    WORSE = "worse"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Judged:
    """One metric of a method against another."""

    metric: MetricFormat
    change: Interval
    """Its value less the other's, as measured: below 0 is better for a distance."""

    @property
    def answer(self) -> Answer:
        """What the interval says; see `NOTICEABLE`."""
        if not self.change.is_known:
            return Answer.UNKNOWN
        low, high = self.change.low, self.change.high
        if self.metric.lower_is_better:
            low, high = -high, -low
        if low > 0:
            return Answer.BETTER
        if high < 0:
            return Answer.WORSE
        if high < NOTICEABLE.get(self.metric.name, 0):
            return Answer.NOT_BETTER
        return Answer.UNKNOWN

    def __str__(self) -> str:
        """Return such as "PSNR +0.52 dB (0.31 to 0.73)"."""
        metric, change = self.metric, self.change
        digits = metric.digits
        unit = f" {metric.unit}" if metric.unit else ""
        text = f"{metric.name} {change.mean:+.{digits}f}{unit}"
        if not change.is_known:
            return text
        return f"{text} ({change.low:+.{digits}f} to {change.high:+.{digits}f})"


@dataclass(frozen=True)
class Against:
    """A method against another on the images of one set."""

    images: int
    clips: int
    judged: list[Judged]
    """In the order of the metrics; empty if the images have no figures in common."""

    def count(self, answer: Answer) -> int:
        """Return how many metrics have this answer."""
        return sum(each.answer is answer for each in self.judged)

    @property
    def surplus(self) -> int:
        """How many more metrics are better than worse."""
        return self.count(Answer.BETTER) - self.count(Answer.WORSE)


def compare_figures(
    figures: ImageFigures,
    reference: ImageFigures,
    metrics: Mapping[str, MetricFormat],
) -> Against:
    """Return how a method compares with `reference`, image by image.

    Images of one clip count as one; see `clips_of`.

    Args:
        figures: of the method.
        reference: of the other method; images that only one of them has are left out.
        metrics: which figures, and how they are printed.
    """
    present = {}
    for name, metric in metrics.items():
        if common_images(figures, reference, [name]):
            present[name] = metric
    images = common_images(figures, reference, present) if present else []
    if not images:
        return Against(0, 0, [])

    clips = clips_of(images)
    judged = []
    for name, metric in present.items():
        changes = [figures[image][name] - reference[image][name] for image in images]
        judged.append(Judged(metric, paired_interval(changes, clips)))
    return Against(len(images), len(set(clips)), judged)
