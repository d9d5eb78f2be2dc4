"""The list of all frames of a set, kept or dropped, with what was measured and why: one json object a line.

Each video's list is a file of its own beside its name, written when the video is done;
`manifest.jsonl` is all of them.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError

MANIFEST = "manifest.jsonl"

KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
"""Decisions; the last is on a whole video that could not be read, or not to its end."""

Record = dict[str, Any]
"""A line: source, decision, reason, and for a frame also file, seconds, shot, score, what is measured, hash, size,
crop [x, y, width, height in the video's frame] and overlays [the same in the file's
picture]."""


def frame_record(frame: Candidate, source: Path, overlays: Sequence[Crop]) -> Record:
    """Return the line on a frame; `overlays` are boxes in the video's frame."""
    scores, crop = frame.scores, frame.crop
    return {
        "source": str(source),
        "decision": DROPPED if frame.reason else KEPT,
        "reason": frame.reason,
        "file": frame.file,
        "seconds": round(frame.seconds, 6),
        "shot": frame.shot,
        "score": round(scores.total, 4),
        "sharpness": round(scores.sharpness, 4),
        "detail": round(scores.detail, 4),
        "blockiness": round(scores.blockiness, 4),
        "contrast": round(scores.contrast, 1),
        "brightness": round(scores.brightness, 1),
        "hash": frame.hash.tobytes().hex(),
        "size": [crop.width, crop.height],
        "crop": [crop.x, crop.y, crop.width, crop.height],
        "overlays": [
            box for box in (_inside(overlay, crop) for overlay in overlays) if box
        ],
    }


def failure_record(source: Path, reason: str) -> Record:
    """Return the line on a video that failed."""
    return {"source": str(source), "decision": FAILED, "reason": reason}


def skip_record(source: Path, reason: str) -> Record:
    """Return the line on a video that was left out as a whole."""
    return {"source": str(source), "decision": DROPPED, "reason": reason}


def hash_of(record: Record) -> np.ndarray:
    """Return the perceptual hash of a frame, 32 bytes."""
    return np.frombuffer(bytes.fromhex(record["hash"]), np.uint8)


def source_list(output: Path, name: str, *, finished: bool = True) -> Path:
    """Return where the lines of the video called `name` are; elsewhere if it could not be read to its end."""
    return (
        output
        / SOURCES_FOLDER
        / (f"{name}.jsonl" if finished else f"{name}.jsonl.part")
    )


def all_lists(output: Path) -> list[Path]:
    """Return the files of all videos of a set that have been listed, sorted."""
    folder = output / SOURCES_FOLDER
    return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.part")])


def read_records(path: Path) -> Iterator[Record]:
    """Yield the lines of a manifest.

    Raises:
        UserError: it does not exist, or holds something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if not isinstance(record, dict) or "decision" not in record:
                    raise ValueError("a line without a decision")
                yield record
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; tools/extract_keyframes.py writes one"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{path}: not a manifest of tools/extract_keyframes.py ({error})"
        ) from None


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write lines into a file."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records)


def write_manifest(output: Path, failures: Sequence[Record]) -> Path:
    """Write the lines of all videos of a set, and those on videos that could not be opened, and return the file."""
    path = output / MANIFEST
    write_records(
        path,
        (
            record
            for list_ in (*map(read_records, all_lists(output)), failures)
            for record in list_
        ),
    )
    return path


def overlays_by_file(manifest: Path) -> dict[str, list[Crop]]:
    """Return the boxes of the overlays in each kept frame that has any, by the frame's file."""
    kept = (
        record
        for record in read_records(manifest)
        if record["decision"] == KEPT and record["overlays"]
    )
    return {
        record["file"]: [Crop(*box) for box in record["overlays"]] for record in kept
    }


def _inside(box: Crop, crop: Crop) -> list[int]:
    """Return the part of a box that lies in `crop`, in its pixels; [] if there is none."""
    left, top = max(0, box.x - crop.x), max(0, box.y - crop.y)
    right = min(crop.width, box.x + box.width - crop.x)
    bottom = min(crop.height, box.y + box.height - crop.y)
    return (
        [left, top, right - left, bottom - top] if right > left and bottom > top else []
    )
