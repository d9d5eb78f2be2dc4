"""One column of pixels over time, as papers on video show flicker.

What stands still is a straight line, motion a slanted one; what flickers is rough.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from realesrgan_paddle.utils.crops import most_detailed, sobel_magnitude
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet

HEIGHT = 256
"""Of the column [pixels], where it has most detail."""
REPEATED = 3
"""How often a column is repeated, so that a hundred frames are seen without a glass."""


class TimeSlice:
    """Keeps a column of the frames that pass through, the same one of all videos."""

    def __init__(self) -> None:
        self._columns: dict[str, list[np.ndarray]] = {}
        self._place: tuple[slice, int] | None = None

    def watched(self, label: str, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the frames of a video, uint8 RGB (H, W, 3), as they are."""
        columns = self._columns.setdefault(label, [])
        for frame in frames:
            if self._place is None:
                self._place = _detailed_column(frame)
            columns.append(frame[self._place].copy())
            yield frame

    def sheet(self) -> np.ndarray:
        """Return the columns side by side, each video's over time, uint8 RGB (H, W, 3)."""
        panels = []
        for label, columns in self._columns.items():
            image = np.stack(columns, axis=1)
            panels.append(Panel(label, image.repeat(REPEATED, axis=1)))
        assert self._place is not None
        _, column = self._place
        headline = f"column {column} over time"
        return contact_sheet([SheetRow("", panels)], [], headline)


def _detailed_column(frame: np.ndarray) -> tuple[slice, int]:
    """Return the rows and the column of a frame where there is most detail."""
    (crop,) = most_detailed(frame, HEIGHT, 1)
    detail = crop.of(sobel_magnitude(frame)).mean(axis=0)
    return slice(crop.y, crop.bottom), crop.x + int(detail.argmax())
