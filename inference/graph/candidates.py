"""Which networks a program may be, by the shapes of its convolutions."""

from collections.abc import Iterator
from math import isqrt

from realesrgan_paddle.inference.graph.program import Program, Shape
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.field_types import Scale


def candidates(program: Program) -> Iterator[Generator]:
    """Yield one network of each type, such that no other of the type can be the program.

    Its arguments are read off few numbers: all else is for `MatchingOps` to check.
    """
    shapes = program.convolutions()
    for derive in (_rrdbnet, _srvgg, _rdn, _rrdn):
        try:
            yield derive(shapes, program.kinds)
        except (LookupError, ValueError, ZeroDivisionError):
            continue  # the type's convolutions are of other numbers or shapes


def _rrdbnet(shapes: list[Shape], kinds: list[str]) -> RRDBNet:
    """15 convolutions a block, 1 before and 5 after the blocks."""
    num_feat, unshuffled, *_ = shapes[0]
    scales: dict[int, Scale] = {3: 4, 12: 2, 48: 1}  # by channels, unshuffled from 3
    return RRDBNet(
        scale=scales[unshuffled],
        num_feat=num_feat,
        num_block=(len(shapes) - 6) // 15,
        num_grow_ch=shapes[1][0],
    )


def _srvgg(shapes: list[Shape], kinds: list[str]) -> SRVGGNetCompact:
    """All convolutions in a row, the activation after each but the last."""
    activations = {"prelu": "prelu", "relu": "relu", "leaky_relu": "leakyrelu"}
    (act_type,) = {activations[kind] for kind in kinds if kind in activations}
    return SRVGGNetCompact.model_validate(
        {
            "num_feat": shapes[0][0],
            "num_conv": len(shapes) - 2,
            "upscale": isqrt(shapes[-1][0] // 3),
            "act_type": act_type,
        }
    )


def _rdn(shapes: list[Shape], kinds: list[str]) -> RDN:
    """2 convolutions, the blocks, whose last convolution is 1x1, and 6 convolutions."""
    sides = [side for *_, side in shapes]
    in_block = sides.index(1) - 1
    return RDN(
        C=in_block - 1,
        D=(len(shapes) - 8) // in_block,
        G=shapes[2][0],
        G0=shapes[0][0],
        x=isqrt(shapes[-2][0] // 3),
        upscaling="shuffle" if "pixel_shuffle" in kinds else "ups",
    )


def _rrdn(shapes: list[Shape], kinds: list[str]) -> RRDN:
    """1 convolution, the dense blocks, which grow from G0 channels, and 3 convolutions.

    Every dense block and every block of them is scaled before it is added.
    """
    features = shapes[0][0]
    begins = [i for i, shape in enumerate(shapes) if i and shape[1] == features]
    in_block = begins[1] - begins[0]
    dense_blocks = (len(shapes) - 4) // in_block
    blocks = kinds[:-2].count("scale") - dense_blocks  # the end of Paddle 2's is scaled
    return RRDN(
        C=in_block - 1,
        D=dense_blocks // blocks,
        G=shapes[1][0],
        G0=features,
        T=blocks,
        x=isqrt(shapes[-2][0] // 3),
    )
