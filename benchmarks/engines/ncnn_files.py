"""The networks as ncnn's `.param` + `.bin`, layer for layer as Real-ESRGAN's own files.

With the weights in float32; the released ncnn files hold float16.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.description import LRELU_SLOPE, Generator
from realesrgan_paddle.models.networks.rrdbnet import RESIDUAL_SCALE, RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.ncnn import MAGIC
from realesrgan_paddle.utils.errors import UserError

FP32_TAG = np.uint32(0)
LEAKY = f" 9=2 -23310=1,{LRELU_SLOPE}"
"""A leaky ReLU within a convolution's layer."""
SCALED = f" 0=1 -23301=2,{RESIDUAL_SCALE},1.0"
"""A sum whose first term is scaled."""

Tensors = dict[str, np.ndarray]


def write_ncnn(network: Generator, tensors: Tensors, folder: Path) -> None:
    """Write network.param (from blob "x" to blob "y") and network.bin into `folder`.

    Raises:
        UserError: a network of another kind than Real-ESRGAN's at scale 4.
    """
    graph = _Graph(tensors)
    if isinstance(network, RRDBNet) and network.scale == 4:
        _rrdbnet(graph, network)
    elif isinstance(network, SRVGGNetCompact) and network.act_type == "prelu":
        _srvgg(graph, network)
    else:
        raise UserError(
            f"{network}: only SRVGGNetCompact with PReLU and RRDBNet x4 are compared"
        )
    graph.write(folder)


class _Graph:
    """Layers with one output each, named as it is; and their numbers."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._layers: list[tuple[str, tuple[str, ...], str, str]] = []
        self._numbers: list[np.ndarray] = []

    def add(self, kind: str, *inputs: str, values: str = "", name: str = "") -> str:
        """Append a layer; return its output."""
        output = name or f"{kind}_{len(self._layers)}"
        self._layers.append((kind, inputs, output, values))
        return output

    def conv(self, name: str, blob: str, leaky: bool = False, output: str = "") -> str:
        """Append the 3x3 convolution `name`; return its output."""
        weight = self._tensors[f"{name}.weight"]
        bias = self._tensors[f"{name}.bias"]
        self._numbers += [FP32_TAG, weight, bias]

        values = f" 0={len(weight)} 1=3 4=1 5=1 6={weight.size}"
        if leaky:
            values += LEAKY
        return self.add("Convolution", blob, values=values, name=output)

    def prelu(self, name: str, blob: str) -> str:
        """Append the PReLU `name`; return its output."""
        slopes = self._tensors[f"{name}.weight"]
        self._numbers.append(slopes)
        return self.add("PReLU", blob, values=f" 0={slopes.size}")

    def enlarge(self, blob: str, factor: int) -> str:
        """Append a resize by nearest neighbor; return its output."""
        return self.add("Interp", blob, values=f" 0=1 1={factor}.0 2={factor}.0")

    def write(self, folder: Path) -> None:
        """Write network.param and network.bin."""
        lines = self._lines()
        blobs = sum(int(line.split()[3]) for line in lines)
        header = [MAGIC, f"{len(lines)} {blobs}"]
        text = "\n".join([*header, *lines])
        (folder / "network.param").write_text(f"{text}\n")

        data = b"".join(numbers.tobytes() for numbers in self._numbers)
        (folder / "network.bin").write_bytes(data)

    def _lines(self) -> list[str]:
        """Return the layers' lines, with a Split after what is read more than once."""
        readers = Counter(blob for _, inputs, _, _ in self._layers for blob in inputs)
        read: Counter[str] = Counter()
        lines = []

        for kind, inputs, output, values in self._layers:
            names = []
            for blob in inputs:
                names.append(f"{blob}/{read[blob]}" if readers[blob] > 1 else blob)
                read[blob] += 1
            words = [kind, output, str(len(names)), "1", *names, output]
            lines.append(" ".join(words) + values)

            copies = [f"{output}/{i}" for i in range(readers[output])]
            if len(copies) > 1:
                words = ["Split", f"{output}/", "1", str(len(copies)), output, *copies]
                lines.append(" ".join(words))
        return lines


def _srvgg(graph: _Graph, network: SRVGGNetCompact) -> None:
    x = graph.add("Input", name="x")
    features = x
    for i in range(network.num_conv + 1):
        features = graph.conv(f"body.{2 * i}", features)
        features = graph.prelu(f"body.{2 * i + 1}", features)
    features = graph.conv(f"body.{2 * network.num_conv + 2}", features)

    residual = graph.add("PixelShuffle", features, values=f" 0={network.upscale}")
    enlarged = graph.enlarge(x, network.upscale)
    graph.add("BinaryOp", residual, enlarged, values=" 0=0", name="y")


def _rrdbnet(graph: _Graph, network: RRDBNet) -> None:
    x = graph.add("Input", name="x")
    first = graph.conv("conv_first", x)

    features = first
    for block in range(network.num_block):
        before = features
        for dense in (1, 2, 3):
            features = _dense_block(graph, f"body.{block}.rdb{dense}", features)
        features = graph.add("Eltwise", features, before, values=SCALED)

    features = graph.conv("conv_body", features)
    features = graph.add("BinaryOp", first, features, values=" 0=0")
    for name in ("conv_up1", "conv_up2"):
        features = graph.enlarge(features, 2)
        features = graph.conv(name, features, leaky=True)
    features = graph.conv("conv_hr", features, leaky=True)
    graph.conv("conv_last", features, output="y")


def _dense_block(graph: _Graph, name: str, x: str) -> str:
    parts = [x]
    for i in range(1, 5):
        so_far = graph.add("Concat", *parts) if i > 1 else x
        parts.append(graph.conv(f"{name}.conv{i}", so_far, leaky=True))
    last = graph.conv(f"{name}.conv5", graph.add("Concat", *parts))
    return graph.add("Eltwise", last, x, values=SCALED)
