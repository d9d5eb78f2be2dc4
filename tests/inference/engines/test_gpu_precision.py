"""fp16 and TensorRT: what Paddle's predictor is told. No GPU is needed, and none is used."""

import re

import numpy as np
import paddle
import pytest
from paddle import inference
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.runners import static_runner, tensorrt
from realesrgan_paddle.inference.runners.static_runner import StaticRunner, open_graph
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

SPEC = SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2)
HALF = inference.PrecisionType.Half
FLOAT = inference.PrecisionType.Float32
Config = inference.Config
create_predictor = inference.create_predictor


class Recording:
    """A `Config` that notes what it is told; it checks it too, but for TensorRT."""

    def __init__(self, *files):
        self.config = Config(*files)
        self.told = {}

    def __getattr__(self, name):
        method = getattr(self.config, name)

        def note(*arguments, **named):
            self.told[name] = named or arguments
            if name != "enable_tensorrt_engine":  # this Paddle was built without
                return method(*arguments, **named)
            return None

        return note


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Return a runner whose next configurations are `Recording`s for a GPU."""
    export(SPEC, sample_weights(SPEC), tmp_path / "infer")
    runner = open_graph(tmp_path / "infer", device="cpu")
    runner.chosen = "gpu"
    monkeypatch.setattr(static_runner.inference, "Config", Recording)
    monkeypatch.setattr(
        inference, "create_predictor", lambda config: create_predictor(config.config)
    )
    return runner


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the user's cache, of a machine with a GPU."""
    name = ["H200"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        paddle.device.cuda, "get_device_name", lambda _: name[0], raising=False
    )
    return tmp_path / "cache", name


@pytest.mark.parametrize(("precision", "kind"), [("fp32", FLOAT), ("fp16", HALF)])
def test_a_gpu_computes_in_the_precision_asked_for(runner, precision, kind):
    runner.precision = precision
    config = runner._config(np.zeros((1, 3, 8, 8), np.float32))
    assert config.told["enable_use_gpu"] == (100, 0, kind)
    assert "enable_tensorrt_engine" not in config.told


def test_tensorrt_gets_the_sizes_that_were_seen_and_stores_its_engine(runner, cache):
    runner.precision, runner.trt = "fp16", True
    ranges = []
    for _ in range(2):
        config = runner._config(np.zeros((1, 3, 48, 40), np.float32))
        engine = config.told["enable_tensorrt_engine"]
        assert engine["precision_mode"] == HALF
        assert engine["use_static"] is True
        path, build_at_runtime = config.told["enable_tuned_tensorrt_dynamic_shape"]
        assert build_at_runtime is True
        assert path.startswith(config.told["set_optim_cache_dir"][0])
        ranges.append(path)
    assert ranges[0] == ranges[1], "the second run finds the first one's"
    assert ranges[0].startswith(str(cache[0]))


def test_an_engine_is_not_taken_for_another_size_or_gpu(cache, tmp_path):
    for name in ("a", "b", "w"):
        (tmp_path / name).write_text(name)
    folders = set()
    for gpu in ("H200", "T4"):
        cache[1][0] = gpu
        for shape in ((1, 3, 8, 8), (1, 3, 8, 16)):
            for program in ("a", "b"):
                files = (str(tmp_path / program), str(tmp_path / "w"))
                folders.add(tensorrt._cache_folder(files, shape))
    assert len(folders) == 8


def test_the_sizes_reach_from_small_images_to_the_largest(runner, cache):
    images = np.zeros((1, 3, 48, 20), np.float32)
    config = runner._device_config()
    path = tensorrt.collect_ranges(config, runner.files, images)
    (of_input,) = re.findall(r'{\s*name: "x"([^}]*)}', path.read_text())
    ranges = re.findall(r"(min|max|opt)_shape: (\d+)", of_input)
    for name, shape in (("min", "32 20"), ("max", "48 20"), ("opt", "48 20")):
        sides = [side for kind, side in ranges if kind == name]
        assert " ".join(sides) == f"1 3 {shape}"


@pytest.mark.skipif(
    any(inference.get_trt_compile_version()), reason="this Paddle has TensorRT"
)
def test_a_paddle_without_tensorrt_is_one_line(tmp_path):
    program = tmp_path / "inference.pdmodel"
    export(SPEC, sample_weights(SPEC), tmp_path)
    with pytest.raises(UserError, match=r"--trt: .*built without TensorRT"):
        StaticRunner(program, program.with_suffix(".pdiparams"), "gpu", 1, trt=True)
