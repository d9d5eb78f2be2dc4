"""Mutations of training states: wrong records and tensors under a right checksum."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from mutate.records import mutate_json
from mutate.weights import mutate_weights
from realesrgan_paddle.utils.runlog import training_state
from realesrgan_paddle.utils.weights.reader import read_safetensors
from realesrgan_paddle.utils.weights.writer import save_safetensors

Tensors = dict[str, np.ndarray]


def mutate_state(path: Path, rng: Random) -> bytes:
    """Return a damaged or hostile version of the state in the file `path`."""
    content = path.read_bytes()
    if rng.random() < 0.3:
        return mutate_weights(content, rng)

    tensors, metadata = read_safetensors(path)
    tensors = dict(tensors)
    record = json.loads(metadata["record"])
    if rng.random() < 0.6:
        record = mutate_json(record, rng)
    else:
        change = rng.choice(CHANGES)
        change(tensors, rng.choice(sorted(tensors)), rng)

    text = json.dumps(record)
    checksum = training_state._sha256(text, tensors)
    metadata |= {"record": text, "sha256": checksum}
    save_safetensors(path, tensors, metadata)
    return path.read_bytes()


def _drop(tensors: Tensors, name: str, rng: Random) -> None:
    del tensors[name]


def _drop_part(tensors: Tensors, name: str, rng: Random) -> None:
    part = name.partition("/")[0]
    for each in list(tensors):
        if each.startswith(f"{part}/"):
            del tensors[each]


def _rename(tensors: Tensors, name: str, rng: Random) -> None:
    new = rng.choice((name + "x", "x", "/", f"pool/{name}", "\x1b[2J", ""))
    tensors[new] = tensors.pop(name)


def _reshape(tensors: Tensors, name: str, rng: Random) -> None:
    array = tensors[name]
    half = array.reshape(-1)[: array.size // 2]
    empty = np.zeros((0, 3), array.dtype)
    tensors[name] = np.ascontiguousarray(rng.choice([array[None], half, empty]))


def _retype(tensors: Tensors, name: str, rng: Random) -> None:
    kind = rng.choice(("f2", "f8", "i8", "u1", "?"))
    tensors[name] = tensors[name].astype(kind)


def _poison(tensors: Tensors, name: str, rng: Random) -> None:
    array = tensors[name].copy()
    if array.size and array.dtype.kind == "f":
        array.reshape(-1)[0] = rng.choice((np.nan, np.inf, 3e38))
    elif array.size:
        array.reshape(-1)[0] = rng.choice((-1, 0, np.iinfo(array.dtype).max))
    tensors[name] = array


CHANGES: list[Callable[[Tensors, str, Random], None]] = [
    _drop,
    _drop_part,
    _rename,
    _reshape,
    _retype,
    _poison,
    _poison,
]
