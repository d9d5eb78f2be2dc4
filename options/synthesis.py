"""How low-quality images are synthesised: Real-ESRGAN's second-order degradation.

Defaults are those of Real-ESRGAN's train_realesrgan_x4plus.yml (Wang et al. 2021, section 4.1). A key that
ends in 2 belongs to the second pass. The yml keeps the keys flat; `SynthesisOptions.first_pass`,
`.second_pass` and `KernelOptions.first_blur`, `.second_blur` give one pass's values under one set of names.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.base import (
    CropSize,
    KernelSize,
    Natural,
    NonNegative,
    Options,
    Ordered,
    Positive,
    Probabilities,
    Probability,
    Quality,
    ResizeRange,
    Scale,
    Text,
    UpDownKeep,
)

KernelName = Literal["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
KERNEL_NAMES: tuple[KernelName, ...] = get_args(KernelName)
KERNEL_PROB = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)


@dataclass(frozen=True, kw_only=True)
class PassOptions:
    """Resize, noise and JPEG of one pass; the fields are described in `SynthesisOptions`."""

    resize_prob: tuple[float, float, float]
    resize_range: tuple[float, float]
    gaussian_noise_prob: float
    noise_range: tuple[float, float]
    poisson_scale_range: tuple[float, float]
    gray_noise_prob: float
    jpeg_range: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class BlurOptions:
    """Blur kernels of one pass; the fields are described in `KernelOptions`."""

    blur_kernel_size: int
    kernel_list: tuple[KernelName, ...]
    kernel_prob: tuple[float, ...]
    sinc_prob: float
    blur_sigma: tuple[float, float]
    betag_range: tuple[float, float]
    betap_range: tuple[float, float]


class SynthesisOptions(Options):
    """Resize, noise and JPEG of both passes, and the pool of synthesised pairs."""

    resize_prob: UpDownKeep = Field(
        default=(0.2, 0.7, 0.1), description="Chances to resize up, down, or keep the size."
    )
    resize_range: ResizeRange = Field(
        default=(0.15, 1.5),
        description="Smallest and largest resize factor; up draws from [1, high], down from [low, 1].",
    )
    gaussian_noise_prob: Probability = Field(
        default=0.5, description="Chance of gaussian noise; otherwise poisson noise."
    )
    noise_range: Ordered[NonNegative] = Field(
        default=(1, 30), description="Standard deviation of the gaussian noise, in levels of 255."
    )
    poisson_scale_range: Ordered[NonNegative] = Field(default=(0.05, 3), description="Factor on the poisson noise.")
    gray_noise_prob: Probability = Field(
        default=0.4, description="Chance that the noise is the same in all three channels."
    )
    jpeg_range: Ordered[Quality] = Field(default=(30, 95), description="JPEG quality, 1 to 100.")

    second_blur_prob: Probability = Field(default=0.8, description="Chance that the second pass blurs at all.")
    resize_prob2: UpDownKeep = Field(default=(0.3, 0.4, 0.3), description="As resize_prob.")
    resize_range2: ResizeRange = Field(default=(0.3, 1.2), description="As resize_range.")
    gaussian_noise_prob2: Probability = Field(default=0.5, description="As gaussian_noise_prob.")
    noise_range2: Ordered[NonNegative] = Field(default=(1, 25), description="As noise_range.")
    poisson_scale_range2: Ordered[NonNegative] = Field(default=(0.05, 2.5), description="As poisson_scale_range.")
    gray_noise_prob2: Probability = Field(default=0.4, description="As gray_noise_prob.")
    jpeg_range2: Ordered[Quality] = Field(default=(30, 95), description="As jpeg_range.")

    gt_size: CropSize = Field(
        default=256, description="Side of a training crop of the ground truth, in pixels, a multiple of 8."
    )
    queue_size: Natural = Field(
        default=180,
        description="Pairs in the pool from which batches are drawn, so that one batch mixes degradations of "
        "different iterations; 0: no pool.",
    )

    @property
    def first_pass(self) -> PassOptions:
        """Resize, noise and JPEG of the first pass."""
        return PassOptions(
            resize_prob=self.resize_prob,
            resize_range=self.resize_range,
            gaussian_noise_prob=self.gaussian_noise_prob,
            noise_range=self.noise_range,
            poisson_scale_range=self.poisson_scale_range,
            gray_noise_prob=self.gray_noise_prob,
            jpeg_range=self.jpeg_range,
        )

    @property
    def second_pass(self) -> PassOptions:
        """Resize, noise and JPEG of the second pass."""
        return PassOptions(
            resize_prob=self.resize_prob2,
            resize_range=self.resize_range2,
            gaussian_noise_prob=self.gaussian_noise_prob2,
            noise_range=self.noise_range2,
            poisson_scale_range=self.poisson_scale_range2,
            gray_noise_prob=self.gray_noise_prob2,
            jpeg_range=self.jpeg_range2,
        )


class KernelOptions(Options):
    """The blur kernels of both passes and the final sinc filter."""

    blur_kernel_size: KernelSize = Field(
        default=21, description="Largest kernel, in pixels, odd; the size is drawn from 7, 9, ... up to it."
    )
    kernel_list: tuple[KernelName, ...] = Field(default=KERNEL_NAMES, description="Kinds of kernel to draw from.")
    kernel_prob: Probabilities = Field(default=KERNEL_PROB, description="Chance of each kind in kernel_list.")
    sinc_prob: Probability = Field(
        default=0.1, description="Chance of a sinc filter in place of a kernel of kernel_list."
    )
    blur_sigma: Ordered[Positive] = Field(default=(0.2, 3), description="Standard deviation of the kernel, in pixels.")
    betag_range: Ordered[Positive] = Field(default=(0.5, 4), description="Shape of the generalized gaussian kernels.")
    betap_range: Ordered[Positive] = Field(default=(1, 2), description="Shape of the plateau kernels.")

    blur_kernel_size2: KernelSize = Field(default=21, description="As blur_kernel_size.")
    kernel_list2: tuple[KernelName, ...] = Field(default=KERNEL_NAMES, description="As kernel_list.")
    kernel_prob2: Probabilities = Field(default=KERNEL_PROB, description="As kernel_prob.")
    sinc_prob2: Probability = Field(default=0.1, description="As sinc_prob.")
    blur_sigma2: Ordered[Positive] = Field(default=(0.2, 1.5), description="As blur_sigma.")
    betag_range2: Ordered[Positive] = Field(default=(0.5, 4), description="As betag_range.")
    betap_range2: Ordered[Positive] = Field(default=(1, 2), description="As betap_range.")

    final_sinc_prob: Probability = Field(
        default=0.8, description="Chance of a sinc filter around the last JPEG compression."
    )

    @model_validator(mode="after")
    def _one_chance_for_each_kernel(self) -> Self:
        for kinds, chances, suffix in (
            (self.kernel_list, self.kernel_prob, ""),
            (self.kernel_list2, self.kernel_prob2, "2"),
        ):
            if len(kinds) != len(chances):
                raise ValueError(
                    f"kernel_list{suffix} has {len(kinds)} entries and kernel_prob{suffix} has {len(chances)}; "
                    "give one chance for each kind"
                )
        return self

    @property
    def first_blur(self) -> BlurOptions:
        """The kernels of the first pass."""
        return BlurOptions(
            blur_kernel_size=self.blur_kernel_size,
            kernel_list=self.kernel_list,
            kernel_prob=self.kernel_prob,
            sinc_prob=self.sinc_prob,
            blur_sigma=self.blur_sigma,
            betag_range=self.betag_range,
            betap_range=self.betap_range,
        )

    @property
    def second_blur(self) -> BlurOptions:
        """The kernels of the second pass."""
        return BlurOptions(
            blur_kernel_size=self.blur_kernel_size2,
            kernel_list=self.kernel_list2,
            kernel_prob=self.kernel_prob2,
            sinc_prob=self.sinc_prob2,
            blur_sigma=self.blur_sigma2,
            betag_range=self.betag_range2,
            betap_range=self.betap_range2,
        )


class LQConfig(SynthesisOptions, KernelOptions):
    """Options of make_lq_data.py: one low-quality image for each ground-truth image."""

    scale: Scale = Field(default=4, description="How many times smaller the low-quality image is; 1, 2 or 4.")
    gt_usm: bool = Field(default=True, description="Sharpen the ground truth before it is degraded, as training does.")
    manual_seed: Natural = Field(default=0, description="Seed of every draw.")
    dataroot_gt: Text = Field(description="Folder of the ground-truth images.")
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one image per line, relative to dataroot_gt; none: every image of the folder.",
    )

    ignored: dict[str, str] = Field(
        default={}, exclude=True, description="Set by the loader: keys of the file that mean nothing here, and why."
    )
