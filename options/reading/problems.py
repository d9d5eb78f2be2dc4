"""What pydantic found wrong with an option file, in the file's terms."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.schema.base import Options
from realesrgan_paddle.utils.errors import did_you_mean


def first_problem(
    error: ValidationError, model: type[Options], data: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the dotted key and one line on the first problem, with the number of the others."""
    found = error.errors(include_url=False)
    found.sort(
        key=lambda detail: detail["type"] != "extra_forbidden"
    )  # a misspelt key explains a missing one
    key, text = _problem(found[0], model, data)
    others = len(found) - 1
    return key, text + (
        f" (and {others} more problem{'s' * (others > 1)})" if others else ""
    )


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
    if isinstance(value, Mapping):
        return key, f"{key}: {_expected(detail)}" if key else _expected(detail)
    return key, f"{key!r} is {_shown(value)}, {_expected(detail)}"


def _expected(detail: ErrorDetails) -> str:
    """Return what is allowed, in our words where pydantic's speak of Python."""
    kind, context = detail["type"], detail.get("ctx", {})
    section = "expected a section of 'key: value' lines"
    words = {
        "union_tag_invalid": f"expected {context.get('expected_tags', '')}".replace(
            ", ", " or "
        ),
        "model_type": section,
        "model_attributes_type": section,
        "dict_type": section,
        "tuple_type": "expected a list",
        "too_long": f"expected {context.get('max_length')} entries",
        "string_too_short": "expected some text",
        "string_type": "expected text (in quotes where it looks like a number)",
        "int_from_float": "expected a whole number",
        "int_parsing": "expected a whole number",
        "int_type": "expected a whole number",
        "float_parsing": "expected a number",
        "float_type": "expected a number",
        "bool_parsing": "expected true or false",
        "bool_type": "expected true or false",
    }
    return words.get(kind) or detail["msg"].removeprefix("Value error, ").replace(
        "Input should be", "expected"
    )


def _dotted(loc: tuple[int | str, ...], data: Any) -> str:
    """Return where in the file a problem is, such as "datasets.train.blur_sigma[1]"."""
    key = ""
    for i, part in enumerate(loc):
        if isinstance(part, int):
            key += f"[{part}]"
        elif isinstance(data, Mapping) and part not in data and i < len(loc) - 1:
            continue  # pydantic names the chosen type of a network here
        else:
            key += f".{part}" if key else part
        data = data[part] if isinstance(data, Mapping) and part in data else None
    return key


def _suggestion(key: str, model: type[Options]) -> str:
    """Return where the key belongs, or "; did you mean ...?" from the keys of the same section, or else from all."""
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
    return did_you_mean(
        name, [known for section in beside for known in section.keys]
    ) or did_you_mean(name, [known for section in found for known in section.keys])


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
