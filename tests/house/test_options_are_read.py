"""Every declared key is read by the code that does the work, or is checked away by the schema.

The ancestor's files had seven keys that nothing read, and nobody noticed.
"""

import ast
from dataclasses import fields

import pytest
from places import ROOT

from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.schema.config import (
    BlurOptions,
    Config,
    LQConfig,
    PassOptions,
)

FOLDERS = ("data", "loss", "models", "tools", "utils", "realesrgan_paddle")
WORKERS = [
    *ROOT.glob("*.py"),
    *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")),
]
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
}
OPTIONS |= {"drift", "limits"}
OPTIONS |= {f"{loss}_opt" for loss in ("gan", "pixel", "lpips", "dists", "color")}
OPTIONS |= {
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
# Declared before the code that reads it: take a key off when its code lands; the list
# must become empty.
PENDING: set[str] = set()


def reads(trees, receivers):
    """Return the attributes that are read from one of the `receivers`."""
    nodes = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    ]
    return {
        node.attr
        for node in nodes
        if ast.unparse(node.value).rpartition(".")[2] in receivers
    }


def properties():
    """Return the properties in options/: what they read is read when they are."""
    nodes = [
        n
        for path in (ROOT / "options").rglob("*.py")
        for n in ast.walk(ast.parse(path.read_text()))
    ]
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef)]
    return [
        f for f in functions if "property" in (ast.unparse(d) for d in f.decorator_list)
    ]


def worth_reading(section, schema):
    """Return whether a key has more than one value and is not one of a network's arguments, which go in all together.

    See test_network_options_are_the_networks_arguments for those.
    """
    constant = "const" in schema or schema.get("$ref", "").endswith("/IOBackend")
    return not constant and section.name not in ("network_g", "network_d")


READ = reads((ast.parse(path.read_text()) for path in WORKERS), OPTIONS)
READ_BY_PROPERTIES = reads(properties(), {"self", "train"})
SECTIONS = [*sections(Config), *sections(LQConfig)]
KEYS = {
    key
    for section in SECTIONS
    for key, schema in section.keys.items()
    if worth_reading(section, schema)
}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_key_is_read(key):
    assert (key in READ | READ_BY_PROPERTIES) != (key in PENDING)


def test_the_names_of_the_run_and_of_both_kinds_of_data_set_are_read():
    for receiver in ("cfg", "train", "options"):
        assert "name" in reads(
            (ast.parse(path.read_text()) for path in WORKERS), {receiver}
        )


def test_the_views_of_one_pass_are_read_wholly():
    names = {
        field.name for view in (PassOptions, BlurOptions) for field in fields(view)
    }
    assert names <= READ


def test_properties_are_read():
    names = {f.name for f in properties()} - {"keys"}  # of schema.Section
    assert names <= READ | reads(
        (ast.parse(path.read_text()) for path in WORKERS), {"datasets"}
    )
