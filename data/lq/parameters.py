"""The degradations that are searched, as points of a unit cube and as options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

CODECS = ("none", "jpeg", "h264", "hevc", "mpeg2", "vp9")
"""The last compression."""
QUALITIES: Mapping[str, tuple[float, float]] = {
    "jpeg": (98, 20),
    "h264": (8, 44),
    "hevc": (14, 44),
    "mpeg2": (2, 28),
    "vp9": (18, 60),
}
"""Best and worst setting of each codec that is searched.

H.264 from 8 on: a stream of CRF 18 is most like a simulated one of 12 or less, for that has
few frames, which move by parts of a pixel (docs/degradation.md).
"""
QUALITY_KEYS: Mapping[str, str] = {
    "jpeg": "jpeg_range2",
    "h264": "h264_crf",
    "hevc": "hevc_crf",
    "mpeg2": "mpeg2_qscale",
    "vp9": "vp9_crf",
}
POISSON_LEVEL = 11.3
"""Noise of middle gray at a poisson scale of 1: sqrt(.5 / 256) * 255 [8-bit levels]."""


@dataclass(frozen=True)
class Number:
    """A parameter with a value between two limits."""

    name: str
    low: float
    high: float
    none_share: float = 0.0
    """Share of the draws that are 0: the degradation without this part."""
    power: float = 1.0
    """Values are spaced evenly in value**(1/power): above 1, small ones are denser."""
    needs: str | None = None
    """Another number that must not be 0 for this one to mean something."""
    of_codec: bool = False
    """It is a setting of the codec, and means something only where there is one."""

    def value(self, unit: np.ndarray | float) -> np.ndarray:
        """Return the value at a place in the unit interval; `low` below 0."""
        inside = np.clip(unit, 0, 1)
        share = inside**self.power
        span = self.high - self.low
        return self.low + share * span


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of some names."""

    name: str
    options: tuple[str, ...]
    prior: tuple[float, ...]


NUMBERS = (
    Number("blur", 0.05, 1.25),  # low-quality pixels
    Number("anisotropy", -0.9, 0.9),  # logarithm of horizontal over vertical blur
    Number("motion", 0, 4, none_share=0.8),  # low-quality pixels
    Number("noise", 0, 20, none_share=0.1, power=2),  # 8-bit levels
    Number("grain", 0, 1.2, needs="noise"),  # low-quality pixels
    Number("halo", 0, 1.6, none_share=0.5),  # of the detail
    Number("halo width", 0.6, 2.2, needs="halo"),  # low-quality pixels
    Number("quality", 0, 1, of_codec=True),  # of the codec's range
    Number("first JPEG", 0, 1, none_share=0.6),  # from quality 98 to 20
)
CHOICES = (
    Choice("scaler", ("area", "bilinear", "bicubic"), (0.34, 0.33, 0.33)),
    Choice("noise kind", ("gaussian", "poisson"), (0.5, 0.5)),
    Choice("noise color", ("color", "gray"), (0.5, 0.5)),
    Choice("codec", CODECS, (0.08, 0.32, 0.22, 0.18, 0.1, 0.1)),
    Choice("chroma", ("smooth", "sharp"), (0.6, 0.4)),
    Choice("fields", ("whole", "weave", "bob", "blend"), (0.79, 0.07, 0.07, 0.07)),
    Choice("last filter", ("none", "sinc"), (0.85, 0.15)),
)
NUMBER = {number.name: number for number in NUMBERS}
CHOICE = {choice.name: choice for choice in CHOICES}


