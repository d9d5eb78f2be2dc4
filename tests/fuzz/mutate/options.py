"""Mutations of option files: by their keys, and by the text of yml."""

from copy import deepcopy
from random import Random
from typing import Any

import yaml

from mutate.anything import mutate_bytes
from mutate.records import mutate_json

SNIPPETS = [
    "*a",
    "&a {b: *a}",
    "&a [*a]",
    '!!int ""',
    '!!float ""',
    "!!bool x",
    "!!timestamp x",
    "!!binary é",
    "!!null x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!python/object/apply:os.system [touch hacked]",
    "!!python/name:os.system",
    "!!python/tuple [1, 2]",
    "! x",
    "!<tag:yaml.org,2002:int> 0x",
    "{<<: 3}",
    "{<<: [{a: 1}, 2]}",
    "0x",
    "0b",
    "0o9",
    "1_000_",
    "1:99:99",
    "190:20:30",
    "2001-99-99",
    "2001-12-14t21:59:43.10-05:00",
    ".inf",
    "-.inf",
    ".nan",
    "1e999",
    "1" * 5000,
    "-",
    "~",
    "? x",
    "|\n   text",
    ">-\n   text",
    '"\\0"',
    '"\\x1b[2J\\r"',
    '"\\ud800"',
    "'it",
    "@x",
    "%x",
    "\t1",
    "{a: 1",
    "[" * 3000,
    "../../outside",
    "x" * 5000,
    "",
]
"""Values that yml readers stumble over."""


def mutate_yml(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of an option file."""
    choice = rng.random()
    if choice < 0.1:
        return mutate_bytes(content, rng)
    if choice < 0.2:
        return _whole_file(content, rng)
    try:
        options = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError):
        return mutate_bytes(content, rng)
    if choice < 0.6:
        return _replace_text(content, rng)
    changed = mutate_json(options, rng)
    return yaml.safe_dump(changed, allow_unicode=True).encode(errors="surrogatepass")


def _replace_text(content: bytes, rng: Random) -> bytes:
    """Replace the values of some lines by snippets; repeat, remove or indent lines."""
    lines = content.decode(errors="replace").split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        index = rng.randrange(len(lines))
        key = lines[index].partition(":")[0]
        changes = [
            [f"{key}: {rng.choice(SNIPPETS)}"],
            [f"{key}: {rng.choice(SNIPPETS)}"],
            [f"{key}: {rng.choice(SNIPPETS)}"],
            [lines[index]] * 2,
            [],
            [" " + lines[index]],
            [lines[index] + rng.choice((" # \x07", "\0", "\x85", "\u2028", ": x"))],
        ]
        lines[index : index + 1] = rng.choice(changes)
        lines = lines or [""]
    return "\n".join(lines).encode(errors="surrogatepass")


def _whole_file(content: bytes, rng: Random) -> bytes:
    """Change what holds for the whole file: its encoding, its size, its shape."""
    width, depth = rng.choice(((9, 9), (2, 30), (10, 5)))
    levels = [f"l{0}: &l{0} [{', '.join('x' * width)}]"]
    merges = ["m0: &m0 {a: 1}"]
    for n in range(1, depth):
        uses = ", ".join([f"*l{n - 1}"] * width)
        levels.append(f"l{n}: &l{n} [{uses}]")
        merged = ", ".join([f"*m{n - 1}"] * width)
        merges.append(f"m{n}: &m{n} {{<<: [{merged}]}}")
    return rng.choice(
        [
            "\n".join(levels).encode() + b"\n" + content,
            "\n".join(merges).encode() + b"\n" + content,
            content.decode().encode("utf-16"),
            content.decode().encode("utf-32"),
            b"\xef\xbb\xbf" + content,
            content + b"---\n" + content,
            b"- " * 5000,
            b"a: " * 5000,
            b"{a: " * 2000,
            b"? " * 3000,
            b"x: &a [*a]\n" + content,
            b"x: &a {b: *a}\n" + content,
            b"%YAML 9.9\n---\n" + content,
            b"# " + bytes(range(256)) + b"\n" + content,
            b"name: " + b"9" * 5000,
            content.replace(b"\n", b"\r\n") + b"\x1a",
        ]
    )


def draw_overrides(options: dict[str, Any], rng: Random) -> list[str]:
    """Return up to three `a.b=c` for keys that an option file has, or nearly has."""
    paths = _paths(deepcopy(options), "")
    overrides = []
    for _ in range(rng.choice((0, 0, 1, 3))):
        key = rng.choice([*paths, "", "a..b", "train", "x" * 999])
        overrides.append(f"{key}={rng.choice(SNIPPETS)}".replace("\0", ""))
    return overrides


def _paths(options: dict[str, Any], prefix: str) -> list[str]:
    found = []
    for key, value in options.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict):
            found += _paths(value, f"{prefix}{key}.")
    return found


NAMES = [
    "../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    ".",
    "..",
    "",
    " ",
    "\udcff.png",
    "a\x1b[2J.png",
    "x" * 5000,
    "a, b, c",
    "a.png (480,480,3)",
    "\0",
    "//",
    "pipe.png",
]
"""Names of files that a list should not hold."""


def mutate_list(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of a meta-info file."""
    lines = content.decode(errors="replace").split("\n")
    for _ in range(rng.choice((1, 2, 5))):
        index = rng.randrange(len(lines))
        odd = rng.choice(NAMES)
        choices = [[odd], [lines[index] + odd], [f"{lines[index]}, {odd}"], []]
        choices.append([lines[index]] * rng.choice((2, 20_000)))
        lines[index : index + 1] = rng.choice(choices)
        lines = lines or [""]
    text = "\n".join(lines).encode(errors="surrogateescape")
    return mutate_bytes(text, rng) if rng.random() < 0.2 else text
