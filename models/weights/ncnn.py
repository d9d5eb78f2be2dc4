"""ncnn's `.param` + `.bin` pairs of RRDBNet and SRVGGNetCompact, as BasicSR tensors.

Formats: the ncnn wiki's "param and model file structure", and ncnn's
`ModelBinFromDataReader::load`. A `.param` is text: a magic number, the counts of layers
and blobs, then one line per layer. A `.bin` holds the layers' numbers in the order of
those lines: of a convolution a 4-byte tag, the weights in the type that the tag names,
padding to 4 bytes, and the bias in fp32; of PReLU the slopes in fp32, without a tag.
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.description import LRELU_SLOPE
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import failed_download, read_regular

MAGIC = "7767517"
FP32_TAG, FP16_TAG = 0, 0x01306B47
DTYPES: dict[int, np.dtype] = {FP32_TAG: np.dtype("<f4"), FP16_TAG: np.dtype("<f2")}
FIRST_ARRAY_KEY = -23300
"""A parameter id of this or less is an array of the id FIRST_ARRAY_KEY - id."""

SHARED_LAYERS = {"Input", "Split", "Convolution", "Interp", "BinaryOp"}
RRDBNET_LAYERS = SHARED_LAYERS | {"Concat", "Eltwise", "ReLU"}
SRVGG_LAYERS = SHARED_LAYERS | {"PReLU", "PixelShuffle"}

# Parameter ids of a convolution (ncnn's `Convolution::load_param`).
OUT, KERNEL_W, DILATION, STRIDE, PAD, HAS_BIAS, WEIGHTS = range(7)
ACTIVATION, ACTIVATION_PARAMS, KERNEL_H = 9, 10, 11
LEAKY_RELU = 2
"""The activation type of a convolution with a leaky ReLU."""
NEAREST = 1
"""The resize type of an Interp layer that repeats pixels."""

Numbers = tuple[float, ...]
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Layer:
    """One line of a `.param`: type, name, and numbers by ncnn's parameter id."""

    type: str
    name: str
    numbers: dict[int, Numbers]

    def number(self, key: int, default: float) -> float:
        """Return the first number of a parameter id."""
        numbers = self.numbers.get(key, (default,))
        return numbers[0]


def read_ncnn(path: str | Path) -> Tensors:
    """Return {BasicSR name: float32 array} of the network in an ncnn pair.

    Args:
        path: the `.param` or the `.bin`; the other lies beside it, with the same name.

    Raises:
        UserError: a file is missing or damaged, or holds another network or number
            type.
    """
    param = Path(path).with_suffix(".param")
    binary = param.with_suffix(".bin")
    for part, other in ((param, binary), (binary, param)):
        if not part.exists():
            raise UserError(
                f"{part}: no such file; ncnn weights are a pair, and {other.name} needs it "
                "beside it"
            )

    layers = _parse(param)
    types = {layer.type for layer in layers}
    if types <= RRDBNET_LAYERS:
        return _read_rrdbnet(layers, param, binary)
    if types <= SRVGG_LAYERS:
        return _read_srvgg(layers, param, binary)

    foreign = sorted(types - RRDBNET_LAYERS - SRVGG_LAYERS) or sorted(types)
    raise UserError(
        f"{param}: neither RRDBNet nor SRVGGNetCompact: it has layers of type "
        f"{', '.join(foreign[:3])}"
    )


def _parse(param: Path) -> list[Layer]:
    """Return the layers of a `.param`, in order."""
    content = read_regular(param)
    if other_kind := failed_download(content[:512]):
        raise UserError(f"{param}: {other_kind}")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{param}: not the text of an ncnn .param (a binary one is not read)"
        ) from error

    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != [MAGIC]:
        raise UserError(f"{param}: not an ncnn .param: its first line is not {MAGIC}")
    declared = lines[1][0] if len(lines) > 1 else "no"
    found = max(len(lines) - 2, 0)
    if declared != str(found):
        raise UserError(f"{param}: damaged: {declared} layers declared, {found} found")

    try:
        return [_layer(words) for words in lines[2:]]
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{param}: damaged: a layer's line cannot be read ({error})"
        ) from error


def _layer(words: list[str]) -> Layer:
    """Return the layer of one line.

    The words are its type, its name, the counts of inputs and outputs, their names, and
    KEY=VALUE pairs.
    """
    kind, name, inputs, outputs = words[:4]
    first_pair = 4 + int(inputs) + int(outputs)

    numbers: dict[int, Numbers] = {}
    for pair in words[first_pair:]:
        text, _, values = pair.partition("=")
        key, parts = int(text), values.split(",")
        if key <= FIRST_ARRAY_KEY:
            key, parts = FIRST_ARRAY_KEY - key, parts[1:]  # without the array's length
        if not parts:
            raise ValueError(f"{pair} holds no number")
        numbers[key] = tuple(_finite(part) for part in parts)
    return Layer(kind, name, numbers)


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        raise ValueError(f"{word} is not finite")
    return number


