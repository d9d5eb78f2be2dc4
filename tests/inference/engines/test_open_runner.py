"""Which engine runs a network, in which precision: what is chosen, said and refused."""

import subprocess
import sys

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.inference import open_runner as module
from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.onnx_runners import (
    OnnxRuntimeRunner,
    OpenVinoRunner,
)
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.ops.onednn.library import OneDNNError
from realesrgan_paddle.tools import infer, predict
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.devices import has_bf16
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

COMPACT = SRVGGNetCompact(num_feat=16, num_conv=2, upscale=2)
RRDB = RRDBNet(num_feat=16, num_block=1, num_grow_ch=8)
BF16_DB = 40
"""What bf16 must keep of a picture: 8 bits of mantissa give about 50 dB."""

needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folders of two exported networks, {name: folder}, with ONNX files."""
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    made = tmp_path_factory.mktemp("exported")
    for name, spec in (("compact", COMPACT), ("rrdb", RRDB)):
        export(spec, sample_weights(spec), made / name, onnx=True)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a weight file."""
    path = tmp_path_factory.mktemp("weights") / "net.pdparams"
    write_pdparams(path, {"params": sample_weights(COMPACT)})
    return path


@pytest.fixture
def in_this_process(monkeypatch):
    """Run graphs in this process, where that is not what is tested: it takes no start."""

    def run_here(path, device, threads, engine, precision):
        if engine == "openvino":
            return OpenVinoRunner(path, precision, threads)
        return OnnxRuntimeRunner(path, threads)

    monkeypatch.setattr(module, "GraphRunner", run_here)
    monkeypatch.setattr(module, "load_static", open_graph)


@pytest.fixture
def known(monkeypatch):
    """Let the project's own engine run every network; return what it is opened with."""
    opened = []

    class FakeEngine:
        scale = 2
        device = "cpu"

        def __init__(self, network, tensors, precision, threads, ranges):
            opened.append((network, tensors, precision, threads, ranges))

    monkeypatch.setattr(module, "Engine", FakeEngine)
    return opened


@pytest.fixture
def unknown(monkeypatch):
    """Let it run none."""

    def refuse(*_, **__):
        raise OneDNNError("an unknown network")

    monkeypatch.setattr(module, "Engine", refuse)


