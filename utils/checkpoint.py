"""The state of a training run in one file: tensors and a json record, without pickle.

A state file is a safetensors file. Its tensors are named "part/name" (for example
"generator/conv_first.weight"); everything that is not a tensor is json in the file's metadata.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weight_files import read_safetensors

FORMAT = "realesrgan-paddle training state 1"


@dataclass(frozen=True)
class TrainingState:
    """What a run needs to go on exactly: its parts' arrays and the iteration they belong to."""

    iteration: int
    parts: Mapping[str, Mapping[str, np.ndarray]]
    record: Mapping[str, Any]
    """Everything else: the options the run was started with, versions."""


def save_state(path: str | Path, state: TrainingState) -> None:
    """Write `state` to `path`, whole or not at all."""
    tensors = {
        f"{part}/{name}": np.ascontiguousarray(array)
        for part, arrays in state.parts.items()
        for name, array in arrays.items()
    }
    record = json.dumps({"iteration": state.iteration, **state.record})
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "record": record})


def load_state(path: str | Path) -> TrainingState:
    """Return the state that `save_state` wrote to `path`.

    Raises:
        UserError: the file is missing, damaged, or no training state.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: not a training state of this project (found format {metadata.get('format')!r})")
    record = json.loads(metadata["record"])
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, array in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    return TrainingState(record.pop("iteration"), parts, record)


def newest_state(folder: str | Path) -> Path | None:
    """Return the `<iteration>.state` file with the largest iteration in `folder`, or None."""
    states = [p for p in Path(folder).glob("*.state") if p.stem.isdigit()]
    return max(states, key=lambda p: int(p.stem), default=None)
