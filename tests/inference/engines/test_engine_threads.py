"""The engine in several threads, and with many sizes of images."""

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from realesrgan_paddle.inference.engine.primitives import PreparedWeights, Sum, SumSpec
from realesrgan_paddle.ops.onednn.convolutions import plus, times
from realesrgan_paddle.ops.onednn.library import F32, library

CHANNELS = 16


def prepared(value: float) -> bytes:
    """Return a constant weight as oneDNN wants it."""
    weight = np.full((CHANNELS, CHANNELS, 1, 3), value, np.float32)
    bias = np.zeros(CHANNELS, np.float32)
    weights = PreparedWeights([weight] * 6, [bias] * 6, None, F32)
    return b"".join(ctypes.string_at(at, weight.nbytes) for at in weights.kinds)


@pytest.mark.paddle
def test_what_onednn_made_for_a_size_is_freed(monkeypatch):
    alive = {"memory_desc": 0, "primitive_attr": 0, "post_ops": 0}
    call = type(library()).call

    def counted(self, name, *arguments):
        for kind in alive:
            alive[kind] += name.startswith(f"dnnl_{kind}_create")
            alive[kind] -= name == f"dnnl_{kind}_destroy"
        call(self, name, *arguments)

    monkeypatch.setattr(type(library()), "call", counted)
    spec = SumSpec(1234, 2.0, 1.0, (F32, F32), (plus(F32), times(0.5)), F32)
    Sum(spec)
    assert alive == {"memory_desc": 0, "primitive_attr": 0, "post_ops": 0}


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_two_engines_may_prepare_their_weights_at_once(monkeypatch):
    expected = [prepared(1.0), prepared(2.0)]
    set_address = library().set_address

    def slow(*arguments):
        status = set_address(*arguments)
        time.sleep(0.002)
        return status

    monkeypatch.setattr(library(), "set_address", slow)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(prepared, [1.0, 2.0])) == expected
