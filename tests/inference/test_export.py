"""The exported graph: its files, its pixels, and what happens when something is wrong with it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import paddle
import pytest
import yaml
from paddle import nn
from sample_weights import sample_weights

from realesrgan_paddle.inference import export as module
from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.inference.graph.inference_yml import (
    Export,
    checked_export,
    inference_yml,
    read_tensors,
)
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.dygraph_runner import (
    DygraphRunner,
    load_dygraph,
)
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.tools import export_model
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.version import VERSION
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

SMALL = {"num_feat": 8, "num_block": 1, "num_grow_ch": 4}
SPECS = [
    RRDBNet(scale=4, **SMALL),
    RRDBNet(scale=2, **SMALL),
    RRDBNet(scale=1, **SMALL),
    SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4),
    SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2),
]
PIR = paddle.framework.use_pir_api()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of an exported x4 SRVGGNetCompact; not to be changed."""
    folder = tmp_path_factory.mktemp("export") / "infer"
    export(SPECS[3], sample_weights(SPECS[3]), folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the exported folder, to be damaged."""
    return shutil.copytree(exported, tmp_path / "copy")


def dygraph(spec):
    network = Network(spec)
    load_weights(network, sample_weights(spec))
    return DygraphRunner(network, spec.scale)


def picture(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_graph_is_the_network(spec, tmp_path):
    done = export(spec, sample_weights(spec), tmp_path / "deep" / "infer")
    files = {file.name for file in (tmp_path / "deep/infer").iterdir()}
    assert {
        "inference.pdmodel",
        "inference.pdiparams",
        "inference.pdiparams.info",
        "inference.yml",
    } <= files
    assert {file.name for file in done.files} == files
    assert ("inference.json" in files) == PIR == (not done.without_json)
    assert len(done.differences) == 3
    assert all(0 <= difference <= 1e-4 for difference in done.differences.values())
    export_of = checked_export(tmp_path / "deep/infer/inference.pdmodel")
    assert export_of.files.keys() == files - {"inference.yml"}
    check_read_back(spec, tmp_path / "deep/infer")

    graph = open_graph(tmp_path / "deep/infer", device="cpu", threads=1)
    assert graph.scale == spec.scale
    for size in ((1, 1), (7, 18), (30, 9)):
        image = picture(*size, 3)
        ours = Upscaler(graph, graph.scale)(image)
        assert ours.shape == (size[0] * spec.scale, size[1] * spec.scale, 3)
        assert (
            np.abs(ours.astype(int) - Upscaler(dygraph(spec), spec.scale)(image)).max()
            <= 1
        )


def test_a_network_with_a_state_is_exported_with_it(tmp_path, capsys):
    spec = RecurrentSRVGG(num_feat=16, num_conv=2, num_state=4)
    weights, folder = tmp_path / "net_g.pdparams", tmp_path / "infer"
    write_pdparams(weights, {"params": sample_weights(spec)})
    words = ["--model_dir", str(weights), "--save_inference_dir", str(folder)]
    assert export_model.main(words) == 0
    assert capsys.readouterr().out.count("largest difference from dygraph") == 3

    assert checked_export(folder / "inference.pdmodel").network == spec
    text = (folder / "inference.yml").read_text()
    assert "state is next_state of the step before" in text
    own = yaml.safe_load(text)["RealESRGAN"]
    assert own["input"]["name"] == "x"
    assert own["step"] == {
        "inputs": ["x", "before", "after", "state"],
        "outputs": ["output", "next_state"],
        "state_shape": [-1, 4, -1, -1],
    }
    images = picture(1, 3, 9, 14).astype(np.float32) / np.float32(255)
    expected = dygraph(spec)(images)
    for model, engine in ((folder, "auto"), (folder, "paddle"), (weights, "auto")):
        runner = open_runner(model, engine=engine, precision="fp32", device="cpu")
        assert runner.num_state == 4
        assert np.allclose(runner(images), expected, atol=1e-4)


def described_by(spec):
    return Export(network=spec, tensors=tuple(spec.tensor_shapes()), files={})


def check_read_back(spec, folder):
    """Check that the folder tells the network, and has its tensors."""
    program = folder / "inference.pdmodel"
    found = checked_export(program)
    assert found.network == spec
    tensors = read_tensors(program, found)
    expected = sample_weights(spec)
    assert list(tensors) == list(expected)
    for name, tensor in tensors.items():
        assert tensor.flags.carray
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, expected[name])


@pytest.mark.parametrize(
    "spec",
    [
        SRVGGNetCompact(num_feat=3, num_conv=11, upscale=3, act_type="relu"),
        SRVGGNetCompact(num_feat=1, num_conv=0, upscale=1, act_type="leakyrelu"),
        RDN(C=3, D=2, G=2, G0=5, x=1, upscaling="shuffle"),
        RRDN(C=1, D=2, G=2, G0=4, T=2, x=2),
    ],
    ids=str,
)
def test_a_network_is_read_back_from_its_export(spec, tmp_path):
    export(spec, sample_weights(spec), tmp_path)
    check_read_back(spec, tmp_path)


def test_the_graph_takes_batches_and_does_not_clip(exported):
    images = np.random.default_rng(1).random((3, 3, 5, 6), np.float32) * 3
    graph = open_graph(exported, device="cpu")
    assert graph(images).shape == (3, 3, 20, 24)
    assert np.abs(graph(images) - dygraph(SPECS[3])(images)).max() < 1e-4
    assert graph(images).max() > 1


def test_what_paddle_cannot_run_is_one_line(exported):
    graph = open_graph(exported, device="cpu", threads=1)
    with pytest.raises(UserError, match=r"cannot be run on \(1, 5, 8, 8\)") as error:
        graph(np.zeros((1, 5, 8, 8), np.float32))
    assert "\n" not in str(error.value)
    assert graph(np.zeros((1, 3, 8, 8), np.float32)).shape == (1, 3, 32, 32)


@pytest.mark.skipif(not PIR, reason="this Paddle has no PIR")
def test_the_pir_json_is_the_same_network(exported):
    images = np.random.default_rng(1).random((1, 3, 5, 6), np.float32)
    layer = paddle.jit.load(str(exported / "inference"))
    assert "program" in json.loads((exported / "inference.json").read_text())
    assert (
        np.abs(
            layer(paddle.to_tensor(images)).numpy() - dygraph(SPECS[3])(images)
        ).max()
        < 1e-5
    )


def test_a_graph_that_differs_is_not_written(tmp_path, monkeypatch):
    def load_wrong(folder, device):
        right = open_graph(folder, device=device)
        return lambda images: right(images) + np.float32(1e-3)

    monkeypatch.setattr(module, "open_graph", load_wrong)
    with pytest.raises(
        UserError, match=r"differs from the network by 0.001 for \(1, 3, 16, 16\)"
    ):
        export(SPECS[3], sample_weights(SPECS[3]), tmp_path / "infer")
    assert not (tmp_path / "infer").exists()


def test_weights_that_do_not_fit_write_nothing(tmp_path):
    with pytest.raises(UserError, match="do not fit"):
        export(SPECS[0], sample_weights(SPECS[3]), tmp_path / "infer")
    assert not (tmp_path / "infer").exists()


def test_a_gray_network_is_refused(tmp_path):
    spec = SRVGGNetCompact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=1)
    write_pdparams(tmp_path / "gray.pdparams", {"params": sample_weights(spec)})
    with pytest.raises(
        UserError, match=r"gray.pdparams: .*1 -> 1 channels; only networks from RGB"
    ):
        load_dygraph(tmp_path / "gray.pdparams")
    with pytest.raises(UserError, match="only networks from RGB"):
        export(spec, sample_weights(spec), tmp_path / "infer")


def test_a_pir_json_of_other_weights_is_removed(copy, monkeypatch):
    (copy / "inference.json").write_text("{}")
    monkeypatch.setattr(module, "_add_json", lambda *_: "for a test")
    export(SPECS[4], sample_weights(SPECS[4]), copy)
    assert not (copy / "inference.json").exists()
    assert open_graph(copy).scale == 2


def test_the_folder_says_what_the_graph_takes(exported):
    described = yaml.safe_load((exported / "inference.yml").read_text())
    assert described["Global"] == {"model_name": "SRVGGNetCompact_x4"}
    own = described["RealESRGAN"]
    assert SRVGGNetCompact(**own["network"]) == SPECS[3]
    assert (own["version"], own["scale"]) == (VERSION, 4)

    assert input_names(exported) == [own["input"]["name"]]
    decode, normalize, to_chw = described["PreProcess"]["transform_ops"]
    assert decode["DecodeImage"]["img_mode"] == own["input"]["color_order"] == "RGB"
    assert normalize["NormalizeImage"]["scale"] * 255 == 1
    assert to_chw == {"ToCHWImage": None}


@pytest.mark.parametrize(("spec", "multiple"), [(SPECS[1], 2), (SPECS[2], 4)])
def test_the_folder_says_which_sizes_the_graph_takes(spec, multiple):
    described = yaml.safe_load(inference_yml(described_by(spec), "x"))
    assert described["RealESRGAN"]["input"]["size_multiple"] == multiple


def input_names(folder):
    config = paddle.inference.Config(
        str(folder / "inference.pdmodel"), str(folder / "inference.pdiparams")
    )
    config.disable_glog_info()
    predictor = paddle.inference.create_predictor(config)
    return predictor.get_input_names()


def test_our_own_yml_is_replaced_and_a_foreign_one_left(copy):
    done = export(SPECS[4], sample_weights(SPECS[4]), copy)
    written = (copy / "inference.yml").read_text()
    assert done.without_yml == ""
    assert "SRVGGNetCompact_x2" in written

    (copy / "inference.yml").write_text("Global: {model_name: UVDoc}")
    done = export(SPECS[3], sample_weights(SPECS[3]), copy)
    assert "inference.yml is not of this project" in done.without_yml
    assert (copy / "inference.yml").read_text() == "Global: {model_name: UVDoc}"
    assert copy / "inference.yml" not in done.files
    assert open_graph(copy).scale == 4


def test_training_goes_on_after_an_export(tmp_path):
    network = Network(SPECS[3])
    export(SPECS[3], sample_weights(SPECS[3]), tmp_path)
    network(paddle.ones([1, 3, 4, 4])).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


class Foreign(nn.Layer):
    """Somebody else's network: x3, or no upscaler at all."""

    def __init__(self, upscales):
        super().__init__()
        self.upscales = upscales
        self.gain = self.create_parameter(
            [1], default_initializer=nn.initializer.Constant(1.0)
        )

    def forward(self, image):
        image = image * self.gain
        return (
            nn.functional.interpolate(image, scale_factor=3, mode="nearest")
            if self.upscales
            else image.mean([2, 3])
        )


def save_foreign(layer, prefix):
    with module._old_ir():
        paddle.jit.save(
            layer,
            str(prefix),
            input_spec=[paddle.static.InputSpec([-1, 3, -1, -1], name="image")],
        )


def test_a_graph_exported_elsewhere_runs(tmp_path):
    """The soccer project's exports have no metadata: the scale is found by running them."""
    save_foreign(Foreign(upscales=True), tmp_path / "model")
    image = picture(5, 6, 3)
    graph = open_graph(tmp_path / "model.pdmodel")
    sr = Upscaler(graph, graph.scale)(image)
    assert (sr == image.repeat(3, 0).repeat(3, 1)).all()


def test_a_graph_that_is_no_upscaler_is_refused(tmp_path):
    save_foreign(Foreign(upscales=False), tmp_path / "inference")
    with pytest.raises(UserError, match=r"makes \(1, 3\) of \(1, 3, 4, 4\)"):
        open_graph(tmp_path)


@pytest.mark.parametrize("name", ["inference.pdmodel", "inference.pdiparams"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file.*export_model.py"):
        open_graph(copy)


@pytest.mark.parametrize(
    ("name", "size"),
    [("pdmodel", 2000), ("pdmodel", 0), ("pdiparams", 3000), ("pdiparams", 0)],
)
def test_a_truncated_file_is_named(copy, name, size):
    with (copy / f"inference.{name}").open("r+b") as file:
        file.truncate(size)
    with pytest.raises(
        UserError, match=r"inference.pdmodel.*(damaged|not a Paddle program)"
    ):
        open_graph(copy)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b"\x89PNG\r\n\x1a\n", "not a Paddle program"),
    ],
)
def test_files_of_other_kinds_are_refused_as_programs(copy, content, message):
    (copy / "inference.pdmodel").write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_graph(copy)


