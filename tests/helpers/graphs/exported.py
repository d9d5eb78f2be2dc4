"""Exported graphs of small networks with random weights."""

import struct
from pathlib import Path

import numpy as np
from graphs import samples
from places import REFERENCE
from sample_weights import sample_weights

from realesrgan_paddle.inference.graph.paddle_files import framework_proto

PROGRAM, PARAMETERS = "inference.pdmodel", "inference.pdiparams"
HEADER = struct.Struct("<IQIi")


def save_graph(spec, folder):
    """Export a network with its sample weights, as `export` does, without comparing it."""
    from realesrgan_paddle.inference import export as module
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.weights.assign import load_weights

    network = Network(spec)
    load_weights(network, sample_weights(spec))
    network.eval()
    with module._old_ir():
        module._save(network, folder)
    return folder


def recorded_graph(name, version, folder):
    """Write one of `samples.SPECS`, exported by that Paddle, with random weights."""
    folder.mkdir(exist_ok=True)
    spec = samples.SPECS[name]
    with np.load(REFERENCE / "graphs.npz") as graphs:
        program = graphs[f"{version} {name}"].tobytes()
    (folder / PROGRAM).write_bytes(program)

    names = weight_names(read_program(folder))
    shapes = dict(zip(names, spec.tensor_shapes().values(), strict=True))
    draw = np.random.default_rng(0)
    arrays = [draw.normal(0, 0.1, shapes[name]) for name in sorted(names)]
    content = parameter_file([array.astype(np.float32) for array in arrays])
    (folder / PARAMETERS).write_bytes(content)
    return folder


def read_program(folder):
    """Return the ProgramDesc message of a graph."""
    content = Path(folder, PROGRAM).read_bytes()
    return framework_proto().ProgramDesc.FromString(content)


def weight_names(program):
    """The variables with weights, in the order in which operators first read them."""
    block = program.blocks[0]
    weights = {v.name for v in block.vars if v.persistable} - {"feed", "fetch"}
    read = [name for op in block.ops for slot in op.inputs for name in slot.arguments]
    return [name for name in dict.fromkeys(read) if name in weights]


def parameter_file(arrays):
    """Return the content of a `.pdiparams` with float32 arrays, in the order given."""
    proto = framework_proto().VarType
    content = b""
    for array in arrays:
        tensor = proto.TensorDesc(data_type=proto.FP32, dims=array.shape)
        description = tensor.SerializeToString()
        content += HEADER.pack(0, 0, 0, len(description)) + description
        content += array.tobytes()
    return content


def stored_arrays(content):
    """Return the arrays of a `.pdiparams`, which is not damaged."""
    proto = framework_proto().VarType
    arrays, at = [], 0
    while at < len(content):
        *_, length = HEADER.unpack_from(content, at)
        at += HEADER.size
        tensor = proto.TensorDesc.FromString(content[at : at + length])
        at += length
        count = int(np.prod(tensor.dims))
        values = np.frombuffer(content, np.float32, count, at)
        arrays.append(values.reshape(tensor.dims))
        at += values.nbytes
    return arrays


def arrays_read(folder):
    """Return a graph's arrays in the order in which its operators read them."""
    names = weight_names(read_program(folder))
    stored = stored_arrays(Path(folder, PARAMETERS).read_bytes())
    by_name = dict(zip(sorted(names), stored, strict=True))
    return [by_name[name] for name in names]
