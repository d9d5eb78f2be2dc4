"""The engine in several threads, and with many sizes of images."""

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from realesrgan_paddle.models.inference.engine.primitives import PreparedWeights
from realesrgan_paddle.utils.ops.onednn.library import F32, library

CHANNELS = 16


def prepared(value: float) -> bytes:
    """Return a constant weight as oneDNN wants it."""
    weight = np.full((CHANNELS, CHANNELS, 1, 3), value, np.float32)
    bias = np.zeros(CHANNELS, np.float32)
    weights = PreparedWeights([weight] * 6, [bias] * 6, None, F32)
    return b"".join(ctypes.string_at(at, weight.nbytes) for at in weights.kinds)


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
