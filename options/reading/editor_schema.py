"""JSON schemas of the option files: editors complete, explain and check by them.

They accept what the loader accepts: other projects' spellings and ignored keys too. The
dialect is draft 7, the newest that yaml-language-server's releases all know.
"""

import json
from fnmatch import fnmatchcase
from typing import Any

from realesrgan_paddle.options.reading.other_projects import (
    BETAS,
    IGNORED_BY_ALL,
    IGNORED_BY_LQ,
    LAYER_NAMES,
    TOP_LEVEL,
    Reasons,
)
from realesrgan_paddle.options.reading.sections import Schema, Section, sections_of
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.options.schema.training import VGG19_LAYERS
from realesrgan_paddle.utils.field_types import Options

DRAFT = "http://json-schema.org/draft-07/schema#"
_LEFT_OUT = ("title", "discriminator")
"""Keywords of pydantic's schemas that repeat a key's name or its type's."""
_NAMED_SCHEMAS = ("properties", "patternProperties", "definitions")
"""Keywords whose value is a schema for each name."""


def editor_schemas() -> dict[str, str]:
    """Return the text of each schema file by its name."""
    schemas = {
        "train.schema.json": training_schema(),
        "generate_lq.schema.json": lq_schema(),
    }
    return {
        name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def training_schema() -> Schema:
    """Return the JSON schema of the option files of train.py."""
    schema = _input_schema(Config)
    found = sections_of(schema)
    by_name = {section.name: section for section in found}

    _name_validation_sets(by_name["datasets"])
    _accept_layer_numbers(by_name["train.perceptual_opt"])
    _accept_spellings(by_name)
    _accept_top_level_keys(by_name["datasets.train"])
    _accept_ignored(found, IGNORED_BY_ALL)
    return _draft7(schema)


def lq_schema() -> Schema:
    """Return the JSON schema of the option files of make_lq_data.py."""
    schema = _input_schema(LQConfig)
    _accept_ignored(sections_of(schema), IGNORED_BY_LQ)
    return _draft7(schema)


def _input_schema(model: type[Options]) -> Schema:
    schema = model.model_json_schema(mode="validation")
    del schema["properties"]["ignored"]  # the loader's, refused in a file
    return schema


def _name_validation_sets(datasets: Section) -> None:
    """Replace "keys of any name are validation sets" by the names they may have."""
    validation_set = datasets.schema["additionalProperties"]
    datasets.schema["patternProperties"] = {"^val(_|$)": validation_set}
    datasets.schema["additionalProperties"] = False


def _accept_layer_numbers(perceptual: Section) -> None:
    weights = perceptual.keys["layer_weights"]
    weights["propertyNames"] = {"enum": [*VGG19_LAYERS, *LAYER_NAMES]}
    weights["minProperties"] = 1


def _accept_spellings(by_name: dict[str, Section]) -> None:
    """Add the keys that `our_spelling` renames."""
    optimizer = by_name["train.optim_g"]
    decays = optimizer.keys["betas"]["prefixItems"]
    for i, key in enumerate(BETAS):
        other = {"description": f"PaddleGAN's spelling of betas[{i}]; give both."}
        optimizer.keys[key] = {**decays[i], **other}

    perceptual = by_name["train.perceptual_opt"]
    other = {"description": "PaddleGAN's spelling of range_norm."}
    perceptual.keys["norm_img"] = {**perceptual.keys["range_norm"], **other}


def _accept_top_level_keys(train: Section) -> None:
    """Add the top-level keys that the loader also accepts in datasets.train."""
    for key in TOP_LEVEL:
        train.keys[key] = {
            "$ref": f"#/properties/{key}",
            "description": f"Belongs to the top level: {key}.",
        }


def _accept_ignored(found: list[Section], reasons: Reasons) -> None:
    """Add the keys that have no effect, with any value."""
    for pattern, reason in reasons.items():
        parent, _, key = pattern.rpartition(".")
        for section in found:
            if fnmatchcase(section.name, parent):
                section.keys[key] = {"description": f"Ignored: {reason}."}


def _draft7(schema: Schema) -> Schema:
    """Return pydantic's schema (draft 2020-12) in the terms of draft 7."""
    return {"$schema": DRAFT, **_converted(schema)}


def _converted(schema: Schema) -> Schema:
    converted: Schema = {}
    for keyword, value in schema.items():
        if keyword in _LEFT_OUT:
            continue
        if keyword == "$defs":
            keyword = "definitions"
        elif keyword == "prefixItems":
            keyword = "items"
        elif keyword == "$ref":
            value = value.replace("#/$defs/", "#/definitions/")
        converted[keyword] = _converted_value(keyword, value)
    return converted


def _converted_value(keyword: str, value: Any) -> Any:
    if keyword in _NAMED_SCHEMAS:
        return {name: _converted(schema) for name, schema in value.items()}
    if keyword in ("anyOf", "oneOf") or (
        keyword == "items" and isinstance(value, list)
    ):
        return [_converted(schema) for schema in value]
    if keyword in ("items", "not", "additionalProperties") and isinstance(value, dict):
        return _converted(value)
    return value
