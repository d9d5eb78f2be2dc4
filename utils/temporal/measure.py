"""Clips measured side by side, in one pass over their frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.temporal.figures import Figures, Steadiness
from realesrgan_paddle.utils.temporal.steps import Distance, Frame, Step
from realesrgan_paddle.utils.temporal.still import sharpness, still_flicker, still_part
from realesrgan_paddle.utils.temporal.together import GT, LQ, Moment, moments


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
        return cls(step, still, sharpness(sharp))

    def figures(self, before: Frame, after: Frame, step: Step | None) -> Figures:
        """Return the figures of a clip from a frame to the next.

        Args:
            before: a frame of the clip.
            after: its next frame.
            step: between them; needed where there is one of the ground truth.
        """
        tof = tlp = difference_error = np.nan
        if step is not None and self.step is not None:
            tof = step.tof(self.step)
            tlp = step.tlp(self.step)
            difference_error = step.difference_error(self.step)

        flicker = share = np.nan
        if self.still is not None:
            flicker = still_flicker(before, after, self.still)
            share = float(self.still.mean())

        relative = np.nan
        if self.sharpness > 0:
            relative = sharpness(after) / self.sharpness
        return Figures(tof, tlp, difference_error, flicker, share, relative)


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
        height, width = next(iter(after.values())).shape[:2]
        reference = Reference.between(before, after, (width, height), distance)
        for name, figures in steps.items():
            step = _step(name, before, after, reference, distance)
            figures.append(reference.figures(before[name], after[name], step))

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
