"""A process that takes this project's training steps; see train_step.py."""

import os
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from step_cases import CASES, VGG_CHANNELS, VGG_LAYER_WEIGHTS, Case, arguments, serve

from realesrgan_paddle.utils.machine.devices import (
    keep_freed_memory,
    shorten_spin_time,
    start_paddle,
)


def one_network(case: Case, batch: int, ops: object) -> Callable[[], None]:
    """Return a step of Adam on the mean absolute output."""
    import paddle

    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
    from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
    from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN

    if case.network == "rrdbnet":
        network = Network(RRDBNet(num_block=case.blocks or 1))
    elif case.network == "srvgg":
        network = Network(SRVGGNetCompact())
    else:
        network = UNetDiscriminatorSN()
    network.ops = ops
    adam = paddle.optimizer.Adam(
        learning_rate=1e-4, parameters=network.parameters(), use_multi_tensor=True
    )
    x = paddle.rand([batch, 3, case.size, case.size])

    def step() -> None:
        network(x).abs().mean().backward()
        adam.step()
        adam.clear_grad()

    return step


def gan(case: Case, batch: int, ops: object) -> Callable[[], None]:
    """Return the whole GAN step: three losses, two Adams, EMA.

    The losses are L1, VGG19 (five layers, random weights) and GAN.
    """
    import paddle

    from realesrgan_paddle.loss.losses import GANLoss, L1Loss
    from realesrgan_paddle.loss.perceptual import VGG19, PerceptualLoss
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
    from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
    from realesrgan_paddle.models.step.gan_step import GANStep
    from realesrgan_paddle.models.step.pixel_step import EMA, Batch, ReferenceLosses
    from realesrgan_paddle.options.schema.training import VGG19_LAYERS

    generator = Network(SRVGGNetCompact())
    discriminator = UNetDiscriminatorSN()
    generator.ops = discriminator.ops = ops

    random = np.random.default_rng(0)
    weights = {}
    for name, (in_ch, out_ch) in zip(VGG19_LAYERS, pairwise(VGG_CHANNELS), strict=True):
        weight = random.standard_normal((out_ch, in_ch, 3, 3), np.float32)
        weight /= np.float32(3 * in_ch**0.5)
        weights[name] = (weight, np.zeros(out_ch, np.float32))
    vgg = VGG19(weights, list(VGG_LAYER_WEIGHTS), ops=ops)
    perceptual = PerceptualLoss(VGG_LAYER_WEIGHTS, vgg)

    adam = partial(paddle.optimizer.Adam, learning_rate=1e-4, use_multi_tensor=True)
    take_step = GANStep(
        generator=generator,
        ema=EMA(generator, 0.999),
        losses=ReferenceLosses(pixel=L1Loss(), perceptual=perceptual),
        optimizer_g=adam(parameters=generator.parameters()),
        lr_g=1e-4,
        discriminator=discriminator,
        optimizer_d=adam(parameters=discriminator.parameters()),
        lr_d=1e-4,
        gan_loss=GANLoss(loss_weight=0.1),
    )

    gt = paddle.rand([batch, 3, 4 * case.size, 4 * case.size])
    lq = paddle.nn.functional.avg_pool2d(gt, 4)
    images = Batch(lq=lq, gt=gt, gt_usm=gt)

    def step() -> None:
        losses = take_step([images], 1)
        float(losses["l_g_pix"])  # reads the result, as training does

    return step


def main() -> None:
    """Serve steps until stdin ends."""
    args = arguments()
    case = CASES[args.case]
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    keep_freed_memory()
    start_paddle()
    shorten_spin_time()  # as a training with a thread for the next batch
    from realesrgan_paddle.ops.choose import CPUOps, choose_ops

    plain = args.ops == "plain"
    onednn: CPUOps = "onednn_bf16" if args.precision == "bf16" else "onednn"
    ops, _ = choose_ops("plain" if plain else onednn)

    create_step = gan if case.network == "gan" else one_network
    step = create_step(case, args.batch, ops)
    serve(step, warm_up=1 if plain else 2)


if __name__ == "__main__":
    main()
