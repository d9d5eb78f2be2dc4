"""Mutations of exported graphs: a program of operators, and the tensors beside it."""

import struct
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.message import DecodeError
from paddle.base.proto.framework_pb2 import OpDesc, ProgramDesc, VarType

from mutate.anything import EXTREMES, edited, extreme, flip, mutate_bytes
from realesrgan_paddle.inference.graph.paddle_files import ALLOWED

HOSTILE = ["save", "save_combine", "load", "load_combine", "read_file", "print"]
HOSTILE += ["py_func", "while", "conditional_block", "run_program", "py_layer", ""]
STRINGS = ["", "x", "\0", "x" * 9000, "NHWC", "SAME", "bicubic", "\x1b[2J\n"]
FLOATS = [0.0, -1.0, 1e38, float("nan"), float("inf")]
# Its name in Paddle 3, and in 2.6.
TENSOR = next(
    name for name in ("dense_tensor", "lod_tensor") if hasattr(VarType(), name)
)
INT32 = [n for n in EXTREMES if -(2**31) <= n < 2**31]
INT64 = [n for n in EXTREMES if -(2**63) <= n < 2**63]


def mutate_program(content: bytes, canary: Path, rng: Random) -> bytes:
    """Return a damaged or hostile version of a `.pdmodel`.

    Args:
        content: the file.
        canary: what an operator that writes files shall write.
        rng: draws the changes.
    """
    choice = rng.random()
    if choice < 0.3:  # most are still read as a program, and some crash Paddle
        return bytes(edited(bytearray(content), [flip], rng))
    if choice < 0.35:
        return mutate_bytes(content, rng)
    try:
        program = ProgramDesc.FromString(content)
    except DecodeError:
        return mutate_bytes(content, rng)
    edits = [_change_attribute] * 5 + [_change_shape] * 2 + [_change_kind] * 2
    edits += [_rewire, _rewire, _remove, _repeat, _change_variable]
    if choice < 0.42:
        _write_a_file(program, canary, rng)
    else:
        edited(program, edits, rng)
    return program.SerializePartialToString()


def _operator(program: ProgramDesc, rng: Random) -> OpDesc:
    return rng.choice(rng.choice(program.blocks).ops)


def _change_attribute(program: ProgramDesc, rng: Random) -> None:
    operator = _operator(program, rng)
    if not operator.attrs:
        return
    one = rng.choice(operator.attrs)
    values: dict[str, list] = {"i": INT32, "l": INT64, "f": FLOATS, "s": STRINGS}
    values |= {"block_idx": INT32, "b": [True, False]}
    lists = {"ints": INT32, "longs": INT64, "floats": FLOATS, "strings": STRINGS}
    present = [field.name for field, _ in one.ListFields()]
    for field in present:
        if field in values:
            setattr(one, field, rng.choice(values[field]))
        elif field in lists:
            drawn = [rng.choice(lists[field]) for _ in range(rng.randrange(6))]
            del getattr(one, field)[:]
            getattr(one, field).extend(drawn)
    if rng.random() < 0.1:
        one.type = rng.randrange(12)


def _change_kind(program: ProgramDesc, rng: Random) -> None:
    kinds = sorted(ALLOWED) * 2 + HOSTILE
    _operator(program, rng).type = rng.choice(kinds)


def _rewire(program: ProgramDesc, rng: Random) -> None:
    """Let an operator read or write another variable."""
    block = rng.choice(program.blocks)
    operator = rng.choice(block.ops)
    slots = [*operator.inputs, *operator.outputs]
    if slots and block.vars:
        slot = rng.choice(slots)
        names = [rng.choice(block.vars).name, "nowhere", "feed", "fetch"]
        del slot.arguments[rng.randrange(2) :]
        slot.arguments.extend(rng.choices(names, k=rng.choice((0, 1, 2))))


def _remove(program: ProgramDesc, rng: Random) -> None:
    block = rng.choice(program.blocks)
    items: Any = rng.choice((block.ops, block.vars))
    if len(items) > 1:
        del items[rng.randrange(len(items))]


