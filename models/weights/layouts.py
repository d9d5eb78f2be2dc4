"""Tensor names of other frameworks, translated to those used here.

Used here: BasicSR's names (`body.0.rdb1.conv1.weight`), and for RDN and RRDN the layer
names of idealo's ISR (`F_1_1.weight`). Read besides: PaddleGAN's, which are also those
of ESRGAN's newer files (`RRDB_trunk.0.RDB1.conv1.weight`), those of the first ESRGAN
(`model.1.sub.0.RDB1.conv1.0.weight`), and Keras's (`F_1_1/kernel`). Sources: BasicSR
`rrdbnet_arch.py`, PaddleGAN `ppgan/models/generators/rrdb_net.py`, xinntao/ESRGAN,
idealo/image-super-resolution `ISR/models`.
"""

import re
from collections.abc import Mapping

import numpy as np

from realesrgan_paddle.utils.errors import UserError

Tensors = dict[str, np.ndarray]

PPGAN_NAMES = {
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
    "conv_hr": "HRconv",
}
"""{BasicSR's name: PaddleGAN's}; conv_first and conv_last are the same in both."""
BASICSR_NAMES = {ppgan: basicsr for basicsr, ppgan in PPGAN_NAMES.items()}

OLD_TAIL = ("conv_up1", "conv_up2", "conv_hr", "conv_last")
"""BasicSR's names of the convolutions behind the trunk of the first ESRGAN."""
SPECTRAL_CONV0 = ("conv0.weight_orig", "conv0.weight_u", "conv0.weight_v")


def layout_of(tensors: Mapping[str, np.ndarray]) -> str:
    """Return whose names these are: "BasicSR", "PaddleGAN", "old ESRGAN" or "Keras"."""
    names = [_without_framework_parts(name) for name in tensors]
    if any(name.endswith("/kernel") for name in names):
        return "Keras"
    if any(name.startswith("RRDB_trunk.") for name in names):
        return "PaddleGAN"

    has_trunk = any(name.startswith("model.1.sub.") for name in names)
    if "model.0.weight" in names and has_trunk:
        return "old ESRGAN"
    return "BasicSR"


def to_basicsr(tensors: Mapping[str, np.ndarray], source: str = "weights") -> Tensors:
    """Return the tensors under the names used here; unknown names stay as they are.

    Arrays stay as they are too, with two exceptions. Keras's kernels are transposed to
    (out, in, height, width). And the soccer project's discriminator has spectral norm
    on its first convolution as well, which is folded into a plain one of equal effect.

    Args:
        tensors: {name: array} in any of the layouts above.
        source: the file, for error messages.

    Raises:
        UserError: an ESRGAN whose upsampling RRDBNet cannot express.
    """
    layout = layout_of(tensors)
    plain = {_without_framework_parts(name): a for name, a in tensors.items()}

    if layout == "Keras":
        return _from_keras(plain)
    if layout == "PaddleGAN":
        return {_from_ppgan(name): array for name, array in plain.items()}
    if layout == "old ESRGAN":
        return _from_old_esrgan(plain, source)
    return _fold_spectral_conv0(plain)


def to_ppgan(tensors: Mapping[str, np.ndarray], source: str = "weights") -> Tensors:
    """Return an RRDBNet's tensors, given under BasicSR's names, under PaddleGAN's.

    Raises:
        UserError: PaddleGAN has no such network.
    """
    if "conv_body.weight" not in tensors:
        raise UserError(
            f"{source}: only RRDBNet exists in PaddleGAN, so only its weights can take "
            "the ppgan layout"
        )

    renamed = {}
    for name, array in tensors.items():
        first, _, rest = name.partition(".")
        if first == "body":
            renamed[f"RRDB_trunk.{rest.replace('rdb', 'RDB')}"] = array
        else:
            renamed[f"{PPGAN_NAMES.get(first, first)}.{rest}"] = array
    return renamed


def _without_framework_parts(name: str) -> str:
    """Return a tensor's name without the parts that Paddle and newer torch add."""
    name = re.sub(r"\._weight$", ".weight", name)  # Paddle's PReLU
    # torch's newer spectral norm
    name = name.replace(".parametrizations.weight.original", ".weight_orig")
    return re.sub(r"\.parametrizations\.weight\.0\._([uv])$", r".weight_\1", name)


def _from_ppgan(name: str) -> str:
    first, _, rest = name.partition(".")
    if first == "RRDB_trunk":
        return f"body.{rest.replace('RDB', 'rdb')}"
    return f"{BASICSR_NAMES.get(first, first)}.{rest}"


