"""Which network a set of tensors belongs to, read from their names and shapes alone."""

import re
from collections.abc import Mapping
from math import isqrt

import numpy as np

from realesrgan_paddle.models.networks.shapes import tensor_shapes
from realesrgan_paddle.models.networks.specs import (
    RRDBNetSpec,
    Spec,
    SRVGGNetCompactSpec,
    UNetDiscriminatorSNSpec,
    describe,
)
from realesrgan_paddle.utils.errors import UserError

KNOWN = "RRDBNet, SRVGGNetCompact and UNetDiscriminatorSN"


def recognise(
    tensors: Mapping[str, np.ndarray],
    source: str = "weights",
    act_type: str | None = None,
) -> Spec:
    """Return the spec of the network whose tensors these are, every name and shape checked.

    Args:
        tensors: {name: array} under BasicSR's names (see `layouts.to_basicsr`).
        source: what to call the weights in messages, usually their file.
        act_type: the activation of an SRVGGNetCompact without PReLU ("relu" or
            "leakyrelu"): tensors do not tell.

    A discriminator's skip connections leave no trace in its tensors; BasicSR's default
    (True) is assumed.

    Raises:
        UserError: no known network, or one with tensors missing, too many or of another
            shape.
    """
    if "conv_first.weight" in tensors and "body.0.rdb1.conv1.weight" in tensors:
        spec: Spec = _rrdbnet(tensors, source)
    elif "conv0.weight" in tensors and "conv9.weight" in tensors:
        spec = _discriminator(tensors, source)
    elif "body.0.weight" in tensors:
        spec = _srvgg(tensors, source, act_type)
    else:
        some = ", ".join(sorted(tensors)[:3]) or "none"
        raise UserError(
            f"{source}: no known network among {len(tensors)} tensors ({some} ...); known are {KNOWN}"
        )
    _check(tensors, spec, source)
    return spec


def _rrdbnet(tensors: Mapping[str, np.ndarray], source: str) -> RRDBNetSpec:
    num_feat, into = _channels(tensors, "conv_first.weight", source)
    num_out_ch, _ = _channels(tensors, "conv_last.weight", source)
    # x2 and x1 see a pixel-unshuffled picture, with 4 and 16 times its channels.
    scale = {4: 2, 16: 1}.get(into // num_out_ch if into % num_out_ch == 0 else 0, 4)
    return RRDBNetSpec(
        num_in_ch=into if scale == 4 else num_out_ch,
        num_out_ch=num_out_ch,
        scale=scale,
        num_feat=num_feat,
        num_block=sum(
            name.startswith("body.") and name.endswith(".rdb1.conv1.weight")
            for name in tensors
        ),
        num_grow_ch=_channels(tensors, "body.0.rdb1.conv1.weight", source)[0],
    )


def _srvgg(
    tensors: Mapping[str, np.ndarray], source: str, act_type: str | None
) -> SRVGGNetCompactSpec:
    num_feat, num_in_ch = _channels(tensors, "body.0.weight", source)
    matches = [re.fullmatch(r"body\.([0-9]{1,4})\.weight", name) for name in tensors]
    last = max(int(match[1]) for match in matches if match)
    out, _ = _channels(tensors, f"body.{last}.weight", source)
    # The enlarged picture is added to the output, so the output has the picture's
    # channels.
    upscale = isqrt(out // num_in_ch)
    if last < 2 or upscale < 1:
        raise UserError(
            f"{source}: begins like SRVGGNetCompact, but ends with body.{last} and {out} channels"
        )
    if "body.1.weight" in tensors:
        act_type = "prelu"
    elif act_type is None:
        raise UserError(
            f"{source}: an SRVGGNetCompact without PReLU; whether its activation is relu or leakyrelu "
            "cannot be read from its tensors, so say it (act_type)"
        )
    return SRVGGNetCompactSpec(
        num_in_ch, num_in_ch, num_feat, last // 2 - 1, upscale, act_type
    )


def _discriminator(
    tensors: Mapping[str, np.ndarray], source: str
) -> UNetDiscriminatorSNSpec:
    if "conv1.weight" in tensors:
        raise UserError(
            f"{source}: a U-Net discriminator whose weights are not spectrally normalised (conv1.weight, "
            "not conv1.weight_orig); UNetDiscriminatorSN cannot take them, so train a new one"
        )
    num_feat, num_in_ch = _channels(tensors, "conv0.weight", source)
    return UNetDiscriminatorSNSpec(num_in_ch, num_feat)


def _channels(
    tensors: Mapping[str, np.ndarray], name: str, source: str
) -> tuple[int, int]:
    """Return (channels out, channels in) of a convolution's weight."""
    if name not in tensors:
        raise UserError(f"{source}: the tensor {name} is missing")
    shape = tensors[name].shape
    if len(shape) != 4 or 0 in shape:
        raise UserError(
            f"{source}: {name} has shape {list(shape)}; a convolution's is [out, in, height, width]"
        )
    return shape[0], shape[1]


def _check(tensors: Mapping[str, np.ndarray], spec: Spec, source: str) -> None:
    expected = tensor_shapes(spec)
    complaints = [
        ("missing", sorted(expected.keys() - tensors.keys())),
        ("too many", sorted(tensors.keys() - expected.keys())),
        (
            "of another shape",
            sorted(
                n
                for n in expected.keys() & tensors.keys()
                if tensors[n].shape != expected[n]
            ),
        ),
    ]
    found = [
        f"{len(names)} {what} ({', '.join(names[:3])})"
        for what, names in complaints
        if names
    ]
    if found:
        raise UserError(
            f"{source}: looks like {describe(spec)}, but of its tensors {'; '.join(found)}"
        )
