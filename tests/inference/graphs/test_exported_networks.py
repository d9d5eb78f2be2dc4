"""What the engine runs by inference.yml, and what is said where the files disagree with it."""

import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from plain_graphs import SPECS, parameter_file, recorded_graph
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.graph.inference_yml import MARK, OWN_PART
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import infer
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.images import write_image

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("avx2")]

SPEC = SRVGGNetCompact(num_feat=16, num_conv=1, upscale=2)
IMAGES = np.random.default_rng(0).random((1, 3, 8, 12), np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return the folder of an exported network; not to be changed."""
    folder = tmp_path_factory.mktemp("export") / "infer"
    export(SPEC, sample_weights(SPEC), folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def set_own(folder, change):
    """Change our part of a folder's inference.yml by a function."""
    path = folder / "inference.yml"
    head, rest = path.read_text().split("\n", 1)
    parts = yaml.safe_load(rest)
    change(parts[OWN_PART])
    path.write_text(f"{head}\n{yaml.safe_dump(parts)}")


def rehash(folder):
    """Let the inference.yml agree with the files, as a forger would."""
    set_own(
        folder,
        lambda own: own.update(
            files={name: sha256_of(folder / name) for name in own["files"]}
        ),
    )


def refusal(folder, **flags):
    """Return the one line with which a graph is refused."""
    with pytest.raises(UserError) as error:
        open_runner(folder, device="cpu", **flags)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_that_were_not_exported_are_refused(copy):
    """Zeroed weights too, of which each engine would make an image of one color."""
    program, weights = copy / "inference.pdmodel", copy / "inference.pdiparams"
    sound = program.read_bytes()
    for path in (program, weights):
        content = bytearray(path.read_bytes())
        content[-64:] = bytes(64)
        path.write_bytes(content)
        for engine in ("auto", "onednn", "paddle"):
            line = refusal(copy, engine=engine)
            assert line.startswith(f"{path}: not the file that was exported: its sha")
            assert "to run the graph as it is in Paddle's predictor" in line
        program.write_bytes(sound)


def test_another_networks_onnx_is_refused(copy, tmp_path):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    other = SRVGGNetCompact(num_feat=8, num_conv=1, upscale=4)
    export(other, sample_weights(other), tmp_path / "other", onnx=True)
    shutil.copy(tmp_path / "other/inference.onnx", copy)
    line = refusal(copy, engine="onnxruntime")
    assert line.startswith(f"{copy}/inference.onnx: inference.yml beside it lists no")

    set_own(copy, lambda own: own["files"].update({"inference.onnx": "0" * 64}))
    line = refusal(copy, engine="onnxruntime")
    assert line.startswith(f"{copy}/inference.onnx: not the file that was exported")
    assert "to run the graph as it is with --engine openvino or onnxruntime" in line

    (copy / "inference.yml").unlink()
    assert open_runner(copy, engine="onnxruntime").scale == 4


@pytest.mark.parametrize("name", SPECS)
def test_a_plain_graph_runs_in_paddle_and_says_why(name, tmp_path):
    """Paddle 2.6.2 wrote it. It computes what the network computes."""
    from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.weights.assign import load_weights

    tensors = recorded_graph(name, tmp_path)
    runner = open_runner(tmp_path, device="cpu", threads=1)
    assert (
        "with Paddle's predictor (auto: it has no inference.yml; export it again with "
        "tools/export_model.py for the fast engine), in fp32"
    ) in runner.device

    network = Network(SPECS[name])
    load_weights(network, tensors)
    expected = DygraphRunner(network, runner.scale)(IMAGES)
    np.testing.assert_allclose(runner(IMAGES), expected, atol=1e-5)

    line = refusal(tmp_path, engine="onednn")
    assert line.startswith(f"{tmp_path}: it has no inference.yml; export it again with")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"{MARK} 0.1.0\n{OWN_PART}: {{version: 0.1.0, scale: 2}}\n", "older version"),
        ("Global: {model_name: UVDoc}\n", "of another program"),
    ],
)
def test_an_older_or_foreign_yml_is_none(content, reason, copy):
    (copy / "inference.yml").write_text(content)
    assert reason in open_runner(copy, device="cpu", threads=1).device
    assert reason in refusal(copy, engine="onednn")
    assert reason in refusal(copy, precision="int8")


def test_a_renamed_graph_has_no_yml(copy):
    for name in ("pdmodel", "pdiparams"):
        (copy / f"inference.{name}").rename(copy / f"x2.{name}")
    runner = open_runner(copy / "x2.pdmodel", device="cpu", threads=1)
    assert "(auto: no inference.yml tells what x2.pdmodel is; export" in runner.device


