"""A process that takes the same training steps in torch; see train_step.py.

The networks are spandrel's, in channels-last format.
"""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import pairwise

import torch
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
from step_cases import CASES, VGG_CHANNELS, VGG_LAYER_WEIGHTS, Case, arguments, serve
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm

Autocast = Callable[[], AbstractContextManager]


class UNetDiscriminator(nn.Module):
    """Real-ESRGAN's discriminator with skip connections, which spandrel lacks."""

    def __init__(self) -> None:
        super().__init__()
        down, up = [], []
        for i in range(3):
            convolution = nn.Conv2d(64 * 2**i, 128 * 2**i, 4, 2, 1, bias=False)
            down.append(spectral_norm(convolution))
        for i in range(3):
            convolution = nn.Conv2d(512 // 2**i, 256 // 2**i, 3, 1, 1, bias=False)
            up.append(spectral_norm(convolution))
        flat = [spectral_norm(nn.Conv2d(64, 64, 3, 1, 1, bias=False)) for _ in range(2)]

        self.first = nn.Conv2d(3, 64, 3, 1, 1)
        self.down = nn.ModuleList(down)
        self.up = nn.ModuleList(up)
        self.flat = nn.ModuleList(flat)
        self.last = nn.Conv2d(64, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x (N, 3, H, W)."""
        skips = [F.leaky_relu(self.first(x), 0.2, True)]
        for layer in self.down:
            skips.append(F.leaky_relu(layer(skips[-1]), 0.2, True))

        x = skips.pop()
        for layer in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), 0.2, True) + skips.pop()

        for layer in self.flat:
            x = F.leaky_relu(layer(x), 0.2, True)
        return self.last(x)


class VGG19(nn.Module):
    """VGG19's convolutions, random and frozen; features before the ReLU."""

    def __init__(self) -> None:
        super().__init__()
        names = []
        for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1):
            names += [f"conv{block}_{i}" for i in range(1, convolutions + 1)]

        channels = pairwise(VGG_CHANNELS)
        layers = [nn.Conv2d(in_ch, out_ch, 3, 1, 1) for in_ch, out_ch in channels]
        self.layers = nn.ModuleDict(zip(names, layers, strict=True))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the features of x (N, 3, H, W) by layer."""
        features = {}
        for name, layer in self.layers.items():
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2, 2)

            x = layer(x)
            wanted = name in VGG_LAYER_WEIGHTS
            if wanted:
                features[name] = x
            x = F.relu(x, inplace=not wanted)
        return features


def gan_loss(logits: Tensor, real: bool) -> Tensor:
    """Return the vanilla GAN loss of a discriminator's output."""
    logits = logits.float()
    target = torch.full_like(logits, float(real))
    return F.binary_cross_entropy_with_logits(logits, target)


def one_network(case: Case, batch: int, autocast: Autocast) -> Callable[[], None]:
    """Return a step of Adam on the mean absolute output."""
    builders = {
        "rrdbnet": lambda: RRDBNet(
            in_nc=3, out_nc=3, num_filters=64, num_blocks=case.blocks, scale=4
        ),
        "srvgg": lambda: _compact(case.blocks),
        "unet": UNetDiscriminator,
    }
    network = builders[case.network]().to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)
    x = torch.rand(batch, 3, case.size, case.size).to(memory_format=torch.channels_last)

    def step() -> None:
        adam.zero_grad()
        with autocast():
            loss = network(x).abs().mean()
        loss.backward()
        adam.step()

    return step


def gan(case: Case, batch: int, autocast: Autocast) -> Callable[[], None]:
    """Return the whole GAN step: L1, VGG19 (five layers), GAN; two Adams, EMA."""
    last = {"memory_format": torch.channels_last}
    generator = _compact(case.blocks).to(**last)
    discriminator = UNetDiscriminator().to(**last)
    vgg = VGG19().to(**last)
    average = copy.deepcopy(generator).requires_grad_(False)
    adam_g = torch.optim.Adam(generator.parameters(), lr=1e-4)
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=1e-4)

    gt = torch.rand(batch, 3, 4 * case.size, 4 * case.size).to(**last)
    lq = F.avg_pool2d(gt, 4).to(**last)

    def step() -> None:
        discriminator.requires_grad_(False)
        adam_g.zero_grad()
        with autocast():
            sr = generator(lq)
            features = vgg(sr)
            with torch.no_grad():
                targets = vgg(gt)
            loss = F.l1_loss(sr, gt) + 0.1 * gan_loss(discriminator(sr), True)
            for name, weight in VGG_LAYER_WEIGHTS.items():
                loss = loss + weight * F.l1_loss(features[name], targets[name])
        loss.backward()
        adam_g.step()

        discriminator.requires_grad_(True)
        adam_d.zero_grad()
        for images, real in ((gt, True), (sr.detach(), False)):
            with autocast():
                loss = gan_loss(discriminator(images), real)
            loss.backward()
        adam_d.step()

        parameters = zip(average.parameters(), generator.parameters(), strict=True)
        with torch.no_grad():
            for mean, current in parameters:
                mean.lerp_(current, 0.001)

    return step


def _compact(convolutions: int) -> nn.Module:
    return SRVGGNetCompact(
        num_in_ch=3,
        num_out_ch=3,
        num_feat=64,
        num_conv=convolutions,
        upscale=4,
        act_type="prelu",
    )


def main() -> None:
    """Serve steps until stdin ends."""
    args = arguments()
    torch.set_num_threads(args.threads)
    case = CASES[args.case]
    autocast: Autocast = nullcontext
    if args.precision == "bf16":
        autocast = partial(torch.autocast, "cpu", torch.bfloat16)

    create_step = gan if case.network == "gan" else one_network
    serve(create_step(case, args.batch, autocast))


if __name__ == "__main__":
    main()
