"""Windows of an image as a network takes them, made when they are needed."""

import numpy as np


class Picture:
    """An image, mirrored at its borders, of which windows are cut.

    Args:
        image: uint8 or uint16, (H, W) or (H, W, 3).
        pre_pad: pixels by which it is mirrored on every side.
        multiple: what height and width are filled up to a multiple of, by mirrored
            pixels at the bottom and on the right.

    Attributes:
        height: of the mirrored image [pixels].
        width: of the mirrored image [pixels].
        rows_within: the first row of the image itself, and that after its last.
        columns_within: the same for columns.
    """

    def __init__(self, image: np.ndarray, pre_pad: int, multiple: int) -> None:
        height, width = image.shape[:2]
        self._image = image
        self._rows = _mirrored(height, pre_pad, multiple)
        self._columns = _mirrored(width, pre_pad, multiple)

        self.height = len(self._rows)
        self.width = len(self._columns)
        self.rows_within = (pre_pad, pre_pad + height)
        self.columns_within = (pre_pad, pre_pad + width)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a copy of a part of the mirrored image, with its dtype and channels."""
        rows_there = self._rows[rows]
        columns_there = self._columns[columns]
        band = self._image[rows_there]
        return np.take(band, columns_there, axis=1)


def network_input(window: np.ndarray) -> np.ndarray:
    """Return a window of a `Picture` as float32 RGB (1, 3, h, w) in [0, 1]."""
    levels = to_float(window)
    if levels.ndim == 2:
        return np.repeat(levels[None, None], 3, axis=1)
    channels_first = levels.transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first[None])


def to_float(image: np.ndarray) -> np.ndarray:
    """Return uint8 or uint16 as float32 in [0, 1]."""
    peak = np.float32(np.iinfo(image.dtype).max)
    levels = image.astype(np.float32)
    return levels / peak


def _mirrored(length: int, pad: int, multiple: int) -> np.ndarray:
    """Return which pixel of an axis stands at each place of the mirrored one."""
    padded = length + 2 * pad
    rest = -padded % multiple
    places = np.arange(length)
    return np.pad(places, (pad, pad + rest), "reflect")
