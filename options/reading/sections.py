"""The schema as data: what the error messages suggest from and the reference page is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from realesrgan_paddle.options.schema.base import Options


@dataclass(frozen=True)
class Section:
    """One group of keys: its dotted name ("" for the top level) and its JSON schema."""

    name: str
    schema: dict[str, Any]

    @property
    def keys(self) -> dict[str, dict[str, Any]]:
        """The section's keys and the JSON schema of each."""
        return self.schema["properties"]

    def dotted(self, key: str) -> str:
        """Return the full name of one of the section's keys."""
        return f"{self.name}.{key}" if self.name else key


def sections(model: type[Options]) -> list[Section]:
    """Return the sections of an option file in order; a section with several types comes once for each."""
    schema = model.model_json_schema(mode="serialization")
    return list(_walk("", schema, schema.get("$defs", {})))


def _walk(
    name: str, schema: dict[str, Any], definitions: dict[str, Any]
) -> Iterator[Section]:
    section = Section(name, schema)
    yield section
    inner = dict(section.keys)
    if isinstance(schema.get("additionalProperties"), dict):
        inner["val"] = schema[
            "additionalProperties"
        ]  # only `datasets` has keys of any name, and they are val sets
    for key, value in inner.items():
        dotted = section.dotted(key) + (
            ".<name>" if "additionalProperties" in value else ""
        )
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
