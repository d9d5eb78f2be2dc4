"""The manifest: every frame of a set, kept or dropped, as one JSON object a line.

Each video's records are written to a file of their own when the video is done, beside
the file that claims the video's name; `manifest.jsonl` is all of them together.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realesrgan_paddle.data.sets.made_folders import MANIFEST
from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, open_regular, parse_object

DOWNSCALED = ("seconds", "shot", "size")
"""What the record of a smaller version of a frame takes from that of the frame."""

EXTRACTED = (*DOWNSCALED, "hash", "score", "sharpness", "blockiness", "contrast")
"""What the records of an extracted set have."""

KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
"""Decisions; FAILED is about a video that could not be read, or not to its end."""

Record = dict[str, Any]
"""One line: source, decision, reason.

That of a frame also has file, seconds, shot, score, the single scores, hash, size,
crop ([x, y, width, height] in the video's frame) and overlays (the same in the file's
image).
"""


# A frame's sides and boxes in pixels, and its time in seconds, are less than that.
_Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
_Natural = Annotated[int, Field(ge=0, le=10**9)]
_Side = Annotated[int, Field(ge=1, le=10**9)]


class _AnyRecord(BaseModel):
    """What every record has."""

    model_config = ConfigDict(strict=True)

    source: str
    decision: Literal["kept", "dropped", "failed"]
    reason: str


class _FrameRecord(_AnyRecord):
    """What that of a frame may have besides; file and overlays it must have."""

    file: Annotated[str, Field(pattern=r"^[^\x00]+$")]
    seconds: _Number = 0
    shot: _Natural = 0
    score: _Number = 0
    sharpness: _Number = 0
    blockiness: _Number = 0
    contrast: _Number = 0
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = ""
    size: Annotated[list[_Side], Field(min_length=2, max_length=2)] = [1, 1]
    overlays: list[Annotated[list[_Natural], Field(min_length=4, max_length=4)]]


def failure_record(source: Path, reason: str) -> Record:
    """Return the record of a video that failed."""
    return {"source": str(source), "decision": FAILED, "reason": reason}


def interlaced_record(source: Path) -> Record:
    """Return the record of a video that was skipped as a whole, as it is interlaced."""
    reason = "interlaced video"
    return {"source": str(source), "decision": DROPPED, "reason": reason}


def is_kept(record: Record) -> bool:
    """Return whether a record is that of a kept frame."""
    return record["decision"] == KEPT


def source_list(output: Path, name: str, *, finished: bool = True) -> Path:
    """Return the path of the records of the video called `name`.

    With another suffix if the video could not be read to its end.
    """
    suffix = "jsonl" if finished else "jsonl.part"
    return output / SOURCES_FOLDER / f"{name}.{suffix}"


def all_lists(output: Path) -> list[Path]:
    """Return the record files of all videos of a set, sorted."""
    folder = output / SOURCES_FOLDER
    finished = list(folder.glob("*.jsonl"))
    unfinished = list(folder.glob("*.jsonl.part"))
    return sorted(finished + unfinished)


def read_records(path: Path, needs: Collection[str] = ()) -> Iterator[Record]:
    """Yield the records of a manifest.

    Args:
        path: the file.
        needs: what the records of frames must have besides file and overlays.

    Raises:
        UserError: it does not exist, or is not a manifest, or not such a one.
    """
    try:
        with open_regular(path) as file:
            for line in file:
                record = parse_object(line)
                _check_record(record, needs)
                yield record
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; tools/extract_keyframes.py writes one"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{path}: not a manifest of tools/extract_keyframes.py ({error})"
        ) from None


def _check_record(record: Record, needs: Collection[str]) -> None:
    """Raise ValueError for what this project does not write."""
    is_frame = "file" in record or record.get("decision") == KEPT
    try:
        (_FrameRecord if is_frame else _AnyRecord).model_validate(record)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{key}: {problem['msg']}") from None
    missing = [key for key in needs if is_frame and key not in record]
    if missing:
        raise ValueError(f"a frame without {', '.join(missing)}")


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records into a file, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for record in records:
            line = json.dumps(record)
            file.write(line + "\n")


def write_manifest(
    output: Path, failures: Sequence[Record], decided: Callable[[Record], Record]
) -> Path:
    """Write the records of all videos of a set, then `failures`; return the file.

    Args:
        output: the set.
        failures: one of each video that failed.
        decided: returns a record as all videos together decide on it.
    """

    def records() -> Iterator[Record]:
        """Yield all of them, without holding more than one in memory."""
        for path in all_lists(output):
            yield from map(decided, read_records(path))
        yield from failures

    path = output / MANIFEST
    write_records(path, records())
    return path


def overlays_by_file(manifest: Path) -> dict[str, list[Crop]]:
    """Return the boxes of the overlays of each kept frame that has any, by its file."""
    by_file: dict[str, list[Crop]] = {}
    for record in filter(is_kept, read_records(manifest)):
        boxes = [Crop(*box) for box in record["overlays"]]
        if boxes:
            by_file[record["file"]] = boxes
    return by_file
