"""The options of a run while they are chosen: the user's stay, each other has a reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.data.sets.made_folders import (
    list_of_set,
    scale_of_set,
    validation_of_set,
)
from realesrgan_paddle.options.reading.load import check_options, given_options, merged
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

    Lines of options are indented: details, for the log and not for the screen.

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
        name = f"  {key}: "
        self.lines = [line for line in self.lines if not line.startswith(name)]
        given = value_at(self.given, key, MISSING)
        if given is MISSING:
            self.chosen = merged(self.chosen, nested(key, value))
            self.lines.append(f"{name}{inline_yaml(value)}  ({reason})")
        elif given != value:
            self.lines.append(
                f"{name}{inline_yaml(given)}  "
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


def load_training(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[Config, list[str]]:
    """Return the options of a training as `load_config`, completed by its set.

    Returns:
        The options, and a line for each that the set brought.

    Raises:
        UserError: as `load_config`, or the set was not built to its end.
    """
    given = given_options(path, overrides)
    plan = Plan(given, str(path))
    choose_set_parts(plan, check_options(given, path, overrides))
    completed = merged(plan.chosen, given)
    return check_options(completed, path, overrides), plan.lines


def choose_set_parts(plan: Plan, cfg: Config) -> None:
    """Choose list and validation images if `dataroot_gt` is a set of build_domain_set.

    What the user gave stays. Given pairs name their own files.

    Args:
        plan: gets the options.
        cfg: those so far.
    """
    train = cfg.datasets.train
    root = Path(train.dataroot_gt)
    listed = list_of_set(root) if cfg.high_order_degradation else None
    if listed is None:
        return
    if train.meta_info is None:
        reason = "the set's list: its training images and no others"
        plan.choose("datasets.train.meta_info", str(listed), reason)

    validation = validation_of_set(root)
    if validation is None or cfg.val is None or cfg.datasets.validation:
        return
    scale = scale_of_set(root)
    if scale != cfg.scale:
        plan.lines.append(
            f"{root}: its validation images are for x{scale} and not used, because this "
            f"trains x{cfg.scale}"
        )
        return
    hr, lr = map(str, validation)
    section = {"type": "PairedImageDataset", "dataroot_gt": hr, "dataroot_lq": lr}
    plan.choose("datasets.val", section, "the set's: of other views than its list")
