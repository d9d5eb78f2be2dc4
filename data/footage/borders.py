"""Black bars around a picture: letterbox, pillarbox, and the few dark columns at the edges of old recordings."""

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop

BLACK = 24
"""Luma [8-bit levels] up to which a sample is black; compression lifts black by a few levels."""

STRIP = 0.02
"""Bars may differ by this share of the picture; what is wider at one side only is a dark scene."""

SOFT = 2
"""Pixels beyond a bar that are cut, too: scaling and compression have mixed them with the bar."""


def content(luma: np.ndarray) -> Crop:
    """Return the part of a picture, uint8 luma (H, W), that lies inside black bars; all of it if there are none.

    Bars lie on two opposite sides and are equally wide (2 % of the picture may be
    between them); one of them may hold a logo or subtitles. A picture that is black
    nearly everywhere has no bars.
    """
    dark = cv2.blur(luma, (3, 3)) <= BLACK
    top, bottom = _bars(dark)
    left, right = _bars(dark[top : luma.shape[0] - bottom].T)
    height, width = luma.shape[0] - top - bottom, luma.shape[1] - left - right
    return Crop(left, top, width, height)


def _bars(dark: np.ndarray) -> tuple[int, int]:
    """Return the heights of the bars above and below, with the soft edge, (0, 0) if there are none."""
    height = len(dark)
    share = dark.mean(axis=1)
    above, below = _run(share > 0.99), _run(share[::-1] > 0.99)
    wide, allowed = max(above, below), 2 + STRIP * height
    if wide > 0.45 * height:
        return 0, 0
    if abs(above - below) <= allowed:
        return above + SOFT * (above > 0), below + SOFT * (below > 0)
    # Subtitles and logos leave half of each row of a bar black.
    other = share[-wide:] if above > below else share[:wide]
    return (wide + SOFT, wide + SOFT) if np.percentile(other, 5) > 0.5 else (0, 0)


def _run(flags: np.ndarray) -> int:
    """Return how many leading flags are set."""
    return int(np.argmin(flags)) if not flags.all() else len(flags)
