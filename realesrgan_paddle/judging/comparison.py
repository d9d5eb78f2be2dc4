"""A method against another on the same images, metric by metric, and in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from realesrgan_paddle.data.loading.hold_out import clips_of_names, hold_out, path_below
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.data.sets.naming import (
    clips_of,
    image_name,
    moments_of,
    seconds_of_frame,
)
from realesrgan_paddle.metrics.measuring import SetMetrics
from realesrgan_paddle.metrics.table import METRICS, Metric
from realesrgan_paddle.utils.paired import FEWEST_UNITS, Interval, paired_interval

START = "the network it started from"

NOTICEABLE = {
    METRICS["psnr"]: 0.5,
    METRICS["psnr_y"]: 0.5,
    METRICS["ssim"]: 0.005,
    METRICS["ssim_y"]: 0.005,
    METRICS["lpips"]: 0.01,
    METRICS["dists"]: 0.01,
    METRICS["sharpness"]: 0.05,
}
"""The smallest mean change that is called one; of other metrics, any.

Half a decibel is what MPEG's committee took for visible when it chose among tools
(Salomon 2007, "Data Compression: The Complete Reference", section 4.2.2). From one rate
of x264 to the next it goes with 0.006 of SSIM. Those of LPIPS, DISTS and sharpness are
twice what another seed of a training changes. See "A change that can be seen" in
docs/measurements.md.
"""


class Claim(str, Enum):
    """What the images can say something of: the word for a unit, in the plural."""

    CLIPS = "clips"
    """Other clips."""
    MOMENTS = "moments"
    """Other moments of clips that were trained on; these very clips and no others."""
    GROUPS = "groups"
    """Other images whose names, without times, tell of series: parts of one clip may be
    two."""
    IMAGES = "images"
    """Other images, where their names tell of no series either."""


class Answer(str, Enum):
    """What the images say of one metric."""

    BETTER = "better"
    NOT_BETTER = "not visibly better"
    WORSE = "worse"
    UNKNOWN = "cannot be told"


OF_SHARPNESS = {
    Answer.BETTER: "sharper",
    Answer.NOT_BETTER: "not visibly sharper",
    Answer.WORSE: "softer",
}
"""What answers are called of sharpness, of which more is not better."""


@dataclass(frozen=True)
class Change:
    """One metric of a method against another."""

    metric: Metric
    interval: Interval
    """Its value less the other's, as measured: below 0 is better for a distance."""

    @property
    def answer(self) -> Answer:
        """What the interval says; see `NOTICEABLE`."""
        found = self.interval
        if not found.is_known:
            return Answer.UNKNOWN
        gain, low, high = found.mean, found.low, found.high
        if self.metric.lower_is_better:
            gain, low, high = -gain, -high, -low

        smallest = NOTICEABLE.get(self.metric, 0)
        if low > 0 and gain >= smallest:
            return Answer.BETTER
        if high < 0 and gain <= -smallest:
            return Answer.WORSE
        if high < smallest:
            return Answer.NOT_BETTER
        return Answer.UNKNOWN

    @property
    def gained_lost(self) -> tuple[int, int]:
        """How many units have gained, and how many have lost."""
        found = self.interval
        if self.metric.lower_is_better:
            return found.lower, found.higher
        return found.higher, found.lower

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

    claim: Claim
    images: int
    units: int
    """Moments, clips or images, as the claim says."""
    clips: int
    changes: list[Change]
    """In the order of the metrics; empty if the images have no metrics in common."""

    @property
    def surplus(self) -> int:
        """How many more metrics are better than worse."""
        answers = [each.answer for each in self._judged]
        return answers.count(Answer.BETTER) - answers.count(Answer.WORSE)

    @property
    def _judged(self) -> list[Change]:
        """The metrics of which one value is better than another: not sharpness."""
        return [each for each in self.changes if each.metric.has_best]

    @property
    def is_enough(self) -> bool:
        """Whether there are enough units to say something."""
        return self.units >= FEWEST_UNITS

    def place(self, kind: str, noun: str = "image") -> str:
        """Return such as "24 held-out images, 12 moments of 3 clips"."""
        text = counted(self.images, f"{kind} {noun}")
        if self.claim is Claim.MOMENTS:
            moments = counted(self.units, "moment")
            return f"{text}, {moments} of {counted(self.clips, 'clip')}"
        if self.units == self.images:
            return text
        return f"{text} of {counted(self.units, self.claim.value[:-1])}"

    def headline(self, name: str, other: str, *, unseen: bool) -> str:
        """Return the one sentence that comes first.

        Such as "On moments of these 3 clips that it has not seen, the new network is
        closer to the truth than bicubic: in 12 of 14 moments, PSNR-Y +1.30 dB (+0.90 to
        +1.70)".

        Args:
            name: of the method.
            other: of the other one.
            unseen: whether the method was trained on none of the images.
        """
        where = f"On {self.claim.value}" if unseen else f"On these {self.claim.value}"
        if self.claim is Claim.GROUPS:
            where += " of images"
        if self.claim is Claim.MOMENTS:
            clips = f"these {self.clips} clips" if self.clips > 1 else "this clip"
            where += f" of {clips}"
        where += " that it has not seen" * unseen
        return f"{where}, {self._outcome(name, other)}"

    def _outcome(self, name: str, other: str) -> str:
        """Return the sentence without its place."""
        unknown = (
            f"it cannot be told whether {name} is closer to the truth than {other}"
        )
        units = f"{self.units} {self.claim.value}"
        if not self.is_enough:
            return (
                f"{unknown}: that takes {FEWEST_UNITS} {self.claim.value}, here {units}"
            )

        better = [each for each in self._judged if each.answer is Answer.BETTER]
        worse = [each for each in self._judged if each.answer is Answer.WORSE]
        first = self.changes[0]
        if self.surplus > 0:
            gained, _ = better[0].gained_lost
            text = f"{name} is closer to the truth than {other}: "
            text += f"in {gained} of {units}, {better[0]}"
            return text + (f"; further in {joined_labels(worse)}" if worse else "")
        if self.surplus < 0:
            _, lost = worse[0].gained_lost
            text = f"{name} is further from the truth than {other}: "
            text += f"in {lost} of {units}, {worse[0]}"
            return text + (f"; closer in {joined_labels(better)}" if better else "")
        if better:
            return (
                f"{name} is closer to the truth than {other} in "
                f"{joined_labels(better)}, and further in {joined_labels(worse)}"
            )
        if all(each.answer is Answer.NOT_BETTER for each in self.changes):
            return f"{name} is not visibly closer to the truth than {other}: {first}; {units}"
        gained, _ = first.gained_lost
        return f"{unknown}: {first}, gained in {gained} of {units}"

    def described(self, name: str) -> str:
        """Return such as "better than bicubic in LPIPS, cannot be told in PSNR-Y"."""
        parts: list[str] = []
        for answer in Answer:
            metrics = [each for each in self.changes if each.answer is answer]
            judged = [each for each in metrics if each.metric.has_best]
            if answer is Answer.UNKNOWN and metrics:
                against_what = "" if parts else f"against {name} it "
                parts.append(
                    f"{against_what}cannot be told in {joined_labels(metrics)}"
                )
                continue
            if judged:
                parts.append(f"{answer.value} than {name} in {joined_labels(judged)}")
            if len(judged) < len(metrics):
                parts.append(f"{OF_SHARPNESS[answer]} than {name}")
        return ", ".join(parts)

    def intervals(self, name: str) -> str:
        """Return such as "against bicubic: PSNR-Y +0.52 dB (+0.31 to +0.73), ..."."""
        return f"against {name}: {', '.join(map(str, self.changes))}"


