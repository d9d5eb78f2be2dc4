"""Which networks the engine can run."""

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.ops.onednn.primitives import BLOCK

SHUFFLES = (1, 2, 4)
"""Scales of a pixel-shuffle whose rows of one color lie within blocks."""


def why_not(description: Generator) -> str:
    """Return why the engine cannot run a network, or ""."""
    if (description.num_in_ch, description.num_out_ch) != (3, 3):
        return "it is no network from RGB to RGB"

    # What is concatenated must fill whole blocks.
    joined: tuple[int, ...] = ()
    if isinstance(description, RRDBNet):
        joined = (description.num_feat, description.num_grow_ch)
    elif isinstance(description, RDN | RRDN):
        joined = (description.G0, description.G)
    for channels in joined:
        if channels % BLOCK:
            return f"its {channels} channels are no multiple of {BLOCK}"

    if isinstance(description, SRVGGNetCompact) and description.num_feat < BLOCK:
        return f"its {description.num_feat} features are fewer than {BLOCK}"
    if not isinstance(description, RRDBNet) and description.scale not in SHUFFLES:
        return f"it upscales by {description.scale}"
    return ""


def why_no_integers(description: Generator) -> str:
    """Return why a network has no int8, or ""."""
    if isinstance(description, SRVGGNetCompact):
        return ""
    return f"int8 is had with SRVGGNetCompact, not with {description.type}; use bf16"
