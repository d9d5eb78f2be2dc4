"""The folder of a training run: its files and folders, its two logs, VisualDL's records.

VisualDL cannot remove records, and it shows only one record file of a folder. So there
is one file, and a resumed run rewrites it from `metrics.jsonl` and the saved sheets:
every step is there exactly once.
"""

import errno
import importlib.util
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.colors import emphasized
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import (
    atomic_path,
    figures_of,
    make_folder,
    name_failed_path,
    read_regular,
    remove_leftovers,
)
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.report.pages import PAGE
from realesrgan_paddle.utils.runlog.run_page import RunPage
from realesrgan_paddle.utils.runlog.training_state import state_files
from realesrgan_paddle.utils.signals import leave_terminal

if TYPE_CHECKING:
    from visualdl import LogWriter

TUNE_NOTES = "tune.json"
"""In the folder of a tune: what it is made of, and how far it is."""


def make_visualdl_writer(
    wanted: bool,
) -> tuple["VisualDLWriter | None", list[str]]:
    """Return a writer if it is `wanted` and VisualDL is installed, and log remarks.

    Without VisualDL, a remark says how to install it. That is no error, because many
    option files ask for it and nothing is lost: the next resume writes the records from
    `metrics.jsonl`.
    """
    if not wanted:
        return None, []
    if importlib.util.find_spec("visualdl") is not None:
        return VisualDLWriter(), []
    # VisualDL requires pandas, and installing that would replace NumPy 1 by NumPy 2.
    pinned_numpy = ' "numpy<2"' if np.__version__.startswith("1.") else ""
    return None, [
        "option logger.use_tb_logger has no effect: VisualDL is not installed "
        f"(pip install visualdl{pinned_numpy}); metrics.jsonl has the numbers, and "
        "tools/plot_run.py draws them"
    ]


class VisualDLWriter:
    """Writes one run's records; `visualdl --logdir` shows a folder of one or many."""

    def __init__(self) -> None:
        self._writer: LogWriter | None = None

    def open(self, folder: Path) -> None:
        """Start a record file in `folder`, in place of those of earlier processes."""
        # Imported here: it is slow to import, and most runs do not use it.
        from visualdl import LogWriter

        for records in folder.glob("vdlrecords.*.log"):
            records.unlink()
        self._writer = LogWriter(logdir=str(folder))

    def add_scalars(
        self, records: Iterable[tuple[int, Mapping[str, float | None]]]
    ) -> None:
        """Add (iteration, values) records without their non-finite values.

        Losses get BasicSR's tags, "losses/l_g_pix".
        """
        assert self._writer is not None
        for iteration, values in records:
            for name, value in values.items():
                if value is None or not math.isfinite(value):
                    continue
                tag = f"losses/{name}" if name.startswith("l_") else name
                self._writer.add_scalar(_valid_tag(tag), value, iteration)
        self._writer.flush()

    def add_image(self, name: str, iteration: int, image: np.ndarray) -> None:
        """Add an image, uint8 RGB (H, W, 3)."""
        assert self._writer is not None
        self._writer.add_image(_valid_tag(name), image, iteration)
        self._writer.flush()


def _valid_tag(name: str) -> str:
    return name.replace("%", "_")  # VisualDL refuses "%" in tags


FOLDER = "folder: "
"""Begins the first line of a run, which says where it is."""


