"""Clips measured side by side, in one pass over their frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.steadiness.figures import Figures, Steadiness
from realesrgan_paddle.utils.steadiness.steps import Distance, Frame, Step
from realesrgan_paddle.utils.steadiness.still import (
    sharpness,
    still_flicker,
    still_part,
)
from realesrgan_paddle.utils.steadiness.together import GT, LQ, Moment, moments


@dataclass(frozen=True)
class Reference:
    """What clips are measured with, from one moment to the next."""

    step: Step | None
    """Of the ground truth."""
    still: np.ndarray | None
    """Where the input stands still; see `still_part`."""
    sharpness: float
    """Of the ground truth, or else of the enlarged input, at the later moment."""

    @classmethod
    def between(
        cls, before: Moment, after: Moment, distance: Distance | None
    ) -> "Reference":
        """Return what the two moments' ground truth and input tell."""
        height, width = next(iter(after.values())).shape[:2]
        step = still = None
        if LQ in after:
            still = still_part(before[LQ], after[LQ], (width, height))
            sharp = _bicubic(after[LQ], (width, height))
        if GT in after:
            step = Step.between(before[GT], after[GT], distance)
            sharp = after[GT]
        return cls(step, still, sharpness(sharp))


def measure_steadiness(
    clips: Mapping[str, Iterable[Frame]],
    *,
    gt: Iterable[Frame] | None = None,
    lq: Iterable[Frame] | None = None,
    distance: Distance | None = None,
) -> dict[str, Steadiness]:
    """Return the steadiness of each clip, and of the ground truth, by name.

    The frames of all clips are taken together, in one pass: two of each are in memory.
    tOF and tLP are TecoGAN's (see `steps.py`) but for two things: all frames count,
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
        raise UserError("steadiness needs the ground truth, the input, or both")

    steps: dict[str, list[Figures]] = {name: [] for name in measured}
    for before, after in pairwise(moments(together)):
        reference = Reference.between(before, after, distance)
        for name, figures in steps.items():
            step = _step(name, before, after, reference, distance)
            figures.append(_figures(before[name], after[name], step, reference))

    for name, figures in steps.items():
        if not figures:
            raise UserError(
                f"{name}: has fewer than two frames; steadiness is measured from one "
                "frame to the next"
            )
    return {name: Steadiness(figures) for name, figures in steps.items()}


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


def _figures(
    before: Frame, after: Frame, step: Step | None, reference: Reference
) -> Figures:
    """Return the figures of one clip from a frame to the next."""
    tof = tlp = difference_error = np.nan
    if step is not None and reference.step is not None:
        tof = step.tof(reference.step)
        tlp = step.tlp(reference.step)
        difference_error = step.difference_error(reference.step)

    flicker = share = np.nan
    if reference.still is not None:
        flicker = still_flicker(before, after, reference.still)
        share = float(reference.still.mean())

    relative = np.nan
    if reference.sharpness > 0:
        relative = sharpness(after) / reference.sharpness
    return Figures(tof, tlp, difference_error, flicker, share, relative)
