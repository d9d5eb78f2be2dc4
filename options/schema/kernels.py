"""The blur kernels of both passes, the final sinc filter, and motion blur."""

from typing import Literal, get_args

from pydantic import Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.utils.field_types import (
    Aspect,
    KernelSize,
    MotionLength,
    Options,
    Ordered,
    Positive,
    Probabilities,
    Probability,
    Sigma,
    check_lengths,
    one_pass,
)

KernelName = Literal[
    "iso",
    "aniso",
    "generalized_iso",
    "generalized_aniso",
    "plateau_iso",
    "plateau_aniso",
]
KERNEL_NAMES: tuple[KernelName, ...] = get_args(KernelName)
KERNEL_PROB = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)


class BlurOptions(Options):
    """Blur kernels of one pass."""

    blur_kernel_size: KernelSize = Field(
        default=21,
        description="Largest kernel size, in pixels, odd; sizes are drawn from 7, 9, "
        "... up to it.",
    )
    kernel_list: tuple[KernelName, ...] = Field(
        default=KERNEL_NAMES, description="Kinds of kernel to draw from."
    )
    kernel_prob: Probabilities = Field(
        default=KERNEL_PROB, description="Probability of each kind in kernel_list."
    )
    sinc_prob: Probability = Field(
        default=0.1,
        description="Probability of a sinc filter instead of a kernel of kernel_list.",
    )
    blur_sigma: Ordered[Sigma] = Field(
        default=(0.2, 3), description="Standard deviation of the kernel, in pixels."
    )
    blur_aspect: Ordered[Aspect] | None = Field(
        default=None,
        description="Horizontal over vertical standard deviation of aniso kernels, "
        "which are then not rotated, as in anamorphic and analog video; blur_sigma is "
        "their geometric mean. none: both are drawn from it, at any angle, as in "
        "BasicSR.",
    )
    betag_range: Ordered[Positive] = Field(
        default=(0.5, 4), description="Shape of the generalized gaussian kernels."
    )
    betap_range: Ordered[Positive] = Field(
        default=(1, 2), description="Shape of the plateau kernels."
    )


class KernelOptions(BlurOptions):
    """The blur kernels of both passes, the final sinc filter, and motion blur."""

    blur_kernel_size2: KernelSize = Field(
        default=21, description="As blur_kernel_size."
    )
    kernel_list2: tuple[KernelName, ...] = Field(
        default=KERNEL_NAMES, description="As kernel_list."
    )
    kernel_prob2: Probabilities = Field(
        default=KERNEL_PROB, description="As kernel_prob."
    )
    sinc_prob2: Probability = Field(default=0.1, description="As sinc_prob.")
    blur_sigma2: Ordered[Sigma] = Field(
        default=(0.2, 1.5), description="As blur_sigma."
    )
    blur_aspect2: Ordered[Aspect] | None = Field(
        default=None, description="As blur_aspect."
    )
    betag_range2: Ordered[Positive] = Field(
        default=(0.5, 4), description="As betag_range."
    )
    betap_range2: Ordered[Positive] = Field(
        default=(1, 2), description="As betap_range."
    )

    final_sinc_prob: Probability = Field(
        default=0.8,
        description="Probability of a sinc filter next to the last JPEG compression.",
    )

    motion_blur_prob: Probability = Field(
        default=0,
        description="Probability of motion blur along a straight line, before all "
        "other degradation.",
    )
    motion_blur_range: Ordered[MotionLength] = Field(
        default=(3, 15),
        description="Length of the motion, in pixels of the ground truth; its "
        "direction is random.",
    )

    @model_validator(mode="after")
    def _one_probability_for_each_kernel(self) -> Self:
        check_lengths("kernel_list", self.kernel_list, "kernel_prob", self.kernel_prob)
        check_lengths(
            "kernel_list2", self.kernel_list2, "kernel_prob2", self.kernel_prob2
        )
        return self

    @property
    def first_blur(self) -> BlurOptions:
        """The kernels of the first pass."""
        return one_pass(BlurOptions, self, suffix="")

    @property
    def second_blur(self) -> BlurOptions:
        """The kernels of the second pass."""
        return one_pass(BlurOptions, self, suffix="2")
