"""A network without weights, for which it matters what is computed again, and where."""

import numpy as np

SCALE = 2
RADIUS = 5
MULTIPLE = 4


class LocalNoise:
    """What a network in low precision is like: its errors look like noise.

    An output pixel depends on what is at most `RADIUS` input pixels from it, with zeros
    beyond the window, and on its place in the window modulo `MULTIPLE`: on nothing else, to
    the bit.

    Args:
        of_window: it depends on all of the window, as where sums are rounded otherwise in
            windows of other shapes.

    Attributes:
        windows: the shape of each one computed.
    """

    radius = RADIUS
    multiple = MULTIPLE

    def __init__(self, *, of_window: bool = False) -> None:
        self._of_window = of_window
        self.windows: list[tuple[int, int]] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[2:]
        self.windows.append((height, width))
        around = ((0, 0), (0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS))
        padded = np.pad(images, around)

        seen = np.zeros_like(images)
        far = 2 * RADIUS
        for row, column in ((0, 0), (0, far), (far, 0), (far, far)):
            part = padded[..., row : row + height, column : column + width]
            seen += np.float32(1 + row + 2 * column) * part

        rows = np.arange(height)[:, None] % MULTIPLE
        columns = np.arange(width) % MULTIPLE
        noise = np.sin(997 * seen + 3 * rows + columns, dtype=np.float32)
        if self._of_window:
            noise += np.sin(images.sum(), dtype=np.float32)
        result = 0.9 * images + np.float32(0.05) * noise
        return result.repeat(SCALE, axis=2).repeat(SCALE, axis=3)
