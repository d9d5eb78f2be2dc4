"""The folder of a training run: what lies where in it, and its two logs."""

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from realesrgan_paddle.utils.atomic import (
    atomic_path,
    make_folder,
    naming,
    remove_leftovers,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.runlog.visualdl import Board


@dataclass(frozen=True)
class Experiment:
    """`<experiments_root>/<name>/`, laid out as BasicSR lays it out."""

    root: Path
    writes: bool = True
    """Of several processes of one training, one writes; in the others nothing is logged, made or locked."""
    board: Board | None = None
    """Told all that VisualDL shows, if it is wanted."""

    @property
    def models(self) -> Path:
        """Folder of `net_g_<iter>.pdparams` and `net_d_<iter>.pdparams`."""
        return self.root / "models"

    @property
    def latest(self) -> Path:
        """The newest generator's file."""
        return self.models / "net_g_latest.pdparams"

    @property
    def states(self) -> Path:
        """Folder of `<iter>.state`, from which a run is resumed."""
        return self.root / "training_states"

    @property
    def visualization(self) -> Path:
        """Folder of validation images."""
        return self.root / "visualization"

    @property
    def config(self) -> Path:
        """The yml file of the resolved options."""
        return self.root / "config.yml"

    @property
    def metrics(self) -> Path:
        """The json-lines file of every reported number."""
        return self.root / "metrics.jsonl"

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other runs of this name out of its folder; the lock is a hidden file beside it.

        Raises:
            UserError: one is running, or the folder cannot be made.
        """
        if not self.writes:
            yield
            return
        make_folder(self.root.parent)
        if self.root.exists():
            make_folder(self.root)
        lock = FileLock(self.root.with_name(f".{self.root.name}.lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"{self.root}: a training of this name is running; give this one another name"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def open(
        self, config: str, resumed_at: int | None, remarks: Iterable[str] = ()
    ) -> None:
        """Make the folder ready, keep the resolved options, yml text, in its `config.yml`, and log `remarks`.

        A fresh run moves an older one of its name aside. A resumed one drops the
        numbers that were reported after the iteration it goes on from, and the
        temporary files of a process that was killed.
        """
        if not self.writes:
            return
        if resumed_at is None and self.root.exists():
            archived = self.root.with_name(
                f"{self.root.name}_archived_{datetime.now():%Y%m%d_%H%M%S}"
            )
            self.root.rename(archived)
            sys.stderr.write(f"{self.root} is there already: moved to {archived}\n")
        self.root.mkdir(parents=True, exist_ok=True)
        if resumed_at is not None:
            self._rewind(resumed_at)
            self.log(f"resumed after iteration {resumed_at:,}")
            for path in remove_leftovers(self.root):
                self.log(f"removed {path}, left half-written by a run that was killed")
        with atomic_path(self.config) as temporary:
            temporary.write_text(config, encoding="utf-8")
        for remark in remarks:
            self.log(remark)
        if self.board is not None:
            self._open_board(self.board, resumed_at or 0)

    def log(self, message: str) -> None:
        """Print `message` and add it, with the time, to `train.log`."""
        if not self.writes:
            return
        sys.stdout.write(message + "\n")
        sys.stdout.flush()
        _append(
            self.root / "train.log", f"{datetime.now():%Y-%m-%d %H:%M:%S} {message}"
        )

    def report(self, iteration: int, values: Mapping[str, float], line: str) -> None:
        """Log `line` and add `values` to `metrics.jsonl`, where null stands for what is not finite: json has no NaN."""
        if not self.writes:
            return
        self.log(line)
        numbers = {
            name: value if math.isfinite(value) else None
            for name, value in values.items()
        }
        _append(
            self.metrics, json.dumps({"iter": iteration, **numbers}, allow_nan=False)
        )
        if self.board is not None:
            self.board.numbers([(iteration, numbers)])

    def show(self, dataset: str, iteration: int, sheet: np.ndarray) -> None:
        """Keep a validation's sheet, uint8 RGB (H, W, 3), as `visualization/<dataset>/sheet_<iteration>.png`."""
        write_image(self.visualization / dataset / f"sheet_{iteration}.png", sheet)
        if self.board is not None:
            self.board.picture(f"{dataset}/sheet", iteration, sheet)

    def _rewind(self, iteration: int) -> None:
        """Drop the numbers of later iterations, which will be reported again, and a line cut off by a crash."""
        if self.metrics.exists():
            lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [
                line
                for line in lines
                if line.endswith("\n") and self._iteration(line) <= iteration
            ]
            with atomic_path(self.metrics) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")

    def _open_board(self, board: Board, until: int) -> None:
        """Begin VisualDL's records with what was reported before, up to the iteration `until`."""
        board.open(self.root / "tb_logger")
        lines = (
            self.metrics.read_text(encoding="utf-8").splitlines()
            if self.metrics.exists()
            else []
        )
        records = [json.loads(line) for line in lines]
        board.numbers(
            (record["iter"], {k: v for k, v in record.items() if k != "iter"})
            for record in records
        )
        sheets = [
            (path, re.fullmatch(r"sheet_(\d+)", path.stem))
            for path in self.visualization.glob("*/sheet_*.png")
        ]
        for path, iteration in sorted(
            (path, int(found[1])) for path, found in sheets if found
        ):
            if iteration <= until:
                board.picture(f"{path.parent.name}/sheet", iteration, read_image(path))

    def _iteration(self, line: str) -> int:
        try:
            return int(json.loads(line)["iter"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{self.metrics}: the line {line.strip()[:60]!r} is no record of a run; mend the file or move it away"
            ) from None


def _append(path: Path, line: str) -> None:
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