def test_the_first_line_of_a_command_says_it(copy, tmp_path, capsys):
    write_image(tmp_path / "in" / "a.png", np.zeros((8, 8, 3), np.uint8))
    words = ["--input", f"{tmp_path}/in", "--output", f"{tmp_path}/out"]
    words += ["--model_path", str(copy), "--device", "cpu"]
    assert infer.main(words) == 0
    assert "the oneDNN engine" in capsys.readouterr().out.splitlines()[0]
    (copy / "inference.yml").unlink()
    assert infer.main([*words, "--suffix", "again"]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert "export it again with tools/export_model.py for the fast engine" in line


def test_the_engine_needs_no_paddle(exported):
    """And Paddle can be imported later."""
    code = (
        "import sys\n"
        "from realesrgan_paddle.inference.graph.paddle_files import framework_proto\n"
        "from realesrgan_paddle.inference.open_runner import open_runner\n"
        "print(open_runner(sys.argv[1], device='cpu').device)\n"
        "assert 'paddle' not in sys.modules\n"
        "before = framework_proto()\n"
        "from paddle.base.proto import framework_pb2\n"
        "assert framework_pb2 is before is framework_proto()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(exported)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the oneDNN engine (auto: a network that it knows)" in done.stdout


def own(**changed):
    """Return a change of the keys of our part; None removes one."""

    def change(part):
        part.update(changed)
        for key in [key for key, value in changed.items() if value is None]:
            del part[key]

    return change


LARGE = {"type": "RDN", "C": 4096, "D": 4096, "G": 4096, "G0": 4096, "x": 4}
DEEP = {"type": "RRDBNet", "num_block": 4096}


FORGED = [
    (own(files=None), "files: Field required"),
    (own(files={"inference.pdmodel": "0"}), "files.inference.pdmodel: "),
    (own(files=["inference.pdmodel"]), "files: "),
    (own(files={}), "lists no such file"),
    (own(tensors=None), "tensors: Field required"),
    (own(tensors="body.0.weight"), "tensors: "),
    (own(tensors=[["body.0.weight"]]), "tensors.0: "),
    (own(tensors=["x" * 201]), "tensors.0: "),
    (own(tensors=[]), "it has not the 0 tensors"),
    (own(tensors=["body.0.weight"]), "it has not the 1 tensors"),
    (own(tensors=["body.0.weight"] * 8), "it has not the 8 tensors"),
    (own(tensors=["body.0.weight"] * 5000), "it ends within a tensor"),
    (lambda part: part["tensors"].reverse(), "body.0.weight has shape [16]"),
    (own(network=None), "network: "),
    (own(network={"type": "Other"}), "network: "),
    (own(network={**SPEC.model_dump(), "num_conv": -1}), "num_conv: "),
    (
        own(network={**SPEC.model_dump(), "upscale": 4}),
        "those of SRVGGNetCompact x2",
    ),
    (own(network={**SPEC.model_dump(), "act_type": "relu"}), "inference.yml says"),
    (own(network=LARGE), "inference.yml says RDN"),
    (own(network=DEEP), "inference.yml says RRDBNet"),
]


def test_a_yml_that_says_something_else_is_refused(copy):
    sound = (copy / "inference.yml").read_text()
    for change, message in FORGED:
        (copy / "inference.yml").write_text(sound)
        set_own(copy, change)
        start = time.process_time()
        line = refusal(copy)
        assert time.process_time() - start < 2
        assert message in line
        assert f"{copy}/inference." in line
        assert "tools/export_model.py" in line


DAMAGED = [
    ("", "no part RealESRGAN"),
    ("- 1", "no part RealESRGAN"),
    ("RealESRGAN: [", "damaged"),
    ("RealESRGAN: \t1", "damaged"),
    ("RealESRGAN: " + "[" * 100_000, "damaged"),
    ("a: &a [x]\nRealESRGAN: *a", "an anchor or an alias"),
    ("RealESRGAN: !!python/object:os.system {}", "damaged"),
    ("RealESRGAN: \xff", "damaged"),
    ("RealESRGAN: {files: {}, tensors: !!int ''}", "damaged"),
    ("RealESRGAN: {files: " + "1:" * 400_000 + "1}", "network: "),
    ("RealESRGAN: {files: {}, tensors: !!float " + "1:" * 400_000 + "1}", "damaged"),
    ("x" * (1 << 20), "larger than 1 MiB"),
]


def test_a_damaged_yml_is_one_line(copy):
    for content, message in DAMAGED:
        text = f"{MARK}\n{content}"
        (copy / "inference.yml").write_bytes(text.encode("latin-1"))
        start = time.process_time()
        line = refusal(copy)
        assert time.process_time() - start < 2
        assert line.startswith(f"{copy}/inference.yml: damaged (")
        assert message in line


def test_no_file_in_the_place_of_a_yml_waits(copy):
    (copy / "inference.yml").unlink()
    os.mkfifo(copy / "inference.yml")
    assert "of another program" in refusal(copy, engine="onednn")


def test_weights_that_agree_with_the_yml_alone_are_refused(copy):
    """Its sha256 is a stranger's word, too."""
    arrays = [np.ones((2, 3), np.float32)] * 7
    (copy / "inference.pdiparams").write_bytes(parameter_file(arrays))
    rehash(copy)
    assert "inference.pdiparams: " in refusal(copy)
