"""A process that takes the same training steps in torch, channels-last, with spandrel's networks; see train_step.py."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
    """Real-ESRGAN's discriminator with skip connections, which spandrel has not."""

    def __init__(self) -> None:
        super().__init__()
        down = [
            spectral_norm(nn.Conv2d(64 * 2**i, 128 * 2**i, 4, 2, 1, bias=False))
            for i in range(3)
        ]
        up = [
            spectral_norm(nn.Conv2d(512 // 2**i, 256 // 2**i, 3, 1, 1, bias=False))
            for i in range(3)
        ]
        flat = [spectral_norm(nn.Conv2d(64, 64, 3, 1, 1, bias=False)) for _ in range(2)]
        self.first, self.last = nn.Conv2d(3, 64, 3, 1, 1), nn.Conv2d(64, 1, 3, 1, 1)
        self.down, self.up, self.flat = (
            nn.ModuleList(down),
            nn.ModuleList(up),
            nn.ModuleList(flat),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x (N, 3, H, W)."""
        seen = [F.leaky_relu(self.first(x), 0.2, True)]
        for layer in self.down:
            seen.append(F.leaky_relu(layer(seen[-1]), 0.2, True))
        x = seen.pop()
        for layer in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), 0.2, True) + seen.pop()
        for layer in self.flat:
            x = F.leaky_relu(layer(x), 0.2, True)
        return self.last(x)


class VGG19(nn.Module):
    """Its convolutions, random and frozen; features before the ReLU."""

    def __init__(self) -> None:
        super().__init__()
        names = [
            f"conv{b}_{c}"
            for b, n in enumerate((2, 2, 4, 4, 4), start=1)
            for c in range(1, n + 1)
        ]
        layers = [
            nn.Conv2d(in_ch, out, 3, 1, 1) for in_ch, out in pairwise(VGG_CHANNELS)
        ]
        self.layers = nn.ModuleDict(zip(names, layers, strict=True)).requires_grad_(
            False
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the features of x (N, 3, H, W) by layer."""
        features = {}
        for name, layer in self.layers.items():
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2, 2)
            x = layer(x)
            if name in VGG_LAYER_WEIGHTS:
                features[name] = x
            x = F.relu(x, inplace=name not in VGG_LAYER_WEIGHTS)
        return features


def one_network(case: Case, batch: int, autocast: Autocast) -> Callable[[], None]:
    """Return the step that lowers the mean of |output| by Adam."""
    makers = {
        "rrdbnet": lambda: RRDBNet(
            in_nc=3, out_nc=3, num_filters=64, num_blocks=case.blocks, scale=4
        ),
        "srvgg": lambda: _compact(case.blocks),
        "unet": UNetDiscriminator,
    }
    network = makers[case.network]().to(memory_format=torch.channels_last)
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
    """Return the whole step: L1, VGG19 (five layers) and GAN losses, two Adams, EMA."""
    last = {"memory_format": torch.channels_last}
    generator, discriminator, vgg = (
        _compact(case.blocks).to(**last),
        UNetDiscriminator().to(**last),
        VGG19().to(**last),
    )
    average = copy.deepcopy(generator).requires_grad_(False)
    adam_g, adam_d = (
        torch.optim.Adam(n.parameters(), lr=1e-4) for n in (generator, discriminator)
    )
    gt = torch.rand(batch, 3, 4 * case.size, 4 * case.size).to(**last)
    lq = F.avg_pool2d(gt, 4).to(**last)

    def answer(x: Tensor, real: bool) -> Tensor:
        logits = discriminator(x).float()
        return F.binary_cross_entropy_with_logits(
            logits, torch.full_like(logits, float(real))
        )

    def step() -> None:
        discriminator.requires_grad_(False)
        adam_g.zero_grad()
        with autocast():
            sr = generator(lq)
            features = vgg(sr)
            with torch.no_grad():
                targets = vgg(gt)
            loss = F.l1_loss(sr, gt) + 0.1 * answer(sr, True)
            loss = loss + sum(
                w * F.l1_loss(features[name], targets[name])
                for name, w in VGG_LAYER_WEIGHTS.items()
            )
        loss.backward()
        adam_g.step()
        discriminator.requires_grad_(True)
        adam_d.zero_grad()
        for picture, real in ((gt, True), (sr.detach(), False)):
            with autocast():
                loss = answer(picture, real)
            loss.backward()
        adam_d.step()
        with torch.no_grad():
            for mean, present in zip(
                average.parameters(), generator.parameters(), strict=True
            ):
                mean.lerp_(present, 0.001)

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
    """Serve steps until the input ends."""
    args = arguments()
    torch.set_num_threads(args.threads)
    case = CASES[args.case]
    bf16 = args.precision == "bf16"
    autocast: Autocast = (
        (lambda: torch.autocast("cpu", torch.bfloat16)) if bf16 else nullcontext
    )
    serve((gan if case.network == "gan" else one_network)(case, args.batch, autocast))


if __name__ == "__main__":
    main()
