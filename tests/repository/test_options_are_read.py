"""Every declared key is read by code that uses it, or has only one value.

The ancestor's option files had seven keys that nothing read, and nobody noticed.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

from places import ROOT

from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import (
    BlurOptions,
    LQConfig,
    PassOptions,
)

FOLDERS = ("data", "inference", "loss", "models", "tools", "utils", "realesrgan_paddle")
# What the code calls an options object: `cfg.train.total_iter`, `gan.loss_weight`; not
# `batch.gt_usm`, `args.name`.
OPTIONS = {
    "cfg",
    "config",
    "options",
    "datasets",
    "train",
    "path",
    "logger",
    "val",
    "scheduler",
    "metric",
    "drift",
    "limits",
    *(f"{loss}_opt" for loss in ("gan", "pixel", "lpips", "dists", "color")),
    "gan",
    "pixel",
    "artifact",
    "perceptual",
    "lpips",
    "dists",
    "color",
    "distill",
    "optim_g",
    "optim_d",
}


def trees_of(paths: Iterable[Path]) -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def attributes_by_receiver(trees: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Return the attributes that are read of each name: {"cfg": {"train", ...}, ...}."""
    found: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                receiver = ast.unparse(node.value).rpartition(".")[2]
                found.setdefault(receiver, set()).add(node.attr)
    return found


def reads(found: dict[str, set[str]], receivers: Iterable[str]) -> set[str]:
    return set().union(*(found.get(receiver, set()) for receiver in receivers))


def is_property(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return False
    return "property" in [ast.unparse(each) for each in node.decorator_list]


def declared_keys() -> set[str]:
    """Return the keys that have more than one value, except the networks' arguments.

    Those go into the networks all together: see
    test_network_options_are_the_networks_arguments.
    """
    keys = set()
    for section in [*sections(Config), *sections(LQConfig)]:
        if section.name in ("network_g", "network_d"):
            continue
        for key, schema in section.keys.items():
            constant = "const" in schema or "IOBackend" in schema.get("$ref", "")
            if not constant:
                keys.add(key)
    return keys


def test_every_declared_option_is_read():
    users = [*ROOT.glob("*.py")]
    for folder in FOLDERS:
        users += (ROOT / folder).rglob("*.py")
    found = attributes_by_receiver(trees_of(users))
    read = reads(found, OPTIONS)

    # The properties of option models: what they read is read wherever they are.
    properties = [
        node
        for tree in trees_of((ROOT / "options/schema").rglob("*.py"))
        for node in ast.walk(tree)
        if is_property(node)
    ]
    names = {node.name for node in properties}
    assert names <= read | reads(found, {"datasets"})

    one_pass = {*PassOptions.model_fields, *BlurOptions.model_fields}
    assert one_pass <= read
    # `second_pass` and `second_blur` read these: test_every_second_key_reaches_...
    read |= {f"{name}2" for name in one_pass}
    read |= reads(attributes_by_receiver(properties), {"self", "train"})
    assert declared_keys() <= read, "nothing reads the others"
    for receiver in ("cfg", "train", "options"):  # of the run and of the data sets
        assert "name" in reads(found, {receiver}), receiver
