"""yml file + overrides -> one frozen, checked options object, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from realesrgan_paddle.options.reading.ignored import (
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    IGNORED_BY_MODEL,
    Reasons,
    ignored_keys,
    without,
)
from realesrgan_paddle.options.reading.problems import first_problem
from realesrgan_paddle.options.reading.read_yaml import parse_yaml, read_yaml
from realesrgan_paddle.options.reading.spellings import our_spelling
from realesrgan_paddle.options.schema.config import Config, LQConfig
from realesrgan_paddle.utils.errors import UserError

Model = TypeVar("Model", Config, LQConfig)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Return the options of train.py from a yml file and `a.b=c` overrides, which win.

    Raises:
        UserError: one line with the file, the key, what was found and what is allowed.
    """
    return check_options(given_options(path, overrides), path, overrides)


def given_options(
    path: str | Path | None, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a yml file, if there is one, and the overrides say, unchecked but in the schema's spelling."""
    file = our_spelling(read_yaml(path), str(path)) if path is not None else {}
    return merged(file, our_spelling(_changes(overrides), "overrides"))


def check_options(
    data: Mapping[str, Any], path: str | Path, overrides: Sequence[str] = ()
) -> Config:
    """Return the options of train.py out of `data`; errors name `path`, and as `load_config`'s."""
    by_model = IGNORED_BY_MODEL.get(str(data.get("model_type")), {})
    return _checked(Config, data, {**IGNORED_BY_ALL, **by_model}, path, overrides)


def load_lq_config(path: str | Path, overrides: Sequence[str] = ()) -> LQConfig:
    """Return the options of make_lq_data.py; as `load_config`."""
    return _checked(
        LQConfig,
        merged(read_yaml(path), _changes(overrides)),
        IGNORED_BY_LQ,
        path,
        overrides,
    )


def dump_config(config: Config | LQConfig, *, defaults: bool = True) -> str:
    """Return the options as yml text that loads as the same options: every key, or those that were given."""
    data = config.model_dump(mode="json", exclude_unset=not defaults)
    return yaml.safe_dump(
        data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120
    )


def config_differences(old: Config, new: Config) -> list[str]:
    """Return "key: old -> new" for each key that differs, in the order of the schema."""
    before, after = (
        _flat(old.model_dump(mode="json")),
        _flat(new.model_dump(mode="json")),
    )
    keys = dict.fromkeys([*before, *after])
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _checked(
    model: type[Model],
    data: Mapping[str, Any],
    reasons: Reasons,
    path: str | Path,
    overrides: Sequence[str],
) -> Model:
    ignored = dict(ignored_keys(data, reasons))
    kept = without(data, ignored)
    try:
        if "ignored" in kept:
            raise UserError(f"{path}: unknown key 'ignored'")
        return model.model_validate({**kept, "ignored": ignored})
    except ValidationError as error:
        key, text = first_problem(error, model, kept)
        given = next(
            (
                o
                for o in overrides
                if key and key.partition("[")[0] == o.partition("=")[0]
            ),
            "",
        )
        raise UserError(
            f"{path}: {text}" + (f" (given as {given!r})" if given else "")
        ) from None


def _changes(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the `a.b=c` overrides as nested mappings; c is yml."""
    changes: dict[str, Any] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not all(key.split(".")):
            raise UserError(
                f"override {override!r}: expected key=value, such as train.total_iter=1000"
            )
        nested = parse_yaml(value, f"override {override!r}")
        for name in reversed(key.split(".")):
            nested = {name: nested}
        changes = merged(changes, nested)
    return changes


def merged(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `data` with `changes` put in, section by section."""
    result = dict(data)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = (
            merged(inner, value)
            if isinstance(inner, Mapping) and isinstance(value, Mapping)
            else value
        )
    return result


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, Mapping)
            else {prefix + key: value}
        )
    return flat