def test_weights_of_another_network_are_refused(copy, tmp_path):
    export(SPECS[0], sample_weights(SPECS[0]), tmp_path / "other")
    shutil.copy(tmp_path / "other/inference.pdiparams", copy)
    with pytest.raises(UserError, match=r"inference\.pdiparams is damaged"):
        open_graph(copy)


def test_a_json_alone_is_not_run(copy):
    (copy / "inference.json").touch()
    (copy / "inference.pdmodel").unlink()
    assert is_exported(copy)
    with pytest.raises(
        UserError, match=r"no such file \(the .json beside it.*export_model.py"
    ):
        open_graph(copy)


def test_weights_and_graphs_are_not_mixed_up(exported, tmp_path):
    write_pdparams(tmp_path / "x.pdparams", {"params": sample_weights(SPECS[3])})
    with pytest.raises(UserError, match=r"run weights with tools/predict.py"):
        open_graph(tmp_path / "x.pdparams")
    with pytest.raises(UserError, match=r"run it with tools/infer.py"):
        load_dygraph(exported)


def test_upscaler_load_takes_weights_and_graphs(exported, tmp_path):
    write_pdparams(tmp_path / "x.pdparams", {"params": sample_weights(SPECS[3])})
    image = picture(9, 12, 4)
    from_weights = Upscaler.load(str(tmp_path / "x.pdparams"), device="cpu", tile=5)
    from_graph = Upscaler.load(exported, tile=5, threads=1)
    assert from_weights.scale == from_graph.scale == 4
    assert np.abs(from_weights(image).astype(int) - from_graph(image)).max() <= 1


def test_a_larger_image_later_does_not_take_more_memory(tmp_path):
    """At its first run a predictor plans which tensors share memory.

    Without sharing, the 35 tensors of this network would take 0.6 GB.
    """
    spec = SRVGGNetCompact()
    export(spec, sample_weights(spec), tmp_path)
    code = (
        "import sys, resource, numpy as np\n"
        "from realesrgan_paddle.inference.runners.static_runner import open_graph\n"
        "run = open_graph(sys.argv[1], device='cpu')\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for size in (16, 32, 256):\n"
        "    run(np.zeros((1, 3, size, size), np.float32))\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 250_000, "KiB on Linux"
