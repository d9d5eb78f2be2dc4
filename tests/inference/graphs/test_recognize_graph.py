"""Exported networks are known again, with their tensors, without Paddle."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from graphs import samples
from graphs.exported import PARAMETERS, arrays_read, changed, recorded_graph, save_graph
from sample_weights import sample_weights

from realesrgan_paddle.inference.graph.matching_ops import (
    DENSE_BLOCK_SCALE,
    DENSE_BLOCK_SLOPE,
)
from realesrgan_paddle.inference.graph.recognize import Known, recognize
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

SMALL = {"num_feat": 4, "num_grow_ch": 2}
SPECS = [
    RRDBNet(scale=4, num_block=1, **SMALL),
    RRDBNet(scale=1, num_block=1, **SMALL),
    SRVGGNetCompact(num_feat=8, num_conv=0, upscale=1),
    SRVGGNetCompact(num_feat=1, num_conv=2, upscale=2),
    SRVGGNetCompact(num_feat=3, num_conv=11, upscale=3, act_type="relu"),
    SRVGGNetCompact(num_feat=12, num_conv=1, upscale=2, act_type="leakyrelu"),
    RDN(C=1, D=1, G=3, G0=3, x=1, upscaling="ups"),
    RDN(C=3, D=2, G=2, G0=5, x=1, upscaling="shuffle"),
    RRDN(C=2, D=1, G=2, G0=3, T=1, x=1),
    RRDN(C=1, D=3, G=4, G0=4, T=1, x=2),
]
DEEPER = [
    RRDBNet(scale=4, num_block=3, **SMALL),
    RRDBNet(scale=2, num_block=2, num_feat=3, num_grow_ch=3),
    RDN(C=2, D=3, G=4, G0=4, x=4, upscaling="shuffle"),
    RRDN(C=3, D=1, G=3, G0=6, T=3, x=4),
    RRDN(C=2, D=2, G=3, G0=6, T=4, x=4),
    *samples.SPECS.values(),
]


@pytest.mark.parametrize(
    "spec",
    [*SPECS, *(pytest.param(spec, marks=pytest.mark.slow) for spec in DEEPER)],
    ids=str,
)
def test_an_exported_network_is_recognized(spec, tmp_path):
    known = recognize(save_graph(spec, tmp_path))
    assert isinstance(known, Known), known
    assert known.description == spec

    expected = sample_weights(spec)
    assert list(known.tensors) == list(expected)
    for name, tensor in known.tensors.items():
        assert tensor.dtype == np.float32
        assert tensor.flags.carray
        assert np.array_equal(tensor, expected[name])


@pytest.mark.parametrize("version", samples.VERSIONS)
@pytest.mark.parametrize("name", samples.SPECS)
def test_a_graph_of_another_paddle_is_recognized(name, version, tmp_path):
    spec = samples.SPECS[name]
    folder = recorded_graph(name, version, tmp_path)
    known = recognize(folder)
    assert isinstance(known, Known), known
    assert known.description == spec

    shapes = {name: tensor.shape for name, tensor in known.tensors.items()}
    assert shapes == spec.tensor_shapes()
    for tensor, read in zip(known.tensors.values(), arrays_read(folder), strict=True):
        assert np.array_equal(tensor, read)


def test_paddle_is_not_needed_and_can_be_imported_later(tmp_path):
    folder = recorded_graph("RRDBNet", "3.3.1", tmp_path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from realesrgan_paddle.inference.graph import framework_proto as proto\n"
        "from realesrgan_paddle.inference.graph.recognize import recognize\n"
        "print(recognize(Path(sys.argv[1])).description)\n"
        "assert 'paddle' not in sys.modules\n"
        "before = proto.framework_proto()\n"
        "from paddle.base.proto import framework_pb2\n"
        "assert framework_pb2 is before is proto.framework_proto()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("RRDBNet x2, 1 blocks")


def test_the_tensors_are_those_that_the_operators_read(tmp_path):
    """With two weights exchanged it is the same network with other weights."""
    folder = recorded_graph("SRVGGNetCompact", "3.3.1", tmp_path / "before")
    before = recognize(folder).tensors

    def exchange(program):
        first, second = (
            next(slot for slot in op.inputs if slot.parameter == "Filter")
            for op in [op for op in program.blocks[0].ops if op.type == "conv2d"][1:3]
        )
        names = first.arguments[0], second.arguments[0]
        second.arguments[0], first.arguments[0] = names

    after = recognize(changed(folder, exchange, tmp_path / "after")).tensors
    assert np.array_equal(after["body.2.weight"], before["body.4.weight"])
    assert np.array_equal(after["body.4.weight"], before["body.2.weight"])
    assert np.array_equal(after["body.6.weight"], before["body.6.weight"])


def test_the_dense_blocks_are_those_of_the_plain_operators():
    from realesrgan_paddle.ops import plain

    assert DENSE_BLOCK_SCALE == plain.DENSE_BLOCK_SCALE
    assert DENSE_BLOCK_SLOPE == plain.DENSE_BLOCK_SLOPE


def test_without_weights_it_is_one_line(tmp_path):
    folder = recorded_graph("RRDBNet", "3.3.1", tmp_path)
    Path(folder, PARAMETERS).unlink()
    with pytest.raises(UserError, match=r"pdiparams: no such file"):
        recognize(folder)
