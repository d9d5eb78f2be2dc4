"""What the search found, the options that it stands for, and the evidence for each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realesrgan_paddle.data.lq.parameters import (
    NUMBER,
    Point,
    codec_setting,
    to_options,
)

COVERAGE = 0.9
"""Chance with which an interval is meant to hold the truth."""
ABSENT, PRESENT = 0.1, 0.9
"""Chances of a part below which it counts as absent, and above which as present."""
WIDE = 0.6
"""Intervals of at least this share of what is searched say nothing."""
CERTAIN = 0.75
"""Chance from which a choice counts as identified."""
HALF_RANGE = 0.15
"""Half of the range that is written where nothing is known [shares]."""
LIKELY = 0.25
"""Choices of at least this chance are written, where several can be."""
NONE = "none"
"""Said of what is not written."""
NOISE_CHOICES = ("noise kind", "noise color")
"""Choices that mean nothing without noise."""


@dataclass(frozen=True)
class NumberFound:
    """A number: places in its searched range, 0 to 1."""

    place: float
    low: float
    high: float
    present: float
    """Chance that it is not 0; 1 where it always is."""
    explained: float
    """Share of its variance that the statistics explain, at most 1."""
    limits: tuple[float, float] = (0.0, 1.0)
    """Between which it is searched in the next round."""


@dataclass(frozen=True)
class Solution:
    """What the search found."""

    numbers: Mapping[str, NumberFound]
    choices: Mapping[str, Mapping[str, float]]
    """The chance of each option of each choice."""
    outlying: float
    """Distance of the real statistics from the nearest tried, in typical distances."""
    tried: int
    """Degradations that were tried."""
    nearest: Sequence[Point] = ()
    """Those of them whose statistics are nearest the real ones, the nearest first."""

    @property
    def best(self) -> Point:
        """The most likely degradation."""
        choices = {}
        for name, chances in self.choices.items():
            choices[name] = max(chances, key=lambda option: chances[option])
        places = {}
        for name, number in self.numbers.items():
            places[name] = number.place if number.present >= 0.5 else 0.0
        return Point(places, choices)


@dataclass(frozen=True)
class FoundParameter:
    """What was found about one parameter."""

    name: str
    value: str
    """As it is written."""
    interval: str
    """Of the search. Or "not identifiable", and what cannot be told apart."""
    evidence: str

    def __str__(self) -> str:
        """Return a line of the table."""
        found = f"{self.name:13}{self.value:26}"
        certainty = f"{self.interval:44}{self.evidence}"
        return found + certainty


def solution_options(solution: Solution, scale: int) -> dict[str, Any]:
    """Return the options of make_lq_data.py that a solution stands for.

    Ranges are its intervals; what may or may not be there has its chance.
    """
    limits = written_limits(solution)
    choices = solution.best.choices
    options = to_options(limits, choices, scale)

    chances = solution.choices
    options["resize_modes2"] = written_choices(solution, "scaler")
    options["gray_noise_prob2"] = _chance(chances["noise color"].get("gray", 0.0))
    options["final_sinc_prob"] = _chance(chances["last filter"].get("sinc", 0.0))
    if "chroma_422_prob" in options:
        options["chroma_422_prob"] = _chance(chances["chroma"].get("sharp", 0.0))

    present = {
        "halo_prob": "halo",
        "motion_blur_prob": "motion",
        "jpeg_prob": "first JPEG",
    }
    for key, name in present.items():
        if options.get(key):
            options[key] = _chance(solution.numbers[name].present)
    whole = chances["fields"].get("whole", 0.0)
    if "interlace_prob" in options:
        options["interlace_prob"] = _chance(1 - whole)
    return {key: _rounded(value) for key, value in options.items()}


def written_limits(solution: Solution) -> dict[str, tuple[float, float]]:
    """Return the range of places that is written of each number."""
    limits = {}
    for name, found in solution.numbers.items():
        limits[name] = _limits(found)
    if solution.numbers["noise"].present <= PRESENT:  # it has no probability
        limits["noise"] = (0.0, limits["noise"][1])
    return limits


def written_choices(solution: Solution, name: str) -> list[str]:
    """Return the options of a choice that are written, the first if one must do."""
    chances = solution.choices[name]
    best = solution.best.choices[name]
    least = {"scaler": LIKELY, "noise color": ABSENT, "last filter": ABSENT}
    if solution.best.choices["codec"] != "jpeg":  # its chroma has no probability
        least["chroma"] = ABSENT
    if name not in least:
        return [best]
    return [option for option in chances if chances[option] >= least[name]] or [best]


def findings(
    written: Solution, scale: int, searched: Solution | None = None
) -> list[FoundParameter]:
    """Return what is written of each parameter, and what the search found of it.

    Args:
        written: whose `solution_options` are written.
        scale: factor by which the real images are smaller.
        searched: what the search found; None: what is written.
    """
    searched = searched or written
    codec = written.best.choices["codec"]
    limits = written_limits(written)
    rows = []
    for name, chances in searched.choices.items():
        if name in NOISE_CHOICES and limits["noise"][1] == 0:
            continue
        if name == "chroma" and codec == "none":
            continue
        rows.append(_choice(name, written_choices(written, name), chances))
    for name, found in searched.numbers.items():
        number = NUMBER[name]
        if number.of_codec and codec == "none":
            continue
        if number.needs and limits[number.needs][1] == 0:
            continue
        value = _value(name, limits[name], codec, scale)
        if 0 < written.numbers[name].present <= PRESENT and value != NONE:
            value = _in_some(name, value, written.numbers[name].present)
        rows.append(_number(name, value, found, codec, scale))
    return rows


def is_identified(found: NumberFound) -> bool:
    """Return whether the interval is clearly narrower than what was searched."""
    return found.high - found.low < WIDE


def _choice(
    name: str, values: Sequence[str], chances: Mapping[str, float]
) -> FoundParameter:
    percent = ", ".join(
        f"{option} {chance:.0%}"
        for option, chance in sorted(chances.items(), key=lambda item: -item[1])
        if chance >= 0.05
    )
    interval = "identified"
    if max(chances.values()) < CERTAIN:
        best = max(chances, key=lambda option: chances[option])
        others = [option for option, chance in chances.items() if chance >= LIKELY]
        interval = f"not identifiable: {' or '.join(others or [best])}"
    value = " or ".join(values)
    return FoundParameter(name, value, interval, f"chances: {percent}")


def _number(
    name: str, value: str, found: NumberFound, codec: str, scale: int
) -> FoundParameter:
    number = NUMBER[name]
    low, high = (_text(name, place, codec, scale) for place in (found.low, found.high))
    ends = f"{low} to {high}"
    if found.present < ABSENT:
        evidence = f"present: {found.present:.0%}"
        return FoundParameter(name, value, "identified", evidence)
    interval = f"{COVERAGE:.0%}: {ends}"
    if not is_identified(found):
        interval = f"not identifiable: {ends}"
    evidence = f"explained {max(0.0, found.explained):.0%}"
    if number.none_share and found.present <= PRESENT:
        interval = f"not identifiable: none, or {ends}"
        evidence += f", present: {found.present:.0%}"
    return FoundParameter(name, value, interval, evidence)


def _value(name: str, limits: tuple[float, float], codec: str, scale: int) -> str:
    """Return a range as it is written, in the units of its option."""
    number = NUMBER[name]
    if number.none_share and limits[1] == 0:
        return NONE
    if name == "motion" and number.value(limits[1]) * scale < 1:  # shorter than a pixel
        return NONE
    low, high = (_text(name, place, codec, scale) for place in limits)
    return low if low == high else f"{low} to {high}"


def _in_some(name: str, value: str, chance: float) -> str:
    """Return the value of a part that is not in all images; noise goes from 0 on."""
    return value if name == "noise" else f"{value}, in {chance:.0%}"


def _text(name: str, place: float, codec: str, scale: int) -> str:
    """Return a value in the units of its option."""
    if name == "quality":
        return f"{codec_setting(codec, place):.0f}"
    if name == "first JPEG":
        return f"{codec_setting('jpeg', place):.0f}"
    value = float(NUMBER[name].value(place))
    if name == "anisotropy":
        return f"{math.exp(value):.2f}"
    if name in ("blur", "motion"):
        value *= scale
    return f"{value:.2f}"


def _limits(found: NumberFound) -> tuple[float, float]:
    """Return the range of places that is written of a number."""
    if found.present < ABSENT:
        return 0.0, 0.0
    if is_identified(found):
        return found.low, found.high
    return max(0.0, found.place - HALF_RANGE), min(1.0, found.place + HALF_RANGE)


def _chance(chance: float) -> float:
    """Return a chance, 0 or 1 where it is nearly certain."""
    if chance < ABSENT:
        return 0.0
    return 1.0 if chance > PRESENT else chance


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(part) for part in value]
    return value
