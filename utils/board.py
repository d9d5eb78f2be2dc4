"""What VisualDL shows of a run: its numbers and sheets as records, beside `metrics.jsonl`.

VisualDL cannot take records back, and of several files in a folder it shows one. So there is one file, and a
resumed run writes it anew from what the run has kept: no step is there twice, and none is missing.
"""

import importlib.util
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.errors import UserError

if TYPE_CHECKING:
    from visualdl import LogWriter


class Board:
    """VisualDL's records of one run; its `visualdl --logdir` may be the folder of one run or of many.

    Raises:
        UserError: VisualDL is not installed.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("visualdl") is None:
            beside = ' "numpy<2"' if np.__version__.startswith("1.") else ""  # pandas would bring numpy 2
            raise UserError(
                f"logger.use_tb_logger: VisualDL is not installed: pip install visualdl{beside}; or train without it: "
                "logger.use_tb_logger=false (metrics.jsonl has the numbers, tools/plot_run.py draws them)"
            )
        self._writer: LogWriter | None = None

    def open(self, folder: Path) -> None:
        """Begin the records in `folder`, without those of an earlier process."""
        from visualdl import LogWriter  # here, for it takes its time and most runs do without

        shutil.rmtree(folder, ignore_errors=True)
        self._writer = LogWriter(logdir=str(folder))

    def numbers(self, records: Iterable[tuple[int, Mapping[str, float | None]]]) -> None:
        """Add numbers by their iterations; what is not finite is left out. Losses get BasicSR's tags."""
        assert self._writer is not None
        for iteration, values in records:
            for name, value in values.items():
                if value is not None and math.isfinite(value):
                    self._writer.add_scalar(_tag(f"losses/{name}" if name.startswith("l_") else name), value, iteration)
        self._writer.flush()

    def picture(self, name: str, iteration: int, picture: np.ndarray) -> None:
        """Add a picture, uint8 RGB (H, W, 3)."""
        assert self._writer is not None
        self._writer.add_image(_tag(name), picture, iteration)
        self._writer.flush()


def _tag(name: str) -> str:
    return name.replace("%", "_")  # VisualDL refuses it