@dataclass(frozen=True)
class Point:
    """One degradation: places of the numbers in the unit interval, and choices."""

    places: Mapping[str, float]
    choices: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Return whether a number means something in this degradation."""
        number = NUMBER[name]
        if number.of_codec:
            return self.choices["codec"] != "none"
        return number.needs is None or self.places[number.needs] > 0


@dataclass(frozen=True)
class Region:
    """Where degradations are drawn from: limits of places, and the chances of choices."""

    limits: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {number.name: (0.0, 1.0) for number in NUMBERS}
    )
    none_shares: Mapping[str, float] = field(
        default_factory=lambda: {number.name: number.none_share for number in NUMBERS}
    )
    chances: Mapping[str, Sequence[float]] = field(
        default_factory=lambda: {choice.name: choice.prior for choice in CHOICES}
    )

    def with_codecs(self, *codecs: str) -> "Region":
        """Return the region with these codecs only."""
        chances = [float(option in codecs) for option in CODECS]
        return replace(self, chances={**self.chances, "codec": chances})

    def draw(self, rng: np.random.Generator) -> Point:
        """Return a random degradation."""
        places = {}
        for name, (low, high) in self.limits.items():
            place = rng.uniform(low, high)
            is_none = rng.random() < self.none_shares[name]
            places[name] = 0.0 if is_none else place
        choices = {}
        for name, chances in self.chances.items():
            shares = np.array(chances) / np.sum(chances)
            choices[name] = str(rng.choice(CHOICE[name].options, p=shares))
        return Point(places, choices)

    def could_draw(self, point: Point) -> bool:
        """Return whether a degradation could have been drawn from here."""
        for choice in CHOICES:
            option = choice.options.index(point.choices[choice.name])
            if self.chances[choice.name][option] == 0:
                return False
        return all(
            self._could_have(number, point.places[number.name]) for number in NUMBERS
        )

    def _could_have(self, number: Number, place: float) -> bool:
        none_share = self.none_shares[number.name]
        if number.none_share and place == 0:
            return none_share > 0
        if number.none_share and none_share == 1:
            return False
        low, high = self.limits[number.name]
        return low <= place <= high


def codec_setting(codec: str, place: float) -> float:
    """Return the CRF, quantizer or JPEG quality at a place; NaN without a codec."""
    if codec not in QUALITIES:
        return float("nan")
    best, worst = QUALITIES[codec]
    return float(best + np.clip(place, 0, 1) * (worst - best))


def to_options(
    limits: Mapping[str, tuple[float, float]],
    choices: Mapping[str, str],
    scale: int,
) -> dict[str, Any]:
    """Return the options of make_lq_data.py for ranges of the numbers.

    Args:
        limits: lowest and highest place of each number.
        choices: one of the options of each choice.
        scale: factor by which the low-quality images are smaller.
    """
    ranges = {}
    for name, (low, high) in limits.items():
        number = NUMBER[name]
        ranges[name] = (float(number.value(low)), float(number.value(high)))
    options = _one_round()
    options["blur_sigma"] = _times(ranges["blur"], scale)
    options["blur_aspect"] = [float(np.exp(end)) for end in ranges["anisotropy"]]
    options["resize_modes2"] = [choices["scaler"]]
    options["final_sinc_prob"] = float(choices["last filter"] == "sinc")
    if ranges["motion"][1] * scale >= 1:
        low, high = _times(ranges["motion"], scale)
        options["motion_blur_prob"] = 1.0
        options["motion_blur_range"] = [max(1, low), max(1, high)]
    return (
        options
        | _noise_options(ranges["noise"], ranges["grain"], choices)
        | _halo_options(ranges)
        | _compression_options(limits, choices)
    )


def point_options(point: Point, scale: int) -> dict[str, Any]:
    """Return the options of make_lq_data.py for one degradation."""
    limits = {}
    for name, place in point.places.items():
        limits[name] = (place, place)
    return to_options(limits, point.choices, scale)


def _one_round() -> dict[str, Any]:
    """Return the options of a degradation that does nothing but downscale."""
    return {
        "gt_usm": False,
        "kernel_list": ["aniso"],
        "kernel_prob": [1.0],
        "sinc_prob": 0.0,
        "resize_prob": [0.0, 0.0, 1.0],
        "gaussian_noise_prob": 1.0,
        "noise_range": [0.0, 0.0],
        "jpeg_prob": 0.0,
        "second_blur_prob": 0.0,
        "resize_prob2": [0.0, 0.0, 1.0],
        "jpeg_prob2": 0.0,
    }


def _noise_options(
    levels: tuple[float, float],
    grain: tuple[float, float],
    choices: Mapping[str, str],
) -> dict[str, Any]:
    gaussian = choices["noise kind"] == "gaussian"
    options: dict[str, Any] = {
        "gaussian_noise_prob2": float(gaussian),
        "gray_noise_prob2": float(choices["noise color"] == "gray"),
    }
    if levels[1] > 0:
        options["grain_size2"] = list(grain)
    if gaussian:
        options["noise_range2"] = list(levels)
    else:
        options["poisson_scale_range2"] = _times(levels, 1 / POISSON_LEVEL)
    return options


def _halo_options(ranges: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    if ranges["halo"][1] == 0:
        return {}
    return {
        "halo_prob": 1.0,
        "halo_range": list(ranges["halo"]),
        "halo_sigma": list(ranges["halo width"]),
    }


def _compression_options(
    limits: Mapping[str, tuple[float, float]], choices: Mapping[str, str]
) -> dict[str, Any]:
    codec = choices["codec"]
    sharp = choices["chroma"] == "sharp"
    options: dict[str, Any] = {}
    if choices["fields"] != "whole":
        options["interlace_prob"] = 1.0
        options["interlace_list"] = [choices["fields"]]
    if codec != "none":
        ends = [codec_setting(codec, place) for place in limits["quality"]]
        options[QUALITY_KEYS[codec]] = sorted(ends)
    if codec == "jpeg":
        options["jpeg_prob2"] = 1.0
        options["jpeg_chroma_upsampling"] = "nearest" if sharp else "linear"
    elif codec != "none":
        options["video_prob"] = 1.0
        options["codec_list"] = [codec]
        options["codec_prob"] = [1.0]
        options["chroma_422_prob"] = float(sharp)
    if limits["first JPEG"][1] > 0:
        ends = [codec_setting("jpeg", place) for place in limits["first JPEG"]]
        options["jpeg_prob"] = 1.0
        options["jpeg_range"] = sorted(ends)
    return options


def _times(limits: tuple[float, float], factor: float) -> list[float]:
    low = limits[0] * factor
    high = limits[1] * factor
    return [low, high]
