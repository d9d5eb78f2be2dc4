"""Overlays in a video: logos, scoreboards, watermarks, banners, tickers."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.screen.boxes import in_frame, overlap, union
from realesrgan_paddle.data.footage.screen.evidence import MIN_FRAMES, Evidence
from realesrgan_paddle.data.footage.screen.gradients import (
    Sketch,
    clear_borders,
    gradient_directions,
    grid_size,
    shrunken,
)
from realesrgan_paddle.data.footage.screen.ticker import ticker_boxes
from realesrgan_paddle.data.footage.views.features import HashIndex, perceptual_hash
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import Size

# Where no source is named, the value was chosen on the synthetic clips of tests/footage,
# whose overlays are known.

MIN_HASH_DISTANCE = 0.1
"""Distance of perceptual hashes from which a frame is new.

As the default of `Selection.min_difference`.
"""

MAX_SAME_VIEW = 0.3
"""Share of the blocks that may agree with a recent frame; with more, it is one view."""

MAX_FRAMES = 300
"""Frames that are looked at; more only cost time."""

WINDOW = 5
"""Views in a row in which an overlay that comes and goes must be seen."""

LOOK_BACK = 2
"""Views after which the last `WINDOW` ones are looked at again.

So long may the overlay have been there before, and may it be there afterwards.
"""

MAX_SAMPLES = 18
"""Frames that are held, small, for tickers."""

MIN_OVERLAP = 0.5
"""Shared area of two boxes, in the smaller one, from which they are one overlay."""

FOREVER = float("inf")

MIN_TEMPORARY_SHARE = 0.01
"""Share of the frame that an overlay shown for a while must have.

A lower third has 0.05 to 0.09, a scoreboard 0.01 to 0.03. The place that a car drives
towards looks alike for a while, too: up to 0.007, measured on drawn streets.
"""

Kind = Literal["static", "ticker", "temporary"]


@dataclass(frozen=True)
class Overlay:
    """Something that was put over the picture."""

    box: Crop
    """In the video's frame."""
    kind: Kind
    start: float = 0.0
    """Seconds at which it may be there first."""
    end: float = FOREVER
    """Seconds at which it may be there last."""


class View(NamedTuple):
    """A frame that shows another view than the ones before it."""

    luma: np.ndarray
    """Downscaled to the grid, uint8 (H, W)."""
    directions: np.ndarray
    """Of its gradients, float32 (2, H, W); 0 outside the borders."""
    seconds: float
    sketch: Sketch


class OverlayFinder:
    """Compares the frames of a video that show different views, to find what is fixed.

    Frames that look like an earlier one are skipped, so a video of a still camera has
    no overlays. Memory does not grow with the number of frames.
    """

    def __init__(self) -> None:
        self._seen = HashIndex()
        self._all = Evidence()
        self._recent: deque[View] = deque(maxlen=WINDOW + LOOK_BACK)
        self._temporary: list[Overlay] = []
        self._samples: list[np.ndarray] = []
        self._random = np.random.default_rng(0)

    def add(self, luma: np.ndarray, content: Crop, seconds: float = 0.0) -> None:
        """Add the next frame, unless it looks like an earlier one.

        Args:
            luma: uint8 (H, W).
            content: its part inside the borders.
            seconds: its time.
        """
        if self._all.count == MAX_FRAMES:
            return
        small = shrunken(luma, self._grid_of(luma))
        hash_ = perceptual_hash(small)
        nearest = self._seen.nearest(hash_)
        if nearest is not None and nearest[1] < MIN_HASH_DISTANCE:
            return

        self._seen.add("", hash_)
        view = _view(small, content, luma.shape, seconds)
        for other in list(self._recent)[-WINDOW:]:
            if view.sketch.same_view(other.sketch) > MAX_SAME_VIEW:
                return

        self._all.add(view.directions)
        self._recent.append(view)
        self._sample(view.luma)
        if self._all.count % LOOK_BACK == 0:
            self._look_back()

    def boxes(self, width: int, height: int) -> list[Crop]:
        """Return the boxes around overlays in a frame of `width` x `height` pixels.

        [] if there are none, or if too few frames were different.
        """
        overlays = self.overlays(width, height)
        return [overlay.box for overlay in overlays]

    def overlays(self, width: int, height: int) -> list[Overlay]:
        """Return the overlays, in a frame of `width` x `height` pixels."""
        if self._all.count < MIN_FRAMES:
            return []

        found = [Overlay(box, "static") for box in self._all.boxes()]
        for box in ticker_boxes(self._samples):
            if not _is_known(box, found):
                found.append(Overlay(box, "ticker"))
        rows, columns = self._recent[0].luma.shape
        least = MIN_TEMPORARY_SHARE * rows * columns
        for overlay in self._temporary:
            box = overlay.box
            if box.width * box.height >= least and not _is_known(box, found):
                found.append(overlay)

        return [
            Overlay(
                in_frame(overlay.box, (columns, rows), (width, height)),
                overlay.kind,
                overlay.start,
                overlay.end,
            )
            for overlay in found
        ]

    def _grid_of(self, luma: np.ndarray) -> Size:
        """Return the grid of the video's first frame."""
        if self._recent:
            rows, columns = self._recent[0].luma.shape
            return columns, rows
        return grid_size(luma.shape[1], luma.shape[0])

    def _sample(self, luma: np.ndarray) -> None:
        """Hold each view with the same probability: Vitter 1985, algorithm R."""
        if len(self._samples) < MAX_SAMPLES:
            self._samples.append(luma)
            return
        place = int(self._random.integers(self._all.count))
        if place < MAX_SAMPLES:
            self._samples[place] = luma

    def _look_back(self) -> None:
        """Note what was fixed in the last views, and when."""
        window = list(self._recent)[-WINDOW:]
        if len(window) < WINDOW:
            return
        evidence = Evidence()
        for view in window:
            evidence.add(view.directions)

        boxes = evidence.boxes()
        start, now = self._recent[0].seconds, self._recent[-1].seconds
        for number, known in enumerate(self._temporary):
            if known.end < FOREVER:
                continue
            seen = [box for box in boxes if overlap(known.box, box) >= MIN_OVERLAP]
            boxes = [box for box in boxes if box not in seen]
            end = FOREVER if seen else now
            box = union([known.box, *seen])
            self._temporary[number] = replace(known, box=box, end=end)
        for box in boxes:
            self._temporary.append(Overlay(box, "temporary", start, FOREVER))


def _view(
    small: np.ndarray, content: Crop, frame_shape: tuple[int, ...], seconds: float
) -> View:
    """Return a frame that is downscaled to the grid, with its gradients."""
    directions = gradient_directions(small)
    clear_borders(directions, content, frame_shape)
    return View(small, directions, seconds, Sketch(directions))


def _is_known(box: Crop, found: list[Overlay]) -> bool:
    boxes = [overlay.box for overlay in found]
    overlaps = [overlap(box, known) for known in boxes]
    return max(overlaps, default=0.0) >= MIN_OVERLAP
