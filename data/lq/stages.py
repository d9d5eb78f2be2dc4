"""Leave out the stages of a degradation that the real images do not ask for.

Of many tried degradations the nearest has a little of every stage by chance: a halo that
undoes a blur, a JPEG below a video. So the degradation is compared with the same one
without a stage, and a stage stays only where leaving it out makes the distance worse by
more than chance does. As a test of nested models, by backward elimination; what can stand
in for a stage (`STANDS_IN`) is moved before it is judged. In little time it is forward
selection: to a degradation without stages those are added that there is time to judge.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from realesrgan_paddle.data.lq.compare import COMPARISON, Comparer, Sets
from realesrgan_paddle.data.lq.parameters import NUMBER
from realesrgan_paddle.data.lq.solution import (
    ABSENT,
    LIKELY,
    NONE,
    FoundParameter,
    NumberFound,
    Solution,
)
from realesrgan_paddle.data.lq.trials import Decision, Judge, refits
from realesrgan_paddle.utils.runlog.progress import Progress

NEUTRAL_PLACES: Mapping[str, float] = {
    "blur": 0.0,
    "anisotropy": 0.5,
    "motion": 0.0,
    "noise": 0.0,
    "halo": 0.0,
    "first JPEG": 0.0,
}
"""Where a number does nothing; those of a codec are never neutral."""
NEUTRAL_CHOICES: Mapping[str, str] = {
    "scaler": "area",
    "fields": "whole",
    "last filter": "none",
}
STAGES = (*NEUTRAL_PLACES, *NEUTRAL_CHOICES)
STANDS_IN: Mapping[str, Sequence[str]] = {
    "blur": ("halo", "scaler"),
    "halo": ("blur", "scaler"),
    "motion": ("anisotropy",),
    "scaler": ("blur",),
}
"""Stages that undo or imitate one another, so that they may go together only."""
ALL_DEVIATIONS = 1.0
"""As `DEVIATIONS`, where all stages are left out at once: the difference varies more, and would
hide that one of them is needed; one in six is more by chance, and each is then judged."""
COMPARISONS = 20
"""About so many are made; only the time left that is said depends on it."""
EACH = 6
"""Comparisons that leaving one stage out takes; where there is no time for that, stages
are added one by one instead, of which each takes one."""


def leave_out(
    solution: Solution,
    compare: Comparer,
    sets: Sets,
    scale: int,
    progress: Progress | None = None,
) -> tuple[Solution, list[Decision]]:
    """Return a degradation without the stages that it does not need, and why.

    Args:
        solution: the nearest that was found; its ranges are written.
        compare: measures on windows that it was not chosen on.
        sets: the real windows, and the names of the statistics.
        scale: factor by which the real images are smaller.
        progress: of the whole fit; what there is no time to judge is left out.
    """
    progress = progress or Progress("stages", COMPARISON * COMPARISONS)
    written = [stage for stage in STAGES if has_stage(solution, stage, scale)]
    if not written:
        return solution, []
    judge = Judge(compare, sets, scale, progress, solution)
    bare = refits(without(solution, written))
    plain = judge.first_alike(bare, ALL_DEVIATIONS)
    if plain.alike:
        judge.accept(plain)
        return judge.accepted, [plain.decision(stage) for stage in written]

    by_certainty = sorted(written, key=lambda one: _certainty(solution, one))
    if progress.has_time_for(COMPARISON * EACH * len(written)):
        decisions = _left_out(judge, by_certainty, scale)
    else:
        judge.accept(plain)
        decisions = _added(judge, by_certainty[::-1], solution, scale)
    unjudged = [stage for stage in written if stage not in decisions]
    if any(has_stage(judge.accepted, stage, scale) for stage in unjudged):
        judge.accept(judge.trial(without(judge.accepted, unjudged)))
    for stage in unjudged:
        decisions[stage] = Decision(stage, False, math.nan, math.nan, math.nan)
    return judge.accepted, list(decisions.values())


def _left_out(judge: Judge, written: Sequence[str], scale: int) -> dict[str, Decision]:
    """Leave one stage after the other out of the accepted degradation, and say why."""
    decisions: dict[str, Decision] = {}
    for stage in written:
        if not judge.has_time:
            break
        current = judge.accepted
        if not has_stage(current, stage, scale):  # it went with another
            continue
        trials = list(refits(without(current, [stage])))
        partners = [
            one for one in STANDS_IN.get(stage, ()) if has_stage(current, one, scale)
        ]
        trials += [without(current, [stage, partner]) for partner in partners]
        trial = judge.first_alike(trials)
        if trial.alike:
            judge.accept(trial)
        for one in written:
            is_gone = not has_stage(judge.accepted, one, scale)
            was_kept = one not in decisions or decisions[one].kept
            if one == stage or (is_gone and was_kept):
                decisions[one] = trial.decision(one)
    return decisions


def _added(
    judge: Judge, stages: Sequence[str], nearest: Solution, scale: int
) -> dict[str, Decision]:
    """Add one stage of the nearest after the other to the accepted one, and say why.

    The most certain first, but the blur before what imitates it or is a part of it: each
    that makes the distance smaller by more than chance.
    """
    decisions: dict[str, Decision] = {}
    for stage in sorted(stages, key=lambda one: one != "blur"):
        if not judge.has_time:
            break
        larger = _with(judge.accepted, stage, nearest)
        # Anisotropy, of a blur that was not added.
        if not has_stage(larger, stage, scale):
            decisions[stage] = replace(decisions["blur"], stage=stage)
            continue
        trial = judge.trial(larger)
        decisions[stage] = trial.decision_added(stage)
        if trial.nearer:
            judge.accept(trial)
    return decisions


def has_stage(solution: Solution, stage: str, scale: int) -> bool:
    """Return whether the options that a solution stands for have a stage."""
    if stage in NEUTRAL_CHOICES:
        chances = solution.choices[stage]
        if stage == "fields":  # only the most likely option is written
            return solution.best.choices[stage] != NEUTRAL_CHOICES[stage]
        least = ABSENT if stage == "last filter" else LIKELY
        others = [
            chance
            for option, chance in chances.items()
            if option != NEUTRAL_CHOICES[stage]
        ]
        return max(others, default=0.0) >= least
    found = solution.numbers[stage]
    neutral = NEUTRAL_PLACES[stage]
    if stage == "anisotropy":
        blurs = solution.numbers["blur"].high > NEUTRAL_PLACES["blur"]
        return blurs and (found.low, found.high) != (neutral, neutral)
    if stage == "motion" and NUMBER[stage].value(found.high) * scale < 1:
        return False
    return found.present >= ABSENT and found.high > neutral


def without(solution: Solution, stages: Sequence[str]) -> Solution:
    """Return a solution with some stages at what does nothing."""
    numbers = dict(solution.numbers)
    choices = dict(solution.choices)
    for stage in stages:
        if stage in NEUTRAL_CHOICES:
            choices[stage] = {NEUTRAL_CHOICES[stage]: 1.0}
            continue
        place = NEUTRAL_PLACES[stage]
        present = 0.0 if NUMBER[stage].none_share else 1.0
        numbers[stage] = NumberFound(place, place, place, present, 1.0)
    if "blur" in stages:
        numbers["anisotropy"] = without(solution, ["anisotropy"]).numbers["anisotropy"]
    return replace(solution, numbers=numbers, choices=choices)


def _with(solution: Solution, stage: str, nearest: Solution) -> Solution:
    """Return a solution with a stage as another has it."""
    if stage in NEUTRAL_CHOICES:
        choices = {**solution.choices, stage: nearest.choices[stage]}
        return replace(solution, choices=choices)
    numbers = {**solution.numbers, stage: nearest.numbers[stage]}
    return replace(solution, numbers=numbers)


def left_out_findings(
    found: Sequence[FoundParameter], decisions: Sequence[Decision]
) -> list[FoundParameter]:
    """Return what was found, with what was decided about each stage."""
    by_stage = {decision.stage: decision for decision in decisions}
    rows = []
    for row in found:
        decision = by_stage.get(row.name)
        if decision is None:
            rows.append(row)
        elif decision.kept:
            rows.append(replace(row, evidence=f"{row.evidence}; {decision.numbers}"))
        elif math.isnan(decision.chance):
            rows.append(replace(row, interval="left out: no time to judge it"))
        else:
            value = NEUTRAL_CHOICES.get(row.name, NONE)
            rows.append(
                FoundParameter(
                    row.name,
                    value,
                    f"left out: distance {decision.without:.3f}, "
                    f"with it {decision.with_it:.3f}",
                    f"by chance {decision.chance:.3f} more",
                )
            )
    return rows


def _certainty(solution: Solution, stage: str) -> float:
    """Return how sure the search is of a stage: the least sure is judged first."""
    if stage in NEUTRAL_CHOICES:
        return 1.0 - solution.choices[stage].get(NEUTRAL_CHOICES[stage], 0.0)
    found = solution.numbers[stage]
    return found.present if NUMBER[stage].none_share else max(0.0, found.explained)