def _read_rrdbnet(layers: list[Layer], param: Path, binary: Path) -> Tensors:
    convolutions = [layer for layer in layers if layer.type == "Convolution"]
    num_block, rest = divmod(len(convolutions) - 6, 15)
    _require(
        num_block > 0 and rest == 0,
        param,
        f"{len(convolutions)} convolutions are not RRDBNet's 15 a block and 6",
    )

    # Leaky ReLUs follow four convolutions of each dense block, conv_up1, conv_up2 and
    # conv_hr; they are part of a convolution or a layer of their own.
    slopes = [layer.number(0, 0) for layer in layers if layer.type == "ReLU"]
    for layer in convolutions:
        if layer.number(ACTIVATION, 0) == LEAKY_RELU:
            slopes.append(layer.number(ACTIVATION_PARAMS, 0))
    _require(
        len(slopes) == 12 * num_block + 3 and np.allclose(slopes, LRELU_SLOPE),
        param,
        f"its activations are not RRDBNet's leaky ReLU with slope {LRELU_SLOPE}",
    )
    _require(
        _resizes(layers) == [(NEAREST, 2), (NEAREST, 2)],
        param,
        "it does not upscale twice by 2 as RRDBNet does",
    )

    numbers = _Numbers(binary)
    names = RRDBNet(num_block=num_block).layers()
    tensors: Tensors = {}
    for name, layer in zip(names, convolutions, strict=True):
        tensors |= _convolution(name, layer, numbers, param)
    numbers.finish()
    recognize(tensors, str(param))
    return tensors


def _read_srvgg(layers: list[Layer], param: Path, binary: Path) -> Tensors:
    weighted = [layer for layer in layers if layer.type in ("Convolution", "PReLU")]
    expected = ["PReLU" if i % 2 else "Convolution" for i in range(len(weighted))]
    fused = any(layer.number(ACTIVATION, 0) for layer in weighted)
    _require(
        [layer.type for layer in weighted] == expected
        and expected[-1:] == ["Convolution"]
        and not fused,
        param,
        "convolutions and PReLU do not alternate as SRVGGNetCompact's do",
    )
    factors = [layer.number(0, 0) for layer in layers if layer.type == "PixelShuffle"]
    _require(
        len(factors) == 1 and _resizes(layers) == [(NEAREST, factors[0])],
        param,
        "besides SRVGGNetCompact's own upscaling it resizes the image (of animevideov3 "
        "take the -x4 pair)",
    )

    numbers = _Numbers(binary)
    tensors: Tensors = {}
    for i, layer in enumerate(weighted):
        if layer.type == "PReLU":
            count = int(layer.number(0, 0))
            tensors[f"body.{i}.weight"] = numbers.take(count, FP32_TAG)
        else:
            tensors |= _convolution(f"body.{i}", layer, numbers, param)
    numbers.finish()

    network = recognize(tensors, str(param))
    _require(
        isinstance(network, SRVGGNetCompact) and network.upscale == factors[0],
        param,
        f"its pixel-shuffle by {factors[0]:g} does not fit its last convolution",
    )
    return tensors


def _resizes(layers: list[Layer]) -> list[tuple[float, float]]:
    """Return (type, factor) of every resize."""
    found = []
    for layer in layers:
        if layer.type == "Interp":
            kind, factor = layer.number(0, 0), layer.number(1, 0)
            found.append((kind, factor))
    return found


def _convolution(name: str, layer: Layer, numbers: "_Numbers", param: Path) -> Tensors:
    """Return weight and bias of a 3x3 convolution of stride and padding 1."""
    kernel_w = layer.number(KERNEL_W, 0)
    geometry = (
        kernel_w,
        layer.number(KERNEL_H, kernel_w),
        layer.number(DILATION, 1),
        layer.number(STRIDE, 1),
        layer.number(PAD, 0),
    )
    _require(
        geometry == (3, 3, 1, 1, 1),
        param,
        f"{layer.name} is not a 3x3 convolution with stride and padding 1",
    )
    _require(layer.number(HAS_BIAS, 0) == 1, param, f"{layer.name} has no bias")

    out_ch, count = int(layer.number(OUT, 0)), int(layer.number(WEIGHTS, 0))
    _require(
        out_ch > 0 and count > 0 and count % (out_ch * 9) == 0,
        param,
        f"{layer.name}: {count} weights for {out_ch} channels",
    )
    weight = numbers.take(count, numbers.tag(layer.name))
    return {
        f"{name}.weight": weight.reshape(out_ch, -1, 3, 3),
        f"{name}.bias": numbers.take(out_ch, FP32_TAG),
    }


class _Numbers:
    """The numbers of a `.bin`, taken one after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = read_regular(path)
        self._at = 0

    def take(self, count: int, tag: int) -> np.ndarray:
        """Return the next `count` numbers as float32; skip their padding to 4 bytes."""
        dtype = DTYPES[tag]
        size = count * dtype.itemsize
        start = self._skip(size)
        numbers = np.frombuffer(self._data, dtype, count, start)
        return numbers.astype(np.float32)

    def tag(self, layer: str) -> int:
        """Return the next tag: the type of the weights that follow."""
        start = self._skip(4)
        tag = int.from_bytes(self._data[start : start + 4], "little")
        if tag not in DTYPES:
            raise UserError(
                f"{self._path}: the weights of {layer} are neither fp16 nor fp32 (tag "
                f"{tag:#010x}; int8?)"
            )
        return tag

    def finish(self) -> None:
        """Refuse a file with more bytes than the layers have."""
        left = len(self._data) - self._at
        if left:
            raise UserError(f"{self._path}: {left} bytes more than its .param declares")

    def _skip(self, size: int) -> int:
        """Return where the next `size` bytes start; go on after them and their padding."""
        start = self._at
        if size < 0 or start + size > len(self._data):
            raise UserError(
                f"{self._path}: truncated, or of another .param: {size} bytes expected at "
                f"{start} of {len(self._data)}"
            )
        self._at = start + size + -size % 4
        return start


def _require(holds: bool, param: Path, complaint: str) -> None:
    if not holds:
        raise UserError(f"{param}: not RRDBNet or SRVGGNetCompact: {complaint}")
