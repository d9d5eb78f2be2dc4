"""What VisualDL shows of a run: its numbers and sheets as records, beside `metrics.jsonl`.

VisualDL cannot take records back, and of several files in a folder it shows one. So
there is one file, and a resumed run writes it anew from what the run has kept: no step
is there twice, and none is missing.
"""

import importlib.util
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from visualdl import LogWriter


def open_board(wanted: bool) -> tuple["Board | None", list[str]]:
    """Return the records to write, if they are `wanted` and VisualDL is installed; else, where wanted, a remark.

    Many option files ask for them, and nothing is lost without: a resume writes them
    from `metrics.jsonl`.
    """
    if not wanted or importlib.util.find_spec("visualdl") is not None:
        return (Board() if wanted else None), []
    beside = (
        ' "numpy<2"' if np.__version__.startswith("1.") else ""
    )  # pandas would bring numpy 2
    return None, [
        f"option logger.use_tb_logger has no effect: VisualDL is not installed (pip install visualdl{beside}); "
        "metrics.jsonl has the numbers, and tools/plot_run.py draws them"
    ]


class Board:
    """VisualDL's records of one run; its `visualdl --logdir` may be the folder of one run or of many."""

    def __init__(self) -> None:
        self._writer: LogWriter | None = None

    def open(self, folder: Path) -> None:
        """Begin the records in `folder`, without those of an earlier process."""
        from visualdl import (
            LogWriter,
        )  # here, for it takes its time and most runs do without

        for records in folder.glob("vdlrecords.*.log"):
            records.unlink()
        self._writer = LogWriter(logdir=str(folder))

    def numbers(
        self, records: Iterable[tuple[int, Mapping[str, float | None]]]
    ) -> None:
        """Add numbers by their iterations; what is not finite is left out. Losses get BasicSR's tags."""
        assert self._writer is not None
        for iteration, values in records:
            for name, value in values.items():
                if value is not None and math.isfinite(value):
                    self._writer.add_scalar(
                        _tag(f"losses/{name}" if name.startswith("l_") else name),
                        value,
                        iteration,
                    )
        self._writer.flush()

    def picture(self, name: str, iteration: int, picture: np.ndarray) -> None:
        """Add a picture, uint8 RGB (H, W, 3)."""
        assert self._writer is not None
        self._writer.add_image(_tag(name), picture, iteration)
        self._writer.flush()


def _tag(name: str) -> str:
    return name.replace("%", "_")  # VisualDL refuses it
