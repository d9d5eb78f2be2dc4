"""VisualDL records of a run: its numbers and validation sheets.

VisualDL cannot remove records, and it shows only one record file of a folder. So there
is one file, and a resumed run rewrites it from `metrics.jsonl` and the saved sheets:
every step is there exactly once.
"""

import importlib.util
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from visualdl import LogWriter


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
