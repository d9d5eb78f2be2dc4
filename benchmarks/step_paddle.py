"""A process that takes training steps of this project; see train_step.py."""

import os
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from step_cases import CASES, VGG_CHANNELS, VGG_LAYER_WEIGHTS, Case, arguments, serve

from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.utils.machine.cpu import keep_freed_memory, start_paddle


def one_network(case: Case, batch: int, ops: object) -> Callable[[], None]:
    """Return the step that lowers the mean of |output| by Adam."""
    import paddle

        
    specs = {
        "rrdbnet": RRDBNet(num_block=case.blocks or 1),
        "srvgg": SRVGGNetCompact(),
    }
    network = Network(specs.get(case.network, UNetDiscriminatorSNOptions()))
    network.ops = ops
    adam = paddle.optimizer.Adam(learning_rate=1e-4, parameters=network.parameters())
    x = paddle.rand([batch, 3, case.size, case.size])

    def step() -> None:
        network(x).abs().mean().backward()
        adam.step()
        adam.clear_grad()

    return step


def gan(case: Case, batch: int, ops: object) -> Callable[[], None]:
    """Return the whole step: L1, VGG19 (five layers, random weights) and GAN losses, two Adams, EMA."""
    import paddle

    from realesrgan_paddle.loss.gan import GANLoss
    from realesrgan_paddle.loss.perceptual import PerceptualLoss
    from realesrgan_paddle.loss.pixel import L1Loss
    from realesrgan_paddle.loss.vgg import VGG19
            from realesrgan_paddle.models.step.batch import Batch
    from realesrgan_paddle.models.step.ema import EMA
    from realesrgan_paddle.models.step.gan_step import GANStep
    from realesrgan_paddle.models.step.reference_losses import ReferenceLosses
    from realesrgan_paddle.options.schema.training import VGG19_LAYERS

    generator, discriminator = (
        Network(SRVGGNetCompact()),
        Network(UNetDiscriminatorSNOptions()),
    )
    generator.ops = discriminator.ops = ops
    random = np.random.default_rng(0)
    weights = {
        name: (
            random.standard_normal((out, in_ch, 3, 3), np.float32)
            / np.float32(3 * in_ch**0.5),
            np.zeros(out, "f"),
        )
        for name, (in_ch, out) in zip(VGG19_LAYERS, pairwise(VGG_CHANNELS), strict=True)
    }
    vgg = VGG19(weights, list(VGG_LAYER_WEIGHTS), ops=ops)
    take = GANStep(
        generator=generator,
        ema=EMA(generator, 0.999),
        losses=ReferenceLosses(
            pixel=L1Loss(), perceptual=PerceptualLoss(VGG_LAYER_WEIGHTS, vgg)
        ),
        optimizer_g=paddle.optimizer.Adam(
            learning_rate=1e-4, parameters=generator.parameters()
        ),
        lr_g=1e-4,
        discriminator=discriminator,
        optimizer_d=paddle.optimizer.Adam(
            learning_rate=1e-4, parameters=discriminator.parameters()
        ),
        lr_d=1e-4,
        gan_loss=GANLoss(loss_weight=0.1),
    )
    gt = paddle.rand([batch, 3, 4 * case.size, 4 * case.size])
    batch_of_pictures = Batch(
        lq=paddle.nn.functional.avg_pool2d(gt, 4), gt=gt, gt_usm=gt
    )
    return lambda: float(take([batch_of_pictures], 1)["l_g_pix"])


def main() -> None:
    """Serve steps until the input ends."""
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    keep_freed_memory()
    start_paddle()
    from realesrgan_paddle.utils.ops.choose import choose_ops

    ops, _ = choose_ops(
        "plain"
        if args.ops == "plain"
        else {"fp32": "onednn", "bf16": "onednn_bf16"}[args.precision]
    )
    case = CASES[args.case]
    take = (gan if case.network == "gan" else one_network)(case, args.batch, ops)
    serve(take, warm_up=1 if args.ops == "plain" else 2)


if __name__ == "__main__":
    main()
