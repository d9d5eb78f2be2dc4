"""The generator that CONTRIBUTING.md adds as an example works as the page says."""

import importlib.util
import re

import numpy as np
import paddle
import pytest
from places import ROOT
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.models.networks import known
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.ops.choose import float32_ops
from realesrgan_paddle.ops.plain import PLAIN

pytestmark = pytest.mark.paddle

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def espcn(tmp_path, monkeypatch):
    """Return the class in the page's first Python block, listed among the generators."""
    (code, *_) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "espcn.py"
    path.write_text(code, encoding="utf-8")

    module_spec = importlib.util.spec_from_file_location("espcn", path)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    monkeypatch.setattr(known, "GENERATORS", (*known.GENERATORS, module.ESPCN))
    return module.ESPCN


def test_the_example_is_recognized_upscales_and_exports(espcn, tmp_path):
    small = espcn(num_feat=8, scale=2)
    tensors = sample_weights(small)
    assert known.recognize(tensors) == small

    export(small, tensors, tmp_path / "infer")
    images = np.random.default_rng(0).random((1, 3, 9, 14), np.float32)
    output = open_graph(tmp_path / "infer", device="cpu")(images)
    assert output.shape == (1, 3, 18, 28)


def test_the_example_gives_the_same_on_onednns_operators(espcn):
    network = Network(espcn(num_feat=16))
    x = paddle.rand([1, 3, 10, 12])
    expected = network(x).numpy()

    network.ops = float32_ops()
    if network.ops is PLAIN:
        pytest.skip("Paddle's own operators are faster here")
    np.testing.assert_allclose(network(x).numpy(), expected, atol=1e-5)