def compare_images(
    ours: SetMetrics,
    theirs: SetMetrics,
    metrics: Mapping[str, Metric],
    seen: Collection[str] | None = None,
    *,
    of_clips: bool = False,
) -> list[Comparison]:
    """Return how a method compares with another one, a comparison for each claim.

    [] if the images have no metrics in common. Images of one unit count as one.

    Args:
        ours: metrics of the method.
        theirs: of the other method; images that only one of them has are left out.
        metrics: which, by the names that `ours` and `theirs` give them.
        seen: clips of which the method was trained on other frames; None: not known.
            Then few clips stand for their moments, and more for other clips.
        of_clips: each is a sequence of frames, also where its name has no time.
    """
    present = {}
    for name, metric in metrics.items():
        if _common_images(ours, theirs, [name]):
            present[name] = metric
    images = _common_images(ours, theirs, present) if present else []

    found = []
    for claim, own in _by_claim(images, seen, of_clips=of_clips).items():
        clips = clips_of(own)
        units = moments_of(own) if claim is Claim.MOMENTS else clips
        changes = []
        for name, metric in present.items():
            differences = [ours[image][name] - theirs[image][name] for image in own]
            changes.append(Change(metric, paired_interval(differences, units)))
        counts = len(own), len(set(units)), len(set(clips))
        found.append(Comparison(claim, *counts, changes))
    return found


