"""The state of a training run in one file: tensors and a json record, without pickle.

A state file is a safetensors file. Its tensors are named "part/name" (for example
"generator/conv_first.weight"); everything that is not a tensor is json in the file's
metadata, and so is the SHA-256 of it all, for a disk or a copy may damage a file that
was written whole.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_safetensors
from realesrgan_paddle.utils.weights.writer import save_safetensors

FORMAT = "realesrgan-paddle training state 2"


@dataclass(frozen=True)
class TrainingState:
    """What a run needs to go on exactly: its parts' arrays and the iteration they belong to."""

    iteration: int
    parts: Mapping[str, Mapping[str, np.ndarray]]
    record: Mapping[str, Any]
    """Everything else, as json: versions, counters."""
    path: Path | None = None
    """The file it was read from."""


def save_state(path: str | Path, state: TrainingState) -> None:
    """Write `state` to `path`, whole or not at all.

    Raises:
        OSError: it cannot be written, for example because the disk is full.
    """
    tensors = {
        f"{part}/{name}": np.ascontiguousarray(array)
        for part, arrays in state.parts.items()
        for name, array in arrays.items()
    }
    record = json.dumps({"iteration": state.iteration, **state.record})
    save_safetensors(
        path,
        tensors,
        {"format": FORMAT, "record": record, "sha256": _sha256(record, tensors)},
    )


def load_state(path: str | Path) -> TrainingState:
    """Return the state that `save_state` wrote to `path`.

    Raises:
        UserError: the file is missing, damaged, or no training state.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path}: not a training state of this version (found format {metadata.get('format')!r})"
        )
    if metadata.get("sha256") != _sha256(metadata.get("record", ""), tensors):
        raise UserError(
            f"{path}: damaged: its contents differ from the checksum it was written with"
        )
    record = json.loads(metadata["record"])
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, array in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    return TrainingState(record.pop("iteration"), parts, record, Path(path))


def load_newest_state(folder: str | Path) -> tuple[TrainingState | None, list[str]]:
    """Return the newest `<iteration>.state` of `folder` that is whole, and why newer ones were passed over.

    Without any state, that is None and nothing.

    Raises:
        UserError: there are states, but none that can be read. To begin again would
            throw the run away.
    """
    files = sorted(
        (p for p in Path(folder).glob("*.state") if p.stem.isdigit()),
        key=lambda p: int(p.stem),
    )
    problems: list[str] = []
    for file in reversed(files):
        try:
            return load_state(file), problems
        except UserError as problem:
            problems.append(str(problem))
    if problems:
        more = f" (and {len(problems) - 1} older)" if len(problems) > 1 else ""
        raise UserError(
            f"no training state can be resumed from: {problems[0]}{more}; "
            "restore one from a copy, or train without auto_resume to begin again"
        )
    return None, []


def _sha256(record: str, tensors: Mapping[str, np.ndarray]) -> str:
    """Return the checksum of a state: of its record, and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(record.encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
