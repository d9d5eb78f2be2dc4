"""yml file + overrides -> one frozen, checked options object, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from realesrgan_paddle.options.reading.other_projects import (
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    IGNORED_BY_MODEL,
    Reasons,
    ignored_keys,
    our_spelling,
    without,
)
from realesrgan_paddle.options.reading.problems import first_problem
from realesrgan_paddle.options.reading.read_yaml import parse_yaml, read_yaml
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import UserError

Model = TypeVar("Model", Config, LQConfig)

YML_WIDTH = 120
"""Columns at which written yml wraps its lists."""


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the options of train.py from a yml file and `a.b=c` overrides, which win.

    Raises:
        UserError: one line with the file, the key, what was found and what is allowed.
    """
    given = given_options(path, overrides)
    return check_options(given, path, overrides)


def given_options(
    path: str | Path | None, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a yml file (None: none) and the overrides give, unchecked.

    Keys are spelled as the schema spells them.
    """
    file: dict[str, Any] = {}
    if path is not None:
        file = our_spelling(read_yaml(path), str(path))
    changes = our_spelling(_changes(overrides), "overrides")
    return merged(file, changes)


def check_options(
    data: Mapping[str, Any], path: str | Path, overrides: Sequence[str] = ()
) -> Config:
    """Return the options of train.py from `data`, spelled as the schema spells them.

    Raises:
        UserError: as `load_config`; the message names `path`.
    """
    by_model = IGNORED_BY_MODEL.get(str(data.get("model_type")), {})
    return _checked(Config, data, {**IGNORED_BY_ALL, **by_model}, path, overrides)


def load_lq_config(path: str | Path, overrides: Sequence[str] = ()) -> LQConfig:
    """Return the options of make_lq_data.py; as `load_config`."""
    file = read_yaml(path)
    changes = _changes(overrides)
    data = merged(file, changes)
    return _checked(LQConfig, data, IGNORED_BY_LQ, path, overrides)


def dump_config(config: Config | LQConfig, *, defaults: bool = True) -> str:
    """Return the options as yml text that loads as the same options.

    It has every key that has an effect, or without `defaults` those that were given.
    """
    data = config.model_dump(mode="json", exclude_unset=not defaults)
    by_model = IGNORED_BY_MODEL.get(str(data.get("model_type")), {})
    data = without(data, dict(ignored_keys(data, by_model)))
    return yaml.safe_dump(
        data,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=YML_WIDTH,
    )


def config_differences(old: Config, new: Config) -> list[str]:
    """Return "key: old -> new" for each key that differs, in the schema's order."""
    before = _flat(old.model_dump(mode="json"))
    after = _flat(new.model_dump(mode="json"))
    differences = []
    for key in dict.fromkeys([*before, *after]):
        was, is_now = before.get(key), after.get(key)
        if was != is_now:
            differences.append(f"{key}: {was} -> {is_now}")
    return differences


def merged(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `data` with `changes` put in, section by section."""
    result = dict(data)
    for key, value in changes.items():
        inner = result.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            result[key] = merged(inner, value)
        else:
            result[key] = value
    return result


def _checked(
    model: type[Model],
    data: Mapping[str, Any],
    reasons: Reasons,
    path: str | Path,
    overrides: Sequence[str],
) -> Model:
    """Return `data` as a `model`, less the keys that have no effect."""
    ignored = dict(ignored_keys(data, reasons))
    kept = without(data, ignored)
    if "ignored" in kept:
        raise UserError(f"{path}: unknown key 'ignored'")
    try:
        return model.model_validate({**kept, "ignored": ignored})
    except ValidationError as error:
        key, text = first_problem(error, model, kept)
        raise UserError(f"{path}: {text}{_given_as(key, overrides)}") from None


def _given_as(key: str, overrides: Sequence[str]) -> str:
    """Return " (given as 'a.b=c')" for the override that gave `key`, or nothing."""
    name = key.partition("[")[0]  # "blur_sigma" of "blur_sigma[1]"
    for override in overrides:
        if key and override.partition("=")[0] == name:
            return f" (given as {override!r})"
    return ""


def _changes(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the `a.b=c` overrides as nested mappings; c is yml."""
    changes: dict[str, Any] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        names = key.split(".")
        if not equals or not all(names):
            raise UserError(
                f"override {override!r}: expected key=value, "
                "such as train.total_iter=1000"
            )
        nested = parse_yaml(value, f"override {override!r}")
        for name in reversed(names):
            nested = {name: nested}
        changes = merged(changes, nested)
    return changes


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested options as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
