"""The verdict in words: one sentence per set, its intervals, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass

from realesrgan_paddle.judging.judge import Against, Answer
from realesrgan_paddle.utils.paired import FEWEST_GROUPS

START = "the network it started from"
BICUBIC = "bicubic"

FEWEST_IMAGES = 5
"""The smallest set that a network was measured to gain from: the quickstart's frames."""


@dataclass(frozen=True)
class Findings:
    """What a run's next step depends on."""

    validated: Against
    """The last network against the start network, on the first set with ground truth."""
    best: Against | None
    """The best network likewise, where it is not the last one."""
    best_iteration: int
    """Of the best network."""
    trained_on: int
    """How many images the run is trained on."""
    general: Against | None
    """The last network against the start network on general images."""
    color_shift: float
    """By how much Delta E from the input has grown on validated or real images, if that
    is beyond the limit; else 0."""
    general_color_shift: float
    """The same on general images."""
    drifted: bool
    """Whether the drift alarm went off at the last validation."""
    softer_on_real: bool
    """Whether results on real images are softer than the start network's, though the
    validated ones are better."""
    export_last: str
    """The command that exports the last network."""
    export_best: str
    """The command that exports the best network."""

    @property
    def helped(self) -> bool:
        """Whether more metrics are better than worse."""
        return self.validated.surplus > 0

    @property
    def best_helped(self) -> bool:
        """Whether that holds for the best network, where it is another one."""
        return self.best is not None and self.best.surplus > 0

    @property
    def forgets(self) -> bool:
        """Whether general images got worse, or other colors."""
        is_worse = self.general is not None and self.general.surplus < 0
        return is_worse or self.general_color_shift > 0


def where(against: Against, kind: str) -> str:
    """Return such as "12 held-out images of 5 clips"."""
    text = f"{against.images} {kind} image{'s' * (against.images != 1)}"
    if against.clips == against.images:
        return text
    return f"{text} of {against.clips} clip{'s' * (against.clips != 1)}"


def described(against: Against, name: str) -> str:
    """Return such as "better than bicubic in LPIPS, cannot be told in PSNR"."""
    parts: list[str] = []
    for answer in Answer:
        metrics = [each.metric.name for each in against.judged if each.answer is answer]
        if not metrics:
            continue
        listed = joined(metrics)
        if answer is Answer.UNKNOWN:
            against_what = "" if parts else f"against {name} it "
            parts.append(f"{against_what}cannot be told in {listed}")
        else:
            parts.append(f"{answer.value} than {name} in {listed}")
    return ", ".join(parts)


def sentence(kind: str, compared: Sequence[tuple[str, Against]]) -> str:
    """Return the verdict on one set; "" if nothing was measured on it.

    Args:
        kind: what the images are, such as "held-out".
        compared: names of the other methods, and how the network compares with each.
    """
    measured = [(name, against) for name, against in compared if against.judged]
    if not measured:
        return ""
    place = where(measured[0][1], kind)
    parts = [described(against, name) for name, against in measured]
    text = f"On {place}: {'; '.join(parts)}"
    if measured[0][1].clips < FEWEST_GROUPS:
        names = joined([name for name, _ in measured])
        text = (
            f"On {place}: whether it is better than {names} cannot be told; "
            f"that takes at least {FEWEST_GROUPS} clips"
        )
    return text


def intervals(name: str, against: Against) -> str:
    """Return such as "against bicubic: PSNR +0.52 dB (+0.31 to +0.73), ..."."""
    figures = ", ".join(map(str, against.judged))
    return f"against {name}: {figures}"


def next_step(found: Findings) -> str:
    """Return what to do after the run: the first that applies, as a sentence."""
    if found.color_shift:
        return _colors(found)
    if not found.helped and found.best_helped:
        return (
            f"use the best network, of iter {found.best_iteration:,}: the last one was "
            "trained for too long or at too high a train.optim_g.lr; "
            f"{found.export_best}"
        )
    if found.validated.surplus < 0:
        cause = _too_few(found) or (
            "check that datasets.train shows what is validated, and lower train.optim_g.lr"
        )
        return f"do not use it: it became worse; {cause}"
    if found.drifted:
        advice = _too_few(found) or "the log says what to try"
        return f"look at its images first: the drift alarm went off; {advice}"
    if found.helped:
        return _use(found)
    return _train_better(found)


def joined(words: Sequence[str]) -> str:
    """Return such as "A, B and C"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _colors(found: Findings) -> str:
    """Return why colors have shifted, as far as can be told."""
    worse = "it became worse, and " if found.validated.surplus < 0 else ""
    cause = _too_few(found) or (
        "check that datasets.train shows what is validated and has the right colors "
        "(BT.601 taken for BT.709, or the reverse, looks like that), or lower "
        "train.optim_g.lr"
    )
    return (
        f"do not use it: {worse}its colors are shifted, Delta E {found.color_shift:.1f} "
        f"more from the input than before; {cause}"
    )


def _too_few(found: Findings) -> str:
    """Return what to say of a training set that is too small; "" of a larger one."""
    if found.trained_on >= FEWEST_IMAGES:
        return ""
    return (
        f"train on more images, of many shots: fewer than {FEWEST_IMAGES}, here "
        f"{found.trained_on}, were never measured to suffice"
    )


def _use(found: Findings) -> str:
    if found.softer_on_real:
        return (
            "match the degradation to your real images, on which it is softer than "
            "before: train.py --recipe auto --lq REAL, or make_lq_data.py --fit REAL"
        )
    few = _too_few(found)
    if found.forgets and few:
        return f"it became better here and worse on general images; {few}"
    if found.forgets:
        return (
            "use it for this kind of images only: on general ones it became worse; "
            f"{found.export_last}"
        )
    return f"use it: {found.export_last}"


def _train_better(found: Findings) -> str:
    """Return what to try where nothing was gained, as far as can be told."""
    if found.validated.clips < FEWEST_GROUPS:
        return (
            "compare by eye (tools/compare.py), and validate on images of at least "
            f"{FEWEST_GROUPS} clips: more footage, a larger val.hold_out, or datasets.val"
        )
    if few := _too_few(found):
        return few
    if found.best is None:
        return "train for longer: the last validation is the best (train.total_iter)"
    return (
        "train on more, and more varied, images, or with a lower train.optim_g.lr; for "
        "the eye, with train.lpips_opt or a GAN"
    )
