"""yml file + overrides -> one frozen, checked options object, and back.

What pydantic refuses is said in one line, in the terms of the option file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from realesrgan_paddle.options.reading.other_projects import (
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    IGNORED_BY_MODEL,
    Reasons,
    ignored_keys,
    our_spelling,
    without,
)
from realesrgan_paddle.options.reading.read_yaml import parse_yaml, read_yaml
from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.field_types import Options

Model = TypeVar("Model", Config, LQConfig)

YML_WIDTH = 120
"""Columns at which written yml wraps its lists."""
LONGEST_VALUE = 60
"""Characters of a wrong value that a message repeats."""
_SECTION = "expected a section of 'key: value' lines"
_WHOLE_NUMBER = "expected a whole number"
_NUMBER = "expected a number"
_SWITCH = "expected true or false"
_EXPECTED = {
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "dict_type": _SECTION,
    "tuple_type": "expected a list",
    "string_too_short": "expected some text",
    "string_type": "expected text (in quotes where it looks like a number)",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_type": _WHOLE_NUMBER,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
}
"""What is allowed, for the kinds of error whose pydantic message is about Python."""


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


def first_problem(
    error: ValidationError, model: type[Options], data: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the dotted key and a line on the first problem and the number of others.

    Unknown keys come first: a misspelt key explains a missing one.
    """
    found = error.errors(include_url=False)
    found.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    key, text = _problem(found[0], model, data)

    others = len(found) - 1
    if others:
        text += f" (and {others} more problem{'s' if others > 1 else ''})"
    return key, text


def _problem(
    detail: ErrorDetails, model: type[Options], data: Mapping[str, Any]
) -> tuple[str, str]:
    key = _dotted(detail["loc"], data)
    kind, value = detail["type"], detail["input"]

    if kind == "extra_forbidden":
        return key, f"unknown key {key!r}{_suggestion(key, model)}"
    if kind == "missing" and isinstance(detail["loc"][-1], int):
        key = key.rpartition("[")[0]
        return key, f"{key!r} is {_shown(value)}, expected more entries"
    if kind == "missing":
        return key, f"missing key {key!r}"
    if kind == "union_tag_not_found":
        return key, f"missing key '{key}.type'"

    if kind == "union_tag_invalid":
        key, value = f"{key}.type", detail["ctx"]["tag"]
    expected = _expected(detail)
    if isinstance(value, Mapping):
        return key, f"{key}: {expected}" if key else expected
    return key, f"{key!r} is {_shown(value)}, {expected}"


def _expected(detail: ErrorDetails) -> str:
    """Return what is allowed."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "union_tag_invalid":
        return f"expected {context['expected_tags']}".replace(", ", " or ")
    if kind == "too_long":
        return f"expected {context['max_length']} entries"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = detail["msg"].removeprefix("Value error, ")
    return message.replace("Input should be", "expected")


def _dotted(loc: tuple[int | str, ...], data: Any) -> str:
    """Return a problem's place in the file, such as "datasets.train.blur_sigma[1]"."""
    key = ""
    last = len(loc) - 1
    for i, part in enumerate(loc):
        known = isinstance(data, Mapping) and part in data
        if isinstance(part, int):
            key += f"[{part}]"
        elif isinstance(data, Mapping) and not known and i < last:
            continue  # pydantic adds the chosen type of a network here
        else:
            key += f".{part}" if key else part
        data = data[part] if known else None
    return key


def _suggestion(key: str, model: type[Options]) -> str:
    """Return where an unknown key belongs, or "; did you mean ...?", or nothing.

    Tried are a key of this name further down, one like it beside, and then everywhere.
    """
    parent, dot, name = key.rpartition(".")
    found = sections(model)
    beside = [section for section in found if section.name == parent]

    types = [
        section.keys["type"]["const"] for section in beside if name in section.keys
    ]
    if types:
        return f", it belongs to type {' or '.join(types)}"
    elsewhere = [section.dotted(name) for section in found if name in section.keys]
    below = [known for known in elsewhere if known.startswith(parent + dot)]
    if below:
        return f"; did you mean {below[0]!r}?"

    near = [known for section in beside for known in section.keys]
    if suggested := did_you_mean(name, near):
        return suggested
    if elsewhere:
        return f"; did you mean {elsewhere[0]!r}?"
    return did_you_mean(name, [known for section in found for known in section.keys])


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return text[: LONGEST_VALUE - 3] + "..."
