"""One network, several spellings of its tensors' names: BasicSR's is the one used here.

Layouts read: BasicSR (`body.0.rdb1.conv1.weight`), PaddleGAN, which is also ESRGAN's
"new" one (`RRDB_trunk.0.RDB1.conv1.weight`), and the first ESRGAN's
(`model.1.sub.0.RDB1.conv1.0.weight`). Sources: BasicSR `rrdbnet_arch.py`, PaddleGAN
`ppgan/models/generators/rrdb_net.py`, xinntao/ESRGAN.
"""

import re
from collections.abc import Mapping

import numpy as np

from realesrgan_paddle.utils.errors import UserError

Tensors = dict[str, np.ndarray]

# BasicSR's name and PaddleGAN's; conv_first and conv_last are the same in both.
PPGAN_NAMES = {
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
    "conv_hr": "HRconv",
}
OLD_TAIL = ("conv_up1", "conv_up2", "conv_hr", "conv_last")


def layout_of(tensors: Mapping[str, np.ndarray]) -> str:
    """Return whose names the tensors bear: "BasicSR", "PaddleGAN" or "old ESRGAN"."""
    names = [_plain(name) for name in tensors]
    if any(name.startswith("RRDB_trunk.") for name in names):
        return "PaddleGAN"
    if "model.0.weight" in names and any(
        name.startswith("model.1.sub.") for name in names
    ):
        return "old ESRGAN"
    return "BasicSR"


def to_basicsr(tensors: Mapping[str, np.ndarray], source: str = "weights") -> Tensors:
    """Return the tensors under BasicSR's names; names of no known layout stay as they are.

    The arrays are passed on untouched, with one exception: the soccer project's
    discriminator normalises its first convolution too, which is folded into a plain one
    of equal effect.

    Args:
        tensors: {name: array} in any of the layouts above.
        source: what to call the weights in messages, usually their file.

    Raises:
        UserError: an ESRGAN whose upsampling RRDBNet cannot express.
    """
    layout = layout_of(tensors)
    plain = {_plain(name): array for name, array in tensors.items()}
    if layout == "PaddleGAN":
        return {_from_ppgan(name): array for name, array in plain.items()}
    if layout == "old ESRGAN":
        return _from_old_esrgan(plain, source)
    return _with_plain_first_convolution(plain)


def to_ppgan(tensors: Mapping[str, np.ndarray], source: str = "weights") -> Tensors:
    """Return an RRDBNet's tensors, given under BasicSR's names, under PaddleGAN's.

    Raises:
        UserError: PaddleGAN has no such network.
    """
    if "conv_body.weight" not in tensors:
        raise UserError(
            f"{source}: only RRDBNet exists in PaddleGAN, so only its weights can take the ppgan layout"
        )
    renamed = {}
    for name, array in tensors.items():
        first, _, rest = name.partition(".")
        rest = rest.replace("rdb", "RDB")
        renamed[
            "RRDB_trunk." + rest
            if first == "body"
            else f"{PPGAN_NAMES.get(first, first)}.{rest}"
        ] = array
    return renamed


def _plain(name: str) -> str:
    """Return `name` without what a framework adds to it."""
    name = re.sub(r"\._weight$", ".weight", name)  # Paddle's PReLU
    name = name.replace(
        ".parametrizations.weight.original", ".weight_orig"
    )  # torch's newer spectral norm
    return re.sub(r"\.parametrizations\.weight\.0\._([uv])$", r".weight_\1", name)


def _from_ppgan(name: str) -> str:
    first, _, rest = name.partition(".")
    if first == "RRDB_trunk":
        return "body." + rest.replace("RDB", "rdb")
    ours = {theirs: ours for ours, theirs in PPGAN_NAMES.items()}
    return f"{ours.get(first, first)}.{rest}"


def _from_old_esrgan(tensors: Tensors, source: str) -> Tensors:
    """Return the tensors of an nn.Sequential: 0 first, 1 trunk, then the convolutions that follow the upsamplings."""
    matches = [re.match(r"model\.([0-9]{1,4})\.", name) for name in tensors]
    tail = sorted({int(match[1]) for match in matches if match} - {0, 1})
    if len(tail) != len(OLD_TAIL):
        raise UserError(
            f"{source}: an ESRGAN with {max(len(tail) - 2, 0)} upsampling layers; RRDBNet has two "
            "(its x2 and x1 pixel-unshuffle the picture first), so these weights do not fit it"
        )
    if any(".conv1x1." in name for name in tensors):
        raise UserError(
            f"{source}: an ESRGAN+ (1x1 convolutions inside its dense blocks), which is not RRDBNet"
        )
    names = {"0": "conv_first", **dict(zip(map(str, tail), OLD_TAIL, strict=True))}
    renamed = {}
    for name, array in tensors.items():
        if dense := re.fullmatch(
            r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)", name
        ):
            renamed["body.{}.rdb{}.conv{}.{}".format(*dense.groups())] = array
        elif trunk := re.fullmatch(r"model\.1\.sub\.\d+\.(weight|bias)", name):
            renamed[f"conv_body.{trunk[1]}"] = array
        elif (outer := re.fullmatch(r"model\.([0-9]+)\.(weight|bias)", name)) and outer[
            1
        ] in names:
            renamed[f"{names[outer[1]]}.{outer[2]}"] = array
        else:
            renamed[name] = array
    return renamed


def _with_plain_first_convolution(tensors: Tensors) -> Tensors:
    """Return the tensors with a spectrally normalised conv0 made plain: weight_orig / (u^T weight_orig v)."""
    parts = ("conv0.weight_orig", "conv0.weight_u", "conv0.weight_v")
    if not tensors.keys() >= set(parts):
        return tensors
    weight, u, v = (tensors[part].astype(np.float64) for part in parts)
    plain = weight / (u @ weight.reshape(len(u), -1) @ v)
    others = {name: array for name, array in tensors.items() if name not in parts}
    return {"conv0.weight": plain.astype(tensors[parts[0]].dtype), **others}
