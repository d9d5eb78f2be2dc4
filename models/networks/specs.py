"""What identifies a network: its type and the numbers its constructor takes.

The field names are the keyword arguments of the networks of the same name, which are
BasicSR's.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RRDBNetSpec:
    """RRDBNet (ESRGAN, Real-ESRGAN): `num_block` residual-in-residual dense blocks.

    `num_in_ch` counts the picture's channels, not those after the pixel-unshuffle of x2
    and x1.
    """

    num_in_ch: int = 3
    num_out_ch: int = 3
    scale: int = 4
    num_feat: int = 64
    num_block: int = 23
    num_grow_ch: int = 32


@dataclass(frozen=True)
class SRVGGNetCompactSpec:
    """SRVGGNetCompact: a plain chain of convolutions and one pixel-shuffle at the end."""

    num_in_ch: int = 3
    num_out_ch: int = 3
    num_feat: int = 64
    num_conv: int = 16
    upscale: int = 4
    act_type: str = "prelu"

    @property
    def scale(self) -> int:
        """The enlargement, under the name that every generator has."""
        return self.upscale


@dataclass(frozen=True)
class UNetDiscriminatorSNSpec:
    """Real-ESRGAN's discriminator: a U-Net whose convolutions are spectrally normalised."""

    num_in_ch: int = 3
    num_feat: int = 64
    skip_connection: bool = True


GeneratorSpec = RRDBNetSpec | SRVGGNetCompactSpec
Spec = GeneratorSpec | UNetDiscriminatorSNSpec

# Keyed by the `type` of `network_g` and `network_d` in BasicSR's option files.
SPECS: dict[str, type[Spec]] = {
    "RRDBNet": RRDBNetSpec,
    "SRVGGNetCompact": SRVGGNetCompactSpec,
    "UNetDiscriminatorSN": UNetDiscriminatorSNSpec,
}


def describe(spec: Spec) -> str:
    """Return one line that says what a network is, such as "RRDBNet x4, 23 blocks, 64 features, growth 32"."""
    if isinstance(spec, RRDBNetSpec):
        line = f"RRDBNet x{spec.scale}, {spec.num_block} blocks, {spec.num_feat} features, growth {spec.num_grow_ch}"
        channels = (spec.num_in_ch, spec.num_out_ch)
    elif isinstance(spec, SRVGGNetCompactSpec):
        line = (
            f"SRVGGNetCompact x{spec.upscale}, {spec.num_conv} convolutions, "
            f"{spec.num_feat} features, {spec.act_type}"
        )
        channels = (spec.num_in_ch, spec.num_out_ch)
    else:
        skips = "skip connections" if spec.skip_connection else "no skip connections"
        return f"UNetDiscriminatorSN, {spec.num_feat} features, {skips}, {spec.num_in_ch} channels"
    return (
        line
        if channels == (3, 3)
        else f"{line}, {channels[0]} -> {channels[1]} channels"
    )
