"""Metrics of clips: what changes from an image of a set to the next, its next frame."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.temporal.measure import Reference
from realesrgan_paddle.utils.temporal.steps import Distance, Step
from realesrgan_paddle.utils.temporal.together import GT, LQ

STEP_FIGURES = {
    "tof": "tof",
    "tlp": "tlp",
    "change": "difference_error",
    "flicker": "flicker",
}
"""The metrics, and what `utils.temporal.figures.Figures` calls them."""
WITH_GT = ("tof", "tlp", "change")
"""Those that compare with the ground truth; the other looks at the input."""


class Upscaled(NamedTuple):
    """One image of a set, uint8 RGB (H, W, 3), with its borders."""

    lq: np.ndarray
    gt: np.ndarray
    results: Mapping[str, np.ndarray]
    """By method, as large as the ground truth."""


class StepMeasure(NamedTuple):
    """Which metrics are measured, and with what."""

    metrics: Sequence[str]
    """Of `STEP_FIGURES`."""
    distance: Distance | None
    """LPIPS, for tLP; None: without."""


class Clip:
    """The frames of one set, while they are measured; the one before is kept."""

    def __init__(self, measure: StepMeasure) -> None:
        self._metrics = measure.metrics
        self._distance = measure.distance
        self._before: Upscaled | None = None

    def interrupt(self) -> None:
        """Forget the frame before: the next one that is added does not follow it."""
        self._before = None

    def add(self, frame: Upscaled) -> dict[str, dict[str, float]]:
        """Return the metrics of each method's step to this frame; NaN of the first.

        Raises:
            UserError: it has another size than the frame before, or is too small.
        """
        before, self._before = self._before, frame
        if before is None:
            unknown = dict.fromkeys(self._metrics, np.nan)
            return dict.fromkeys(frame.results, unknown)

        reference = self._reference(before, frame)
        found = {}
        for name, after in frame.results.items():
            step = None
            if reference.step is not None:
                step = Step.between(before.results[name], after, self._distance)
            figures = reference.figures(before.results[name], after, step)
            found[name] = {
                metric: getattr(figures, STEP_FIGURES[metric])
                for metric in self._metrics
            }
        return found

    def _reference(self, before: Upscaled, after: Upscaled) -> Reference:
        """Return what the ground truth and the input tell, as far as it is asked for."""
        height, width = after.gt.shape[:2]
        if before.gt.shape != after.gt.shape:
            raise UserError(
                f"{width}x{height} pixels, and the image before has "
                f"{before.gt.shape[1]}x{before.gt.shape[0]}; "
                f"{', '.join(self._metrics)} are measured between frames of one clip"
            )
        earlier, later = {}, {}
        if set(WITH_GT) & set(self._metrics):
            earlier[GT], later[GT] = before.gt, after.gt
        if "flicker" in self._metrics:
            earlier[LQ], later[LQ] = before.lq, after.lq
        return Reference.between(earlier, later, (width, height), self._distance)
