"""Turns pydantic's errors into one line in the terms of the option file."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.utils.errors import did_you_mean
from realesrgan_paddle.utils.field_types import Options

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

    The keys of the same section are tried first, then those of all sections.
    """
    parent, _, name = key.rpartition(".")
    found = sections(model)
    beside = [section for section in found if section.name == parent]

    types = [
        section.keys["type"]["const"] for section in beside if name in section.keys
    ]
    if types:
        return f", it belongs to type {' or '.join(types)}"
    elsewhere = [section.dotted(name) for section in found if name in section.keys]
    if elsewhere:
        return f"; did you mean {elsewhere[0]!r}?"

    near = [known for section in beside for known in section.keys]
    anywhere = [known for section in found for known in section.keys]
    return did_you_mean(name, near) or did_you_mean(name, anywhere)


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return text[: LONGEST_VALUE - 3] + "..."
