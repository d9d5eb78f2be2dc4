"""The wiring of a training run: options in, a training step out.

This is where options meet networks and losses; `batches.py` is where they meet data,
and `train.py` is the loop.
"""

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import paddle
from paddle import nn

from realesrgan_paddle.loss.artifact import ArtifactLoss
from realesrgan_paddle.loss.color import ColorLoss
from realesrgan_paddle.loss.distillation import DistillationLoss
from realesrgan_paddle.loss.dists import load_dists, load_vgg16_features
from realesrgan_paddle.loss.gan import GANLoss
from realesrgan_paddle.loss.lpips import load_lpips
from realesrgan_paddle.loss.perceptual import PerceptualLoss
from realesrgan_paddle.loss.pixel import CharbonnierLoss, L1Loss, MSELoss
from realesrgan_paddle.loss.vgg import load_vgg19
from realesrgan_paddle.loss.weighted import WeightedMean
from realesrgan_paddle.models.networks.build import build
from realesrgan_paddle.models.networks.projected_discriminator import (
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.specs import SPECS, describe
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.ema import EMA
from realesrgan_paddle.models.step.freeze import freeze, learning
from realesrgan_paddle.models.step.init_first_layer import see_detail
from realesrgan_paddle.models.step.precision import Precision, choose_precision
from realesrgan_paddle.models.step.steps import GANStep, PixelStep, ReferenceLosses
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.models.weights.assign import load_state
from realesrgan_paddle.models.weights.catalogue import is_released
from realesrgan_paddle.models.weights.fetch import obtain
from realesrgan_paddle.models.weights.layouts import to_basicsr
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.options.reading.load import dump_config
from realesrgan_paddle.options.schema.config import (
    Config,
    DiscriminatorOptions,
    DistillationLossOptions,
    GeneratorOptions,
    OptimizerOptions,
    PathOptions,
    PerceptualLossOptions,
    ProjectedDiscriminatorOptions,
    TrainOptions,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup
from realesrgan_paddle.utils.ops.plain import Ops
from realesrgan_paddle.utils.weights.reader import read_weights

PIXEL_LOSSES: dict[str, Callable[..., L1Loss | MSELoss | CharbonnierLoss]] = {
    "L1Loss": L1Loss,
    "MSELoss": MSELoss,
    "CharbonnierLoss": CharbonnierLoss,
}

OPTIMIZERS = {"Adam": paddle.optimizer.Adam, "AdamW": paddle.optimizer.AdamW}


def build_step(
    cfg: Config, ops: Ops, group: ProcessGroup = ALONE
) -> PixelStep | GANStep:
    """Return the training step of `cfg.model_type`: networks with their first weights, losses, optimizers.

    `ops` computes the networks; see `utils.ops.choose`. The processes of `group` learn
    together.
    """
    paddle.seed(cfg.manual_seed)  # for first weights that are not read from a file
    train, path = cfg.train, cfg.path
    precision = choose_precision(cfg.use_amp, cfg.amp_bf16)
    net_g = build_generator(cfg.network_g, path, ops)
    freeze(net_g, train.freeze)
    pixel_step = PixelStep(
        generator=net_g,
        ema=EMA(net_g, train.ema_decay),
        losses=build_losses(cfg, ops, precision),
        optimizer_g=build_optimizer(train.optim_g, net_g),
        lr_g=train.optim_g.lr,
        grad_clip_g=train.optim_g.grad_clip,
        group=group,
        precision=precision,
    )
    if (
        cfg.network_d is None or train.optim_d is None or train.gan_opt is None
    ):  # RealESRNetModel
        return pixel_step
    net_d = build_discriminator(cfg.network_d, path, train.net_d_init_detail, ops)
    gan = train.gan_opt
    return GANStep(
        **vars(pixel_step),
        discriminator=net_d,
        optimizer_d=build_optimizer(train.optim_d, net_d),
        lr_d=train.optim_d.lr,
        grad_clip_d=train.optim_d.grad_clip,
        gan_loss=GANLoss(
            gan.gan_type, gan.real_label_val, gan.fake_label_val, gan.loss_weight
        ),
        warm_up=DiscriminatorWarmUp(train.net_d_init_iters, train.net_d_init_until),
        relativistic=gan.relativistic,
        gan_usm=cfg.gan_gt_usm,
        net_d_iters=train.net_d_iters,
    )


def build_generator(options: GeneratorOptions, path: PathOptions, ops: Ops) -> nn.Layer:
    """Return the network that `options` describe, with the pretrained weights that `path` names."""
    network = build(SPECS[options.type](**options.model_dump(exclude={"type"})))
    network.ops = ops
    _load_pretrained(
        network, path.pretrain_network_g, path.param_key_g, path.strict_load_g
    )
    return network


def build_discriminator(
    options: DiscriminatorOptions,
    path: PathOptions,
    see_detail_at_first: bool,
    ops: Ops,
) -> UNetDiscriminatorSN | ProjectedDiscriminator:
    """Return the network that `options` describe, with the pretrained weights that `path` names, if any."""
    network: UNetDiscriminatorSN | ProjectedDiscriminator
    if isinstance(options, ProjectedDiscriminatorOptions):
        features = load_vgg16_features(options.num_block, ops=ops)
        network = ProjectedDiscriminator(features, options.num_feat, options.num_block)
    else:
        network = UNetDiscriminatorSN(
            options.num_in_ch, options.num_feat, options.skip_connection
        )
        if see_detail_at_first:
            see_detail(network)
    network.ops = ops
    _load_pretrained(
        network, path.pretrain_network_d, path.param_key_d, path.strict_load_d
    )
    return network


def _load_pretrained(
    network: nn.Layer, pretrained: str | None, param_key: str | None, strict: bool
) -> None:
    """Load the weights of `pretrained`, a file or a released name; None: leave the network's first ones."""
    if pretrained is not None:
        file = (
            obtain(pretrained, Path("weights"))
            if is_released(pretrained)
            else Path(pretrained)
        )
        tensors = to_basicsr(read_weights(file).select(param_key), str(file))
        load_state(network, tensors, strict=strict, source=str(file))


def build_losses(cfg: Config, ops: Ops, precision: Precision) -> ReferenceLosses:
    """Return the generator's losses against the ground truth or a teacher; one whose section is missing is left out."""
    pixel, perceptual, artifact = (
        cfg.train.pixel_opt,
        cfg.train.perceptual_opt,
        cfg.train.artifact_opt,
    )
    distill = cfg.train.distill_opt
    return ReferenceLosses(
        pixel=PIXEL_LOSSES[pixel.type](
            loss_weight=pixel.loss_weight, reduction=pixel.reduction
        )
        if pixel
        else None,
        perceptual=build_perceptual_loss(perceptual, ops) if perceptual else None,
        artifact=ArtifactLoss(loss_weight=artifact.loss_weight) if artifact else None,
        distillation=build_distillation_loss(distill, cfg.scale, ops, precision)
        if distill
        else None,
        distances=build_distances(cfg.train, ops),
        pixel_usm=cfg.l1_gt_usm,
        perceptual_usm=cfg.percep_gt_usm,
    )


def build_perceptual_loss(options: PerceptualLossOptions, ops: Ops) -> PerceptualLoss:
    """Return the VGG19 loss; its weights must be there."""
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
    distill: DistillationLossOptions, scale: int, ops: Ops, precision: Precision
) -> DistillationLoss:
    """Return the loss against the teacher, a network of the student's `scale`, run as the student is.

    Raises:
        UserError: there is no such network, or it enlarges by another factor.
    """
    spec, tensors = read_generator(distill.teacher, param_key=distill.param_key)
    if (spec.scale, spec.num_in_ch, spec.num_out_ch) != (scale, 3, 3):
        raise UserError(
            f"train.distill_opt.teacher: {distill.teacher}: holds {describe(spec)}, but the student (network_g) "
            f"enlarges RGB pictures by {scale}; teacher and student must do the same"
        )
    teacher = build(spec)
    load_state(teacher, tensors, source=distill.teacher)
    teacher.ops = ops
    teacher.eval()
    return DistillationLoss(
        partial(precision, teacher),
        PIXEL_LOSSES[distill.type](loss_weight=distill.loss_weight),
    )


def build_distances(
    train: TrainOptions, ops: Ops
) -> dict[str, WeightedMean | ColorLoss]:
    """Return LPIPS, DISTS and the colour loss, where their sections are there, by the names they are reported under."""
    lpips, dists, color = train.lpips_opt, train.dists_opt, train.color_opt
    losses: dict[str, WeightedMean | ColorLoss] = {}
    if lpips:
        losses["l_g_lpips"] = WeightedMean(
            load_lpips(lpips.net, ops=ops), lpips.loss_weight
        )
    if dists:
        losses["l_g_dists"] = WeightedMean(load_dists(ops=ops), dists.loss_weight)
    if color:
        losses["l_g_color"] = ColorLoss(color.loss_weight, color.brightness, color.cell)
    return losses


def build_optimizer(
    options: OptimizerOptions, network: nn.Layer
) -> paddle.optimizer.Adam:
    """Return the optimizer of those of the network's parameters that learn; AdamW is a kind of Adam."""
    no_decay = {"Adam": None, "AdamW": 0.0}  # Adam would compute a penalty of 0
    return OPTIMIZERS[options.type](
        learning_rate=options.lr,
        beta1=options.betas[0],
        beta2=options.betas[1],
        parameters=learning(network),
        weight_decay=options.weight_decay or no_decay[options.type],
    )


def check_same_start(
    cfg: Config, start: int, step: PixelStep, group: ProcessGroup
) -> None:
    """Refuse to begin where the processes of `group` differ in options, iteration or weights."""
    if group.size > 1:
        options, weights = zlib.crc32(dump_config(cfg).encode()), 0
        for arrays in step.state().values():
            for array in arrays.values():
                weights = zlib.crc32(array.tobytes(), weights)
        group.check_alike(
            {"options": options, "training state": start, "weights": weights}
        )


def describe_step(step: PixelStep) -> list[str]:
    """Return lines for the log: how many of the generator's parameters learn, and the precision where it is mixed."""
    everything = step.generator.parameters()
    learn, all_of_them = (
        sum(p.size for p in parameters)
        for parameters in (learning(step.generator), everything)
    )
    line = f"{learn:,} of the generator's {all_of_them:,} parameters learn"
    return [line, step.precision.remark] if step.precision.remark else [line]
