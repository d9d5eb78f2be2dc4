"""Damaged and hostile graphs: known with what they say, or a reason; fast, in little memory."""

import resource
import subprocess
import sys
import time
import tracemalloc
from random import Random

import numpy as np
import pytest
from graphs.exported import (
    HEADER,
    PARAMETERS,
    PROGRAM,
    arrays_read,
    parameter_file,
    read_program,
    recorded_graph,
    write_program,
)

from realesrgan_paddle.inference.graph.framework_proto import framework_proto
from realesrgan_paddle.inference.graph.parameters import read_parameters
from realesrgan_paddle.inference.graph.program import UnknownGraphError
from realesrgan_paddle.inference.graph.recognize import Known, recognize
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

SHAPES = {"a": (2, 3), "b": (4,)}
ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4, np.float32)]


@pytest.fixture
def folder(tmp_path):
    return recorded_graph("smallest", "3.3.1", tmp_path)


@pytest.fixture
def parameters(tmp_path):
    """Return a function that reads a `.pdiparams` of two tensors with that content."""

    def read(content):
        path = tmp_path / PARAMETERS
        path.write_bytes(content)
        return read_parameters(path, SHAPES)

    return read


def outcome(folder):
    """Return the network, or a short reason; in less than 2 s."""
    start = time.process_time()
    try:
        found = recognize(folder)
    except UserError as error:
        found = str(error)
    assert time.process_time() - start < 2
    assert isinstance(found, Known) or "\n" not in found
    return found


@pytest.mark.parametrize("name", [PROGRAM, PARAMETERS])
def test_flipped_bits_are_found_or_followed(name, folder):
    """A flipped bit may be in a weight, or in what a program says about itself."""
    content = (folder / name).read_bytes()
    expected = recognize(folder).description
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = Random(0)
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(damaged)
        found = outcome(folder)
        if isinstance(found, Known):
            assert found.description == expected
            pairs = zip(found.tensors.values(), arrays_read(folder), strict=True)
            assert all(tensor.tobytes() == read.tobytes() for tensor, read in pairs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak - before < 300_000, "KiB on Linux"


@pytest.mark.parametrize("name", [PROGRAM, PARAMETERS])
def test_a_truncated_file_is_not_known(name, folder):
    content = (folder / name).read_bytes()
    for length in range(0, len(content), len(content) // 60):
        (folder / name).write_bytes(content[:length])
        assert isinstance(outcome(folder), str)


@pytest.mark.parametrize("kind", ["save", "load", "load_combine", "print", "while"])
def test_operators_that_do_more_than_compute_are_refused(kind, folder):
    program = read_program(folder)
    program.blocks[0].ops.add(type=kind)
    write_program(program, folder)
    with pytest.raises(UserError, match=f"'{kind}'"):
        recognize(folder)


def test_a_whole_file_is_read(parameters):
    arrays = parameters(parameter_file(ARRAYS))
    assert list(arrays) == ["a", "b"]
    assert np.array_equal(arrays["a"], ARRAYS[0])
    assert np.array_equal(arrays["b"], ARRAYS[1])


def tensor(dims=(2, 3), kind="FP32"):
    proto = framework_proto().VarType
    message = proto.TensorDesc(data_type=getattr(proto, kind), dims=dims)
    return message.SerializeToString()


def with_description(description, length=None):
    """Return the content of a file whose first tensor is described so."""
    length = len(description) if length is None else length
    return HEADER.pack(0, 0, 0, length) + description + bytes(24) + WHOLE[SECOND:]


WHOLE = parameter_file(ARRAYS)
SECOND = len(parameter_file(ARRAYS[:1]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1],
        WHOLE[:SECOND],
        WHOLE + b"\0",
        WHOLE + WHOLE,
        parameter_file(ARRAYS[::-1]),
        parameter_file([ARRAYS[0].T, ARRAYS[1]]),
        with_description(tensor(dims=[2**40, 2**40])),
        with_description(tensor(dims=[2**62])),
        with_description(tensor(dims=[-2, -3])),
        with_description(tensor(dims=[6])),
        with_description(tensor(dims=[1] * 60)),
        with_description(tensor(kind="FP64")),
        with_description(tensor(kind="INT32")),
        with_description(b"\xff" * 9),
        with_description(b""),
        with_description(tensor(), length=-1),
        with_description(tensor(), length=2**31 - 1),
        HEADER.pack(1, 0, 0, 6) + WHOLE[HEADER.size :],
        HEADER.pack(0, 1, 0, 6) + WHOLE[HEADER.size :],
        HEADER.pack(0, 2**64 - 1, 0, 6) + WHOLE[HEADER.size :],
        HEADER.pack(0, 0, 1, 6) + WHOLE[HEADER.size :],
    ],
)
def test_another_files_tensors_are_not_read(content, parameters):
    tracemalloc.start()
    try:
        with pytest.raises(UnknownGraphError, match=r"^its? .*weights"):
            parameters(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_sizes_that_the_file_has_not_are_not_allocated(tmp_path):
    """Even if program and weights agree on them."""
    description = tensor(dims=[2**20, 2**10])
    path = tmp_path / PARAMETERS
    path.write_bytes(HEADER.pack(0, 0, 0, len(description)) + description + bytes(99))
    tracemalloc.start()
    try:
        with pytest.raises(UnknownGraphError, match="cut off"):
            read_parameters(path, {"a": (2**20, 2**10)})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_the_weights_are_in_memory_once(tmp_path):
    arrays = [np.ones((256, 1024), np.float32) for _ in range(8)]
    shapes = {str(i): array.shape for i, array in enumerate(arrays)}
    path = tmp_path / PARAMETERS
    path.write_bytes(parameter_file(arrays))
    tracemalloc.start()
    try:
        read_parameters(path, shapes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1 << 23 < peak < 1.05 * (1 << 23)


def field(number, content):
    """Return a field of a protobuf message: its key, its length, its content."""
    length, sizes = len(content), b""
    while length > 127:
        sizes += bytes([length % 128 + 128])
        length //= 128
    return bytes([number * 8 + 2]) + sizes + bytes([length]) + content


ATTRIBUTE = field(4, field(1, b"") + b"\x10\x00")
ARGUMENT = field(2, b"abc")
RELU = field(3, b"relu")


@pytest.mark.parametrize("part", ["attributes", "arguments", "operators"])
def test_a_large_program_is_judged_fast_in_little_memory(part, folder):
    """8 MiB, the largest that is read, of the shortest parts that there are."""
    block = read_program(folder).blocks[0].SerializeToString()
    count = (1 << 23) - len(block) - 100
    if part == "attributes":
        block += field(4, ATTRIBUTE * (count // len(ATTRIBUTE)) + RELU)
    elif part == "arguments":
        arguments = ARGUMENT * (count // len(ARGUMENT))
        block += field(4, field(1, field(1, b"X") + arguments) + RELU)
    else:
        block += field(4, RELU) * (count // len(field(4, RELU)))
    (folder / PROGRAM).write_bytes(field(1, block))

    code = (
        "import resource, sys, time\n"
        "from pathlib import Path\n"
        "from realesrgan_paddle.inference.graph.recognize import recognize\n"
        "from realesrgan_paddle.utils.errors import UserError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before, start = peak(), time.process_time()\n"
        "try:\n"
        "    assert isinstance(recognize(Path(sys.argv[1])), str)\n"
        "except UserError:\n"
        "    pass\n"
        "print(peak() - before, time.process_time() - start)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    kibibytes, seconds = map(float, done.stdout.split())
    assert kibibytes < 300_000
    assert seconds < 2
