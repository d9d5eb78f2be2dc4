"""Exported graphs without an inference.yml: of small networks, written by Paddle 2.6.2."""

import struct
from pathlib import Path

import numpy as np
from places import REFERENCE

from realesrgan_paddle.inference.graph.paddle_files import framework_proto
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact

RECORDED = REFERENCE / "graphs.npz"
SPECS = {
    "RRDBNet": RRDBNet(scale=2, num_feat=4, num_block=1, num_grow_ch=2),
    "SRVGGNetCompact": SRVGGNetCompact(num_feat=4, num_conv=12, upscale=4),
    "smallest": SRVGGNetCompact(num_feat=3, num_conv=0, upscale=1),
    "RDN": RDN(C=1, D=2, G=2, G0=4, x=2),
    "RRDN": RRDN(C=1, D=2, G=2, G0=4, T=2, x=2),
}
"""The networks whose graphs tests/record/record_graphs.py records."""
HEADER = struct.Struct("<IQIi")
"""Of a tensor in a `.pdiparams`: version, levels, version, size of its description."""


def recorded_graph(name: str, folder: Path) -> dict[str, np.ndarray]:
    """Write the graph of one of `SPECS`, with random weights; return these by name."""
    with np.load(RECORDED) as graphs:
        program = graphs[name].tobytes()
    draw = np.random.default_rng(0)
    tensors = {
        name: draw.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in SPECS[name].tensor_shapes().items()
    }
    by_variable = dict(zip(_variables(program), tensors.values(), strict=True))
    stored = [by_variable[name] for name in sorted(by_variable)]
    (folder / "inference.pdmodel").write_bytes(program)
    (folder / "inference.pdiparams").write_bytes(parameter_file(stored))
    return tensors


def _variables(program: bytes) -> list[str]:
    """Return the variables with weights, in the order in which operators read them."""
    block = framework_proto().ProgramDesc.FromString(program).blocks[0]
    weights = {v.name for v in block.vars if v.persistable} - {"feed", "fetch"}
    read = [name for op in block.ops for slot in op.inputs for name in slot.arguments]
    return [name for name in dict.fromkeys(read) if name in weights]


def parameter_file(arrays: list[np.ndarray]) -> bytes:
    """Return the content of a `.pdiparams` with float32 arrays, in the order given."""
    proto = framework_proto().VarType
    content = b""
    for array in arrays:
        tensor = proto.TensorDesc(data_type=proto.FP32, dims=array.shape)
        description = tensor.SerializeToString()
        content += HEADER.pack(0, 0, 0, len(description)) + description
        content += array.tobytes()
    return content
