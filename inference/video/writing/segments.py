"""What of a video is done already: whole segments in a folder beside the result.

The folder holds `job.json`, which says what is being made of what, a NUT file for each
segment, complete in itself, and in `rows.jsonl` a row with its sha256. A run that was killed
goes on after them, and makes anew what is not as it was written. Where a segment takes
minutes, the upscaled frames of the one that is being made lie there too, so no more than one
is lost. Of a network that carries a state, that after the last segment and the last frame is
there.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import (
    atomic_path,
    make_folder,
    open_regular,
    parse_object,
    remove_leftovers,
    sha256_of,
)
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.rows import Row, add_row, read_rows

JOB, ROWS, LOCK = "job.json", "rows.jsonl", "lock"
FRAME, STATE, RESULT = "frame", "state", "result"
"""How names of arrays begin; the last: what a frame became, if the next is the same."""
DECIDED = "decided"
"""Key of what is not asked for but found, once for all runs."""
GO_ON = "now; repeat that run to go on, or remove the folder to begin anew"
"""What is told of a folder of another job."""
MOST_THREADS = 1024
"""Of an encoder; more are not believed."""
MOST_BYTES = 1 << 20
"""Of a `job.json`; what this program writes has a few kB."""
ROW_BYTES = 20_000
"""Of `rows.jsonl` for each segment and frame, and the state after it; a row has 200 and its
paths, which are of 4,096 at most, and may be there twice."""
ROOM = 4
"""Frames are kept while the disk has so many times the room that those of a segment need."""


@dataclass(frozen=True)
class Segment:
    """A part of the result.

    Attributes:
        number: from 0 on.
        first: its first frame, counted in the result.
        last: the frame after its last.
    """

    number: int
    first: int
    last: int

    @property
    def frames(self) -> int:
        """How many it has."""
        return self.last - self.first

    @property
    def name(self) -> str:
        """The segment's file."""
        return f"{self.number:06}.nut"


def cut_into_segments(times: Sequence[int], ticks: int) -> list[Segment]:
    """Return the segments of frames shown at `times`; each has those of `ticks` [ticks]."""
    segments: list[Segment] = []
    first = 0
    for index, time in enumerate(times):
        if index > first and time - times[first] >= ticks:
            segments.append(Segment(len(segments), first, index))
            first = index
    if times:
        segments.append(Segment(len(segments), first, len(times)))
    return segments