def _repeat(program: ProgramDesc, rng: Random) -> None:
    block = rng.choice(program.blocks)
    items: Any = rng.choice((block.ops, block.vars))
    copies = [rng.choice(items)] * rng.choice((1, 1, 3, 500))
    items.extend(copies)


def _change_shape(program: ProgramDesc, rng: Random) -> None:
    """Change the declared size of a variable."""
    variables = rng.choice(program.blocks).vars
    tensors = [one.type for one in variables if one.type.HasField(TENSOR)]
    if tensors:
        tensor = getattr(rng.choice(tensors), TENSOR).tensor
        dims = list(tensor.dims) or [1]
        dims[rng.randrange(len(dims))] = rng.choice(INT64)
        del tensor.dims[:]
        tensor.dims.extend(dims * rng.choice((1, 1, 1, 5)))


def _change_variable(program: ProgramDesc, rng: Random) -> None:
    variable = rng.choice(rng.choice(program.blocks).vars)
    kinds = VarType.Type.values()
    choice = rng.randrange(4)
    if choice == 0:
        variable.persistable = not variable.persistable
    elif choice == 1:
        variable.type.type = rng.choice(kinds)
    elif choice == 2:
        tensor = getattr(variable.type, TENSOR).tensor
        tensor.data_type = rng.choice(kinds)
    else:
        variable.name = rng.choice(STRINGS)


def _write_a_file(program: ProgramDesc, canary: Path, rng: Random) -> None:
    """Insert an operator that writes a weight to the canary."""
    operator = OpDesc(type=rng.choice(HOSTILE[:6]))
    weights = [one.name for one in program.blocks[0].vars if one.persistable]
    operator.inputs.add(parameter="X").arguments.extend(weights[-1:])
    path = operator.attrs.add(name="file_path", type=2)
    path.s = str(canary)
    operator.attrs.add(name="overwrite", type=6).b = True
    operator.attrs.add(name="save_as_fp16", type=6).b = False
    if rng.random() < 0.3:
        block = program.blocks.add(idx=len(program.blocks), parent_idx=0)
        block.ops.append(operator)
    else:
        program.blocks[0].ops.insert(1, operator)


def mutate_parameters(content: bytes, rng: Random) -> bytes:
    """Return a damaged version of a `.pdiparams`: headers and data, tensor by tensor."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    starts = _tensor_starts(content)
    at = rng.choice(starts)
    (size,) = struct.unpack_from("<i", content, at + 16)
    description = content[at + 20 : at + 20 + size]
    choice = rng.randrange(5)
    if choice == 0:  # the version, the number of levels, the header's size
        field, width = rng.choice(((0, 4), (4, 8), (12, 4), (16, 4)))
        number = extreme(rng, width).to_bytes(width, "little")
        return content[: at + field] + number + content[at + field + width :]
    if choice == 1:
        return content[:at] + content[at + rng.choice((1, 4, 20, size)) :]
    if choice == 2:
        return content[:at] + content[at:] * 2

    try:
        tensor = VarType.TensorDesc.FromString(description)
    except DecodeError:
        return mutate_bytes(content, rng)
    if choice == 3:
        tensor.data_type = rng.choice(VarType.Type.values())
    elif tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(INT64)
    changed = tensor.SerializePartialToString()
    head = content[: at + 16] + struct.pack("<i", len(changed))
    return head + changed + content[at + 20 + size :]


def _tensor_starts(content: bytes) -> list[int]:
    """Return where each tensor begins: versions, levels, size, description, data."""
    starts, at = [], 0
    while at + 20 <= len(content):
        starts.append(at)
        (size,) = struct.unpack_from("<i", content, at + 16)
        try:
            tensor = VarType.TensorDesc.FromString(content[at + 20 : at + 20 + size])
        except DecodeError:
            break
        count = 4
        for dim in tensor.dims:
            count *= dim
        at += 20 + size + count
    return starts or [0]
