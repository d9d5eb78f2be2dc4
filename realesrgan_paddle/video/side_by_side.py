"""Two videos as one, side by side or with a divider in the middle, to be shared."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realesrgan_paddle.inference.video.reading.colors import FromRGB
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.video.pictures import Excerpt, Shown
from realesrgan_paddle.video.playable import PictureTrack, new_mp4, write_movie

Layout = Literal["beside", "split"]
"""Both pictures beside each other, or the left half of one and the right of the other."""

MOST_WIDTH, MOST_HEIGHT = 3840, 2160
"""UHD "4K": what H.264's level 5.1 and so most players take."""
QUALITY = "18"
"""CRF of x264; what its authors call visually lossless."""
LABEL_SHARE = 28
"""The height of the picture by that of a label's letters."""
SMALLEST_LABEL = 10
LABEL_PAPER, LABEL_INK = (0, 0, 0, 160), (255, 255, 255, 255)
LINE_SHARE = 360
"""The width of the picture by that of the line between the halves."""
SAME_TIME = Fraction(1, 1000)
"""Containers round times to milliseconds."""


def picture_size(
    left: tuple[int, int], right: tuple[int, int], layout: Layout
) -> tuple[int, int]:
    """Return the even size of a picture: the larger one's, if the file is so at most 4K."""
    width, height = max(left, right)
    whole, _ = whole_size(left, right, layout)
    share = min(1, MOST_WIDTH / whole, MOST_HEIGHT / height)
    shared_width = _even(width * share)
    shared_height = _even(height * share)
    return shared_width, shared_height


def whole_size(
    left: tuple[int, int], right: tuple[int, int], layout: Layout
) -> tuple[int, int]:
    """Return the size of the file, were it not scaled down to 4K."""
    width, height = max(left, right)
    if layout == "beside":
        width *= 2
    return width, height


def write_side_by_side(
    target: Path, left: Excerpt, right: Excerpt, layout: Layout, sound_of: Excerpt
) -> tuple[int, int]:
    """Write two videos as one, H.264 with AAC; return its width and height.

    Each frame of the right one is beside the frame that the left one shows at that
    time; the first frames are together. Both are made as large as the larger one by
    bicubic interpolation, and the file at most 3840x2160.

    Args:
        target: the mp4 to write.
        left: what is shown at the left.
        right: what is shown at the right.
        layout: how they are put together.
        sound_of: what is heard; may have no sound.

    Raises:
        UserError: a video is damaged.
    """
    size = picture_size(left.size, right.size, layout)
    canvas = Canvas(left.label, right.label, size, layout)
    pairs = paired(
        left.pictures(left.to_rgb(*size)), right.pictures(right.to_rgb(*size))
    )
    to_frame = FromRGB(right.tags, right.tags.matrix, "yuv420p")
    joined = (
        (time, to_frame(canvas.join(before.to_ndarray(), after.to_ndarray())))
        for time, before, after in pairs
    )
    shown = right.progress(joined, f"writing {target.name}")
    with new_mp4(target) as new:
        track = PictureTrack(new, right, canvas.size, QUALITY)
        write_movie(track, shown, right.times, sound_of)
    return canvas.size


def paired(
    left: Iterator[Shown], right: Iterator[Shown]
) -> Iterator[tuple[Fraction, av.VideoFrame, av.VideoFrame]]:
    """Yield each frame of the right video, with what the left one shows at that time."""
    waiting = next(left, None)
    now = None
    for time, frame in right:
        while waiting is not None and waiting[0] <= time + SAME_TIME:
            now = waiting[1]
            waiting = next(left, None)
        if now is not None:
            yield time, now, frame


class Canvas:
    """Puts pictures together, with a line between them and their labels.

    Args:
        left: label of the left picture.
        right: label of the right one.
        size: width and height of a picture.
        layout: how they are put together.

    Attributes:
        size: width and height of what comes out.
    """

    def __init__(
        self, left: str, right: str, size: tuple[int, int], layout: Layout
    ) -> None:
        width, height = size
        whole = 2 * width if layout == "beside" else width
        self.size = whole, height
        self._layout = layout
        self._middle = whole // 2
        self._line = max(1, whole // LINE_SHARE // 2)
        strip = label_strip(left, right, self.size)
        self._opacity = strip[..., 3:] / np.float32(255)
        self._ink = strip[..., :3] * self._opacity

    def join(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return both as uint8 RGB (H, W, 3)."""
        if self._layout == "beside":
            joined = np.concatenate([left, right], axis=1)
        else:
            joined = left.copy()
            half = left.shape[1] // 2
            joined[:, half:] = right[:, half:]

        first = self._middle - self._line
        last = self._middle + self._line
        joined[:, first:last] = 255

        top = joined[: len(self._ink)]
        paper = top * (1 - self._opacity)
        top[...] = np.rint(paper + self._ink)
        return joined


def label_strip(left: str, right: str, size: tuple[int, int]) -> np.ndarray:
    """Return the labels in the corners, uint8 RGBA (height of a label, W, 4)."""
    width, height = size
    usual = height // LABEL_SHARE
    letters = max(SMALLEST_LABEL, usual)
    margin = letters // 2

    strip_height = min(height, 2 * letters + margin)
    strip = Image.new("RGBA", (width, strip_height))
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(letters)
    half = width // 2
    room = half - 2 * margin - letters

    top, bottom = margin, margin + 1.5 * letters
    middle = (top + bottom) / 2
    for label, is_left in ((left, True), (right, False)):
        text = _fitting(printable(label), room, draw, font)
        box_width = draw.textlength(text, font) + letters
        x: float = margin
        if not is_left:
            x = width - margin - box_width

        box = (x, top, x + box_width, bottom)
        draw.rounded_rectangle(box, margin // 2, fill=LABEL_PAPER)
        place = (x + letters / 2, middle)
        draw.text(place, text, fill=LABEL_INK, font=font, anchor="lm")
    return np.asarray(strip)


def _fitting(text: str, room: float, draw: ImageDraw.ImageDraw, font: Any) -> str:
    """Return a text, cut until it is at most so wide."""
    while text and draw.textlength(text, font) > room:
        text = text[:-1]
    return text


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
