"""inference.onnx: the network's own pixels, and strangers' ONNX files that are refused."""

import sys

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.inference import export as export_module
from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.graph import onnx_check as check
from realesrgan_paddle.inference.graph.onnx_check import checked_onnx
from realesrgan_paddle.inference.graph.onnx_write import onnx_model
from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
from realesrgan_paddle.inference.runners.graph_worker import STATUS, limited
from realesrgan_paddle.inference.runners.onnx_runners import (
    OnnxRuntimeRunner,
    OpenVinoRunner,
)
from realesrgan_paddle.inference.runners.runner import find_scale
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.tools import export_model
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.writer import write_pdparams

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytestmark = pytest.mark.paddle

SMALL = SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2)
SPECS = [
    *(
        RRDBNet(scale=scale, num_feat=8, num_block=1, num_grow_ch=4)
        for scale in (1, 2, 4)
    ),
    *(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=scale) for scale in (1, 2, 4)),
    SRVGGNetCompact(num_feat=8, num_conv=1, act_type="relu"),
    SRVGGNetCompact(num_feat=8, num_conv=1, act_type="leakyrelu"),
    *(RDN(C=2, D=2, G=4, G0=4, x=scale) for scale in (1, 2, 4)),
    RDN(C=2, D=2, G=4, G0=4, x=2, upscaling="shuffle"),
    *(RRDN(C=2, D=2, G=4, G0=4, T=2, x=scale) for scale in (1, 2, 4)),
]
FOR_OPENVINO = [SPECS[0], SPECS[1], SPECS[5], SPECS[10], SPECS[14]]
SHAPES = ((1, 16, 16), (2, 8, 20), (1, 28, 4))


@pytest.fixture(scope="module")
def model():
    """Return the bytes of a small network's ONNX model."""
    return onnx_model(SMALL, sample_weights(SMALL))


def differences(spec, runner):
    """Return the greatest difference from the network at each shape."""
    network = Network(spec)
    load_weights(network, sample_weights(spec))
    dygraph = DygraphRunner(network, spec.scale)
    random = np.random.default_rng(0)
    for batch, height, width in SHAPES:
        images = random.random((batch, 3, height, width), np.float32)
        expected = dygraph(images)
        yield np.abs(runner(images) - expected).max() / max(1, np.abs(expected).max())


def test_onnxruntime_gives_the_networks_pixels(tmp_path):
    path = tmp_path / "a.onnx"
    for spec in SPECS:
        path.write_bytes(onnx_model(spec, sample_weights(spec)))
        runner = OnnxRuntimeRunner(path, threads=1)
        assert runner.scale == spec.scale
        assert max(differences(spec, runner)) < 1e-5, spec


def test_openvino_gives_the_networks_pixels(tmp_path):
    """OpenVINO 2026.4 computes SpaceToDepth before a Gather and a convolution wrong."""
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    path = tmp_path / "a.onnx"
    for spec in FOR_OPENVINO:
        path.write_bytes(onnx_model(spec, sample_weights(spec)))
        runner = OpenVinoRunner(path, "fp32", threads=1)
        assert runner.scale == spec.scale
        assert max(differences(spec, runner)) < 1e-5, spec


def test_an_export_has_the_onnx_file_of_its_own_weights_or_none(tmp_path, capsys):
    write_pdparams(tmp_path / "net.pdparams", {"params": sample_weights(SMALL)})
    command = ["--model_dir", f"{tmp_path}/net.pdparams"]
    command += ["--save_inference_dir", f"{tmp_path}/infer"]
    file = tmp_path / "infer" / "inference.onnx"

    assert export_model.main([*command, "--onnx"]) == 0
    assert capsys.readouterr().out.count("that of inference.onnx") == 3
    assert file.read_bytes() == onnx_model(SMALL, sample_weights(SMALL))

    assert export_model.main(command) == 0
    assert not file.exists(), "it might be that of other weights"


def test_an_onnx_file_that_differs_leaves_nothing_written(tmp_path, monkeypatch):
    other = onnx_model(SMALL, sample_weights(SMALL, seed=1))
    monkeypatch.setattr(export_module, "onnx_model", lambda *_: other)
    with pytest.raises(UserError, match="differs from the network"):
        export(SMALL, sample_weights(SMALL), tmp_path / "infer", onnx=True)
    assert not (tmp_path / "infer").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match="pip install onnx onnxruntime"):
        export(SMALL, sample_weights(SMALL), tmp_path / "infer", onnx=True)
    assert not (tmp_path / "infer").exists()


def changed(model, change):
    """Return the model after `change` was called with it."""
    proto = onnx.ModelProto.FromString(model)
    change(proto)
    return proto.SerializeToString()


def external(proto):
    """Take the weights from another file."""
    tensor = proto.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../etc/passwd")


def external_attribute(proto):
    """Take a constant from another file."""
    tensor = onnx.helper.make_tensor("t", 1, [1], b"1234", raw=True)
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    proto.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))


def subgraph(proto):
    """Hide a graph in an attribute of a harmless operator."""
    inner = onnx.helper.make_graph([], "inner", [], [])
    attribute = onnx.helper.make_attribute("body", inner)
    proto.graph.node[0].attribute.append(attribute)


def graphs(proto):
    """Hide graphs in a list."""
    attribute = proto.graph.node[0].attribute.add(name="bodies")
    attribute.graphs.add()


def loop(proto):
    proto.graph.node[0].op_type = "Loop"


def foreign_domain(proto):
    proto.graph.node[0].domain = "com.microsoft"


def function(proto):
    proto.functions.add(name="Relu", domain="")


def many(proto):
    for _ in range(20_001):
        proto.graph.node.add(op_type="Relu")


