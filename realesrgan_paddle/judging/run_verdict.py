"""The verdict at the end of a run, from the figures that its record keeps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.judging.figures import COLOR, SHARPNESS, Figures, mean_of
from realesrgan_paddle.judging.judge import Against, Answer, compare_figures
from realesrgan_paddle.judging.open_sets import GENERAL, REAL
from realesrgan_paddle.judging.words import (
    BICUBIC,
    START,
    Findings,
    intervals,
    next_step,
    sentence,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import (
    HELD_OUT,
    NO_REFERENCE,
    DriftOptions,
    ValOptions,
)
from realesrgan_paddle.training.checkpoints import RunRecord
from realesrgan_paddle.utils.next_steps import next_line
from realesrgan_paddle.utils.report.metric_formats import METRIC_FORMATS, MetricFormat
from realesrgan_paddle.utils.runlog.experiment import Experiment

LAST, BEST = "last", "best"
"""Networks of a run in its record, besides START and BICUBIC."""

SHARPNESS_FORMAT = MetricFormat("sharpness", 3)
KINDS = {HELD_OUT: "held-out", GENERAL: "general", REAL: "real low-quality"}
"""What the images of a set are called; those of datasets.val are "NAME" images."""


@dataclass(frozen=True)
class Verdict:
    """What a run's images say of its last network."""

    lines: list[str]
    """One sentence a set, its intervals, drift; the first is of the validated images."""
    next: str
    """What to do."""
    compared: dict[str, dict[str, Against]]
    """By set and the name of the other method."""


def metric_formats(options: ValOptions) -> dict[str, MetricFormat]:
    """Return how each of val.metrics is printed, by the name that the options give it."""
    formats = {}
    for name, metric in options.metrics.items():
        formats[name] = METRIC_FORMATS[metric.type.removeprefix("calculate_")]
    return formats


def real_formats(options: ValOptions) -> dict[str, MetricFormat]:
    """Return the figures of real images, which have no ground truth."""
    formats = {SHARPNESS: SHARPNESS_FORMAT}
    for name, metric in options.metrics.items():
        if metric.type in NO_REFERENCE:
            formats[name] = METRIC_FORMATS["niqe"]
    return formats


def run_verdict(
    cfg: Config, record: RunRecord, experiment: Experiment, trained_on: int
) -> Verdict | None:
    """Return the verdict on the last network; None if nothing was validated.

    Args:
        cfg: options of the run.
        record: has the figures of bicubic, the start network, the best and the last.
        experiment: has the weight files.
        trained_on: how many images the run trains on.
    """
    last = record.figures.get(LAST)
    if cfg.val is None or last is None:
        return None
    metrics = metric_formats(cfg.val)
    references = [BICUBIC]
    if cfg.path.pretrain_network_g is not None:
        references = [START, BICUBIC]

    lines: list[str] = []
    compared: dict[str, dict[str, Against]] = {}
    for name, figures in last.items():
        shown = real_formats(cfg.val) if name == REAL else metrics
        against = {}
        for reference in references:
            theirs = record.figures.get(reference, {}).get(name, {})
            against[reference] = compare_figures(figures, theirs, shown)
        compared[name] = against
        lines += _lines(KINDS.get(name, name), against)

    validated = [each for each in last if each not in (GENERAL, REAL)]
    primary = next((each for each in validated if any_judged(compared[each])), None)
    if primary is None:
        return None
    found = _findings(cfg, record, compared, primary, experiment, trained_on)
    if found.drifted:
        lines.append(f"the drift alarm went off at iter {record.drifted:,}")
    return Verdict(lines, next_step(found), compared)


def any_judged(against: Mapping[str, Against]) -> bool:
    """Return whether a set has figures of the network and another method."""
    return any(each.judged for each in against.values())


def color_shift(
    last: Figures, start: Figures, sets: Iterable[str], limit: float | None
) -> float:
    """Return the largest growth of Delta E from the input on one of `sets`.

    0 where all stay within the limit.

    Args:
        last: figures of the last network.
        start: figures of the start network.
        sets: names of the sets to look at.
        limit: of the drift alarm; None: none.
    """
    worst = 0.0
    for name in sets:
        before = mean_of(start.get(name, {}), COLOR)
        growth = mean_of(last.get(name, {}), COLOR) - before
        if limit is not None and growth > max(limit, worst):
            worst = growth
    return worst


def _lines(kind: str, against: Mapping[str, Against]) -> list[str]:
    """Return the sentence on a set, and the intervals of each comparison."""
    told = sentence(kind, list(against.items()))
    if not told:
        return []
    lines = [told]
    for name, each in against.items():
        if each.judged:
            lines.append(f"  {intervals(name, each)}")
    return lines


def _findings(
    cfg: Config,
    record: RunRecord,
    compared: Mapping[str, Mapping[str, Against]],
    primary: str,
    experiment: Experiment,
    trained_on: int,
) -> Findings:
    """Return what the next step depends on; `primary` is the set that decides."""
    assert cfg.val is not None
    reference = START if START in compared[primary] else BICUBIC
    figures = record.figures
    best = None
    ours = figures.get(BEST, {}).get(primary, {})
    if ours != figures[LAST][primary]:
        theirs = figures.get(reference, {}).get(primary, {})
        best = compare_figures(ours, theirs, metric_formats(cfg.val))

    limits = cfg.val.drift or DriftOptions()
    general_limit = limits.general.delta_e if limits.general else None
    last, start = figures[LAST], figures.get(START, {})
    judged_sets = [name for name in last if name != GENERAL]

    real = compared.get(REAL, {}).get(START)
    is_softer = False
    for each in real.judged if real else []:
        is_softer |= each.metric is SHARPNESS_FORMAT and each.answer is Answer.WORSE
    return Findings(
        validated=compared[primary][reference],
        best=best,
        best_iteration=record.best.iteration if record.best else 0,
        trained_on=trained_on,
        general=compared.get(GENERAL, {}).get(START),
        color_shift=color_shift(last, start, judged_sets, limits.domain.delta_e),
        general_color_shift=color_shift(last, start, [GENERAL], general_limit),
        drifted=record.drifted is not None,
        softer_on_real=is_softer,
        export_last=_export(experiment, experiment.latest),
        export_best=_export(experiment, experiment.models / "net_g_best.pdparams"),
    )


def _export(experiment: Experiment, weights: Path) -> str:
    """Return the command that exports one of a run's networks."""
    return next_line("weights", weights=weights, folder=experiment.exported)
