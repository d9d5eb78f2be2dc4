"""Losses with BasicSR's arguments: of an output and its target, and of a discriminator.

`open_image_losses` lists those against the unsharpened ground truth; the artifact loss
(LDL) takes the moving average's output too. A further one is a class here, a line there,
and its options in `options/schema/training.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.loss.grid import GridLoss, grid_period
from realesrgan_paddle.loss.lpips_dists import load_dists
from realesrgan_paddle.ops.plain import Ops
from realesrgan_paddle.options.schema.training import TrainOptions

Reduction = Literal["mean", "sum"]

ImageLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes an output and its target, both (N, 3, H, W), RGB in [0, 1]; returns a scalar."""

GANType = Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]

# Luma and color differences of R, G and B: ITU-R BT.601-7, sections 2.5.1 and 2.5.2.
LUMA = (0.299, 0.587, 0.114)
CB_RANGE, CR_RANGE = 1.772, 1.402

SMALLEST_VARIANCE = 1e-12
"""Lower bound of the residual's variance, chosen far below that of any real residual.

It keeps the gradient of the fifth root finite for a constant residual, where the map is
zero anyway.
"""


@dataclass(frozen=True)
class L1Loss:
    """loss_weight * |sr - gt|."""

    loss_weight: float = 1.0
    reduction: Reduction = "mean"

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, C, H, W)."""
        loss = (sr - gt).abs()
        return self.loss_weight * _reduced(loss, self.reduction)


@dataclass(frozen=True)
class MSELoss:
    """loss_weight * (sr - gt)^2."""

    loss_weight: float = 1.0
    reduction: Reduction = "mean"

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, C, H, W)."""
        loss = F.square_error_cost(sr, gt)
        return self.loss_weight * _reduced(loss, self.reduction)


@dataclass(frozen=True)
class CharbonnierLoss:
    """loss_weight * sqrt((sr - gt)^2 + eps), an L1 loss that is smooth at zero.

    Lai et al. 2017, "Deep Laplacian Pyramid Networks for Fast and Accurate
    Super-Resolution", equation 2.
    """

    loss_weight: float = 1.0
    reduction: Reduction = "mean"
    eps: float = 1e-12

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, C, H, W)."""
        loss = paddle.sqrt(F.square_error_cost(sr, gt) + self.eps)
        return self.loss_weight * _reduced(loss, self.reduction)


def _reduced(loss: Tensor, reduction: Reduction) -> Tensor:
    return loss.sum() if reduction == "sum" else loss.mean()


PIXEL_LOSSES: dict[str, Callable[..., ImageLoss]] = {
    "L1Loss": L1Loss,
    "MSELoss": MSELoss,
    "CharbonnierLoss": CharbonnierLoss,
}


@dataclass(frozen=True)
class ColorLoss:
    """loss_weight * mean over cells of brightness * |Y| + |Cb| + |Cr|.

    Of the color of areas, not of their texture: GANs drift in color without it.
    traiNNer-redux (`ColorLoss`, `AverageLoss`) and neosr (`consistency_loss`) have
    losses for the same purpose; this is the simplest that serves it.

    Y, Cb and Cr (BT.601) are those of a cell's mean difference sr - gt. A cell is a
    square of `cell` x `cell` pixels. A texture with mean 0 over a cell does not count;
    a tint or a change of brightness counts fully. In cells of one pixel, without
    brightness, colored specks count (docs/domain_gain/README.md).

    Attributes:
        loss_weight: factor on the loss.
        brightness: weight of the luma relative to the color differences.
        cell: side of the cells [pixels].
    """

    loss_weight: float = 1.0
    brightness: float = 1.0
    cell: int = 16

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1].

        Where `cell` does not divide H or W, the cells are a little smaller, and
        neighbors may share a row of pixels.
        """
        cells = [math.ceil(side / self.cell) for side in sr.shape[2:]]
        # Y, Cb and Cr are linear in R, G and B, so averaging first changes nothing.
        difference = F.adaptive_avg_pool2d(sr - gt, cells)
        luma, cb, cr = _ycbcr(difference)
        brightness = self.brightness * luma.abs()
        color = brightness + cb.abs() + cr.abs()
        return self.loss_weight * color.mean()


