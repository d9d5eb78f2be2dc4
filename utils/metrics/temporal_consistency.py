"""The temporal consistency of clips, measured side by side in one pass over their frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count, pairwise

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.similarity import mean_gradient
from realesrgan_paddle.utils.metrics.temporal_steps import (
    Distance,
    Frame,
    Step,
    still_flicker,
    still_part,
)

GT, LQ = "ground truth", "input"
"""Names of the two clips that the others are measured with."""

Moment = Mapping[str, Frame]
"""The frames of one time, by the clips' names."""


@dataclass(frozen=True)
class StepMetrics:
    """The metrics of one step from a frame to the next, or the means of a clip's.

    NaN where they cannot be measured: `tof`, `tlp` and `change` need a ground truth
    (`tlp` also LPIPS), `flicker` and `still` the input, `sharpness` either.
    """

    tof: float
    """tOF [pixels]: how far its optical flow is from that of the ground truth."""
    tlp: float
    """tLP: how far LPIPS of the two frames is from that of the ground truth, x100."""
    change: float
    """How far its change is from that of the ground truth [8-bit levels]."""
    flicker: float
    """How much changes where the input stands still [8-bit levels]."""
    still: float
    """Share of the frame where the input stands still."""
    sharpness: float
    """Of the later frame, see `similarity.sharpness`; the ground truth, or else the bicubic
    enlargement of the input, has 1."""


@dataclass(frozen=True)
class ClipMetrics:
    """The metrics of a clip."""

    steps: Sequence[StepMetrics]
    """From each frame to the next: one fewer than there are frames."""

    @property
    def mean(self) -> StepMetrics:
        """The means over the steps that have the metric."""
        means = {}
        for field in fields(StepMetrics):
            values = np.array([getattr(step, field.name) for step in self.steps])
            known = values[~np.isnan(values)]
            means[field.name] = float(known.mean()) if known.size else np.nan
        return StepMetrics(**means)


@dataclass(frozen=True)
class Reference:
    """What clips are measured with, from one moment to the next."""

    step: Step | None
    """Of the ground truth."""
    still: np.ndarray | None
    """Where the input stands still; see `still_part`."""
    gradient: float
    """Of the ground truth, or else of the enlarged input, at the later moment."""

    @classmethod
    def between(
        cls,
        before: Moment,
        after: Moment,
        size: tuple[int, int],
        distance: Distance | None,
    ) -> "Reference":
        """Return what two moments' ground truth, or input, or both tell.

        Args:
            before: has `GT`, `LQ`, or both; others are not looked at.
            after: the next moment.
            size: width and height of the clips.
            distance: LPIPS of two frames; None: tLP is not measured.
        """
        step = still = None
        if LQ in after:
            still = still_part(before[LQ], after[LQ], size)
            sharp = _bicubic(after[LQ], size)
        if GT in after:
            step = Step.between(before[GT], after[GT], distance)
            sharp = after[GT]
        return cls(step, still, mean_gradient(sharp))

    def metrics(self, before: Frame, after: Frame, step: Step | None) -> StepMetrics:
        """Return the metrics of a clip from a frame to the next.

        Args:
            before: a frame of the clip.
            after: its next frame.
            step: between them; needed where there is one of the ground truth.
        """
        tof = tlp = change = np.nan
        if step is not None and self.step is not None:
            tof = step.tof(self.step)
            tlp = step.tlp(self.step)
            change = step.change_error(self.step)

        flicker = share = np.nan
        if self.still is not None:
            flicker = still_flicker(before, after, self.still)
            share = float(self.still.mean())

        sharpness = mean_gradient(after) / self.gradient
        return StepMetrics(tof, tlp, change, flicker, share, sharpness)


