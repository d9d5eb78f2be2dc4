"""From options to a training step: networks with their weights, losses, optimizers."""

import logging
import zlib
from functools import partial

import numpy as np
import paddle
from paddle import nn

from realesrgan_paddle.loss.losses import (
    PIXEL_LOSSES,
    ArtifactLoss,
    DistillationLoss,
    GANLoss,
    WeightedLoss,
    open_image_losses,
)
from realesrgan_paddle.loss.lpips_dists import load_lpips, load_vgg16_features
from realesrgan_paddle.loss.perceptual import open_perceptual_loss
from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.models.networks.discriminators import (
    ProjectedDiscriminatorOptions,
)
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.projected_discriminator import (
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.recurrent_srvgg import STATE, RecurrentSRVGG
from realesrgan_paddle.models.networks.unet_discriminator import (
    UNetDiscriminatorSN,
    init_first_layer,
)
from realesrgan_paddle.models.step.gan_step import DiscriminatorWarmUp, GANStep
from realesrgan_paddle.models.step.pixel_step import EMA, PixelStep, ReferenceLosses
from realesrgan_paddle.models.step.precision import Precision, choose_precision
from realesrgan_paddle.models.step.state import freeze, trainable_parameters
from realesrgan_paddle.models.weights.assign import differing_options, load_weights
from realesrgan_paddle.models.weights.layouts import to_basicsr
from realesrgan_paddle.models.weights.read_generator import locate, read_generator
from realesrgan_paddle.ops.choose import in_float32
from realesrgan_paddle.ops.plain import Ops
from realesrgan_paddle.options.reading.load import dump_config
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.optimization import OptimizerOptions
from realesrgan_paddle.options.schema.sections import (
    DiscriminatorOptions,
    GeneratorOptions,
    PathOptions,
)
from realesrgan_paddle.options.schema.training import (
    DistillationLossOptions,
    GANLossOptions,
)
from realesrgan_paddle.training.learning_rate import ema_decay_for
from realesrgan_paddle.training.memory import describe_memory
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup
from realesrgan_paddle.utils.weights.reader import read_weights

OPTIMIZERS = {
    # One operation for all parameters. One for each waits for all threads each time.
    "Adam": partial(paddle.optimizer.Adam, use_multi_tensor=True),
    "AdamW": paddle.optimizer.AdamW,
}

MOST_OF_THE_START = 0.1
"""Share of the first weights in the EMA at the end of a run, beyond which it is named.

0.37 cost 12 % of LPIPS on soccer (docs/domain_gain). The option files of finetunes have
0.05 at most.
"""

Discriminator = UNetDiscriminatorSN | ProjectedDiscriminator


logger = logging.getLogger(__name__)


def build_step(
    cfg: Config, ops: Ops, group: ProcessGroup = ALONE
) -> PixelStep | GANStep:
    """Return the step of `cfg.model_type` with its networks, losses and optimizers.

    Args:
        cfg: options.
        ops: the operators that compute the networks; see `ops.choose`.
        group: the processes that train together.

    Raises:
        UserError: weights cannot be read or do not fit.
    """
    # For initial weights that are not read from a file.
    paddle.seed(cfg.manual_seed)
    train = cfg.train
    precision = choose_precision(cfg.use_amp, cfg.amp_bf16)

    net_g = build_generator(cfg.network_g, cfg.path, ops)
    if isinstance(cfg.network_g, RecurrentSRVGG):
        net_g.num_frame = cfg.datasets.train.num_frame
        net_g.warmup_frames = train.warmup_frames
    freeze(net_g, train.freeze)
    # In float32, as it is judged: released weights in float16 lie on ties of bfloat16,
    # so a step of next to nothing changes what these are rounded to.
    ema = EMA(net_g, train.ema_decay)
    ema.layer.ops = in_float32(ops)
    pixel_step = PixelStep(
        generator=net_g,
        ema=ema,
        losses=build_losses(cfg, ops, precision),
        optimizer_g=build_optimizer(train.optim_g, net_g),
        lr_g=train.optim_g.lr,
        grad_clip_g=train.optim_g.grad_clip,
        group=group,
        precision=precision,
    )
    # RealESRNetModel has none of these three, RealESRGANModel has all.
    if cfg.network_d is None or train.optim_d is None or train.gan_opt is None:
        return pixel_step

    net_d = build_discriminator(cfg.network_d, cfg.path, train.net_d_init_detail, ops)
    return GANStep(
        **vars(pixel_step),
        discriminator=net_d,
        optimizer_d=build_optimizer(train.optim_d, net_d),
        lr_d=train.optim_d.lr,
        grad_clip_d=train.optim_d.grad_clip,
        gan_loss=build_gan_loss(train.gan_opt),
        relativistic=train.gan_opt.relativistic,
        gan_usm=cfg.gan_gt_usm,
        net_d_iters=train.net_d_iters,
        warm_up=DiscriminatorWarmUp(train.net_d_init_iters, train.net_d_init_until),
    )


def build_generator(options: GeneratorOptions, path: PathOptions, ops: Ops) -> Network:
    """Return the network of `options` with the pretrained weights of `path`, if any.

    A RecurrentSRVGG may begin as an SRVGGNetCompact.
    """
    network = Network(options)
    network.ops = ops
    if path.pretrain_network_g is not None:
        tensors = read_pretrained(
            path.pretrain_network_g, path.param_key_g, "path.param_key_g"
        )
        if isinstance(options, RecurrentSRVGG) and f"{STATE}.weight" not in tensors:
            own = {
                name: tensor.numpy() for name, tensor in network.state_dict().items()
            }
            tensors = {**own, **tensors}
            logger.warning(
                "%s: has no state, so it begins without one, as it is",
                path.pretrain_network_g,
            )
        load_pretrained(
            network, options, tensors, path.pretrain_network_g, path.strict_load_g
        )
    return network


def build_discriminator(
    options: DiscriminatorOptions, path: PathOptions, init_detail: bool, ops: Ops
) -> Discriminator:
    """Return the network of `options` with the pretrained weights of `path`, if any.

    Without them, and with `init_detail`, a U-Net starts with a first layer that
    responds to detail: see `init_first_layer`.
    """
    network: Discriminator
    if isinstance(options, ProjectedDiscriminatorOptions):
        vgg16 = load_vgg16_features(options.num_block, ops=ops)
        network = ProjectedDiscriminator(vgg16, options.num_feat, options.num_block)
    else:
        network = UNetDiscriminatorSN(
            options.num_in_ch, options.num_feat, options.skip_connection
        )
        if init_detail:
            init_first_layer(network)

    network.ops = ops
    if path.pretrain_network_d is not None:
        tensors = read_pretrained(
            path.pretrain_network_d, path.param_key_d, "path.param_key_d"
        )
        load_pretrained(
            network, options, tensors, path.pretrain_network_d, path.strict_load_d
        )
    return network


def read_pretrained(
    pretrained: str, param_key: str | None, option: str
) -> dict[str, np.ndarray]:
    """Return the tensors of a file, or of a released model by its name.

    Args:
        pretrained: the file or the name.
        param_key: which group of tensors; see `WeightFile.select`. The only group of a
            file is taken whatever it is called.
        option: the option that says so, for errors.
    """
    file = locate(pretrained)
    weights = read_weights(file)
    only = next(iter(weights.groups)) if len(weights.groups) == 1 else param_key
    if param_key is not None and param_key != only:
        logger.warning(
            "%s: has no %r, so its only weights are taken: %r", file, param_key, only
        )
        param_key = only
    try:
        tensors = weights.select(param_key)
    except UserError as error:
        choices = " or ".join(f"{option}: {name or 'null'}" for name in weights.groups)
        raise UserError(f"{error}; set {choices}") from None
    return to_basicsr(tensors, str(file))


def load_pretrained(
    network: nn.Layer,
    options: GeneratorOptions | DiscriminatorOptions,
    tensors: dict[str, np.ndarray],
    source: str,
    strict: bool,
) -> None:
    """Load `tensors` into the network that `options` describe.

    Raises:
        UserError: they do not fit; says which options differ from the file.
    """
    try:
        load_weights(network, tensors, strict=strict, source=source)
    except UserError as error:
        if isinstance(options, Description) and (
            different := differing_options(tensors, options, source)
        ):
            raise UserError(
                f"{source}: do not fit {options.type}: {different}"
            ) from error
        raise


def build_losses(cfg: Config, ops: Ops, precision: Precision) -> ReferenceLosses:
    """Return the generator's reference losses: those whose sections are there."""
    train = cfg.train
    pixel = perceptual = artifact = distillation = lpips = None

    if train.pixel_opt:
        pixel = PIXEL_LOSSES[train.pixel_opt.type](
            loss_weight=train.pixel_opt.loss_weight,
            reduction=train.pixel_opt.reduction,
        )
    if train.perceptual_opt:
        perceptual = open_perceptual_loss(train.perceptual_opt, ops)
    if train.artifact_opt:
        artifact = ArtifactLoss(loss_weight=train.artifact_opt.loss_weight)
    if train.distill_opt:
        distillation = build_distillation_loss(
            train.distill_opt, cfg.scale, ops, precision
        )

    if train.lpips_opt:
        network = load_lpips(train.lpips_opt.net, ops=ops)
        lpips = WeightedLoss(network, train.lpips_opt.loss_weight)

    return ReferenceLosses(
        pixel=pixel,
        perceptual=perceptual,
        artifact=artifact,
        distillation=distillation,
        lpips=lpips,
        distances=open_image_losses(
            train, cfg.scale, ops, cfg.datasets.train.num_frame - train.warmup_frames
        ),
        pixel_usm=cfg.l1_gt_usm,
        perceptual_usm=cfg.percep_gt_usm,
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


def build_gan_loss(options: GANLossOptions) -> GANLoss:
    """Return the adversarial loss of generator and discriminator."""
    return GANLoss(
        options.gan_type,
        options.real_label_val,
        options.fake_label_val,
        options.loss_weight,
    )


def build_optimizer(
    options: OptimizerOptions, network: nn.Layer
) -> paddle.optimizer.Adam:
    """Return the optimizer of the trainable parameters; AdamW is a subclass of Adam."""
    # Adam with a weight decay of 0 would still compute the penalty.
    no_decay = {"Adam": None, "AdamW": 0.0}
    return OPTIMIZERS[options.type](
        learning_rate=options.lr,
        beta1=options.betas[0],
        beta2=options.betas[1],
        parameters=trainable_parameters(network),
        weight_decay=options.weight_decay or no_decay[options.type],
    )


def check_same_start(
    cfg: Config, start: int, step: PixelStep, group: ProcessGroup
) -> None:
    """Raise UserError if the processes differ in options, iteration or weights."""
    if group.size == 1:
        return
    weights = 0
    for arrays in step.state().values():
        for array in arrays.values():
            weights = zlib.crc32(array.tobytes(), weights)
    group.check_equal(
        {
            "options": zlib.crc32(dump_config(cfg).encode()),
            "training state": start,
            "weights": weights,
        }
    )


def describe_step(cfg: Config, step: PixelStep, ops: Ops) -> list[str]:
    """Return lines for the log: parameters that are trained, memory, mixed precision."""
    count = sum(p.size for p in step.generator.parameters())
    trained = sum(p.size for p in trainable_parameters(step.generator))
    lines = [
        f"{trained:,} of the generator's {count:,} parameters are trained",
        describe_memory(cfg, count, ops),
    ]
    if step.precision.remark:
        lines.append(step.precision.remark)
    decay, total = cfg.train.ema_decay, cfg.train.total_iter
    share, fitting = decay**total, ema_decay_for(total)
    if share > MOST_OF_THE_START and decay > fitting:
        lines.append(
            f"train.ema_decay {decay:g} averages over more than these {total:,} "
            f"iterations: by {100 * share:.0f} % the result will still be the network to "
            f"start from; use train.ema_decay={fitting:g}"
        )
    return lines
