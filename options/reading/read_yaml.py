"""Reads yml into plain dicts, strictly: what PyYAML silently accepts is an error."""

import re
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.file_kinds import failed_download
from realesrgan_paddle.utils.files.regular import read_regular

HEADER_BYTES = 512
"""Enough of a file for `failed_download`, which looks at its first words."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; but a key cannot have two values, and 1e-4 is a number."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[str, Any]:
        """Return the mapping with text keys: the layers 2 and '2' are the same key."""
        first: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            earlier = first.setdefault(str(key_node.value), value_node)
            if earlier is value_node or self._value(earlier) == self._value(value_node):
                continue
            raise yaml.MarkedYAMLError(
                problem=f"the key {key_node.value!r} has another value than in line "
                f"{earlier.start_mark.line + 1}",
                problem_mark=key_node.start_mark,
            )

        mapping = super().construct_mapping(node, deep)
        return {str(key): value for key, value in mapping.items()}

    def _value(self, node: yaml.Node) -> Any:
        return self.construct_object(node, deep=True)


# YAML 1.1, which PyYAML follows, needs a dot and a sign in 1.0e-4; people and YAML 1.2
# write 1e-4.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str, source: str) -> Any:
    """Return the value of yml `text`.

    Raises:
        UserError: not valid yml; the message names `source` and the line.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}:" if mark else ""
        hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
        raise UserError(f"{source}:{line} {error.problem}{hint}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a value such as !!int x or 2020-13-45.
        reason = str(error).splitlines()[0]
        raise UserError(f"{source}: not valid yml: {reason}") from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a yml file, keys as text.

    Raises:
        UserError: the file is missing, is not UTF-8, is not YAML, holds no mapping, or
            gives one key two values.
    """
    path = Path(path)
    data = parse_yaml(_read_text(path), str(path))
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no 'key: value' lines")
    return data


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a yml file")
    if not path.exists():
        neighbors = [other.name for other in path.parent.glob("*.yml")]
        raise UserError(f"{path}: no such file{did_you_mean(path.name, neighbors)}")

    content = read_regular(path)
    if content and (kind := failed_download(content[:HEADER_BYTES])):
        raise UserError(f"{path}: {kind}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
