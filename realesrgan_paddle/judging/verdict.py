"""The verdict at the end of a run: whether it helped, and what to do next.

`verdict.json` in the run's folder holds it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from realesrgan_paddle.judging.comparison import (
    START,
    Answer,
    Claim,
    Comparison,
    compare_images,
    described_set,
)
from realesrgan_paddle.judging.drift import SHARPNESS_LQ, Drift, by_finding
from realesrgan_paddle.judging.findings import (
    COLORS,
    FEW_UNITS,
    FORGETS,
    NO_GAIN,
    SOFTER,
    STILL_IMPROVES,
    TOO_LONG,
    WORSE,
    few_images,
)
from realesrgan_paddle.metrics.measuring import Metrics, all_means
from realesrgan_paddle.metrics.table import BICUBIC, METRICS, Metric, name_of
from realesrgan_paddle.options.schema.validation import (
    GENERAL,
    HELD_OUT,
    REAL,
    ValOptions,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, parse_object, read_regular
from realesrgan_paddle.utils.next_steps import YOUR_FILES, YOUR_VIDEOS, next_line
from realesrgan_paddle.utils.runlog.experiment import Experiment

FILE = "verdict.json"
MOST_LINES = 100
"""Lines that are read from a file; a run with ten validation sets writes about 40."""

LAST, BEST = "last", "best"
"""Networks of a run, besides START and BICUBIC."""
KINDS = {HELD_OUT: "held-out", GENERAL: "general", REAL: "real low-quality"}
"""What the images of a set are called; those of datasets.val are "NAME" images."""


@dataclass(frozen=True)
class Outcome:
    """What the next step depends on. The other network is the start, or else bicubic."""

    validated: Comparison
    """The last network on the first set with metrics, by its firmest claim."""
    best: Comparison | None
    """The best network on it, where that is not the last one."""
    best_iteration: int
    """Of the best network."""
    trained_on: int
    """How many images the run is trained on."""
    general: Comparison | None
    """The last network on general images."""
    drifts: Sequence[Drift]
    """What is beyond the limits of `val.drift`."""
    softer_on_real: bool
    """Whether results on real images are softer than the start network's."""
    use_last: str
    """The command that exports the last network, or upscales videos with it."""
    use_best: str
    """The same of the best network."""

    @property
    def helped(self) -> bool:
        """Whether the last network is better."""
        return self.validated.surplus > 0

    @property
    def best_is_better(self) -> bool:
        """Whether the best network is better, and the last one is not."""
        best_helped = self.best is not None and self.best.surplus > 0
        return best_helped and not self.helped


@dataclass(frozen=True)
class Verdict:
    """What a run's images say of its last network."""

    lines: list[str]
    """What a person reads first; then one sentence a set, its intervals, drift."""
    next: str
    """What to do."""
    network: str
    """The file, in the run's folder of networks, that is worth exporting."""
    compared: dict[str, dict[str, Comparison]]
    """By set, or set and claim where it supports two, and the name of the other method."""

    def write(self, folder: Path, metrics: Mapping[str, Metrics]) -> None:
        """Write `verdict.json` into the folder of a run.

        It holds `lines`, `next` and `network` (texts), `sets` (by set, other method and metric:
        mean change, interval, answer) and `figures` (the metrics by method, set, image
        and name).
        """
        sets = {}
        for name, compared in self.compared.items():
            sets[name] = {method: _as_json(each) for method, each in compared.items()}
        content = {
            "lines": self.lines,
            "next": self.next,
            "network": self.network,
            "sets": sets,
            "figures": metrics,
        }
        text = json.dumps(content, indent=1, allow_nan=False)
        with atomic_path(folder / FILE) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def _as_json(compared: Comparison) -> dict[str, Any]:
    metrics = {}
    for each in compared.changes:
        found = each.interval
        values: dict[str, Any] = {"mean": found.mean, "answer": each.answer.value}
        if found.is_known:
            values["interval"] = [found.low, found.high]
        metrics[each.metric.label] = values
    return {
        "claim": compared.claim.value,
        "images": compared.images,
        "units": compared.units,
        "clips": compared.clips,
        "metrics": metrics,
    }


