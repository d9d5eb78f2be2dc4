"""A loss against another network's output: the large network teaches the small one.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": a student learns
from what its teacher answers. Here the answer is the picture itself, and it is a
function of the input, texture included, which the ground truth is not: a student can
come nearer to it than to the ground truth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import paddle
from paddle import Tensor


@dataclass(frozen=True)
class DistillationLoss:
    """The distance of a student's output from what the teacher makes of the same input.

    Attributes:
        teacher: returns a picture for an input, both (N, 3, H, W), RGB; no gradient
            reaches it.
        distance: a loss of two pictures, weighted, such as those of `loss.pixel`.
    """

    teacher: Callable[[Tensor], Tensor]
    distance: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, sr: Tensor, lq: Tensor) -> Tensor:
        """Return the loss of sr, the student's output for lq."""
        with paddle.no_grad():
            target = self.teacher(lq)
        return self.distance(sr, target)