def measure_consistency(
    clips: Mapping[str, Iterable[Frame]],
    *,
    gt: Iterable[Frame] | None = None,
    lq: Iterable[Frame] | None = None,
    distance: Distance | None = None,
) -> dict[str, ClipMetrics]:
    """Return the temporal consistency of each clip, and of the ground truth, by name.

    The frames of all clips are taken together, in one pass: two of each are in memory.
    tOF and tLP are TecoGAN's (see `temporal_steps.py`) but for two things: all frames count,
    where TecoGAN leaves out the first and the last two of a clip, and a result larger
    than its ground truth is refused, not cut.

    Args:
        clips: what is measured: uint8 RGB frames (H, W, 3) of one size.
        gt: the ground truth, of that size; its own flicker is what others are compared
            with, its errors are 0.
        lq: the input that was enlarged, of any size.
        distance: LPIPS of two frames; None: tLP is not measured.

    Raises:
        UserError: clips differ in size or in their number of frames, are too small or
            have fewer than two frames, or neither `gt` nor `lq` is given.
    """
    measured = dict(clips)
    if gt is not None:
        measured[GT] = gt
    together = measured | ({} if lq is None else {LQ: lq})
    if not together.keys() & {GT, LQ}:
        raise UserError(
            "temporal consistency needs the ground truth, the input, or both"
        )

    steps: dict[str, list[StepMetrics]] = {name: [] for name in measured}
    for before, after in pairwise(moments(together)):
        height, width = next(iter(after.values())).shape[:2]
        reference = Reference.between(before, after, (width, height), distance)
        for name, of_clip in steps.items():
            step = _step(name, before, after, reference, distance)
            of_clip.append(reference.metrics(before[name], after[name], step))

    for name, of_clip in steps.items():
        if not of_clip:
            raise UserError(
                f"{name}: has fewer than two frames; temporal consistency is measured "
                "from one frame to the next"
            )
    return {name: ClipMetrics(of_clip) for name, of_clip in steps.items()}


def _bicubic(image: Frame, size: tuple[int, int]) -> Frame:
    """Return the image at a width and height, as `utils.images.enlarge` does."""
    original = Image.fromarray(image)
    resized = original.resize(size, Image.Resampling.BICUBIC)
    return np.array(resized)


def _step(
    name: str,
    before: Moment,
    after: Moment,
    reference: Reference,
    distance: Distance | None,
) -> Step | None:
    """Return one clip's step; None without ground truth, which alone it serves."""
    if reference.step is None or name == GT:
        return reference.step
    return Step.between(before[name], after[name], distance)


def moments(clips: Mapping[str, Iterable[Frame]]) -> Iterator[Moment]:
    """Yield the frames of all clips, one of each at a time.

    Raises:
        UserError: a frame is not uint8 RGB (H, W, 3), its size differs from that of its
            clip's first frame or, except for the input, of the other clips, or a clip
            ends before another.
    """
    sizes: dict[str, str] = {}
    for frames in _in_step(clips):
        for name, frame in frames.items():
            size = _size(name, frame)
            if sizes.setdefault(name, size) != size:
                raise UserError(
                    f"{name}: has frames of {sizes[name]} and of {size} pixels; "
                    "temporal consistency is measured between frames of one size"
                )
        _check_equal_sizes(sizes)
        yield frames


def _in_step(clips: Mapping[str, Iterable[Frame]]) -> Iterator[Moment]:
    """Yield a frame of each clip; UserError if one ends before another."""
    iterators = {name: iter(clip) for name, clip in clips.items()}
    for number in count():
        frames = {}
        for name, iterator in iterators.items():
            frame = next(iterator, None)
            if frame is not None:
                frames[name] = frame

        if not frames:
            return
        ended = [name for name in clips if name not in frames]
        if ended:
            raise UserError(
                f"{ended[0]}: ends after {number} frames, but {next(iter(frames))} goes "
                "on; compare clips of the same frames"
            )
        yield frames


def _check_equal_sizes(sizes: Mapping[str, str]) -> None:
    """Raise a UserError if clips other than the input differ in size."""
    compared = [name for name in sizes if name != LQ]
    first = compared[0]
    for name in compared:
        if sizes[name] != sizes[first]:
            raise UserError(
                f"{name}: has {sizes[name]} pixels, but {first} has {sizes[first]}; "
                "compare clips of one size"
            )


def _size(name: str, frame: Frame) -> str:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UserError(
            f"{name}: temporal consistency is measured on 8-bit RGB frames, not on "
            f"{frame.dtype} of shape {frame.shape}"
        )
    return f"{frame.shape[1]}x{frame.shape[0]}"
