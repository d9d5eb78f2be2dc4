"""Upscaling by several processes: rows of pictures and of videos' segments (docs/scale.md).

This process plans, holds the folders of videos, notes rows and puts videos together. Rows go
to processes of this machine or of a cluster, which read and write the files themselves.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realesrgan_paddle.commands.shared_work import MOST_BYTES
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import (
    Inputs,
    Results,
    results_of,
    spares_names,
)
from realesrgan_paddle.commands.upscale_rows import (
    Batch,
    Done,
    Upscaling,
    elsewhere,
    job_of,
    picture_settings,
)
from realesrgan_paddle.inference.pictures.files import TakenFiles, Targets, is_written
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import make_folder, remove_leftovers, sha256_of
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.machine.devices import core_count
from realesrgan_paddle.utils.rows import Row, add_row, read_rows

if TYPE_CHECKING:
    from realesrgan_paddle.commands.upscale_videos import VideoRecord
    from realesrgan_paddle.inference.video.shared_video import SharedVideo

MANIFEST = "upscaled.jsonl"
"""In the folder of the results: a row for each that is whole."""


class SharedRun:
    """A run of several processes.

    Args:
        upscaler: of this process: it decides, and computes nothing else.
        inputs: what is upscaled.
        flags: of the command.
        records: of all pictures and videos, which are filled in.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        inputs: Inputs,
        flags: UpscaleFlags,
        records: dict[Path, Record],
    ) -> None:
        self._upscaler = upscaler
        self._inputs = inputs
        self._flags = flags
        self._records = records
        self._places = [
            (found, results_of(found, flags, upscaler.scale)) for found in inputs.found
        ]
        all_inputs = [*inputs.pictures, *inputs.videos]
        self._taken = TakenFiles(all_inputs, spares=spares_names(flags))
        self._left: dict[str, tuple[SharedVideo, int]] = {}
        self._number = 0
        self._job = job_of(upscaler, flags)

    def run(self, reopen: "partial[Runner]") -> None:
        """Do all; note what became of each file in its record."""
        reopen, flags = elsewhere(reopen, self._flags)
        threads = reopen.keywords["threads"]
        work = Upscaling(reopen, flags, core_count())

        # Before any process writes: later they may be what one of them is writing.
        self._remove_leftovers()
        batches = chain(self._videos(), self._pictures())
        try:
            for batch, result in flags.sharing.done(work, batches, threads):
                if isinstance(result, UserError):
                    result = Done(error=str(result))
                self._note(batch, result)
        finally:
            for video, _ in self._left.values():
                video.close()
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for _, results in self._places:
            if results.output.is_dir():
                remove_leftovers(results.output)

    def _row(self, kind: str, source: Path, target: Path) -> Row:
        return Row(f"{kind}:{self._job}:{source}", str(source), str(target))

    def _is_done(self, row: Row, possible: list[Path], rows: dict[str, Row]) -> bool:
        """Return whether the result of a row is there, as it was written; note it."""
        earlier = rows.get(row.id)
        for target in possible:
            if not is_written(target):
                continue
            if earlier is not None and earlier.target == str(target):
                if sha256_of(target) != earlier.sha256:
                    continue
            elif not self._flags.skip_existing:
                continue
            record = self._records[Path(row.source)]
            record.output, record.status = target, "skipped"
            self._number += 1
            return True
        return False

    def _videos(self) -> Iterator[Batch]:
        """Yield a batch for each segment that is missing, video by video."""
        for found, results in self._places:
            rows = read_rows(_manifest(results), MOST_BYTES)
            for path in found.videos:
                try:
                    yield from self._video(path, results, rows)
                except (UserError, OSError) as error:
                    self._fail(path, failure_line(path, error))

    def _video(
        self, path: Path, results: Results, rows: dict[str, Row]
    ) -> Iterator[Batch]:
        from realesrgan_paddle.commands.upscale_videos import target_of
        from realesrgan_paddle.inference.video.recurrent import carries_state
        from realesrgan_paddle.inference.video.shared_video import SharedVideo

        target = target_of(path, results, self._flags)
        self._taken.take(target, path)
        whole = self._row("video", path, target)
        if self._is_done(whole, [target], rows):
            return
        if carries_state(self._upscaler.run):
            yield Batch((whole,), results)
            return

        flags = self._flags
        video = SharedVideo(self._upscaler, path, target, flags.video, flags.outscale)
        segments = video.begin()
        self._left[str(path)] = video, len(segments)
        if not segments:
            self._end(path)
        for row in segments:
            yield Batch((replace(row, id=f"segment:{row.id}"),), results)

    def _pictures(self) -> Iterator[Batch]:
        """Yield batches of pictures; those of one name, which may meet, in one."""
        inputs = {path.resolve() for path in self._inputs.pictures}
        for found, results in self._places:
            if not found.pictures:
                continue
            settings = picture_settings(self._flags, results)
            targets = Targets(
                results.output, results.root, settings.suffix, settings.ext
            )
            make_folder(targets.folder)
            rows = read_rows(_manifest(results), MOST_BYTES)
            size = self._flags.sharing.batch_size(len(found.pictures))
            batch: list[Row] = []
            near: list[Path] = []
            for path in sorted(found.pictures, key=lambda path: path.with_suffix("")):
                possible = targets.possible(path, all_frames=settings.all_frames)
                row = self._row("picture", path, possible[0])
                free = [each for each in possible if self._taken.is_free(each, path)]
                if self._is_done(row, free, rows):
                    continue
                last = Path(batch[-1].source) if batch else path
                if len(batch) >= size and last.stem != path.stem:
                    yield Batch(tuple(batch), results, tuple(near))
                    batch, near = [], []
                batch.append(row)
                near += [each for each in possible if each.resolve() in inputs]
            if batch:
                yield Batch(tuple(batch), results, tuple(near))

    def _note(self, batch: Batch, done: Done) -> None:
        """Take down what became of a batch."""
        source = Path(batch.rows[0].source)
        if done.row is not None:
            self._note_segment(source, done)
            return
        if done.error:
            for row in batch.rows:
                self._fail(Path(row.source), done.error)
            return
        for row, record in zip(batch.rows, done.records, strict=True):
            vars(self._records[record.input]).update(vars(record))
            if record.error is None:
                self._tell(record, row, batch.results)
            else:
                self._fail(record.input, record.error)

    def _note_segment(self, source: Path, done: Done) -> None:
        assert done.row is not None
        video, left = self._left[str(source)]
        self._left[str(source)] = video, left - 1
        try:
            video.note(done.row, done.seconds)
            if left == 1 and self._records[source].error is None:
                self._end(source)
        except (UserError, OSError) as error:
            self._fail(source, failure_line(source, error))

    def _end(self, source: Path) -> None:
        """Put a video together."""
        video, _ = self._left.pop(str(source))
        record: Any = self._records[source]
        record.note(video.end())
        record.output = video.plan.target
        results = next(each for found, each in self._places if source in found.videos)
        self._tell(record, self._row("video", source, record.output), results)

    def _tell(self, record: "Record | VideoRecord", row: Row, results: Results) -> None:
        """Note in the manifest that a result is whole, and say so."""
        assert record.output is not None
        manifest = _manifest(results)
        if manifest.parent.is_dir():
            digest = sha256_of(record.output)
            row = replace(
                row, target=str(record.output), last=record.frames, sha256=digest
            )
            add_row(manifest, row)
        say(f"{self._head()} {record.input} {record.summary()}")

    def _fail(self, source: Path, error: str) -> None:
        record = self._records[source]
        first = record.status != "failed" or record.error is None
        record.status = "failed"
        record.error = error.removeprefix(f"{source}: ")
        if first:
            say(f"{self._head()} {source}: failed: {record.error}")

    def _head(self) -> str:
        self._number += 1
        return f"[{self._number}/{len(self._records)}]"


def _manifest(results: Results) -> Path:
    """Return the manifest of a place's results; of a single file there is none."""
    return results.output / MANIFEST