def _ycbcr(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return Y, Cb and Cr (N, H, W) of RGB (N, 3, H, W)."""
    red, green, blue = rgb.unbind(axis=1)
    red_share, green_share, blue_share = LUMA
    luma = red_share * red + green_share * green + blue_share * blue
    cb = (blue - luma) / CB_RANGE
    cr = (red - luma) / CR_RANGE
    return luma, cb, cr


@dataclass(frozen=True)
class WeightedLoss:
    """loss_weight * the mean of a distance over the batch.

    Attributes:
        distance: returns one distance for each image, (N,), such as `LPIPS` and
            `DISTS`.
        loss_weight: factor on the loss.
    """

    distance: Callable[[Tensor, Tensor], Tensor]
    loss_weight: float

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1]."""
        distances = self.distance(sr, gt)
        return self.loss_weight * distances.mean()


def open_image_losses(
    train: TrainOptions, scale: int, ops: Ops, num_frame: int
) -> dict[str, ImageLoss]:
    """Return the losses of an output and its unsharpened ground truth.

    Those whose sections are there, by the names that they are reported under.

    Args:
        train: the section `train`.
        scale: of the network.
        ops: operators that compute the networks.
        num_frame: frames of a clip that have an output.

    Raises:
        UserError: the weights of DISTS cannot be had; says what to do.
    """
    losses: dict[str, ImageLoss] = {}

    if train.dists_opt:
        dists = load_dists(ops=ops)
        losses["l_g_dists"] = WeightedLoss(dists, train.dists_opt.loss_weight)
    if train.color_opt:
        color = train.color_opt
        losses["l_g_color"] = ColorLoss(color.loss_weight, color.brightness, color.cell)
    if train.grid_opt:
        grid = train.grid_opt
        losses["l_g_grid"] = GridLoss(grid.loss_weight, grid_period(scale))
    if train.temporal_opt:
        temporal = train.temporal_opt
        losses["l_g_temporal"] = TemporalLoss(num_frame, temporal.loss_weight)
    return losses


@dataclass(frozen=True)
class TemporalLoss:
    """loss_weight * mean |(sr_t - sr_t-1) - (gt_t - gt_t-1)| over the frames of clips.

    What the output changes from frame to frame beyond what the scene does is flicker. Lai
    et al. 2018, "Learning Blind Video Temporal Consistency", section 3.2, compare an output
    with the one before it, moved by the optical flow (short-term temporal loss); here the
    ground truth tells what may change, so no flow is needed.

    Attributes:
        num_frame: frames of a clip.
        loss_weight: factor on it.
    """

    num_frame: int
    loss_weight: float

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N * num_frame, C, H, W), clip by clip."""
        error = (sr - gt).reshape([-1, self.num_frame, *sr.shape[1:]])
        return self.loss_weight * (error[:, 1:] - error[:, :-1]).abs().mean()


@dataclass(frozen=True)
class DistillationLoss:
    """The distance of a student's output from the teacher's for the same input.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network": a student is
    trained on its teacher's outputs. Unlike the ground truth, the teacher's image is a
    function of the input, texture included, so a student can get closer to it.

    Attributes:
        teacher: returns images for images, both (N, 3, H, W), RGB; no gradient reaches
            it.
        distance: a weighted loss of two images, such as `L1Loss`.
    """

    teacher: Callable[[Tensor], Tensor]
    distance: ImageLoss

    def __call__(self, sr: Tensor, lq: Tensor) -> Tensor:
        """Return the loss of sr, the student's output for lq."""
        with paddle.no_grad():
            target = self.teacher(lq)
        return self.distance(sr, target)


def artifact_map(gt: Tensor, sr: Tensor, sr_ema: Tensor, ksize: int = 7) -> Tensor:
    """Return how much each pixel of sr looks like an artifact: (N, 1, H, W), >= 0.

    The residual is the sum over the channels of |gt - sr|. Its variance in a window of
    ksize x ksize pixels (mirrored at the border) is multiplied by the fifth root of its
    variance over the whole image. Where the EMA's output is farther from gt than sr is,
    sr counts as detail and the map is zero.

    Liang et al. 2022, "Details or Artifacts: A Locally Discriminative Learning Approach
    to Realistic Image Super-Resolution", section 3.2; `basicsr/losses/LDL_loss.py` of
    the authors' repository (csjliang/LDL). As there, gradients flow through the map.

    Args:
        gt: (N, C, H, W) in [0, 1]; H and W exceed ksize // 2.
        sr: the generator's output, like gt.
        sr_ema: the output of the generator's moving average, like gt.
        ksize: side of the window, odd.
    """
    residual = _residual(gt, sr)
    residual_ema = _residual(gt, sr_ema)

    image_variance = residual.var(axis=[1, 2, 3], keepdim=True)
    image_weight = image_variance.clip(min=SMALLEST_VARIANCE) ** 0.2
    weight = image_weight * _local_variance(residual, ksize)
    is_detail = residual < residual_ema
    no_artifact = paddle.zeros_like(weight)
    return paddle.where(is_detail, no_artifact, weight)


