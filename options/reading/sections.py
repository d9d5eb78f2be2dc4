"""The option models as a list of sections with their keys and JSON schemas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realesrgan_paddle.utils.field_types import Options

Schema = dict[str, Any]
"""A JSON schema, as pydantic makes it."""


@dataclass(frozen=True)
class OptionSection:
    """One group of keys: its dotted name ("" for the top level) and its JSON schema."""

    name: str
    schema: Schema

    @property
    def keys(self) -> dict[str, Schema]:
        """The section's keys, each with its JSON schema."""
        properties: dict[str, Schema] = self.schema["properties"]
        return properties

    def dotted(self, key: str) -> str:
        """Return the full name of one of the section's keys."""
        if not self.name:
            return key
        return f"{self.name}.{key}"


def sections(model: type[Options]) -> list[OptionSection]:
    """Return a model's sections in order; one of several types comes once for each."""
    schema = model.model_json_schema(mode="serialization")
    return sections_of(schema)


def sections_of(schema: Schema) -> list[OptionSection]:
    """Return the sections of a model's JSON schema; their schemas are parts of it."""
    definitions = schema.get("$defs", {})
    found = _walk("", schema, definitions)
    return list(found)


def _walk(
    name: str, schema: Schema, definitions: Mapping[str, Schema]
) -> Iterator[OptionSection]:
    section = OptionSection(name, schema)
    yield section

    inner = dict(section.keys)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        # Only `datasets` has keys of any name: the validation sets.
        inner["val"] = others

    for key, value in inner.items():
        dotted = section.dotted(key)
        if "additionalProperties" in value:
            dotted += ".<name>"
        for definition in _references(value):
            yield from _walk(dotted, definitions[definition], definitions)


def _references(schema: Any) -> Iterator[str]:
    """Yield the names of the definitions that a key's JSON schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for key, value in schema.items():
            if key not in ("default", "discriminator"):
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