@dataclass(frozen=True)
class Experiment:
    """`<experiments_root>/<name>/`, with BasicSR's layout."""

    root: Path
    writes: bool = True
    """Whether this process writes: of several of one training, only one does."""
    visualdl: VisualDLWriter | None = None
    """Gets every reported number and sheet too, if given."""
    page: RunPage | None = None
    """Shows how far the run is, if given."""

    @property
    def models(self) -> Path:
        """Folder of `net_g_<iter>.pdparams` and `net_d_<iter>.pdparams`."""
        return self.root / "models"

    @property
    def latest(self) -> Path:
        """File of the newest generator."""
        return self.models / "net_g_latest.pdparams"

    @property
    def best(self) -> Path:
        """File of the generator that validated best, if there are validations."""
        return self.models / "net_g_best.pdparams"

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
    def lock(self) -> Path:
        """The file that a run holds, beside the folder, so that it stays the only one."""
        return self.root.with_name(f".{self.root.name}.lock")

    @property
    def exported(self) -> Path:
        """Folder for its network as a graph."""
        return self.root / "infer"

    @property
    def tuned(self) -> Path | None:
        """Folder of the tune whose training this is, which exports the network itself."""
        folder = self.root.parent
        return folder if (folder / TUNE_NOTES).is_file() else None

    @property
    def metrics(self) -> Path:
        """The json-lines file of every reported number."""
        return self.root / "metrics.jsonl"

    @property
    def _log_file(self) -> Path:
        return self.root / "train.log"

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Hold a lock that keeps other runs of this name out of the folder.

        The lock is a hidden file beside the folder.

        Raises:
            UserError: such a run is active, or the folder cannot be made.
        """
        if not self.writes:
            yield
            return

        # Imported here: commands that only read a run need no locks.
        from filelock import Timeout

        from realesrgan_paddle.utils.locks import locked

        make_folder(self.root.parent)
        if self.root.exists():
            make_folder(self.root)
        try:
            with locked(self.lock, wait=False):
                try:
                    yield
                finally:
                    # What ended the run matters more than an error here.
                    with suppress(OSError, UserError):
                        if self.page is not None:
                            self.page.end("stopped")
        except Timeout:
            raise UserError(
                f"{self.root}: a training of this name is running; "
                "give this one another name"
            ) from None

    def open(
        self,
        config: str,
        resumed_at: int | None,
        remarks: Iterable[str] = (),
        validates_again: bool = False,
        *,
        is_own: bool = True,
    ) -> None:
        """Prepare the folder, write `config` to its `config.yml`, and log `remarks`.

        A new run renames an existing folder of its name. A resumed run drops the
        numbers reported after the iteration it resumes from, and removes the temporary
        files of a killed process.

        Args:
            config: the resolved options as yml.
            resumed_at: the iteration the run resumes from; None for a new run.
            remarks: lines for the log; those that are indented are details, which only
                its file gets.
            validates_again: whether it makes the validation of that iteration again, so
                that what it has reported is dropped, too.
            is_own: whether the state that it resumes from is this folder's; with that of
                another run it is a new one here.
        """
        if not self.writes:
            return
        if not (resumed_at is not None and is_own) and self.root.exists():
            self._archive()
        self.root.mkdir(parents=True, exist_ok=True)
        validated_until = (resumed_at or 0) - validates_again
        if resumed_at is not None:
            self._rewind(resumed_at, validated_until)
            self.log(f"resumed after iteration {resumed_at:,}")
            self._set_aside_states(resumed_at)
            for path in remove_leftovers(self.root):
                self.log(f"removed {path}, left half-written by a run that was killed")

        with atomic_path(self.config) as temporary:
            temporary.write_text(config, encoding="utf-8")
        self.log(f"{FOLDER}{self.root}")
        details = 0
        for remark in remarks:
            if remark.startswith("  "):
                self._write(remark)
                details += 1
            else:
                self.log(remark)
        if details:
            self.log(
                f"{details} more lines, on what was chosen and why: {self._log_file}"
            )
        if self.page is not None:
            self.page.open(self.metrics, resumed_at or 0)
            self.log(f"open {self.root / PAGE} in a browser to follow it")
        if self.visualdl is not None:
            self._open_visualdl(self.visualdl, validated_until)

    def log(self, message: str) -> None:
        """Print `message` and add it, with the time, to `train.log`."""
        if not self.writes:
            return
        message = printable(message)
        try:
            sys.stdout.write(f"{emphasized(message, sys.stdout)}\n")
            sys.stdout.flush()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            leave_terminal()  # it was closed a moment before its SIGHUP is handled
        self._write(message)

    def _write(self, message: str) -> None:
        """Add a line to the log, with the time."""
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        _append(self._log_file, f"{now} {printable(message)}")

    def report(self, iteration: int, values: Mapping[str, float], line: str) -> None:
        """Log `line` and add `values` to `metrics.jsonl`.

        Non-finite values become null there, because json has no NaN.
        """
        if not self.writes:
            return
        self.log(line)
        numbers = {
            name: value if math.isfinite(value) else None
            for name, value in values.items()
        }
        record = {"iter": iteration, **numbers}
        _append(self.metrics, json.dumps(record, allow_nan=False))
        if self.page is not None:
            self.page.report(iteration, numbers, line)
        if self.visualdl is not None:
            self.visualdl.add_scalars([(iteration, numbers)])

    def show(self, dataset: str, iteration: int, sheet: np.ndarray) -> None:
        """Write a validation sheet as `visualization/<dataset>/sheet_<iteration>.png`.

        Args:
            dataset: name of the validation set.
            iteration: the one that was validated.
            sheet: uint8 RGB (H, W, 3).
        """
        path = self.visualization / dataset / f"sheet_{iteration}.png"
        write_image(path, sheet)
        if self.page is not None:
            self.page.show(dataset, path)
        if self.visualdl is not None:
            self.visualdl.add_image(f"{dataset}/sheet", iteration, sheet)

    def _archive(self) -> None:
        """Rename the folder of an older run of this name."""
        now = f"{datetime.now():%Y%m%d_%H%M%S}"
        archived = self.root.with_name(f"{self.root.name}_archived_{now}")
        self.root.rename(archived)
        moved = f"{self.root} is there already: moved to {archived}"
        sys.stderr.write(f"{printable(moved)}\n")

    def _set_aside_states(self, iteration: int) -> None:
        """Rename states of later iterations: `auto_resume` would go on from these."""
        for later, path in state_files(self.states).items():
            if later > iteration:
                aside = path.replace(path.with_name(f"{path.name}.left"))
                self.log(f"{path}: of a later iteration, so renamed {aside.name}")

    def _rewind(self, iteration: int, validated_until: int) -> None:
        """Drop later numbers, and a last line that a crash has cut off.

        Those of validations are named SET/METRIC.
        """
        if not self.metrics.exists():
            return
        kept = []
        for line in read_regular(self.metrics).splitlines(keepends=True):
            if not line.endswith(b"\n"):
                continue
            record = self._record(line)
            is_validation = any("/" in name for name in record)
            last = validated_until if is_validation else iteration
            if record["iter"] <= last:
                kept.append(line)
        with atomic_path(self.metrics) as temporary:
            temporary.write_bytes(b"".join(kept))

    def _open_visualdl(self, writer: VisualDLWriter, until: int) -> None:
        """Start VisualDL's records with the numbers so far, and sheets up to `until`."""
        writer.open(self.root / "tb_logger")

        if self.metrics.exists():
            records = []
            for line in read_regular(self.metrics).splitlines():
                values = self._record(line)
                records.append((int(values.pop("iter")), values))
            writer.add_scalars(records)

        sheets = []
        for path in self.visualization.glob("*/sheet_*.png"):
            if number := re.fullmatch(r"sheet_(\d+)", path.stem):
                sheets.append((path, int(number[1])))
        for path, iteration in sorted(sheets):
            if iteration <= until:
                sheet = read_image(path)
                writer.add_image(f"{path.parent.name}/sheet", iteration, sheet)

    def _record(self, line: bytes) -> dict[str, float]:
        """Return the numbers of a line of `metrics.jsonl`; NaN for null."""
        try:
            return figures_of(line.decode())
        except ValueError:
            shown = line.decode(errors="replace").strip()[:60]
            raise UserError(
                f"{self.metrics}: the line {shown!r} is no record of a "
                "run; fix the file or move it away"
            ) from None


def _append(path: Path, line: str) -> None:
    with name_failed_path(path), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
