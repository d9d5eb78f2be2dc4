"""From the options of the losses to the generator's reference losses."""

from collections.abc import Callable
from functools import partial

from realesrgan_paddle.loss.artifact import ArtifactLoss
from realesrgan_paddle.loss.color import ColorLoss
from realesrgan_paddle.loss.distillation import DistillationLoss
from realesrgan_paddle.loss.dists import load_dists
from realesrgan_paddle.loss.lpips import load_lpips
from realesrgan_paddle.loss.perceptual import PerceptualLoss
from realesrgan_paddle.loss.pixel import CharbonnierLoss, L1Loss, MSELoss
from realesrgan_paddle.loss.vgg import load_vgg19
from realesrgan_paddle.loss.weighted import WeightedLoss
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.step.precision import Precision
from realesrgan_paddle.models.step.reference_losses import ReferenceLosses
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.ops.plain import Ops
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.training import (
    DistillationLossOptions,
    PerceptualLossOptions,
    TrainOptions,
)
from realesrgan_paddle.utils.errors import UserError

PIXEL_LOSSES: dict[str, Callable[..., L1Loss | MSELoss | CharbonnierLoss]] = {
    "L1Loss": L1Loss,
    "MSELoss": MSELoss,
    "CharbonnierLoss": CharbonnierLoss,
}


def build_losses(cfg: Config, ops: Ops, precision: Precision) -> ReferenceLosses:
    """Return the generator's reference losses: those whose sections are there."""
    train = cfg.train
    pixel = perceptual = artifact = distillation = None

    if train.pixel_opt:
        pixel = PIXEL_LOSSES[train.pixel_opt.type](
            loss_weight=train.pixel_opt.loss_weight,
            reduction=train.pixel_opt.reduction,
        )
    if train.perceptual_opt:
        perceptual = build_perceptual_loss(train.perceptual_opt, ops)
    if train.artifact_opt:
        artifact = ArtifactLoss(loss_weight=train.artifact_opt.loss_weight)
    if train.distill_opt:
        distillation = build_distillation_loss(
            train.distill_opt, cfg.scale, ops, precision
        )

    return ReferenceLosses(
        pixel=pixel,
        perceptual=perceptual,
        artifact=artifact,
        distillation=distillation,
        distances=build_distances(train, ops),
        pixel_usm=cfg.l1_gt_usm,
        perceptual_usm=cfg.percep_gt_usm,
    )


def build_perceptual_loss(options: PerceptualLossOptions, ops: Ops) -> PerceptualLoss:
    """Return the VGG19 loss; UserError if VGG19's weights are missing."""
    vgg = load_vgg19(
        options.vgg_path,
        list(options.layer_weights),
        use_input_norm=options.use_input_norm,
        range_norm=options.range_norm,
        ops=ops,
    )
    return PerceptualLoss(
        options.layer_weights,
        vgg,
        perceptual_weight=options.perceptual_weight,
        style_weight=options.style_weight,
        criterion=options.criterion,
    )


def build_distillation_loss(
    options: DistillationLossOptions, scale: int, ops: Ops, precision: Precision
) -> DistillationLoss:
    """Return the loss against a teacher's output, which has the student's precision.

    Raises:
        UserError: the teacher cannot be read, or upscales by another factor.
    """
    description, tensors = read_generator(options.teacher, param_key=options.param_key)
    if (description.scale, description.num_in_ch, description.num_out_ch) != (
        scale,
        3,
        3,
    ):
        raise UserError(
            f"train.distill_opt.teacher: {options.teacher}: is {description}, but the "
            f"student (network_g) upscales RGB images by {scale}; choose a teacher that "
            "does the same"
        )

    teacher = Network(description)
    load_weights(teacher, tensors, source=options.teacher)
    teacher.ops = ops
    teacher.eval()

    distance = PIXEL_LOSSES[options.type](loss_weight=options.loss_weight)
    return DistillationLoss(partial(precision, teacher), distance)


def build_distances(
    train: TrainOptions, ops: Ops
) -> dict[str, WeightedLoss | ColorLoss]:
    """Return LPIPS, DISTS and the color loss, where their sections are there.

    By the names that they are reported under.
    """
    losses: dict[str, WeightedLoss | ColorLoss] = {}

    if train.lpips_opt:
        lpips = load_lpips(train.lpips_opt.net, ops=ops)
        losses["l_g_lpips"] = WeightedLoss(lpips, train.lpips_opt.loss_weight)
    if train.dists_opt:
        dists = load_dists(ops=ops)
        losses["l_g_dists"] = WeightedLoss(dists, train.dists_opt.loss_weight)
    if train.color_opt:
        color = train.color_opt
        losses["l_g_color"] = ColorLoss(color.loss_weight, color.brightness, color.cell)
    return losses
