"""The options of a run while `--recipe auto` chooses them, each for a reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from realesrgan_paddle.options.reading.load import check_options, merged
from realesrgan_paddle.options.schema.config import Config

MIN_ITERATIONS, MAX_ITERATIONS = 300, 100_000
"""Iterations that a recipe chooses.

The quickstart's network gains nothing after 300; the soccer project published its
network after 102,500.
"""
PLACEHOLDERS = {"train": {"total_iter": MIN_ITERATIONS, "optim_g": {"lr": 1e-4}}}
"""Required options, for checks before they are chosen."""

MISSING = object()
"""No value; None is one."""


@dataclass
class Plan:
    """The options so far, and a line for each that was chosen.

    Args:
        given: the user's own options; they stay.
        source: where most of them come from, for errors.
    """

    given: Mapping[str, Any]
    source: str
    lines: list[str] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """All options, checked: the chosen ones, overridden by the user's."""
        chosen = merged(PLACEHOLDERS, self.chosen)
        return check_options(merged(chosen, self.given), self.source)

    def gives(self, key: str) -> bool:
        """Return whether the user gave the dotted `key`, a value or a section."""
        return value_at(self.given, key, MISSING) is not MISSING

    def given_value(self, key: str) -> Any:
        """Return the user's value of the dotted `key`, or None."""
        return value_at(self.given, key, None)

    def value(self, key: str) -> Any:
        """Return the value of the dotted `key`, the user's or else the chosen one."""
        everything = merged(self.chosen, self.given)
        return value_at(everything, key, None)

    def choose(self, key: str, value: Any, reason: str) -> None:
        """Set the dotted `key` to `value`, unless the user gave it or a part of it."""
        given = value_at(self.given, key, MISSING)
        if given is MISSING:
            self.chosen = merged(self.chosen, nested(key, value))
            self.lines.append(f"{key}: {inline_yaml(value)}  ({reason})")
        elif given != value:
            self.lines.append(
                f"{key}: {inline_yaml(given)}  "
                f"(as given; the recipe's: {inline_yaml(value)}, {reason})"
            )


def value_at(options: Mapping[str, Any], key: str, default: Any) -> Any:
    """Return the value at a dotted key, or `default` if there is none."""
    value: Any = options
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return the options that have only `value`, at a dotted key."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def without_total(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without `train.total_iter`."""
    train = options.get("train")
    if not isinstance(train, Mapping):
        return dict(options)
    rest = {key: value for key, value in train.items() if key != "total_iter"}
    return {**options, "train": rest}


def inline_yaml(value: Any) -> str:
    """Return a value as yaml on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=math.inf, sort_keys=False
    )
    return text.removesuffix("...\n").strip()