def images(size=24):
    """Return a smooth picture."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    return np.stack([x, y, (x + y) / 2])[None]


def decibels(ours, exact):
    return -10 * np.log10(np.mean((ours - exact) ** 2) / np.ptp(exact) ** 2)


def test_bf16_is_automatic_where_nobody_sees_it(known, monkeypatch, folders):
    expected = sample_weights(RRDB)
    for cpu, sixteen_bit, asked, taken, why in (
        (True, False, "auto", "bf16", "auto: the CPU has it, and images have 8 bits"),
        (True, True, "auto", "fp32", "auto: images may have 16 bits"),
        (False, False, "auto", "fp32", "auto: the CPU has no bf16"),
        (True, True, "bf16", "bf16", "asked for"),
        (True, False, "fp32", "fp32", "asked for"),
    ):
        monkeypatch.setattr(module, "has_bf16", lambda has=cpu: has)
        runner = open_runner(
            folders / "rrdb", precision=asked, sixteen_bit=sixteen_bit, device="cpu"
        )
        assert runner.device == (
            "cpu, with the oneDNN engine (auto: a network that it knows), in "
            f"{taken} ({why})"
        )
        network, tensors, precision, _, _ = known.pop()
        assert (network, precision) == (RRDB, taken)
        assert list(tensors) == list(expected)
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, expected[name])


def test_the_engine_gets_the_network_of_weights(known, weights):
    open_runner(weights, engine="onednn", precision="fp32", threads=3)
    network, tensors, *settings = known[0]
    assert network == COMPACT
    assert tensors.keys() == COMPACT.tensor_shapes().keys()
    assert settings == ["fp32", 3, None]
    with pytest.raises(UserError, match="--block 4"):
        open_runner(weights, weights=WeightOptions(block=4))


def test_what_the_engine_does_not_know_runs_in_paddle_and_is_said(
    unknown, in_this_process, folders, weights
):
    graph = open_runner(folders / "compact", device="cpu", threads=1)
    assert (
        "Paddle's predictor (auto: the engine cannot run it: an unknown network), in fp32 (auto"
        in graph.device
    )
    dygraph = open_runner(weights, device="cpu")
    assert (
        "Paddle's dygraph mode (auto: the engine cannot run it: an unknown network)"
        in dygraph.device
    )
    assert np.abs(graph(images()) - dygraph(images())).max() < 1e-4
    with pytest.raises(UserError, match="an unknown network"):
        open_runner(folders / "compact", engine="onednn", device="cpu")


def test_weights_run_on_onednns_operators_unless_paddle_is_asked_for(unknown, weights):
    try:
        choose_ops("onednn")
    except UserError as error:
        pytest.skip(str(error))
    plain = open_runner(weights, engine="paddle", device="cpu")
    fast = open_runner(weights, device="cpu")
    assert "oneDNN's operators" in fast.device
    assert "oneDNN's operators" not in plain.device
    assert np.abs(fast(images()) - plain(images())).max() < 1e-5


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["compact", "rrdb"])
def test_other_engines_give_the_same_pixels(engine, name, folders):
    pytest.importorskip(engine, reason="the extra is not installed")
    """In a process of their own."""
    expected = open_graph(folders / name, device="cpu")(images())
    runner = open_runner(folders / name, engine=engine, precision="fp32", threads=1)
    assert f"with {engine} on inference.onnx (asked for), in fp32" in runner.device
    assert np.abs(runner(images()) - expected).max() < 1e-4
    assert runner(images(9)).shape == (1, 3, 9 * runner.scale, 9 * runner.scale)
    with pytest.raises(UserError, match=r"inference\.onnx: .*cannot run it on"):
        runner(np.zeros((1, 5, 8, 8), np.float32))
    runner(images())


@needs_bf16
@pytest.mark.parametrize(
    ("engine", "name"),
    [("openvino", "compact"), ("openvino", "rrdb"), ("paddle", "rrdb")],
)
def test_bf16_is_close_and_is_bf16(engine, name, in_this_process, folders):
    if engine != "paddle":
        pytest.importorskip(engine, reason="the extra is not installed")
    exact = open_graph(folders / name, device="cpu")(images())
    runner = open_runner(folders / name, engine=engine, precision="bf16", device="cpu")
    rounded = runner(images())
    assert "in bf16 (asked for)" in runner.device
    assert decibels(rounded, exact) > BF16_DB
    assert np.abs(rounded - exact).max() > 1e-4 * np.ptp(exact), "this is fp32"


@needs_bf16
def test_paddle_refuses_bf16_where_it_would_not_use_it(in_this_process, folders):
    """Paddle 3.3.1 leaves convolutions before a PReLU in float32, without a word."""
    with pytest.raises(
        UserError, match=r"inference.pdmodel: .*PReLU.*--precision fp32"
    ):
        open_runner(
            folders / "compact", engine="paddle", precision="bf16", device="cpu"
        )


def test_openvino_reads_a_pdmodel_but_not_prelu(in_this_process, folders):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    program = folders / "rrdb" / "inference.pdmodel"
    runner = open_runner(program, engine="openvino", precision="fp32")
    expected = open_graph(program, device="cpu")(images())
    assert "openvino on inference.pdmodel" in runner.device
    assert np.abs(runner(images()) - expected).max() < 1e-4
    with pytest.raises(UserError, match=r"(?i)prelu.*export_model.py --onnx") as error:
        open_runner(folders / "compact" / "inference.pdmodel", engine="openvino")
    assert "\n" not in str(error.value)


CANNOT = [
    ("cpu", {"engine": "tensorflow"}, "'tensorflow': known are auto, onednn"),
    ("cpu", {"precision": "fp8"}, "'fp8': known are auto, fp32"),
    (
        "cpu",
        {"engine": "openvino", "precision": "fp16"},
        "openvino on a cpu has fp32 and bf16; fp16 is had with engine paddle on a gpu",
    ),
    (
        "cpu",
        {"engine": "onnxruntime", "precision": "bf16"},
        "onnxruntime on a cpu has fp32; bf16 is had with engine onednn on a cpu",
    ),
    ("cpu", {"precision": "int8"}, "int8.json: no such file, which int8 needs"),
    (
        "cpu",
        {"precision": "int8", "engine": "openvino"},
        "int8 is had with engine onednn on a cpu",
    ),
    ("cpu", {"precision": "fp16"}, "fp16 is had with engine paddle on a gpu"),
    (
        "gpu",
        {"engine": "paddle", "precision": "bf16"},
        "paddle on a gpu has fp32 and fp16",
    ),
    ("gpu", {"engine": "openvino"}, "'openvino' computes on a CPU only"),
    ("gpu", {"engine": "onednn"}, "'onednn' computes on a CPU only"),
    ("cpu", {"trt": True}, "TensorRT runs a graph on a GPU"),
    ("gpu", {"trt": True, "engine": "openvino"}, "with engine paddle"),
]


def test_what_cannot_be_says_what_can(monkeypatch, folders):
    for place, flags, message in CANNOT:
        monkeypatch.setattr(module.Request, "place", place)
        with pytest.raises(UserError, match=message):
            open_runner(folders / "compact", **flags)


def test_bf16_is_refused_on_a_cpu_without(monkeypatch, folders):
    monkeypatch.setattr(module, "has_bf16", lambda: False)
    with pytest.raises(UserError, match="this CPU does not multiply in it"):
        open_runner(folders / "rrdb", engine="openvino", precision="bf16", device="cpu")


def test_weights_run_in_paddle_or_the_own_engine_only(weights):
    with pytest.raises(
        UserError, match=r"net.pdparams: weights.*export_model.py --onnx"
    ):
        open_runner(weights, engine="openvino")
    with pytest.raises(UserError, match="paddle from weights on a cpu has fp32"):
        open_runner(weights, engine="paddle", precision="bf16", device="cpu")


@pytest.mark.usefixtures("in_this_process")
def test_without_onednn_onnxruntime_runs_what_is_ready_for_it(monkeypatch, folders):
    def missing():
        raise OneDNNError("the wheel has none")

    monkeypatch.setattr(module, "library", missing)
    model = folders / "compact"
    why = "the oneDNN engine is not available on this system: the wheel has none"
    device = open_runner(model, device="cpu").device
    assert f"with onnxruntime on inference.onnx (auto: {why}), in fp32" in device
    with pytest.raises(UserError, match=f"compact: {why}"):
        open_runner(model, engine="onednn")

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    device = open_runner(model, device="cpu").device
    assert f"with Paddle's predictor (auto: {why}), in fp32" in device


def test_a_missing_onnx_file_is_said(folders, tmp_path):
    program = folders / "compact" / "inference.pdmodel"
    with pytest.raises(
        UserError, match=r"has no inference.onnx.*export_model.py --onnx"
    ):
        open_runner(program, engine="onnxruntime")
    with pytest.raises(UserError, match=r"none.onnx: no such file"):
        open_runner(tmp_path / "none.onnx", engine="onnxruntime")
    alone = tmp_path / "inference.onnx"
    alone.write_bytes((folders / "compact/inference.onnx").read_bytes())
    with pytest.raises(UserError, match=r"--engine openvino or onnxruntime"):
        open_runner(alone, device="cpu")
    with pytest.raises(UserError, match=r"--engine openvino or onnxruntime"):
        open_runner(tmp_path, device="cpu")
    assert open_runner(alone, engine="onnxruntime").scale == 2


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_damaged_onnx_file_is_one_line(engine, folders, tmp_path):
    pytest.importorskip(engine, reason="the extra is not installed")
    onnx = pytest.importorskip("onnx")
    content = (folders / "compact" / "inference.onnx").read_bytes()
    model = onnx.ModelProto.FromString(content)
    model.graph.node[1].input[0] = "nowhere"
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"a\.onnx: .*cannot load it") as error:
        open_runner(path, engine=engine)
    assert "\n" not in str(error.value)


def test_an_engine_for_cpus_takes_the_cpu(monkeypatch):
    monkeypatch.setattr(module, "_has_gpu_build", lambda: True)
    monkeypatch.setattr(module, "pick_device", lambda _: ("gpu", "a GPU is there"))
    for engine, device, place in (
        ("auto", "auto", "gpu"),
        ("paddle", "auto", "gpu"),
        ("openvino", "auto", "cpu"),
        ("onednn", "auto", "cpu"),
        ("openvino", "gpu", "gpu"),
        ("paddle", "cpu", "cpu"),
    ):
        request = module.Request(engine, "auto", device, 1, False, False)
        assert request.place == place, (engine, device)


def test_paddle_is_not_loaded_to_choose():
    """It takes seconds, and the graph's process has its own."""
    if module._has_gpu_build():
        pytest.skip("a GPU build says by itself whether there is a GPU")
    code = (
        "import sys\n"
        "from realesrgan_paddle.inference.open_runner import Request\n"
        "request = Request('auto', 'auto', 'auto', 1, False, False)\n"
        "print(request.place, 'paddle' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cpu False\n"


def first_line(command, folder, model, capsys, *flags):
    """Return the line of a command that tells what runs."""
    words = ["--input", f"{folder}/in", "--output", f"{folder}/out", "--device", "cpu"]
    assert command.main([*words, "--model_path", str(model), *flags]) == 0
    return capsys.readouterr().out.splitlines()[0]


def test_commands_say_what_runs(known, unknown, folders, weights, tmp_path, capsys):
    write_image(tmp_path / "in" / "a.png", np.zeros((8, 8, 3), np.uint8))
    model = folders / "compact"
    line = first_line(infer, tmp_path, model, capsys, "--engine", "onnxruntime")
    assert line.startswith(f"{model}: x2, on cpu, with onnxruntime on inference.onnx (")
    line = first_line(predict, tmp_path, weights, capsys)
    assert "x2, on cpu (asked for" in line
    assert (
        "), with Paddle's dygraph mode (auto: the engine cannot run it: an unknown"
        in line
    )
    with pytest.raises(UserError, match=r"run it with tools/infer\.py"):
        first_line(predict, tmp_path, model, capsys)


@needs_bf16
def test_a_picture_of_16_bits_is_computed_in_float32(
    in_this_process, folders, tmp_path, capsys
):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    flags = ("--engine", "openvino")
    arguments = (infer, tmp_path, folders / "compact", capsys, *flags)
    write_image(tmp_path / "in" / "a.png", np.zeros((8, 8, 3), np.uint8))
    assert "in bf16 (auto" in first_line(*arguments)
    write_image(tmp_path / "in" / "b.png", np.zeros((8, 8, 3), np.uint16))
    assert "in fp32 (auto: images may have 16 bits)" in first_line(*arguments)
    assert "in bf16 (auto" in first_line(*arguments, "--ext", "jpg")
