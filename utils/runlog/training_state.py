"""The state of a training run in one file: tensors and a json record, without pickle.

A state file is a safetensors file. Its tensors are named "part/name" (for example
"generator/conv_first.weight"). Everything else is json in the file's metadata, together
with the SHA-256 of the whole content: a disk or a copy may damage a complete file.
"""

import hashlib
import json
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import parse_object
from realesrgan_paddle.utils.weights.reader import read_safetensors
from realesrgan_paddle.utils.weights.writer import save_safetensors

FORMAT = "realesrgan-paddle training state 2"


@dataclass(frozen=True)
class TrainingState:
    """Everything an exact resume needs: the arrays of each part, and the iteration."""

    iteration: int
    parts: Mapping[str, Mapping[str, np.ndarray]]
    record: Mapping[str, Any]
    """Versions, counters and so on, as json values."""
    path: Path | None = None
    """The file it was read from."""


def save_state(path: str | Path, state: TrainingState) -> None:
    """Write `state` to `path` atomically.

    Raises:
        OSError: it cannot be written, for example because the disk is full.
    """
    tensors = {
        f"{part}/{name}": np.ascontiguousarray(array)
        for part, arrays in state.parts.items()
        for name, array in arrays.items()
    }
    record = json.dumps({"iteration": state.iteration, **state.record})
    checksum = _sha256(record, tensors)
    metadata = {"format": FORMAT, "record": record, "sha256": checksum}
    save_safetensors(path, tensors, metadata)


def load_state(path: str | Path) -> TrainingState:
    """Return the state that `save_state` wrote to `path`.

    Raises:
        UserError: the file is missing, damaged, or no training state. What its parts
            and its record must be is for those to check who made them.
    """
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path}: not a training state of this version "
            f"(found format {metadata.get('format')!r})"
        )
    if metadata.get("sha256") != _sha256(metadata.get("record", ""), tensors):
        raise UserError(
            f"{path}: damaged: its contents differ from the checksum "
            "it was written with"
        )

    record = _parsed(metadata.get("record", ""), path)
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, array in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    return TrainingState(record.pop("iteration"), parts, record, Path(path))


def state_files(folder: str | Path) -> dict[int, Path]:
    """Return the states of a run in a folder, `<iteration>.state`, by iteration."""
    states = Path(folder).glob("*.state")
    return {int(path.stem): path for path in states if path.stem.isdecimal()}


def load_newest_state(
    folder: str | Path, check: Callable[[TrainingState], None]
) -> tuple[TrainingState | None, list[str]]:
    """Return the newest sound `<iteration>.state` of `folder`, or None without any.

    Also return one line for each newer state that could not be used.

    Args:
        folder: has the states.
        check: raises UserError if a state's parts or record are not sound.

    Raises:
        UserError: there are states, but none can be used. Starting over silently would
            throw the run away.
    """
    problems: list[str] = []
    for _, file in sorted(state_files(folder).items(), reverse=True):
        try:
            state = load_state(file)
            _check_name(state, file)
            check(state)
            return state, problems
        except UserError as problem:
            problems.append(str(problem))
    if problems:
        more = f" (and {len(problems) - 1} older)" if len(problems) > 1 else ""
        raise UserError(
            f"no training state can be resumed from: {problems[0]}{more}; "
            "restore one from a copy, or train without auto_resume to begin again"
        )
    return None, []


def _parsed(text: str, path: str | Path) -> dict[str, Any]:
    """Return a state's record, which has a valid iteration.

    A checksum tells that a file is as it was written, not that this program wrote it.
    """
    try:
        record = parse_object(text)
    except ValueError:
        raise UserError(
            f"{path}: its record is {reprlib.repr(text)}, not a json object"
        ) from None

    iteration = record.get("iteration")
    if type(iteration) is not int or iteration < 1:
        raise UserError(
            f"{path}: its record has iteration {reprlib.repr(iteration)}, not a whole "
            "number from 1 on"
        )
    return record


def _check_name(state: TrainingState, file: Path) -> None:
    if state.iteration != int(file.stem):
        raise UserError(
            f"{file}: its record has iteration {state.iteration}, its name another; "
            "give it the name it was written with"
        )


def _sha256(record: str, tensors: Mapping[str, np.ndarray]) -> str:
    """Return the checksum of the record and all tensors with their names and shapes."""
    digest = hashlib.sha256(record.encode())
    for name, array in sorted(tensors.items()):
        dtype = array.dtype.str
        header = f"{name} {dtype} {array.shape}"
        digest.update(header.encode())
        content = array.reshape(-1).view(np.uint8)
        digest.update(content.data)
    return digest.hexdigest()