def network_of(folder: Path) -> Path:
    """Return the network of a run that its verdict prefers; the last one without any.

    Raises:
        UserError: `verdict.json` is not as a run writes it.
    """
    experiment = Experiment(folder)
    path = folder / FILE
    if not path.is_file():
        return experiment.latest
    try:
        name = parse_object(read_regular(path)).get("network", experiment.latest.name)
    except ValueError:
        name = None
    if name not in (experiment.latest.name, experiment.best.name):
        raise UserError(f"{path}: not the verdict of a run; move it away")
    return experiment.models / name


def read_lines(folder: Path) -> list[str]:
    """Return the lines of the verdict of a run, the next step last; [] without one.

    Raises:
        UserError: the file is not as a run writes it.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        content = parse_object(read_regular(path))
        lines = [*content["lines"], content["next"]]
    except (ValueError, LookupError, TypeError):
        lines = [None]
    if len(lines) > MOST_LINES or not all(isinstance(each, str) for each in lines):
        raise UserError(f"{path}: not the verdict of a run; move it away") from None
    return lines


def without_command(advice: str) -> str:
    """Return the advice of a verdict without the command in it, if it says "use it"."""
    return advice.partition(":")[0] if advice.startswith("use ") else advice


def read_figures(folder: Path) -> dict[str, Metrics]:
    """Return the metrics that the verdict of a run holds, by method; {} without one."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        figures = parse_object(read_regular(path)).get("figures", {})
        for sets in figures.values():
            all_means(sets)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{path}: not the verdict of a run; move it away") from None
    return figures


def judge_run(
    options: ValOptions,
    metrics: Mapping[str, Metrics],
    drifts: Sequence[Drift],
    experiment: Experiment,
    *,
    start: str | None,
    best_iteration: int,
    trained_on: int,
    seen: Collection[str],
    of_clips: bool,
    carries_state: bool,
) -> Verdict | None:
    """Return the verdict on a run's last network; None if nothing was validated.

    Args:
        options: the section `val`.
        metrics: by method: `LAST`, `BEST`, `START` and `BICUBIC`.
        drifts: what is beyond the limits of `val.drift`.
        experiment: has the weight files.
        start: the name of the network that the run started from; None: it started at
            random.
        best_iteration: of the best network.
        trained_on: how many images the run is trained on.
        seen: the clips that it is trained on; see `compare_images`.
        of_clips: what is held out are sequences of frames.
        carries_state: the network is used on videos, as it is.
    """
    last = metrics.get(LAST, {})
    references = [START, BICUBIC] if start else [BICUBIC]
    compare_set = partial(
        _compare_set, options, metrics, references, seen, of_clips=of_clips
    )
    sets = {name: compare_set(name, LAST) for name in last}
    validated = [each for each in last if each not in (GENERAL, REAL) and sets[each]]
    if not validated:
        return None

    primary = validated[0]
    reference = next(iter(sets[primary][0]))
    other = start if reference == START and start else "bicubic interpolation"
    lines = []
    for against in sets[primary]:
        found = against[reference]
        headline = found.headline("the new network", other, unseen=True)
        lines.append(headline)

    compared, described = _described(sets, of_clips=of_clips)
    lines += described
    for finding, amounts in by_finding(drifts).items():
        lines.append(f"{finding.said}: {', '.join(amounts)}")

    best = None
    if metrics.get(BEST, {}).get(primary, {}) != last[primary]:
        best = _firmest(compare_set(primary, BEST), reference)
    first = _firmest(sets[primary], reference)
    assert first is not None  # of the validated sets it is one
    outcome = Outcome(
        validated=first,
        best=best,
        best_iteration=best_iteration,
        trained_on=trained_on,
        general=_firmest(sets.get(GENERAL, []), START),
        drifts=drifts,
        softer_on_real=_is_softer(_firmest(sets.get(REAL, []), START)),
        use_last=_use(experiment, experiment.latest, carries_state=carries_state),
        use_best=_use(experiment, experiment.best, carries_state=carries_state),
    )
    network = experiment.best if outcome.best_is_better else experiment.latest
    return Verdict(lines, next_step(outcome), network.name, compared)


