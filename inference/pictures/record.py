"""What became of each picture, and the report of it: a JSON file (docs/inference.md)."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, check_target

VERSION = 1
"""Of the report; a reader of it need not know other numbers' keys."""

Status = Literal["done", "failed", "skipped", "not reached"]


@dataclass(eq=False)
class Record:
    """What became of one picture.

    Attributes:
        input: its file.
        output: the file of its result, if it has one.
        status: "skipped" if the result was there before, "not reached" if the run ended.
        error: why it failed.
        remarks: what a user should know of its result.
        size: (width, height) as read, upright.
        output_size: (width, height) of the result.
        frames: how many were upscaled.
        decode: seconds that it took to read it.
        compute: seconds that it took to upscale it, with the frames of an animation read.
        encode: seconds that it took to write the result.
    """

    input: Path
    output: Path | None = None
    status: Status = "not reached"
    error: str | None = None
    remarks: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    frames: int = 1
    decode: float = 0.0
    compute: float = 0.0
    encode: float = 0.0

    def details(self) -> dict[str, Any]:
        """Return what the report says beyond that."""
        return {}

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each step."""
        return {
            "decode": round(self.decode, 4),
            "compute": round(self.compute, 4),
            "encode": round(self.encode, 4),
        }

    def summary(self) -> str:
        """Return what is said of a picture that was upscaled, as a line."""
        seconds = self.decode + self.compute + self.encode
        before = _by(self.size)
        after = _by(self.output_size)
        if self.frames > 1:
            after += f", {self.frames} frames"

        line = f"{before} -> {self.output} {after}, {seconds:.1f} s"
        return "; ".join([line, *self.remarks])


@contextmanager
def reported(
    path: Path | None, records: Sequence[Record], model: str
) -> Iterator[None]:
    """Write the report of a run at the end of the block, also if that is an error.

    Args:
        path: the file to write; None: none is written.
        records: of all its pictures.
        model: what upscaled them.
    """
    start = time.perf_counter()
    complete = False
    try:
        yield
        complete = True
    finally:
        if path is not None:
            seconds = time.perf_counter() - start
            _write(path, records, model, complete, seconds)


def check_report(path: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError if the report cannot be written, or would replace an input."""
    check_target(path)
    if path.resolve() in {each.resolve() for each in inputs}:
        raise UserError(f"{path}: an input; choose another file for --report")


def _write(
    path: Path, records: Sequence[Record], model: str, complete: bool, seconds: float
) -> None:
    """Write the report of a run atomically."""
    totals: dict[str, Any] = {"files": len(records)}
    for status in ("done", "failed", "skipped", "not reached"):
        count = sum(record.status == status for record in records)
        totals[status.replace(" ", "_")] = count
    totals["seconds"] = round(seconds, 4)
    for step in ("decode", "compute", "encode"):
        totals[step] = round(sum(getattr(record, step) for record in records), 4)

    content = {
        "version": VERSION,
        "model": model,
        "complete": complete,
        "totals": totals,
        "files": [_entry(record) for record in records],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _entry(record: Record) -> dict[str, Any]:
    return {
        "input": str(record.input),
        "output": None if record.output is None else str(record.output),
        "status": record.status,
        "error": record.error,
        "remarks": record.remarks,
        "size": record.size,
        "output_size": record.output_size,
        "frames": record.frames,
        "seconds": record.seconds(),
        **record.details(),
    }


def _by(size: tuple[int, int] | None) -> str:
    """Return "WIDTHxHEIGHT"."""
    lengths = map(str, size or ())
    return "x".join(lengths)
