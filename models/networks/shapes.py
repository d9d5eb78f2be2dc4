"""The tensors of each network: names and shapes, in the order in which the forward pass meets them.

Names and shapes are BasicSR's (`rrdbnet_arch.py`, `srvgg_arch.py`,
`discriminator_arch.py`).
"""

from realesrgan_paddle.models.networks.specs import (
    RRDBNetSpec,
    Spec,
    SRVGGNetCompactSpec,
    UNetDiscriminatorSNSpec,
)

Shapes = dict[str, tuple[int, ...]]

# RRDBNet always enlarges four times inside; x2 and x1 first pixel-unshuffle the picture
# by this factor.
UNSHUFFLE = {4: 1, 2: 2, 1: 4}


def tensor_shapes(spec: Spec) -> Shapes:
    """Return {tensor name: shape} of the network, in forward order, weight before bias."""
    if isinstance(spec, RRDBNetSpec):
        return _rrdbnet(spec)
    if isinstance(spec, SRVGGNetCompactSpec):
        return _srvgg(spec)
    return _unet_discriminator(spec)


def rrdbnet_convolutions(num_block: int) -> list[str]:
    """Return the names of RRDBNet's convolutions in forward order."""
    blocks = [
        f"body.{block}.rdb{dense}.conv{conv}"
        for block in range(num_block)
        for dense in (1, 2, 3)
        for conv in range(1, 6)
    ]
    return [
        "conv_first",
        *blocks,
        "conv_body",
        "conv_up1",
        "conv_up2",
        "conv_hr",
        "conv_last",
    ]


def _convolution(name: str, into: int, out: int) -> Shapes:
    return {f"{name}.weight": (out, into, 3, 3), f"{name}.bias": (out,)}


def _rrdbnet(spec: RRDBNetSpec) -> Shapes:
    feat, grow = spec.num_feat, spec.num_grow_ch
    shapes: Shapes = {}
    for name in rrdbnet_convolutions(spec.num_block):
        into, out = feat, feat
        if name == "conv_first":
            into = spec.num_in_ch * UNSHUFFLE[spec.scale] ** 2
        elif name == "conv_last":
            out = spec.num_out_ch
        elif ".rdb" in name:
            position = int(name[-1])
            into, out = feat + (position - 1) * grow, feat if position == 5 else grow
        shapes |= _convolution(name, into, out)
    return shapes


def _srvgg(spec: SRVGGNetCompactSpec) -> Shapes:
    last = spec.num_conv + 1
    shapes: Shapes = {}
    for position in range(last + 1):
        into = spec.num_in_ch if position == 0 else spec.num_feat
        out = spec.num_out_ch * spec.upscale**2 if position == last else spec.num_feat
        shapes |= _convolution(f"body.{2 * position}", into, out)
        if spec.act_type == "prelu" and position < last:
            shapes[f"body.{2 * position + 1}.weight"] = (spec.num_feat,)
    return shapes


def _unet_discriminator(spec: UNetDiscriminatorSNSpec) -> Shapes:
    feat = spec.num_feat
    shapes = _convolution("conv0", spec.num_in_ch, feat)
    # Multiples of num_feat into and out of conv1 ... conv8, and the kernel's side.
    for position, (into, out, side) in enumerate(
        [
            (1, 2, 4),
            (2, 4, 4),
            (4, 8, 4),
            (8, 4, 3),
            (4, 2, 3),
            (2, 1, 3),
            (1, 1, 3),
            (1, 1, 3),
        ],
        start=1,
    ):
        shapes[f"conv{position}.weight_orig"] = (out * feat, into * feat, side, side)
        shapes[f"conv{position}.weight_u"] = (out * feat,)
        shapes[f"conv{position}.weight_v"] = (into * feat * side * side,)
    return shapes | _convolution("conv9", feat, 1)