def _residual(gt: Tensor, sr: Tensor) -> Tensor:
    difference = (gt - sr).abs()
    return difference.sum(axis=1, keepdim=True)


def _local_variance(x: Tensor, ksize: int) -> Tensor:
    """Return the unbiased variance in the ksize x ksize window around each pixel.

    Args:
        x: (N, 1, H, W), like the result.
        ksize: side of the window, odd.
    """
    # Subtracting the image's mean changes no variance, and leaves less to cancel below.
    image_mean = x.mean(axis=[2, 3], keepdim=True)
    x = x - image_mean.detach()
    margin = ksize // 2
    x = F.pad(x, [margin] * 4, mode="reflect")

    # The mean square less the squared mean, by sliding means: unfolding the windows
    # takes some fifteen times as long.
    mean = F.avg_pool2d(x, ksize, stride=1)
    mean_square = F.avg_pool2d(x.square(), ksize, stride=1)
    biased = F.relu(mean_square - mean.square())
    count = ksize**2
    return biased * (count / (count - 1))


@dataclass(frozen=True)
class ArtifactLoss:
    """loss_weight * mean |map * (sr - gt)|, with the map of `artifact_map`."""

    loss_weight: float = 1.0
    ksize: int = 7

    def __call__(self, sr: Tensor, gt: Tensor, sr_ema: Tensor) -> Tensor:
        """Return the loss of sr; `sr_ema` is the EMA generator's output."""
        weight = artifact_map(gt, sr, sr_ema, self.ksize)
        weighted_sr = weight * sr
        weighted_gt = weight * gt
        return self.loss_weight * F.l1_loss(weighted_sr, weighted_gt)


@dataclass(frozen=True)
class GANLoss:
    """BasicSR's: a scalar that falls as the predictions approach their target.

    * vanilla: cross entropy of sigmoid(pred) with the label (Goodfellow et al. 2014;
      Real-ESRGAN's loss).
    * lsgan: squared distance from the label (Mao et al. 2017).
    * wgan: the negative mean for real, the mean for fake (Arjovsky et al. 2017).
    * wgan_softplus: the same through softplus (the logistic loss of StyleGAN2).
    * hinge: Lim and Ye 2017.

    The labels matter to vanilla and lsgan only. `loss_weight` applies to the
    generator's loss only.
    """

    gan_type: GANType = "vanilla"
    real_label_val: float = 1.0
    fake_label_val: float = 0.0
    loss_weight: float = 1.0

    def __call__(
        self, pred: Tensor, target_is_real: bool, is_disc: bool = False
    ) -> Tensor:
        """Return the loss of the discriminator's predictions.

        Args:
            pred: logits of any shape.
            target_is_real: what `pred` should say. The generator passes True for its
                own images.
            is_disc: whether this is the discriminator's loss.
        """
        loss = self._loss(pred, target_is_real, is_disc)
        return loss if is_disc else self.loss_weight * loss

    @staticmethod
    @paddle.no_grad()
    def accuracy(real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of correct predictions, a scalar; 0.5 is chance.

        A prediction is correct on the right side of the midpoint between the mean
        predictions for a real image and for its generated version, not of 0: the
        image's content shifts both, long before the discriminator has learned where 0
        should be.

        Args:
            real: predictions for real images (N, C, ...), of C discriminators.
            fake: predictions for generated images, in the same order.
        """
        axes = list(range(2, real.ndim))
        real_mean = real.mean(axes, keepdim=True)
        fake_mean = fake.mean(axes, keepdim=True)
        midpoint = (real_mean + fake_mean) / 2
        real_correct = (real > midpoint).astype("float32").mean()
        fake_correct = (fake < midpoint).astype("float32").mean()
        return (real_correct + fake_correct) / 2

    def _loss(self, pred: Tensor, target_is_real: bool, is_disc: bool) -> Tensor:
        towards_target = pred if target_is_real else -pred
        if self.gan_type == "wgan":
            return -towards_target.mean()
        if self.gan_type == "wgan_softplus":
            return F.softplus(-towards_target).mean()
        if self.gan_type == "hinge":
            return F.relu(1 - towards_target).mean() if is_disc else -pred.mean()

        value = self.real_label_val if target_is_real else self.fake_label_val
        label = paddle.full_like(pred, value)
        if self.gan_type == "lsgan":
            return F.mse_loss(pred, label)
        if self.gan_type == "vanilla":
            return F.binary_cross_entropy_with_logits(pred, label)
        raise ValueError(
            f"gan_type {self.gan_type!r} is not vanilla, lsgan, wgan, wgan_softplus or "
            "hinge"
        )
