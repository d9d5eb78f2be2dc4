"""The reference page of all options, docs/options.md, generated from the schema."""

import json
from collections import defaultdict
from typing import Any

from realesrgan_paddle.options.reading.ignored import (
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    IGNORED_BY_MODEL,
)
from realesrgan_paddle.options.reading.sections import Schema, Section, sections
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.synthesis import LQConfig

_HEAD = """# Options

<!-- Generated from options/ by `python tools/describe_options.py`; a test keeps it current. -->

`train.py --yml_path FILE` reads one yml file; `a.b=c` after it overrides a key, such as
`train.total_iter=1000`. The keys are those of BasicSR and Real-ESRGAN. A key without a default is
required; a section whose default is *none* is used when it is given. Unknown keys, wrong types and
values out of range are refused with the file and the key.

Other spellings are accepted: `gt_size`, `scale`, `manual_seed`, the `*_usm` switches and the
degradation keys inside `datasets.train` (they belong to the top level; two different values are
refused), `beta1` and `beta2` for `betas`, `norm_img` for `range_norm`, VGG layers by number (`'2'`
is `conv1_2`), `1e-4` and `!!float 5e3`.

Editors check the files as you type: the first line of each file of `options/` names a JSON schema
(`train.schema.json`, or `generate_lq.schema.json` for `make_lq_data.py`) with the descriptions,
types, choices and bounds below. VS Code needs its YAML extension, other editors need
yaml-language-server. In a copy of a file elsewhere, adapt the path in that line. Rules about
several keys, such as probabilities that sum to 1, are checked when the file is loaded.

Validation needs images and an interval:

    datasets:
      val:
        type: PairedImageDataset
        dataroot_gt: datasets/val/HR
        dataroot_lq: datasets/val/LR
    val:
      val_freq: 5000
"""
_LQ_HEAD = """## make_lq_data.py

`make_lq_data.py --yml_path FILE` takes the degradation keys of the top level and the kernel keys
of `datasets.train`, all on one level, and:
"""
_IGNORED_HEAD = """## Accepted and ignored

These keys have no effect; the log names those that a file has.
"""


def options_page() -> str:
    """Return docs/options.md."""
    parts = [_HEAD]
    for names, section in _grouped(sections(Config)):
        parts.append(_section_text(names, section))
    parts += [_LQ_HEAD, _table(_lq_keys(), set())]
    parts += [_IGNORED_HEAD, _ignored_table()]
    return "\n".join(parts)


def _grouped(found: list[Section]) -> list[tuple[list[str], Section]]:
    """Return each model once, with the names of all sections that it describes."""
    names = defaultdict(list)
    described = {}
    for section in found:
        model = section.schema["title"]
        names[model].append(section.name)
        described[model] = section
    return [(names[model], section) for model, section in described.items()]


def _lq_keys() -> dict[str, Schema]:
    """Return the keys that only make_lq_data.py has."""
    own = {}
    for key, schema in sections(LQConfig)[0].keys.items():
        if key in LQConfig.__annotations__:
            own[key] = schema
    return own


def _section_text(names: list[str], section: Section) -> str:
    title = ", ".join(f"`{name}`" for name in names) if section.name else "Top level"
    kind = section.keys.get("type", {}).get("const")
    if kind:
        title += f": {kind}"
    required = set(section.schema.get("required", ()))
    table = _table(section.keys, required)
    return f"## {title}\n\n{section.schema['description']}\n\n{table}"


def _table(keys: dict[str, Schema], required: set[str]) -> str:
    """Return a table of keys, the required ones first."""
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, schema in keys.items():
        if key in required:
            rows.append(_row(key, schema, default=""))
    for key, schema in keys.items():
        if key not in required:
            rows.append(_row(key, schema, _default(schema)))
    return "\n".join(rows) + "\n"


def _row(key: str, schema: Schema, default: str) -> str:
    allowed = _allowed(schema)
    meaning = schema["description"]
    return f"| `{key}` | {default} | {allowed} | {meaning} |"


def _default(schema: Schema) -> str:
    """Return a key's default, in short for a section; "" if it has none."""
    if "default" not in schema:
        return ""
    default = schema["default"]
    if default is None:
        return "*none*"
    if _allowed(schema).startswith("section"):
        return ", ".join(default) if "additionalProperties" in schema else ""
    return f"`{json.dumps(default)}`".replace('"', "")


def _allowed(schema: Schema) -> str:
    """Return in a few words what a key's JSON schema allows."""
    for choice in schema.get("anyOf", ()):
        if choice != {"type": "null"}:
            return _allowed(choice)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "$ref" in schema or "oneOf" in schema:
        return "section"
    if "prefixItems" in schema:
        items = schema["prefixItems"]
        return f"{len(items)} x {_allowed(items[0])}"
    return _allowed_of_type(schema)


def _allowed_of_type(schema: Schema) -> str:
    kind: str = schema["type"]
    if kind == "array":
        return f"list of {_allowed(schema['items'])}"
    if kind == "object":
        inner = _allowed(schema["additionalProperties"])
        if inner == "section":
            return "section for each name"
        return f"{inner} for each name"
    if kind == "string":
        return "text"
    if kind == "boolean":
        return "true, false"
    return kind + _range(schema)


def _range(schema: Schema) -> str:
    """Return the bounds of a number, such as " 0 to 1" or " >= 0, < 1"."""
    if "multipleOf" in schema:
        return f" from {schema['minimum']}, multiple of {schema['multipleOf']}"
    if "minimum" in schema and "maximum" in schema:
        return f" {schema['minimum']:g} to {schema['maximum']:g}"

    signs = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    bounds = [
        f"{sign} {schema[name]:g}" for name, sign in signs.items() if name in schema
    ]
    return " " + ", ".join(bounds) if bounds else ""


def _ignored_table() -> str:
    rows = ["| key | in | reason |", "|---|---|---|"]
    lists: dict[str, Any] = {
        "all": IGNORED_BY_ALL,
        **IGNORED_BY_MODEL,
        "make_lq_data.py": IGNORED_BY_LQ,
    }
    for where, reasons in lists.items():
        for key, reason in reasons.items():
            rows.append(f"| `{key}` | {where} | {reason} |")
    return "\n".join(rows) + "\n"
