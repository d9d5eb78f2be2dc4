"""yml text to plain dicts, strictly: what PyYAML passes over in silence is an error here."""

import re
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.file_kinds import failed_download


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses one key with two values and reads 1e-4 as a number."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[str, Any]:
        """Return the mapping with its keys as text: the layers 2 and '2' are the same key."""
        first: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            earlier = first.setdefault(str(key_node.value), value_node)
            if earlier is not value_node and self._value(earlier) != self._value(
                value_node
            ):
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key_node.value!r} has another value than in line {earlier.start_mark.line + 1}",
                    problem_mark=key_node.start_mark,
                )
        return {
            str(key): value
            for key, value in super().construct_mapping(node, deep).items()
        }

    def _value(self, node: yaml.Node) -> Any:
        return self.construct_object(node, deep=True)


# YAML 1.1, which PyYAML follows, wants a dot and a sign in 1.0e-4; people and YAML 1.2
# write 1e-4.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str, source: str) -> Any:
    """Return what the yml `text` holds; a UserError names `source` and the line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}:" if mark else ""
        hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
        raise UserError(f"{source}:{line} {error.problem}{hint}") from None
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: such as !!int x, or 2020-13-45
        raise UserError(
            f"{source}: not valid yml: {str(error).splitlines()[0]}"
        ) from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a yml file, keys as text.

    Raises:
        UserError: the file is missing, is not UTF-8, is not YAML, holds no mapping, or
            gives one key two values.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a yml file")
    if not path.exists():
        raise UserError(
            f"{path}: no such file{did_you_mean(path.name, [p.name for p in path.parent.glob('*.yml')])}"
        )
    content = path.read_bytes()
    if content and (instead := failed_download(content[:512])):
        raise UserError(f"{path}: {instead}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    data = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no 'key: value' lines")
    return data