def _by_claim(
    images: Sequence[str], seen: Collection[str] | None, *, of_clips: bool
) -> dict[Claim, list[str]]:
    """Return the images by what they can say something of."""
    clips = clips_of(images)
    moments = moments_of(images)
    are_frames = any(seconds_of_frame(image) is not None for image in images)
    if of_clips and seen is not None and set(clips) & set(seen):
        are_frames = True
    if len(set(clips)) == len(set(moments)) and not are_frames:
        return {Claim.IMAGES: list(images)} if images else {}
    if seen is None:
        seen = clips if len(set(clips)) < FEWEST_UNITS else []

    unseen = Claim.CLIPS if are_frames or of_clips else Claim.GROUPS
    found: dict[Claim, list[str]] = {}
    for image, clip in zip(images, clips, strict=True):
        claim = Claim.MOMENTS if clip in seen else unseen
        found.setdefault(claim, []).append(image)
    return found


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


def described_set(
    kind: str, compared: Mapping[str, Comparison], noun: str = "image"
) -> list[str]:
    """Return the sentence on one set, and the intervals of each comparison.

    [] if nothing was measured on it.

    Args:
        kind: what the images are, such as "held-out".
        compared: how the network compares with each other method, by name.
        noun: what one of them is.
    """
    measured = {name: each for name, each in compared.items() if each.changes}
    if not measured:
        return []
    first = next(iter(measured.values()))
    parts = [each.described(name) for name, each in measured.items()]
    sentence = f"On {first.place(kind, noun)}: {'; '.join(parts)}"
    if not first.is_enough:
        sentence = (
            f"On {first.place(kind, noun)}: whether it is better than "
            f"{joined([*measured])} cannot be told; "
            f"that takes at least {FEWEST_UNITS} {first.claim.value}"
        )
    return [sentence, *(f"  {each.intervals(name)}" for name, each in measured.items())]


def units_told(
    images: Sequence[str], seen: Collection[str], *, of_clips: bool = False
) -> str:
    """Return what images stand for, such as "12 moments of 3 clips", and if they are too few.

    `of_clips`: see `compare_images`.
    """
    parts, most = [], 0
    for claim, own in _by_claim(images, seen, of_clips=of_clips).items():
        clips = units = len(set(clips_of(own)))
        if claim is Claim.MOMENTS:
            units = len(set(moments_of(own)))
            parts.append(f"{counted(units, 'moment')} of {counted(clips, 'clip')}")
        else:
            parts.append(counted(clips, claim.value[:-1]))
        most = max(most, units)

    told = joined(parts)
    if most < FEWEST_UNITS:
        told += (
            f" (too few for a verdict, which takes {FEWEST_UNITS}: give more footage)"
        )
    return told


def units_of_set(root: Path) -> str:
    """Return what a training on a set will hold out, as `units_told`; "nothing" if so.

    Args:
        root: `datasets.train.dataroot_gt`.
    """
    paths = training_images(root, None)
    held = hold_out(paths)
    if not held.validated:
        return "nothing: there are fewer than three frames"
    names = [image_name(Path(path_below(root, path))) for path in held.validated]
    trained = paths.without(held.excluded).names()
    return units_told(names, clips_of_names(trained, root))


def counted(count: int, noun: str) -> str:
    """Return such as "1 clip" or "3 clips"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def joined_labels(changes: Sequence[Change]) -> str:
    """Return the metrics' names, such as "PSNR and LPIPS"."""
    return joined([each.metric.label for each in changes])


def joined(words: Sequence[str]) -> str:
    """Return such as "A, B and C"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
