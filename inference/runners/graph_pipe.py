"""What passes between a process and the one that runs a graph for it: lines and arrays.

A line is JSON, an array is preceded by a line with its shape. Nothing is pickled,
because whoever reads a pickle runs what is in it.
"""

import json
from typing import IO, Any

import numpy as np


def send(pipe: IO[bytes], **fields: Any) -> None:
    """Write one line."""
    pipe.write(json.dumps(fields).encode() + b"\n")
    pipe.flush()


def receive(pipe: IO[bytes]) -> dict[str, Any]:
    """Return the fields of the next line; EOFError if the other side has ended."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return json.loads(line)


def send_array(pipe: IO[bytes], array: np.ndarray) -> None:
    """Write an array as float32."""
    array = np.ascontiguousarray(array, np.float32)
    send(pipe, shape=array.shape)
    flat = array.reshape(-1)
    pipe.write(flat.view(np.uint8).data)
    pipe.flush()


def receive_array(pipe: IO[bytes], shape: list[int]) -> np.ndarray:
    """Return the array of that shape behind its line; EOFError if it is not complete."""
    array = np.empty(shape, np.float32)
    buffer = array.reshape(-1).view(np.uint8)
    if pipe.readinto(buffer) < buffer.size:  # type: ignore[attr-defined]
        raise EOFError
    return array
