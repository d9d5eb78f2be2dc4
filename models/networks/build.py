"""The one place where a network's description becomes the network."""

from collections.abc import Callable
from dataclasses import asdict

from paddle import nn

from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.specs import (
    RRDBNetSpec,
    Spec,
    SRVGGNetCompactSpec,
    UNetDiscriminatorSNSpec,
)
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN

NETWORKS: dict[type[Spec], Callable[..., nn.Layer]] = {
    RRDBNetSpec: RRDBNet,
    SRVGGNetCompactSpec: SRVGGNetCompact,
    UNetDiscriminatorSNSpec: UNetDiscriminatorSN,
}


def build(spec: Spec) -> nn.Layer:
    """Return the network that `spec` describes, with random weights, in training mode."""
    return NETWORKS[type(spec)](**asdict(spec))
