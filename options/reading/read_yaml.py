"""Reads yml into plain dicts, strictly: what PyYAML silently accepts is an error.

A yml file is small, but may ask for much: PyYAML reads some 50 kB a second, aliases
repeat what they name, and merge keys (`<<`) repeat it again. So the size, the depth
and what the aliases make of the file are bounded before values are made.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.files import failed_download, read_regular

SHIPPED = Path(__file__).resolve().parents[1]
"""Folder of the option files that come with the project, in a checkout and installed."""

HEADER_BYTES = 512
"""Enough of a file for `failed_download`, which looks at its first words."""

MAX_BYTES = 64_000
"""Of a yml file; the `config.yml` of a run, with every option, has 4,300."""

MAX_DEPTH = 12
"""Sections within sections and lists within lists; options need 5."""

MAX_GROWTH = 8
"""How many times its length a file may grow by its aliases: one section for all sets."""

MAX_NUMBER = 400
"""Letters of a number. The largest float has 309 digits.

PyYAML takes quadratic time for 1:00:00, which YAML 1.1 counts in sixties.
"""

MAX_SHOWN = 200
"""Letters of a problem that a message shows; it may repeat a part of the file."""

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {
    _TAG + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map")
}
_NUMBER_TAGS = {_TAG + "int", _TAG + "float"}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader for plain values, with bounds.

    A key cannot have two values, 1e-4 is a number, and dates are text.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._left = MAX_GROWTH * len(text)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next value, not too deep."""
        self._check_depth(self._depth, self.peek_event())
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def get_single_node(self) -> yaml.Node | None:
        """Return the whole file, whose aliases do not make too much of it."""
        node = super().get_single_node()
        if node is not None:
            self._count(node, 0)
        return node

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[str, Any]:
        """Return the mapping with text keys: the layers 2 and '2' are the same key."""
        first: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            earlier = first.setdefault(str(key_node.value), value_node)
            if earlier is value_node or self._value(earlier) == self._value(value_node):
                continue
            line = earlier.start_mark.line + 1
            raise _problem(
                f"the key {key_node.value!r} has another value than in line {line}",
                key_node,
            )

        mapping = super().construct_mapping(node, deep)
        return {str(key): value for key, value in mapping.items()}

    def construct_scalar(self, node: yaml.Node) -> str:
        """Return the text of a value; that of a number is not too long."""
        text = super().construct_scalar(node)
        if node.tag in _NUMBER_TAGS and len(text) > MAX_NUMBER:
            raise _problem(
                f"a number of {len(text):,} letters; {MAX_NUMBER} are read", node
            )
        return text

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node.

        PyYAML's own constructors fail in many ways at a tag with a wrong value, such as
        !!int "" and !!bool x.
        """
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, LookupError, ValueError):
            kind = node.tag.removeprefix(_TAG)
            raise _problem(f"{node.value!r} is no {kind}", node) from None

    def _value(self, node: yaml.Node) -> Any:
        return self.construct_object(node, deep=True)

    def _count(self, node: yaml.Node, depth: int) -> None:
        """Count the letters and values of a node, those of aliases each time."""
        self._check_depth(depth, node)
        is_text = isinstance(node, yaml.ScalarNode)
        self._left -= len(node.value) if is_text else 1
        if self._left < 0:
            raise _problem(
                f"its aliases (*) make it more than {MAX_GROWTH} times as long", node
            )

        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                self._count(child, depth + 1)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._count(key, depth + 1)
                self._count(value, depth + 1)

    def _check_depth(self, depth: int, place: yaml.Node | yaml.Event) -> None:
        if depth > MAX_DEPTH:
            raise _problem(f"nested more than {MAX_DEPTH} deep", place)


def _problem(text: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    mark = place.start_mark
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)


# No dates, sets or bytes: options have none.
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag in _PLAIN_TAGS
}
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in known if tag != _TAG + "timestamp"]
    for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.1, which PyYAML follows, needs a dot and a sign in 1.0e-4; people and YAML 1.2
# write 1e-4.
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str, source: str) -> Any:
    """Return the value of yml `text`: null, bool, int, float, str, list and dict.

    Raises:
        UserError: not valid yml, or one that asks for more than an option file needs;
            the message names `source` and the line.
    """
    if len(text) > MAX_BYTES:
        raise UserError(
            f"{source}: {len(text):,} letters; an option file has at most {MAX_BYTES:,}"
        )
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}:" if mark else ""
        problem = str(error.problem)[:MAX_SHOWN]
        hint = "; indent with spaces" if "'\\t'" in problem else ""
        raise UserError(f"{source}:{line} {problem}{hint}") from None
    except (yaml.YAMLError, ArithmeticError, ValueError) as error:
        # The last two: an escape such as "\UFFFFFFFF" that is no letter.
        reason = str(error).splitlines()[0]
        raise UserError(f"{source}: not valid yml: {reason}") from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a yml file, keys as text.

    Args:
        path: the file; its ending may be left out. Where there is none, the name of one
            of `SHIPPED`, alone or behind options/.

    Raises:
        UserError: the file is missing, is too large, is not UTF-8, is not YAML, holds
            no mapping, or gives one key two values.
    """
    path = find_options(Path(path))
    data = parse_yaml(_read_text(path), str(path))
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no 'key: value' lines")
    return data


def find_options(path: Path) -> Path:
    """Return the file that is meant by a path or a name; see `read_yaml`.

    Raises:
        UserError: there is none.
    """
    named = path.with_name(f"{path.name.removesuffix('.yml')}.yml")
    shipped = []
    if path.parent in (Path(), Path("options")):
        shipped = list(SHIPPED.glob("*.yml"))

    for candidate in (path, named, *shipped):
        is_meant = candidate in (path, named) or candidate.name == named.name
        if is_meant and candidate.exists() and not candidate.is_dir():
            return candidate
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a yml file")

    neighbors = [other.name for other in path.parent.glob("*.yml")]
    names = [other.stem for other in shipped]
    hint = did_you_mean(path.name, neighbors) or did_you_mean(named.stem, names)
    raise UserError(f"{path}: no such file{hint}")


def _read_text(path: Path) -> str:
    content = read_regular(path)
    if content and (kind := failed_download(content[:HEADER_BYTES])):
        raise UserError(f"{path}: {kind}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
