"""Metrics of clips: what changes from a frame, or an image of a set, to the next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.metrics.table import (
    METRICS,
    OF_CLIPS,
    ImageMetrics,
    missing_weights,
    open_metric,
)
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.metrics.temporal_consistency import (
    GT,
    LQ,
    ClipMetrics,
    Reference,
    StepMetrics,
    measure_consistency,
)
from realesrgan_paddle.utils.metrics.temporal_steps import Distance, Frame, Step

UNKNOWN = "-"
"""Printed where a metric could not be measured."""
CELL = 11
"""Letters of a printed metric, with the spaces before it."""

MEANINGS = {
    "tof": "error of the optical flow, pixels",
    "tlp": "error of LPIPS from frame to frame, x100",
    "change": "error of the frame difference, levels",
    "flicker": "change where the input stands still, levels",
    "sharpness": "mean gradient; blur does not flicker, either",
}
"""The metrics of a video, in the order of tables. Less is better, except for the last."""


def measure_clip(
    frames_of: Mapping[str, Iterable[Frame]],
    gt: Iterable[Frame] | None = None,
    lq: Iterable[Frame] | None = None,
    *,
    remark: Callable[[str], None] = print,
) -> dict[str, ClipMetrics]:
    """Return the temporal consistency of each clip, and of the ground truth, by name.

    All frames are uint8 RGB (H, W, 3), taken in one pass; see `measure_consistency`.
    tLP is measured if LPIPS has its weights.

    Args:
        frames_of: the clips that are measured.
        gt: the ground truth; tOF, tLP and the error of changes need it.
        lq: the input; flicker needs it.
        remark: is told in a line why tLP is left out, if it is.

    Raises:
        UserError: clips differ in size or number of frames, or have fewer than two.
    """
    distance = None
    if gt is not None:
        reason = missing_weights("lpips")
        if reason:
            remark(f"tLP is left out: {reason}")
        else:
            distance = open_metric("lpips")
    return measure_consistency(frames_of, gt=gt, lq=lq, distance=distance)


def shown(metric: str, values: StepMetrics) -> str:
    """Return a metric of `MEANINGS` as text, or "-" if it could not be measured."""
    value = getattr(values, metric)
    if np.isnan(value):
        return UNKNOWN
    return f"{value:.{METRICS[metric].digits}f}"


def consistency_table(
    clips: Mapping[str, ClipMetrics],
) -> tuple[list[list[str]], list[str]]:
    """Return the rows of a table, the titles first, and what the columns mean.

    Metrics that no clip has are left out; nothing is left of none.

    Args:
        clips: by name.
    """
    means = {name: clip.mean for name, clip in clips.items()}
    measured = []
    for metric in MEANINGS:
        if any(shown(metric, mean) != UNKNOWN for mean in means.values()):
            measured.append(metric)
    if not measured:
        return [], []

    rows = [["", *(METRICS[metric].label for metric in measured)]]
    for name, mean in means.items():
        rows.append([name, *(shown(metric, mean) for metric in measured)])
    meanings = [f"{METRICS[metric].label}: {MEANINGS[metric]}" for metric in measured]
    return rows, meanings


def consistency_lines(clips: Mapping[str, ClipMetrics]) -> list[str]:
    """Return the table as aligned lines, with what its columns mean below."""
    rows, meanings = consistency_table(clips)
    names = [printable(row[0]) for row in rows]
    longest = max(map(len, names), default=0)
    lines = []
    for name, row in zip(names, rows, strict=True):
        cells = "".join(cell.rjust(CELL) for cell in row[1:])
        lines.append(name.ljust(longest) + cells)
    return lines + meanings


class StepMeasure(NamedTuple):
    """Which metrics are measured, and with what."""

    metrics: Sequence[str]
    """Of `OF_CLIPS`."""
    distance: Distance | None
    """LPIPS, for tLP; None: without."""


class Upscaled(NamedTuple):
    """One image of a set, uint8 RGB (H, W, 3), with its borders."""

    lq: np.ndarray
    gt: np.ndarray
    results: Mapping[str, np.ndarray]
    """By method, as large as the ground truth."""


def open_steps(names: Sequence[str]) -> StepMeasure | None:
    """Return those of the metrics that are of clips; None if no name is one.

    Raises:
        UserError: the weights of LPIPS cannot be had, for tLP; says how to get them.
    """
    metrics = [name for name in names if name in OF_CLIPS]
    if not metrics:
        return None
    distance = open_metric("lpips") if "tlp" in metrics else None
    return StepMeasure(metrics, distance)


class Clip:
    """The frames of one set, while they are measured; the one before is kept."""

    def __init__(self, measure: StepMeasure) -> None:
        self._metrics = measure.metrics
        self._distance = measure.distance
        self._before: Upscaled | None = None

    def interrupt(self) -> None:
        """Forget the frame before: the next one that is added does not follow it."""
        self._before = None

    def add(self, frame: Upscaled) -> dict[str, ImageMetrics]:
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
            values = reference.metrics(before.results[name], after, step)
            found[name] = {metric: getattr(values, metric) for metric in self._metrics}
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
        if any(METRICS[name].needs_gt for name in self._metrics):
            earlier[GT], later[GT] = before.gt, after.gt
        if "flicker" in self._metrics:
            earlier[LQ], later[LQ] = before.lq, after.lq
        return Reference.between(earlier, later, (width, height), self._distance)
