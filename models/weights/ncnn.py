"""ncnn's `.param` + `.bin` pairs of RRDBNet and SRVGGNetCompact, as BasicSR tensors.

Formats: the ncnn wiki's "param and model file structure" and
`ModelBinFromDataReader::load` of ncnn. A `.param` is text: a magic number, the counts
of layers and blobs, then a line per layer. A `.bin` holds the layers' numbers in the
order of those lines; a convolution is a 4-byte tag, the weights in the type that the
tag names, padding to 4 bytes, and the bias in fp32; PReLU slopes are fp32 without a
tag.
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.recognise import recognise
from realesrgan_paddle.models.networks.shapes import rrdbnet_convolutions
from realesrgan_paddle.models.networks.specs import SRVGGNetCompactSpec
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download

MAGIC = "7767517"
FP32, FP16 = 0, 0x01306B47  # tags
TAGS: dict[int, np.dtype] = {FP32: np.dtype("<f4"), FP16: np.dtype("<f2")}
RRDBNET_LAYERS = {
    "Input",
    "Split",
    "Convolution",
    "Concat",
    "Eltwise",
    "BinaryOp",
    "Interp",
    "ReLU",
}
SRVGG_LAYERS = {
    "Input",
    "Split",
    "Convolution",
    "PReLU",
    "PixelShuffle",
    "Interp",
    "BinaryOp",
}
LEAKY_RELU, NEAREST = 2, 1  # Convolution's activation type and Interp's resize type

Numbers = tuple[float, ...]
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Layer:
    """One line of a `.param`: the layer's type, its name, and its numbers by ncnn's parameter id."""

    type: str
    name: str
    numbers: dict[int, Numbers]

    def number(self, key: int, default: float) -> float:
        """Return the first number under `key`."""
        return self.numbers.get(key, (default,))[0]


def read_ncnn(path: str | Path) -> Tensors:
    """Return {BasicSR name: float32 array} of the network in an ncnn pair, every shape checked.

    Args:
        path: the `.param` or the `.bin`; the other lies beside it under the same name.

    Raises:
        UserError: a file is missing or damaged, or holds another network or another
            number type.
    """
    param, binary = Path(path).with_suffix(".param"), Path(path).with_suffix(".bin")
    for part, other in ((param, binary), (binary, param)):
        if not part.is_file():
            raise UserError(
                f"{part}: no such file; ncnn weights are a pair, and {other.name} needs it beside it"
            )
    layers = _parse(param)
    types = {layer.type for layer in layers}
    if types <= RRDBNET_LAYERS:
        return _read_rrdbnet(layers, param, binary)
    if types <= SRVGG_LAYERS:
        return _read_srvgg(layers, param, binary)
    foreign = sorted(types - RRDBNET_LAYERS - SRVGG_LAYERS) or sorted(types)
    raise UserError(
        f"{param}: neither RRDBNet nor SRVGGNetCompact: it has layers of type {', '.join(foreign[:3])}"
    )


def _parse(param: Path) -> list[Layer]:
    """Return the layers of a `.param`, in order."""
    content = param.read_bytes()
    if instead := failed_download(content[:512]):
        raise UserError(f"{param}: {instead}")
    try:
        lines = [
            line.split()
            for line in content.decode("ascii").splitlines()
            if line.strip()
        ]
    except UnicodeDecodeError as error:
        raise UserError(
            f"{param}: not the text of an ncnn .param (a binary one is not read)"
        ) from error
    if not lines or lines[0] != [MAGIC]:
        raise UserError(f"{param}: not an ncnn .param: its first line is not {MAGIC}")
    if len(lines) < 2 or lines[1][0] != str(len(lines) - 2):
        declared = lines[1][0] if len(lines) > 1 else "no"
        raise UserError(
            f"{param}: damaged: {declared} layers declared, {max(len(lines) - 2, 0)} found"
        )
    try:
        return [_layer(words) for words in lines[2:]]
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{param}: damaged: a layer's line cannot be read ({error})"
        ) from error


def _layer(words: list[str]) -> Layer:
    """Return the layer of one line: type, name, counts of inputs and outputs, their names, then key=value words."""
    blobs = int(words[2]) + int(words[3])
    numbers: dict[int, Numbers] = {}
    for word in words[4 + blobs :]:
        key, value = int(word.partition("=")[0]), word.partition("=")[2].split(",")
        if key <= -23300:  # an array: its length comes first
            key, value = -key - 23300, value[1:]
        numbers[key] = tuple(_finite(number) for number in value)
    return Layer(words[0], words[1], numbers)


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        raise ValueError(f"{word} is no number")
    return number


def _read_rrdbnet(layers: list[Layer], param: Path, binary: Path) -> Tensors:
    convolutions = [layer for layer in layers if layer.type == "Convolution"]
    num_block, rest = divmod(len(convolutions) - 6, 15)
    _require(
        num_block > 0 and rest == 0,
        param,
        f"{len(convolutions)} convolutions are not RRDBNet's 15 a block and 6",
    )
    slopes = [
        layer.number(10, 0)
        for layer in convolutions
        if layer.number(9, 0) == LEAKY_RELU
    ]
    slopes += [layer.number(0, 0) for layer in layers if layer.type == "ReLU"]
    # One after four convolutions of each dense block, after conv_up1, conv_up2 and
    # conv_hr.
    leaky = len(slopes) == 12 * num_block + 3 and np.allclose(slopes, 0.2)
    _require(
        leaky, param, "its activations are not RRDBNet's leaky ReLU with slope 0.2"
    )
    _require(
        _resizes(layers) == [(NEAREST, 2)] * 2,
        param,
        "it does not enlarge twice by 2 as RRDBNet does",
    )
    numbers = _Numbers(binary)
    tensors: Tensors = {}
    for name, layer in zip(rrdbnet_convolutions(num_block), convolutions, strict=True):
        tensors |= _convolution(name, layer, numbers, param)
    numbers.finish()
    recognise(tensors, str(param))
    return tensors


def _read_srvgg(layers: list[Layer], param: Path, binary: Path) -> Tensors:
    weighted = [layer for layer in layers if layer.type in ("Convolution", "PReLU")]
    alternate = len(weighted) % 2 == 1 and all(
        layer.type == ("PReLU" if position % 2 else "Convolution")
        and layer.number(9, 0) == 0
        for position, layer in enumerate(weighted)
    )
    _require(
        alternate,
        param,
        "convolutions and PReLU do not alternate as SRVGGNetCompact's do",
    )
    factors = [layer.number(0, 0) for layer in layers if layer.type == "PixelShuffle"]
    _require(
        len(factors) == 1 and _resizes(layers) == [(NEAREST, factors[0])],
        param,
        "besides SRVGGNetCompact's own enlargement it resizes the picture (of animevideov3 take the -x4 pair)",
    )
    numbers = _Numbers(binary)
    tensors: Tensors = {}
    for position, layer in enumerate(weighted):
        if layer.type == "PReLU":
            tensors[f"body.{position}.weight"] = numbers.take(
                int(layer.number(0, 0)), FP32
            )
        else:
            tensors |= _convolution(f"body.{position}", layer, numbers, param)
    numbers.finish()
    spec = recognise(tensors, str(param))
    fits = isinstance(spec, SRVGGNetCompactSpec) and spec.upscale == factors[0]
    _require(
        fits,
        param,
        f"its pixel-shuffle by {factors[0]:g} does not fit its last convolution",
    )
    return tensors


def _resizes(layers: list[Layer]) -> list[tuple[float, float]]:
    """Return (kind, factor) of every resize."""
    return [
        (layer.number(0, 0), layer.number(1, 0))
        for layer in layers
        if layer.type == "Interp"
    ]


def _convolution(name: str, layer: Layer, numbers: "_Numbers", param: Path) -> Tensors:
    """Return the weight and bias of a 3x3 convolution with stride 1, padding 1 and a bias."""
    out, size = int(layer.number(0, 0)), int(layer.number(6, 0))
    side = layer.number(1, 0)
    geometry = (
        side,
        layer.number(11, side),
        layer.number(2, 1),
        layer.number(3, 1),
        layer.number(4, 0),
    )
    _require(
        geometry == (3, 3, 1, 1, 1),
        param,
        f"{layer.name} is not a 3x3 convolution with stride and padding 1",
    )
    _require(layer.number(5, 0) == 1, param, f"{layer.name} has no bias")
    _require(
        out > 0 and size > 0 and size % (out * 9) == 0,
        param,
        f"{layer.name}: {size} weights for {out} channels",
    )
    weight = numbers.take(size, numbers.tag(layer.name)).reshape(out, -1, 3, 3)
    return {f"{name}.weight": weight, f"{name}.bias": numbers.take(out, FP32)}


class _Numbers:
    """The numbers of a `.bin`, taken one after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = path.read_bytes()
        self._at = 0

    def take(self, count: int, tag: int) -> np.ndarray:
        """Return the next `count` numbers as float32 and pass over their padding to 4 bytes."""
        dtype = TAGS[tag]
        return np.frombuffer(
            self._data, dtype, count, self._pass(count * dtype.itemsize)
        ).astype(np.float32)

    def tag(self, layer: str) -> int:
        """Return the next tag: which type the weights that follow have."""
        at = self._pass(4)
        tag = int.from_bytes(self._data[at : at + 4], "little")
        if tag not in TAGS:
            raise UserError(
                f"{self._path}: the weights of {layer} are neither fp16 nor fp32 (tag {tag:#010x}; int8?)"
            )
        return tag

    def finish(self) -> None:
        """Refuse a file that goes on."""
        if self._at != len(self._data):
            raise UserError(
                f"{self._path}: {len(self._data) - self._at} bytes more than its .param declares"
            )

    def _pass(self, size: int) -> int:
        """Return where the next `size` bytes begin, and go on after them and their padding."""
        at = self._at
        if size < 0 or at + size > len(self._data):
            raise UserError(
                f"{self._path}: truncated, or of another .param: {size} bytes wanted at {at} of {len(self._data)}"
            )
        self._at = at + size + -size % 4
        return at


def _require(holds: bool, param: Path, complaint: str) -> None:
    if not holds:
        raise UserError(f"{param}: not RRDBNet or SRVGGNetCompact: {complaint}")
