"""How low-quality images are synthesised: Real-ESRGAN's second-order degradation.

Defaults are those of Real-ESRGAN's train_realesrgan_x4plus.yml (Wang et al. 2021,
section 4.1). A key that ends in 2 belongs to the second pass. What a domain adds to it
(motion blur, halos, interlacing, video codecs) is off by default. The yml keeps the
keys flat; `SynthesisOptions.first_pass`, `.second_pass` and `KernelOptions.first_blur`,
`.second_blur` give one pass's values under one set of names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.base import (
    CRF,
    VP9CRF,
    Count,
    CropSize,
    KernelSize,
    MotionLength,
    Natural,
    NonNegative,
    Options,
    Ordered,
    Positive,
    Probabilities,
    Probability,
    QScale,
    Quality,
    ResizeRange,
    Scale,
    Text,
    UpDownKeep,
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
CodecName = Literal["h264", "hevc", "mpeg2", "vp9"]
CODEC_NAMES: tuple[CodecName, ...] = get_args(CodecName)
DeinterlaceName = Literal["weave", "bob", "blend"]


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
        default=(0.2, 0.7, 0.1),
        description="Chances to resize up, down, or keep the size.",
    )
    resize_range: ResizeRange = Field(
        default=(0.15, 1.5),
        description="Smallest and largest resize factor; up draws from [1, high], down from [low, 1].",
    )
    gaussian_noise_prob: Probability = Field(
        default=0.5, description="Chance of gaussian noise; otherwise poisson noise."
    )
    noise_range: Ordered[NonNegative] = Field(
        default=(1, 30),
        description="Standard deviation of the gaussian noise, in levels of 255.",
    )
    poisson_scale_range: Ordered[NonNegative] = Field(
        default=(0.05, 3), description="Factor on the poisson noise."
    )
    gray_noise_prob: Probability = Field(
        default=0.4,
        description="Chance that the noise is the same in all three channels.",
    )
    jpeg_range: Ordered[Quality] = Field(
        default=(30, 95), description="JPEG quality, 1 to 100."
    )

    second_blur_prob: Probability = Field(
        default=0.8, description="Chance that the second pass blurs at all."
    )
    resize_prob2: UpDownKeep = Field(
        default=(0.3, 0.4, 0.3), description="As resize_prob."
    )
    resize_range2: ResizeRange = Field(
        default=(0.3, 1.2), description="As resize_range."
    )
    gaussian_noise_prob2: Probability = Field(
        default=0.5, description="As gaussian_noise_prob."
    )
    noise_range2: Ordered[NonNegative] = Field(
        default=(1, 25), description="As noise_range."
    )
    poisson_scale_range2: Ordered[NonNegative] = Field(
        default=(0.05, 2.5), description="As poisson_scale_range."
    )
    gray_noise_prob2: Probability = Field(
        default=0.4, description="As gray_noise_prob."
    )
    jpeg_range2: Ordered[Quality] = Field(
        default=(30, 95), description="As jpeg_range."
    )

    halo_prob: Probability = Field(
        default=0,
        description="Chance that edges of the low-quality image get halos, as cameras and broadcasters add.",
    )
    halo_range: Ordered[NonNegative] = Field(
        default=(0.3, 1.5),
        description="How much of the luma's difference from its blur is added.",
    )
    halo_sigma: Ordered[Positive] = Field(
        default=(0.7, 2),
        description="Standard deviation of that blur, in pixels of the low-quality image.",
    )
    interlace_prob: Probability = Field(
        default=0,
        description="Chance that the low-quality image is of two fields, between which the picture moved.",
    )
    interlace_shift: Ordered[Count] = Field(
        default=(1, 4),
        description="How far it moved sideways, in pixels of the low-quality image.",
    )
    interlace_list: tuple[DeinterlaceName, ...] = Field(
        default=("weave", "bob", "blend"),
        min_length=1,
        description="What became of the fields, one is drawn: weave leaves the comb, bob keeps one and fills in its "
        "lines, blend mixes both.",
    )
    video_prob: Probability = Field(
        default=0,
        description="Chance that a video codec compresses the low-quality image, in place of the last JPEG. "
        "Needs PyAV: pip install av.",
    )
    codec_list: tuple[CodecName, ...] = Field(
        default=CODEC_NAMES, description="Video codecs to draw from."
    )
    codec_prob: Probabilities = Field(
        default=(0.5, 0.2, 0.2, 0.1), description="Chance of each codec in codec_list."
    )
    h264_crf: Ordered[CRF] = Field(
        default=(20, 36), description="CRF of H.264, 0 (best) to 51."
    )
    hevc_crf: Ordered[CRF] = Field(
        default=(22, 38), description="CRF of HEVC, 0 (best) to 51."
    )
    mpeg2_qscale: Ordered[QScale] = Field(
        default=(3, 20), description="Quantiser of MPEG-2, 1 (best) to 31."
    )
    vp9_crf: Ordered[VP9CRF] = Field(
        default=(28, 56), description="CRF of VP9, 0 (best) to 63."
    )
    video_bitrate_prob: Probability = Field(
        default=0,
        description="Chance that a video is held to a drawn bitrate, in place of a CRF or quantiser.",
    )
    video_bits_per_pixel: Ordered[Positive] = Field(
        default=(0.3, 2),
        description="That bitrate, in bits for each pixel of a frame, drawn evenly by its logarithm. One frame of "
        "three is an intra frame, so it is more than in whole videos.",
    )
    chroma_422_prob: Probability = Field(
        default=0.1,
        description="Chance that a video has chroma of half the width (4:2:2); else half the height too.",
    )
    video_motion: NonNegative = Field(
        default=2,
        le=16,
        description="The video's frames are the image, moved each way by up to so many pixels from one to the next.",
    )

    gt_size: CropSize = Field(
        default=256,
        description="Side of a training crop of the ground truth, in pixels, a multiple of 8.",
    )
    queue_size: Natural = Field(
        default=180,
        description="Pairs in the pool from which batches are drawn, so that one batch mixes degradations of "
        "different iterations; 0: no pool.",
    )

    @model_validator(mode="after")
    def _one_chance_for_each_codec(self) -> Self:
        _check_chances("codec_list", self.codec_list, "codec_prob", self.codec_prob)
        return self

    @property
    def codec_qualities(self) -> dict[CodecName, tuple[float, float]]:
        """Limits of each codec's CRF or quantiser."""
        return {
            "h264": self.h264_crf,
            "hevc": self.hevc_crf,
            "mpeg2": self.mpeg2_qscale,
            "vp9": self.vp9_crf,
        }

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
        default=21,
        description="Largest kernel, in pixels, odd; the size is drawn from 7, 9, ... up to it.",
    )
    kernel_list: tuple[KernelName, ...] = Field(
        default=KERNEL_NAMES, description="Kinds of kernel to draw from."
    )
    kernel_prob: Probabilities = Field(
        default=KERNEL_PROB, description="Chance of each kind in kernel_list."
    )
    sinc_prob: Probability = Field(
        default=0.1,
        description="Chance of a sinc filter in place of a kernel of kernel_list.",
    )
    blur_sigma: Ordered[Positive] = Field(
        default=(0.2, 3), description="Standard deviation of the kernel, in pixels."
    )
    betag_range: Ordered[Positive] = Field(
        default=(0.5, 4), description="Shape of the generalized gaussian kernels."
    )
    betap_range: Ordered[Positive] = Field(
        default=(1, 2), description="Shape of the plateau kernels."
    )

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
    blur_sigma2: Ordered[Positive] = Field(
        default=(0.2, 1.5), description="As blur_sigma."
    )
    betag_range2: Ordered[Positive] = Field(
        default=(0.5, 4), description="As betag_range."
    )
    betap_range2: Ordered[Positive] = Field(
        default=(1, 2), description="As betap_range."
    )

    final_sinc_prob: Probability = Field(
        default=0.8,
        description="Chance of a sinc filter around the last JPEG compression.",
    )

    motion_blur_prob: Probability = Field(
        default=0,
        description="Chance that something moved during the exposure: a blur along a line, before all else.",
    )
    motion_blur_range: Ordered[MotionLength] = Field(
        default=(3, 15),
        description="Length of that line, in pixels of the ground truth; its direction is any.",
    )

    @model_validator(mode="after")
    def _one_chance_for_each_kernel(self) -> Self:
        _check_chances("kernel_list", self.kernel_list, "kernel_prob", self.kernel_prob)
        _check_chances(
            "kernel_list2", self.kernel_list2, "kernel_prob2", self.kernel_prob2
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

    scale: Scale = Field(
        default=4,
        description="How many times smaller the low-quality image is; 1, 2 or 4.",
    )
    gt_usm: bool = Field(
        default=True,
        description="Sharpen the ground truth before it is degraded, as training does.",
    )
    manual_seed: Natural = Field(default=0, description="Seed of every draw.")
    dataroot_gt: Text = Field(description="Folder of the ground-truth images.")
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one image per line, relative to dataroot_gt; none: every image of the folder.",
    )

    ignored: dict[str, str] = Field(
        default={},
        exclude=True,
        description="Set by the loader: keys of the file that mean nothing here, and why.",
    )


def _check_chances(
    kinds_key: str, kinds: Sequence[str], chances_key: str, chances: Sequence[float]
) -> None:
    if len(kinds) != len(chances):
        raise ValueError(
            f"{kinds_key} has {len(kinds)} entries and {chances_key} has {len(chances)}; give one chance for each kind"
        )
