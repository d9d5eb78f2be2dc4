"""Degrading by several processes: rows of pictures (docs/scale.md)."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from realesrgan_paddle.commands.shared_work import MOST_BYTES, Sharing, Work
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import remove_leftovers, sha256_of
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.rows import Row, add_row, read_rows

if TYPE_CHECKING:
    from realesrgan_paddle.data.lq.folder import LQFolder

MANIFEST = "degraded.jsonl"
"""In the folder of the low-quality images: a row for each that several processes wrote."""

Rows = list[Row]


@dataclass(frozen=True)
class Degrading(Work[Rows, list[Row | str]]):
    """What a process does with batches: each row becomes one with its checksum, or an error.

    Attributes:
        options: how the images are degraded.
        threads: of Paddle.
    """

    options: LQConfig
    threads: int

    def open(self) -> None:
        """Load Paddle."""
        os.environ["OMP_NUM_THREADS"] = str(self.threads)
        start_paddle()

    def do(self, opened: None, batch: Rows) -> list[Row | str]:
        """Degrade the images of a batch."""
        return [self._done(row) for row in batch]

    def _done(self, row: Row) -> Row | str:
        from realesrgan_paddle.data.lq.folder import write_lq

        source, target = Path(row.source), Path(row.target)
        try:
            write_lq(source, target, self.options)
            return replace(row, sha256=sha256_of(target))
        except (UserError, OSError) as error:
            return failure_line(source, error)


def write_shared_lq_folder(
    options: LQConfig, save_dir: Path, sharing: Sharing, *, overwrite: bool
) -> "LQFolder":
    """Do what `write_lq_folder` does, by several processes, to the same bits.

    Of earlier runs of several processes, results that were damaged since are made again.

    Raises:
        UserError: as `write_lq_folder`; or a process was killed, or there is no cluster.
    """
    from realesrgan_paddle.data.lq.folder import begin_lq_folder, lq_folder

    root = sharing.path(Path(options.dataroot_gt))
    options = options.model_copy(update={"dataroot_gt": str(root)})
    save_dir = sharing.path(save_dir)
    targets = begin_lq_folder(options, save_dir)
    remove_leftovers(save_dir)

    degradation = options.model_dump_json(exclude={"dataroot_gt", "meta_info"})
    job = hashlib.sha256(degradation.encode()).hexdigest()[:12]
    manifest = save_dir / MANIFEST
    noted = read_rows(manifest, MOST_BYTES)
    todo = []
    for path, target in targets.items():
        row = Row(f"lq:{job}:{path}", str(path), str(target))
        if overwrite or not _is_whole(row, noted.get(row.id)):
            todo.append(row)

    failures: dict[str, str] = {}
    work = Degrading(options, sharing.threads())
    size = sharing.batch_size(len(todo))
    batches = (todo[first : first + size] for first in range(0, len(todo), size))
    try:
        with tqdm(total=len(todo), unit="image", disable=None) as bar:
            for row, result in _rows_done(work, batches, sharing):
                if isinstance(result, Row):
                    add_row(manifest, result)
                else:
                    failures[row.source] = result
                bar.update()
    finally:
        remove_leftovers(save_dir)

    missing = {Path(source) for source in failures}
    lines = [failures[row.source] for row in todo if row.source in failures]
    return lq_folder(options, save_dir, targets, missing, len(todo), lines)


def _rows_done(
    work: Degrading, batches: Iterable[Rows], sharing: Sharing
) -> Iterator[tuple[Row, Row | str]]:
    """Yield each row with what became of it."""
    for batch, done in sharing.done(work, batches, work.threads):
        results = [str(done)] * len(batch) if isinstance(done, UserError) else done
        yield from zip(batch, results, strict=True)


def _is_whole(row: Row, noted: Row | None) -> bool:
    """Return whether the result of a row is there, as far as is noted as it was written."""
    target = Path(row.target)
    if not target.exists() or noted is None or noted.target != row.target:
        return target.exists()
    return sha256_of(target) == noted.sha256