def _described(
    sets: Mapping[str, Sequence[dict[str, Comparison]]], *, of_clips: bool
) -> tuple[dict[str, dict[str, Comparison]], list[str]]:
    """Return the comparisons on each set, by set and claim, and the lines on them."""
    compared: dict[str, dict[str, Comparison]] = {}
    lines: list[str] = []
    for name, claims in sets.items():
        noun = "sequence" if name == HELD_OUT and of_clips else "image"
        for against in claims:
            key = name
            if len(claims) > 1:
                claim = next(iter(against.values())).claim
                key = f"{name}, {claim.value}"
            compared[key] = against
            lines += described_set(KINDS.get(name, name), against, noun)
    return compared, lines


def _compare_set(
    options: ValOptions,
    metrics: Mapping[str, Metrics],
    others: Sequence[str],
    seen: Collection[str],
    name: str,
    method: str,
    *,
    of_clips: bool,
) -> list[dict[str, Comparison]]:
    """Return how a method compares with others on a set: for each claim, by the other.

    Other clips are the firmer claim, so that comes before moments.
    """
    ours = metrics.get(method, {}).get(name, {})
    judged = _compared(options, has_gt=name != REAL)
    found: dict[Claim, dict[str, Comparison]] = {}
    for other in others:
        theirs = metrics.get(other, {}).get(name, {})
        sequences = of_clips and name == HELD_OUT
        found_here = compare_images(ours, theirs, judged, seen, of_clips=sequences)
        for each in found_here:
            found.setdefault(each.claim, {})[other] = each
    return [found[claim] for claim in Claim if claim in found]


def _firmest(
    claims: Sequence[Mapping[str, Comparison]], other: str
) -> Comparison | None:
    """Return the first claim against another method that has enough units, or any."""
    against = [each[other] for each in claims if other in each]
    enough = [each for each in against if each.is_enough]
    return next(iter(enough or against), None)


def _compared(options: ValOptions, *, has_gt: bool) -> dict[str, Metric]:
    """Return each of val.metrics by the name that the options give it.

    Of images without ground truth: those that need none, and the sharpness.
    """
    compared = {} if has_gt else {SHARPNESS_LQ: METRICS["sharpness"]}
    for name, metric in options.metrics.items():
        row = METRICS[name_of(metric)]
        if has_gt or not row.needs_gt:
            compared[name] = row
    return compared


def _is_softer(real: Comparison | None) -> bool:
    """Return whether the sharpness of results on real images fell."""
    for each in real.changes if real else []:
        if each.metric is METRICS["sharpness"] and each.answer is Answer.WORSE:
            return True
    return False


def _use(experiment: Experiment, weights: Path, *, carries_state: bool) -> str:
    """Return the command that exports one of a run's networks, or upscales with it.

    A tune exports the right one itself; one with a state is for videos, as it is.
    """
    if experiment.tuned:
        return next_line("tuned network", images=YOUR_FILES, model=experiment.tuned)
    if carries_state:
        return next_line("weights for video", videos=YOUR_VIDEOS, weights=weights)
    return next_line("weights", weights=weights, folder=experiment.exported)


def next_step(run: Outcome) -> str:
    """Return what to do after the run, and why: the first that applies."""
    helped = run.helped
    forgets = run.general is not None and run.general.surplus < 0
    few = few_images(run.trained_on)

    colors = by_finding([each for each in run.drifts if each.set_name != GENERAL])
    drifted = [
        finding.line(*amounts, instead=few)
        for finding, amounts in by_finding(run.drifts).items()
    ]
    steps = (
        (
            COLORS in colors,
            "do not use it",
            COLORS.line(*colors.get(COLORS, ()), instead=few),
        ),
        (
            run.best_is_better,
            f"use the best network, of iter {run.best_iteration:,}",
            TOO_LONG.line(instead=run.use_best),
        ),
        (run.validated.surplus < 0, "do not use it", WORSE.line(instead=few)),
        (bool(drifted), "look at its images first", "; ".join(drifted[:1])),
        (helped and run.softer_on_real, "it became better here", SOFTER.line()),
        (
            helped and forgets,
            "use it for this kind of images only",
            FORGETS.line(instead=few or run.use_last),
        ),
        (helped, "use it", run.use_last),
        (
            not run.validated.is_enough,
            "compare by eye (realesrgan-paddle compare)",
            FEW_UNITS.line(),
        ),
        (bool(few), NO_GAIN.said, few),
        (run.best is None, "train for longer", STILL_IMPROVES.line()),
        (True, NO_GAIN.said, NO_GAIN.advice),
    )
    return next(f"{what}: {why}" for applies, what, why in steps if applies)