def _from_keras(tensors: Tensors) -> Tensors:
    """Return Keras's tensors, "LAYER/kernel" and "LAYER/bias", of RDN or RRDN."""
    renamed = {}
    for name, array in tensors.items():
        layer, _, part = name.rpartition("/")
        if part == "kernel" and array.ndim == 4:
            height_width_in_out = np.ascontiguousarray(array.transpose(3, 2, 0, 1))
            renamed[f"{layer}.weight"] = height_width_in_out
        else:
            renamed[f"{layer}.{part}"] = array

    # RDN's UPN3 is followed by a pixel-shuffle only if SR reads its 3 channels;
    # otherwise pixels are repeated.
    shuffled = ["PreShuffle"]
    if "SR.weight" in renamed and renamed["SR.weight"].shape[1:2] == (3,):
        shuffled.append("UPN3")
    for layer in shuffled:
        for part in ("weight", "bias"):
            if f"{layer}.{part}" in renamed:
                name = f"{layer}.{part}"
                renamed[name] = _channels_of_pixel_shuffle(renamed[name])
    return renamed


def _channels_of_pixel_shuffle(array: np.ndarray) -> np.ndarray:
    """Return the output channels of a 3-channel depth_to_space in pixel-shuffle's order.

    TensorFlow numbers them pixel by pixel (row, column, channel), torch and Paddle
    channel by channel (channel, row, column).
    """
    if not array.size or not array.ndim or array.shape[0] % 3:
        return array
    by_pixel = array.reshape(-1, 3, *array.shape[1:])
    return np.ascontiguousarray(by_pixel.swapaxes(0, 1).reshape(array.shape))


def _from_old_esrgan(tensors: Tensors, source: str) -> Tensors:
    """Return the tensors of an nn.Sequential: 0 first, 1 trunk, then the upsampling."""
    tail = _tail_numbers(tensors)
    if len(tail) != len(OLD_TAIL):
        raise UserError(
            f"{source}: an ESRGAN with {max(len(tail) - 2, 0)} upsampling layers; RRDBNet "
            "has two (its x2 and x1 pixel-unshuffle the image first), so these weights do "
            "not fit it"
        )
    if any(".conv1x1." in name for name in tensors):
        raise UserError(
            f"{source}: an ESRGAN+ (1x1 convolutions inside its dense blocks), which is "
            "not RRDBNet"
        )

    outer_names = {"0": "conv_first"}
    for number, name in zip(tail, OLD_TAIL, strict=True):
        outer_names[str(number)] = name
    return {_from_old_name(name, outer_names): a for name, a in tensors.items()}


def _tail_numbers(tensors: Tensors) -> list[int]:
    """Return the numbers in `model.NUMBER.` behind the trunk, in order."""
    numbers = set()
    for name in tensors:
        match = re.match(r"model\.([0-9]{1,4})\.", name)
        if match:
            numbers.add(int(match[1]))
    return sorted(numbers - {0, 1})


def _from_old_name(name: str, outer_names: Mapping[str, str]) -> str:
    dense = re.fullmatch(
        r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)", name
    )
    if dense:
        block, rdb, conv, part = dense.groups()
        return f"body.{block}.rdb{rdb}.conv{conv}.{part}"

    trunk = re.fullmatch(r"model\.1\.sub\.\d+\.(weight|bias)", name)
    if trunk:
        return f"conv_body.{trunk[1]}"

    outer = re.fullmatch(r"model\.([0-9]+)\.(weight|bias)", name)
    if outer and outer[1] in outer_names:
        return f"{outer_names[outer[1]]}.{outer[2]}"
    return name


def _fold_spectral_conv0(tensors: Tensors) -> Tensors:
    """Return the tensors with a spectrally normalized conv0 made plain.

    Its weight is weight_orig / (u^T weight_orig v).
    """
    if not tensors.keys() >= set(SPECTRAL_CONV0):
        return tensors

    original = tensors["conv0.weight_orig"]
    u = tensors["conv0.weight_u"].astype(np.float64)
    v = tensors["conv0.weight_v"].astype(np.float64)
    weight = original.astype(np.float64)

    fits = u.ndim == v.ndim == 1 and weight.shape[:1] == u.shape
    if not fits or weight.size != u.size * v.size or not weight.size:
        return tensors  # the network's recognition says which shapes are wrong
    matrix = weight.reshape(len(u), -1)
    sigma = u @ matrix @ v
    folded = (weight / sigma).astype(original.dtype)

    others = {n: array for n, array in tensors.items() if n not in SPECTRAL_CONV0}
    return {"conv0.weight": folded, **others}
