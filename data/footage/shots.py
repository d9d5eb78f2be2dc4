"""Which frames are of one shot."""

import cv2
import numpy as np

CUT = 0.35
"""Distance of the colours of two frames from which there is a cut between them: frames of one shot that are
seconds apart have 0.03 to 0.33 in soccer, street and animated footage, those of two
shots 0.4 to 0.8."""


class ShotCounter:
    """Numbers the shots of one video, from frames in the order of time."""

    def __init__(self) -> None:
        self._shot = 0
        self._colours: np.ndarray | None = None

    def number(self, image: np.ndarray, *, begins: bool = False) -> int:
        """Return the number of the shot of the next frame, uint8 RGB (H, W, 3); `begins` says that it is a new one."""
        colours = _colours(image)
        if self._colours is not None:
            distance = cv2.compareHist(
                self._colours, colours, cv2.HISTCMP_BHATTACHARYYA
            )
            self._shot += begins or distance > CUT
        self._colours = colours
        return self._shot


def _colours(image: np.ndarray) -> np.ndarray:
    """Return the histogram of hue, saturation and value, which camera movement changes little."""
    small = cv2.resize(image, (160, 90), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [16, 4, 4], [0, 180, 0, 256, 0, 256])
    return cv2.normalize(counts, None, 1, 0, cv2.NORM_L1)