HOSTILE = {
    external: "another file",
    external_attribute: "another file",
    subgraph: "'body' is a graph",
    graphs: "'bodies' is a graph",
    loop: r"'Loop'",
    foreign_domain: r"'com\.microsoft\.Conv'",
    function: "functions",
    many: r"20,\d+ operators",
}


def test_a_hostile_model_is_refused_by_name(model, tmp_path):
    path = tmp_path / "a.onnx"
    for change, message in HOSTILE.items():
        path.write_bytes(changed(model, change))
        with pytest.raises(UserError, match=rf"a\.onnx: .*{message}") as error:
            checked_onnx(path)
        assert "\n" not in str(error.value)


def test_a_sound_model_is_taken_as_it_is_and_a_truncated_one_refused(model, tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(model)
    assert checked_onnx(path) == model
    for end in (0, 1, 1000, -1):
        path.write_bytes(model[:end])
        with pytest.raises(UserError, match=r"a\.onnx: .*not an ONNX model"):
            checked_onnx(path)


def test_a_name_that_is_no_text_is_one_line(model, tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(model.replace(b"PRelu", b"PRel\xee"))
    with pytest.raises(UserError, match=r"a\.onnx: (damaged|has operators)"):
        checked_onnx(path)

    path.write_bytes(model.replace(b"body.0.bias", b"body.0.bia\xee", 1))
    with pytest.raises(UserError, match=r"a\.onnx: .*cannot load it"):
        OnnxRuntimeRunner(path, threads=1)
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    with pytest.raises(UserError, match=r"a\.onnx: .*cannot load it"):
        OpenVinoRunner(path, "fp32", threads=1)


def test_a_very_large_file_is_not_read(model, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "LARGEST_MODEL", len(model) - 1)
    path = tmp_path / "a.onnx"
    path.write_bytes(model)
    with pytest.raises(UserError, match="no upscaler's model"):
        checked_onnx(path)


@pytest.mark.skipif(not STATUS.exists(), reason="limits are set on Linux only")
def test_what_does_not_fit_is_a_memory_error(model, tmp_path):
    """By which an upscaler takes smaller tiles."""
    path = tmp_path / "a.onnx"
    path.write_bytes(model)
    runner = OnnxRuntimeRunner(path, threads=1)
    images = np.zeros((1, 3, 4000, 4000), np.float32)
    with pytest.raises(MemoryError), limited(1 << 26, seconds=60):
        runner(images)
    assert runner(images[..., :8, :8]).shape == (1, 3, 16, 16)


class ShortOfMemory:
    """Answers as OpenVINO does when memory is short: in one of two ways."""

    def __init__(self, raises):
        self.raises = raises

    def create_infer_request(self):
        return self

    def infer(self, inputs, share_inputs):
        if self.raises:
            raise RuntimeError("Check 'ptr' failed\nFailed to allocate 576 bytes")
        return [np.empty((0, 3, 0, 0), np.float32)]


@pytest.mark.parametrize("raises", [True, False])
def test_memory_that_openvino_lacks_is_a_memory_error(raises, model, tmp_path):
    """Not tried in this process: the library may end it."""
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    path = tmp_path / "a.onnx"
    path.write_bytes(model)
    runner = OpenVinoRunner(path, "fp32", threads=1)
    runner._compiled = ShortOfMemory(raises)
    with pytest.raises(MemoryError):
        runner(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(UserError, match=r"a\.onnx: asks for too much memory"):
        find_scale(path, runner)


def graph_of(inputs, outputs):
    """Return an ONNX model that hands inputs {name: shape} on as outputs (name, source)."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    described = helper.make_tensor_value_info
    made = helper.make_graph(
        [helper.make_node("Identity", [source], [name]) for name, source in outputs],
        "handing_on",
        [described(name, kind, shape) for name, shape in inputs.items()],
        [described(name, kind, None) for name, _ in outputs],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(made, opset_imports=[opset], ir_version=8)
    return model.SerializeToString()


IMAGE = ["N", 3, "H", "W"]
STEP = {"x": IMAGE, "before": IMAGE, "after": IMAGE, "state": ["N", 2, "H", "W"]}
BOTH = [("output", "x"), ("next_state", "state")]
NOT_STEPS = [
    ({**STEP, "state": ["N", "C", "H", "W"]}, BOTH, r"state has the shape \['N', 'C'"),
    ({**STEP, "state": ["N", 4097, "H", "W"]}, BOTH, "with 1 to 4096 channels"),
    ({**STEP, "state": [2]}, BOTH, r"state has the shape \[2\]"),
    (
        STEP,
        BOTH[:1],
        "has 4 inputs and 1 outputs; an upscaler has one of each, or takes",
    ),
    ({**STEP, "more": IMAGE}, BOTH, "has 5 inputs and 2 outputs"),
    ({"x": IMAGE, "state": STEP["state"]}, BOTH, "has 2 inputs and 2 outputs"),
]


def test_a_graph_that_is_no_step_is_refused(tmp_path):
    path = tmp_path / "a.onnx"
    for inputs, outputs, message in NOT_STEPS:
        path.write_bytes(graph_of(inputs, outputs))
        with pytest.raises(UserError, match=message):
            OnnxRuntimeRunner(path, threads=1)

    path.write_bytes(graph_of(STEP, BOTH))
    runner = OnnxRuntimeRunner(path, threads=1)
    assert runner.num_state == 2
    frame, state = np.ones((3, 4, 5), np.float32), np.ones((2, 4, 5), np.float32)
    result, next_state = runner.step(frame, frame, frame, state)
    assert np.array_equal(result, frame)
    assert np.array_equal(next_state, state)