class SegmentFolder:
    """The folder of a result's segments, beside it: "TARGET.parts".

    Args:
        source: the video.
        target: the result.
        segments: all that the result has.
    """

    def __init__(self, source: Path, target: Path, segments: Sequence[Segment]) -> None:
        self.folder = target.with_name(f"{target.name}.parts")
        self._source = source
        self._segments = segments

    @contextmanager
    def held(
        self, job: dict[str, Any], decide: Callable[[], dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Make the folder, or take it over from a run of the same job; keep others out.

        Yields what was decided when the folder was made.

        Args:
            job: what is made of what, in plain values.
            decide: returns what is decided once for all runs, in plain values.

        Raises:
            UserError: the folder is another job's, nobody's, or in use.
        """
        if self.folder.is_dir() and not (self.folder / JOB).is_file():
            self._refuse_strangers()
        make_folder(self.folder)
        try:
            with locked(self.folder / LOCK, wait=False):
                remove_leftovers(self.folder)
                try:
                    yield self._take_over(job, decide)
                finally:
                    any_made = any(self.path(each).is_file() for each in self._segments)
                    any_made = any_made or bool(self._arrays(FRAME))
                    if not any_made and self.folder.is_dir():
                        self.remove()
        except Timeout:
            raise UserError(
                f"{self.folder}: another process works on this video"
            ) from None
        finally:
            if os.name == "nt":  # the lock was open when `remove` was called
                self._remove_lock()

    def threads(self) -> int | None:
        """Return the encoder's threads of a run to go on from, if there is one.

        They change its bits, and this machine may have other cores than that run had.
        """
        if not (self.folder / JOB).is_file():
            return None
        encoding = self._read().get("encoding")
        threads = encoding.get("threads") if isinstance(encoding, dict) else None
        return threads if threads in range(1, MOST_THREADS + 1) else None

    def path(self, segment: Segment) -> Path:
        """Return the segment's file, which may not be there yet."""
        return self.folder / segment.name

    def add(self, segment: Segment) -> None:
        """Note that a segment's file is whole; its frames are not needed any more.

        Nor are the states before its end.
        """
        self._note(self.path(segment), segment.first, segment.last)
        for index, path in self._arrays(FRAME).items():
            if segment.first <= index < segment.last:
                path.unlink(missing_ok=True)
        for kind in (STATE, RESULT):
            for index, path in self._arrays(kind).items():
                if index < segment.last - 1:
                    path.unlink(missing_ok=True)

    def keep(
        self, index: int, image: np.ndarray, segment: Segment, state: np.ndarray | None
    ) -> None:
        """Keep an upscaled frame of a segment, if there is room for all of them.

        Args:
            index: of the frame.
            image: as it is encoded.
            segment: its own.
            state: after it, of a network that carries one.
        """
        free = shutil.disk_usage(self.folder).free
        if free < ROOM * segment.frames * image.nbytes:
            return
        self._save(FRAME, index, image)
        if state is None:
            return
        # That at the beginning of the segment stays.
        replaced = index - 1 if index > segment.first else None
        self.keep_state(index, state, replaced)

    def keep_state(
        self,
        index: int,
        state: np.ndarray,
        replaced: int | None = None,
        result: np.ndarray | None = None,
    ) -> None:
        """Keep the state after a frame, until `add` is called for a later segment.

        Args:
            index: of the frame.
            state: after it.
            replaced: an earlier frame, after which the state is not needed any more.
            result: of the frame, if the next one repeats it.
        """
        if result is not None:
            self._save(RESULT, index, result)
        self._save(STATE, index, state)
        if replaced is not None:
            self._array(STATE, replaced).unlink(missing_ok=True)

    def has_state(self, index: int) -> bool:
        """Return whether the state after a frame is there, as it was written."""
        path = self._array(STATE, index)
        return path.is_file() and sha256_of(path) == self._notes().get(path.name)

    def state(self, index: int) -> np.ndarray:
        """Return the state after a frame, (num_state, H, W)."""
        return np.load(self._array(STATE, index), allow_pickle=False)

    def result(self, index: int) -> np.ndarray | None:
        """Return the result of a frame that the next one repeats, if it was kept."""
        path = self._array(RESULT, index)
        if not path.is_file() or sha256_of(path) != self._notes().get(path.name):
            return None
        return np.load(path, allow_pickle=False)

    def _save(self, kind: str, index: int, array: np.ndarray) -> None:
        path = self._array(kind, index)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
        self._note(path, index, index + 1)

    def kept(self) -> dict[int, Path]:
        """Return the kept frames of missing segments, as far as they are as written."""
        made = self._notes()
        missing, _ = self.missing()
        return {
            index: path
            for index, path in self._arrays(FRAME).items()
            if any(each.first <= index < each.last for each in missing)
            and sha256_of(path) == made[path.name]
        }

    def missing(self) -> tuple[list[Segment], list[str]]:
        """Return the segments that are not done yet, and which files are damaged."""
        made = self._notes()
        missing, damaged = [], []
        for segment in self._segments:
            path = self.path(segment)
            if not path.is_file() or segment.name not in made:
                missing.append(segment)
            elif sha256_of(path) != made[segment.name]:
                missing.append(segment)
                damaged.append(segment.name)
        return missing, damaged

    def row(self, segment: Segment) -> Row:
        """Return the row of a segment that is not done."""
        return self._row(self.path(segment), segment.first, segment.last)

    def _row(self, path: Path, first: int, last: int, sha256: str = "") -> Row:
        source, target = str(self._source), str(path)
        return Row(path.name, source, target, first, last, sha256=sha256)

    def _note(self, path: Path, first: int, last: int) -> None:
        """Write down what a file holds that is whole now."""
        row = self._row(path, first, last, sha256_of(path))
        add_row(self.folder / ROWS, row)

    def _notes(self) -> dict[str, str]:
        """Return the sha256 of each whole file by its name."""
        lines = len(self._segments) + sum(each.frames for each in self._segments)
        rows = read_rows(self.folder / ROWS, ROW_BYTES * lines)
        return {name: row.sha256 for name, row in rows.items()}

    def _array(self, kind: str, index: int) -> Path:
        """Return the file of a kept frame, or of the state after it."""
        return self.folder / f"{kind}-{index:08}.npy"

    def _arrays(self, kind: str) -> dict[int, Path]:
        """Return the files of a kind by index, as far as this program wrote them."""
        if not self.folder.is_dir():
            return {}
        made = self._notes()
        found = self._named_arrays(kind).items()
        return {index: path for index, path in found if path.name in made}

    def _named_arrays(self, kind: str) -> dict[int, Path]:
        """Return the files that are named like those of a kind, by index.

        One may be in no row: a run was killed before it noted it.
        """
        count = self._segments[-1].last if self._segments else 0
        found = sorted(self.folder.glob(f"{kind}-{'[0-9]' * 8}.npy"))
        by_index = {int(path.stem[-8:]): path for path in found}
        return {index: path for index, path in by_index.items() if index < count}

    def remove(self) -> None:
        """Remove the folder, with what this program put there and nothing else."""
        remove_leftovers(self.folder)
        kinds = map(self._named_arrays, (FRAME, STATE, RESULT))
        arrays = [path for found in kinds for path in found.values()]
        for path in [*arrays, *map(self.path, self._segments)]:
            path.unlink(missing_ok=True)
        for name in (ROWS, JOB):  # without a job what is left would be a stranger's
            (self.folder / name).unlink(missing_ok=True)
        self._remove_lock()

    def _remove_lock(self) -> None:
        """Remove the lock, and the folder if nothing else is in it.

        Windows refuses that while the lock is held.
        """
        if (self.folder / JOB).is_file() or not self.folder.is_dir():
            return
        with suppress(PermissionError):
            (self.folder / LOCK).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def damaged(self, found: object) -> UserError:
        """Return the error to raise for a `job.json` with what was found in it."""
        path = self.folder / JOB
        return UserError(f"{path}: damaged ({found}); remove its folder to begin anew")

    def _refuse_strangers(self) -> None:
        """Raise UserError if the folder holds anything but a lock or leftovers."""
        remove_leftovers(self.folder)
        names = [each.name for each in self.folder.iterdir() if each.name != LOCK]
        if names:
            raise UserError(
                f"{self.folder}: has no {JOB}, but holds {names[0]}; the segments of the "
                "result go into this folder, so move it away"
            )

    def _take_over(
        self, job: dict[str, Any], decide: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Write what the job is and what is decided, or check that the job is the same."""
        path = self.folder / JOB
        if not path.exists():
            record = {**job, DECIDED: decide()}
            with atomic_path(path) as temporary:
                temporary.write_text(_as_json(record), encoding="utf-8")
        return self.decided(job)

    def decided(self, job: dict[str, Any], hint: str = GO_ON) -> dict[str, Any]:
        """Return what was decided when the folder was made, if it is of the same job.

        Args:
            job: what is made of what, in plain values.
            hint: where or when `job` is so, and what to do if it is another.

        Raises:
            UserError: it is another's.
        """
        found = self._read()
        decided = found.pop(DECIDED, None)
        wanted = json.loads(_as_json(job))
        for key in sorted(found.keys() | wanted.keys()):
            before, now = found.get(key), wanted.get(key)
            if before == now:
                continue
            if isinstance(before, dict) and isinstance(now, dict):
                changed = {name for name in now if before.get(name) != now[name]}
                before = {name: before.get(name) for name in sorted(changed)}
                now = {name: now[name] for name in sorted(changed)}
            raise UserError(
                f"{self.folder}: segments of another run: {key} was {before!r}, and is "
                f"{now!r} {hint}"
            )
        if not isinstance(decided, dict):
            raise self.damaged(f"without {DECIDED!r}")
        return decided

    def _read(self) -> dict[str, Any]:
        """Return what `job.json` holds."""
        with open_regular(self.folder / JOB) as file:
            text = file.read(MOST_BYTES)
        try:
            return parse_object(text)
        except ValueError as error:
            raise self.damaged(error) from None


def check_space(folder: Path, needed: float, what: str) -> str | None:
    """Return a warning if the disk of `folder` has not `needed` bytes left for `what`."""
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return None
    return (
        f"{what} may take about {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free "
        f"in {folder}; a full disk ends the run, and the same command goes on"
    )


def _as_json(record: object) -> str:
    """Return a record as a text; fractions become texts in it, such as "16/11"."""
    return json.dumps(record, indent=1, default=str)
