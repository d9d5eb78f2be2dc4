"""The reference page of all options, docs/options.md, made from the schema."""

import json
from typing import Any

from realesrgan_paddle.options.reading.ignored import (
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    IGNORED_BY_MODEL,
)
from realesrgan_paddle.options.reading.sections import Section, sections
from realesrgan_paddle.options.schema.config import Config, LQConfig

_HEAD = """# Options

<!-- Made by `python tools/describe_options.py` from options/; a test keeps it current. -->

`train.py --yml_path FILE` reads one yml file; `a.b=c` behind it changes a key, such as `train.total_iter=1000`. The
keys are those of BasicSR and Real-ESRGAN. A key without a default must be given; a section whose default is *none* is
used when it is there. Unknown keys, wrong types and values out of range are refused with the file and the key.

Also understood: `gt_size`, `scale`, `manual_seed`, the `*_usm` switches and the degradation keys inside
`datasets.train` (they belong to the top level; two different values are refused), `beta1` and `beta2` for `betas`,
`norm_img` for `range_norm`, VGG layers by number (`'2'` is `conv1_2`), `1e-4` and `!!float 5e3`.

Validation needs images and a rhythm:

    datasets:
      val:
        type: PairedImageDataset
        dataroot_gt: datasets/val/HR
        dataroot_lq: datasets/val/LR
    val:
      val_freq: 5000
"""


def options_page() -> str:
    """Return docs/options.md."""
    parts = [
        _HEAD,
        *(
            _section_text(names, section)
            for names, section in _grouped(sections(Config))
        ),
    ]
    own = {
        key: value
        for key, value in sections(LQConfig)[0].keys.items()
        if key in LQConfig.__annotations__
    }
    parts.append(
        "## make_lq_data.py\n\n`make_lq_data.py --yml_path FILE` takes the degradation keys of the top level and the "
        "kernel keys of `datasets.train`, all on one level, and:\n\n"
        + _table(own, set())
    )
    parts.append(
        "## Accepted and ignored\n\nThe log names those that a file has.\n\n"
        + _ignored_table()
    )
    return "\n".join(parts)


def _grouped(found: list[Section]) -> list[tuple[list[str], Section]]:
    """Return each kind of section once, with all the names under which it appears."""
    kinds: dict[str, tuple[list[str], Section]] = {}
    for section in found:
        kinds.setdefault(section.schema["title"], ([], section))[0].append(section.name)
    return list(kinds.values())


def _section_text(names: list[str], section: Section) -> str:
    title = ", ".join(f"`{name}`" for name in names) if section.name else "Top level"
    kind = section.keys.get("type", {}).get("const")
    heading = f"## {title}" + (f": {kind}" if kind else "")
    required = set(section.schema.get("required", ()))
    return f"{heading}\n\n{section.schema['description']}\n\n{_table(section.keys, required)}"


def _table(keys: dict[str, dict[str, Any]], required: set[str]) -> str:
    """Return a table of keys, those without a default first."""
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key in sorted(keys, key=lambda key: key not in required):
        schema = keys[key]
        default = "" if key in required or "default" not in schema else _default(schema)
        rows.append(
            f"| `{key}` | {default} | {_allowed(schema)} | {schema['description']} |"
        )
    return "\n".join(rows) + "\n"


def _default(schema: dict[str, Any]) -> str:
    default = schema["default"]
    if default is None:
        return "*none*"
    if _allowed(schema).startswith("section"):
        return ", ".join(default) if "additionalProperties" in schema else ""
    return f"`{json.dumps(default)}`".replace('"', "")


def _allowed(schema: dict[str, Any]) -> str:
    """Return in a few words what a key's JSON schema allows."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if kinds:
        return _allowed(kinds[0])
    if "const" in schema or "enum" in schema:
        return ", ".join(
            f"`{value}`" for value in schema.get("enum", [schema.get("const")])
        )
    if "$ref" in schema or "oneOf" in schema:
        return "section"
    if "prefixItems" in schema:
        return f"{len(schema['prefixItems'])} x {_allowed(schema['prefixItems'][0])}"
    kind = schema["type"]
    if kind == "array":
        return f"list of {_allowed(schema['items'])}"
    if kind == "object":
        inner = _allowed(schema["additionalProperties"])
        return (
            "section for each name" if inner == "section" else f"{inner} for each name"
        )
    return {"string": "text", "boolean": "true, false"}.get(kind) or kind + _range(
        schema
    )


def _range(schema: dict[str, Any]) -> str:
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
    lists = {
        "all": IGNORED_BY_ALL,
        **IGNORED_BY_MODEL,
        "make_lq_data.py": IGNORED_BY_LQ,
    }
    rows += [
        f"| `{key}` | {where} | {reason} |"
        for where, reasons in lists.items()
        for key, reason in reasons.items()
    ]
    return "\n".join(rows) + "\n"
