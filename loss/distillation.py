"""A loss against another network's output: a small network learns from a large one.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": a student is trained
on its teacher's outputs. Unlike the ground truth, the teacher's image is a function of
the input, texture included, so a student can get closer to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import paddle
from paddle import Tensor


@dataclass(frozen=True)
class DistillationLoss:
    """The distance of a student's output from the teacher's for the same input.

    Attributes:
        teacher: returns images for images, both (N, 3, H, W), RGB; no gradient reaches
            it.
        distance: a weighted loss of two images, such as those of `loss.pixel`.
    """

    teacher: Callable[[Tensor], Tensor]
    distance: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, sr: Tensor, lq: Tensor) -> Tensor:
        """Return the loss of sr, the student's output for lq."""
        with paddle.no_grad():
            target = self.teacher(lq)
        return self.distance(sr, target)
