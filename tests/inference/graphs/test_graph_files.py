"""Paddle's files from strangers: what a graph would do beyond computing is not run."""

import tracemalloc

import numpy as np
import paddle
import pytest
from paddle.base.proto import framework_pb2
from plain_graphs import HEADER, parameter_file

from realesrgan_paddle.inference import export as module
from realesrgan_paddle.inference.graph.paddle_files import (
    checked_program,
    framework_proto,
    read_parameters,
)
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle


@pytest.fixture
def exported(tmp_path):
    """Return the program of a small exported network."""
    network = Network(SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2))
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    module.export(network.description, tensors, tmp_path / "infer")
    return tmp_path / "infer" / "inference.pdmodel"


def insert_operator(program, kind, inputs, outputs, attributes):
    """Put an operator behind the graph's first one, as a forger would."""
    with module._old_ir():
        paddle.enable_static()
        try:
            graph = paddle.static.Program.parse_from_string(program.read_bytes())
            block = graph.global_block()
            weight = next(name for name in block.vars if name.endswith("w_0"))
            block._insert_op(
                1,
                type=kind,
                inputs={key: [weight] for key in inputs},
                outputs={key: [weight] for key in outputs},
                attrs=attributes,
            )
            program.write_bytes(graph.desc.serialize_to_string())
        finally:
            paddle.disable_static()


def test_a_graph_that_writes_a_file_is_not_run(exported, tmp_path):
    target = tmp_path / "authorized_keys"
    attributes = {"file_path": str(target), "overwrite": True, "save_as_fp16": False}
    insert_operator(exported, "save", ["X"], [], attributes)
    with pytest.raises(UserError, match=r"no upscaler needs \('save'\)"):
        open_graph(exported.parent, device="cpu")
    assert not target.exists()


def test_operators_that_do_more_than_compute_are_refused(exported):
    content = exported.read_bytes()
    kinds = ("load", "load_combine", "save_combine", "read_file", "print", "py_func")
    for kind in (*kinds, "while"):
        graph = framework_pb2.ProgramDesc.FromString(content)
        graph.blocks[0].ops.add(type=kind)
        exported.write_bytes(graph.SerializeToString())
        with pytest.raises(UserError, match=f"'{kind}'"):
            checked_program(exported)


def test_an_operator_in_an_inner_block_is_found(exported):
    graph = framework_pb2.ProgramDesc.FromString(exported.read_bytes())
    inner = graph.blocks.add(idx=1, parent_idx=0)
    inner.ops.add(type="save")
    exported.write_bytes(graph.SerializeToString())
    with pytest.raises(UserError, match="'save'"):
        checked_program(exported)


def test_an_exported_network_passes(exported):
    checked_program(exported)
    images = np.zeros((1, 3, 8, 8), np.float32)
    assert open_graph(exported.parent, device="cpu")(images).shape == (1, 3, 16, 16)


def test_bytes_that_are_no_program_are_refused(tmp_path):
    path = tmp_path / "inference.pdmodel"
    path.write_bytes(b"\x0a\xff\xff\xff\xff\xff")
    with pytest.raises(UserError, match="not a Paddle program"):
        checked_program(path)


def test_paddle_gets_what_was_read_and_nothing_else(exported):
    """Paddle may read fields that this package does not know, and a `.json` at the end."""
    program = exported.read_bytes()
    field_1020_with_5_bytes = b"\xe2\x3f\x05.json"
    exported.write_bytes(program + field_1020_with_5_bytes)
    checked = checked_program(exported)
    graph = framework_pb2.ProgramDesc.FromString(program)
    assert framework_pb2.ProgramDesc.FromString(checked) == graph
    assert b".json" not in checked


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph.blocks.add(idx=1, parent_idx=0), "has 2 blocks"),
        (
            lambda graph: [graph.blocks[0].ops.add(type="relu") for _ in range(20_000)],
            "has 20,0.. operators",
        ),
        (
            lambda graph: setattr(graph.blocks[0].vars[0], "name", "x" * (1 << 23)),
            "larger than 8 MiB",
        ),
    ],
)
def test_a_graph_is_about_as_large_as_an_upscalers(exported, change, message):
    graph = framework_pb2.ProgramDesc.FromString(exported.read_bytes())
    change(graph)
    exported.write_bytes(graph.SerializeToString())
    with pytest.raises(UserError, match=message):
        checked_program(exported)


def test_a_program_that_changes_after_the_check_is_not_run(exported):
    runner = open_graph(exported.parent, device="cpu")
    exported.write_bytes(b"\x0a\xff")
    images = np.zeros((1, 3, 8, 8), np.float32)
    assert runner(images).shape == (1, 3, 16, 16)


ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4, np.float32)]
WHOLE = parameter_file(ARRAYS)
SECOND = len(parameter_file(ARRAYS[:1]))


def test_a_whole_file_is_read(tmp_path):
    path = tmp_path / "inference.pdiparams"
    path.write_bytes(WHOLE)
    arrays = read_parameters(path, ["a", "b"])
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


OTHER_FILES = [
    b"",
    WHOLE[:-1],
    WHOLE[:SECOND],
    WHOLE + b"\0",
    WHOLE + WHOLE,
    with_description(tensor(dims=[2**40, 2**40])),
    with_description(tensor(dims=[2**62])),
    with_description(tensor(dims=[-2, -3])),
    with_description(tensor(dims=[0, 2**40])),
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
]


def test_other_tensors_are_not_read(tmp_path):
    """Nor is anything allocated for them."""
    path = tmp_path / "inference.pdiparams"
    for content in OTHER_FILES:
        path.write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(UserError, match=r"pdiparams: damaged: .*export_model"):
                read_parameters(path, ["a", "b"])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1 << 20, content[:60]


def test_the_weights_are_in_memory_once(tmp_path):
    arrays = [np.ones((256, 1024), np.float32) for _ in range(8)]
    path = tmp_path / "inference.pdiparams"
    path.write_bytes(parameter_file(arrays))
    tracemalloc.start()
    try:
        read_parameters(path, list("abcdefgh"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1 << 23 < peak < 1.05 * (1 << 23)
