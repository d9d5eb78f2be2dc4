"""How low-quality images are synthesized: Real-ESRGAN's second-order degradation.

Defaults are those of Real-ESRGAN's train_realesrgan_x4plus.yml (Wang et al. 2021,
section 4.1). What a domain adds (motion blur, halos, interlacing, video codecs) is off
by default.

The yml keys are flat. A key of `BlurOptions` or `PassOptions` belongs to the first
pass; the same key followed by 2 belongs to the second. The properties `first_blur`,
`second_blur`, `first_pass` and `second_pass` return the values of one pass, under the
names without the 2.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.utils.field_types import (
    CRF,
    VP9CRF,
    Aspect,
    Count,
    CropSize,
    GrainSize,
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
    Sigma,
    Text,
    UpDownKeep,
    check_lengths,
    one_pass,
)

RealESRGANKernel = Literal[
    "iso",
    "aniso",
    "generalized_iso",
    "generalized_aniso",
    "plateau_iso",
    "plateau_aniso",
]
KernelName = RealESRGANKernel
"""Kinds that kernel_list may name; one more is added here and in data/degradation."""
KERNEL_NAMES: tuple[KernelName, ...] = get_args(RealESRGANKernel)
KERNEL_PROB = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)

CodecName = Literal["h264", "hevc", "mpeg2", "vp9"]
CODEC_NAMES: tuple[CodecName, ...] = get_args(CodecName)
DeinterlaceName = Literal["weave", "bob", "blend"]
ChromaUpsampling = Literal["nearest", "linear"]
ResizeMode = Literal["area", "bilinear", "bicubic"]
RESIZE_MODES: tuple[ResizeMode, ...] = get_args(ResizeMode)

ResizeModes = Annotated[tuple[ResizeMode, ...], Field(min_length=1)]


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


class PassOptions(Options):
    """Resize, noise and JPEG of one pass."""

    resize_prob: UpDownKeep = Field(
        default=(0.2, 0.7, 0.1),
        description="Probabilities of upscaling, downscaling and keeping the size.",
    )
    resize_range: ResizeRange = Field(
        default=(0.15, 1.5),
        description="Smallest and largest resize factor: downscaling draws from "
        "[low, 1], upscaling from [1, high].",
    )
    gaussian_noise_prob: Probability = Field(
        default=0.5,
        description="Probability of gaussian noise; otherwise poisson noise.",
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
        description="Probability that the noise is equal in all three channels.",
    )
    grain_size: Ordered[GrainSize] = Field(
        default=(0, 0),
        description="Grain of the noise: standard deviation, in pixels, of a blur that "
        "makes neighboring pixels of it alike and keeps its level; 0: all pixels "
        "differ, as in BasicSR.",
    )
    jpeg_range: Ordered[Quality] = Field(
        default=(30, 95),
        description="JPEG quality, 1 to 100; lower means stronger artifacts.",
    )
    jpeg_prob: Probability = Field(
        default=1,
        description="Probability that this pass compresses as JPEG; below 1 for "
        "footage that was never JPEG, such as video.",
    )
    resize_modes: ResizeModes = Field(
        default=RESIZE_MODES,
        description="Ways of resizing to draw from: area averages, bilinear and "
        "bicubic sample without smoothing first.",
    )


class SynthesisOptions(PassOptions):
    """Both passes, the domain's additions, and the pool of synthesized pairs."""

    second_blur_prob: Probability = Field(
        default=0.8, description="Probability that the second pass blurs."
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
    grain_size2: Ordered[GrainSize] = Field(
        default=(0, 0), description="As grain_size."
    )
    jpeg_range2: Ordered[Quality] = Field(
        default=(30, 95), description="As jpeg_range."
    )
    jpeg_prob2: Probability = Field(default=1, description="As jpeg_prob.")
    resize_modes2: ResizeModes = Field(
        default=RESIZE_MODES,
        description="As resize_modes; of the last resize, too.",
    )
    jpeg_chroma_upsampling: ChromaUpsampling = Field(
        default="nearest",
        description="How both JPEGs bring color back to full size: nearest repeats "
        "pixels, as Real-ESRGAN does; linear interpolates, as decoders of JPEG and "
        "video do.",
    )

    halo_prob: Probability = Field(
        default=0,
        description="Probability that edges of the low-quality image get sharpening "
        "halos, as from cameras and broadcasters.",
    )
    halo_range: Ordered[NonNegative] = Field(
        default=(0.3, 1.5),
        description="Strength of the halos: factor on the luma's difference from its "
        "blur, which is added.",
    )
    halo_sigma: Ordered[Sigma] = Field(
        default=(0.7, 2),
        description="Standard deviation of that blur, in pixels of the low-quality "
        "image; larger means wider halos.",
    )
    interlace_prob: Probability = Field(
        default=0,
        description="Probability that the low-quality image is deinterlaced from two "
        "fields with motion between them.",
    )
    interlace_shift: Ordered[Count] = Field(
        default=(1, 4),
        description="Horizontal motion between the fields, in pixels of the "
        "low-quality image.",
    )
    interlace_list: tuple[DeinterlaceName, ...] = Field(
        default=("weave", "bob", "blend"),
        min_length=1,
        description="Deinterlacing methods to draw from: weave shows both fields, with "
        "combing; bob keeps one field and interpolates its missing lines; blend "
        "averages both.",
    )
    video_prob: Probability = Field(
        default=0,
        description="Probability that a video codec compresses the low-quality image, "
        "in place of the last JPEG. Needs PyAV: pip install av.",
    )
    codec_list: tuple[CodecName, ...] = Field(
        default=CODEC_NAMES, description="Video codecs to draw from."
    )
    codec_prob: Probabilities = Field(
        default=(0.5, 0.2, 0.2, 0.1),
        description="Probability of each codec in codec_list.",
    )
    h264_crf: Ordered[CRF] = Field(
        default=(20, 36), description="CRF of H.264, 0 (best) to 51."
    )
    hevc_crf: Ordered[CRF] = Field(
        default=(22, 38), description="CRF of HEVC, 0 (best) to 51."
    )
    mpeg2_qscale: Ordered[QScale] = Field(
        default=(3, 20), description="Quantizer of MPEG-2, 1 (best) to 31."
    )
    vp9_crf: Ordered[VP9CRF] = Field(
        default=(28, 56), description="CRF of VP9, 0 (best) to 63."
    )
    video_bitrate_prob: Probability = Field(
        default=0,
        description="Probability that a video is encoded at a random bitrate, instead "
        "of at a CRF or quantizer.",
    )
    video_bits_per_pixel: Ordered[Positive] = Field(
        default=(0.3, 2),
        description="That bitrate, in bits per pixel of a frame, drawn uniformly in "
        "its logarithm. One frame of three is an intra frame, so choose more than the "
        "average of whole videos.",
    )
    chroma_422_prob: Probability = Field(
        default=0.1,
        description="Probability of 4:2:2 chroma (half the width) in a video; "
        "otherwise 4:2:0 (half the width and height).",
    )
    video_motion: NonNegative = Field(
        default=2,
        le=16,
        description="Largest motion between the frames of a video, horizontally and "
        "vertically, in pixels of the low-quality image.",
    )

    gt_size: CropSize = Field(
        default=256,
        description="Side of a training crop of the ground truth, in pixels, a "
        "multiple of 8.",
    )
    queue_size: Natural = Field(
        default=180,
        description="Pairs in the pool from which batches are drawn, so that a batch "
        "mixes degradations of different iterations; 0: no pool.",
    )

    @model_validator(mode="after")
    def _one_probability_for_each_codec(self) -> Self:
        check_lengths("codec_list", self.codec_list, "codec_prob", self.codec_prob)
        return self

    @property
    def codec_qualities(self) -> dict[CodecName, tuple[float, float]]:
        """Limits of the CRF or quantizer, by codec."""
        return {
            "h264": self.h264_crf,
            "hevc": self.hevc_crf,
            "mpeg2": self.mpeg2_qscale,
            "vp9": self.vp9_crf,
        }

    @property
    def first_pass(self) -> PassOptions:
        """Resize, noise and JPEG of the first pass."""
        return one_pass(PassOptions, self, suffix="")

    @property
    def second_pass(self) -> PassOptions:
        """Resize, noise and JPEG of the second pass."""
        return one_pass(PassOptions, self, suffix="2")


class LQConfig(SynthesisOptions, KernelOptions):
    """Options of make_lq_data.py: one low-quality image for each ground-truth image."""

    scale: Scale = Field(
        default=4,
        description="Factor by which the low-quality image is smaller: 1, 2 or 4.",
    )
    gt_usm: bool = Field(
        default=True,
        description="Sharpen the ground truth before degrading it, as training does.",
    )
    manual_seed: Natural = Field(default=0, description="Seed of every random draw.")
    dataroot_gt: Text = Field(description="Folder of the ground-truth images.")
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one image per line, relative to dataroot_gt; "
        "none: every image of the folder.",
    )

    ignored: dict[str, str] = Field(
        default={},
        exclude=True,
        description="Set by the loader: keys of the file without effect here, and why.",
    )
