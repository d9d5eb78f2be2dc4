"""The engine computes what Paddle computes, for every network, size and precision."""

import ctypes
import mmap
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sample_weights import tensors_of

from realesrgan_paddle.inference.engine import engine as engine_module
from realesrgan_paddle.inference.engine import operators
from realesrgan_paddle.inference.engine.engine import Engine, why_not
from realesrgan_paddle.inference.engine.primitives import PreparedWeights, Sum, SumSpec
from realesrgan_paddle.inference.engine.winograd import (
    A2,
    B2,
    A,
    B,
    biases_of,
    kinds_of,
)
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.ops.onednn.convolutions import plus, times
from realesrgan_paddle.ops.onednn.library import F32, library
from realesrgan_paddle.ops.onednn.primitives import BLOCK
from realesrgan_paddle.utils.machine import devices
from realesrgan_paddle.utils.machine.devices import running_elsewhere
from realesrgan_paddle.utils.machine.memory import AddressRange

NETWORKS = [
    RRDBNet(num_block=1, num_feat=32, num_grow_ch=16),
    RRDBNet(num_block=2, num_feat=16, num_grow_ch=16, scale=2),
    RRDBNet(num_block=1, num_feat=16, num_grow_ch=32, scale=1),
    SRVGGNetCompact(num_conv=2, num_feat=24),
    SRVGGNetCompact(num_conv=1, num_feat=16, upscale=2, act_type="relu"),
    SRVGGNetCompact(num_conv=3, num_feat=20, upscale=1, act_type="leakyrelu"),
    RecurrentSRVGG(num_conv=2, num_feat=16),
    RDN(C=2, D=2, G=16, G0=32, x=2),
    RDN(C=3, D=1, G=32, G0=16, x=4, upscaling="shuffle"),
    RRDN(C=2, D=2, G=16, G0=16, T=2, x=4),
    RRDN(C=1, D=1, G=16, G0=32, T=1, x=2),
]
SIZES = [(4, 4), (16, 8), (20, 12), (12, 36)]
"""Multiples of 4, which RRDBNet of scale 1 needs."""
ROUNDING = 1e-6
"""Largest difference, relative to the largest value, of the same sums in another order."""
ODD_SIZES = [(1, 1), (5, 3), (7, 34), (18, 9), (3, 1)]


def expected_of(
    description: Generator, tensors: dict[str, np.ndarray], image: np.ndarray
) -> np.ndarray:
    """Return what Paddle's own operators compute."""
    import paddle

    from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.weights.assign import load_weights

    paddle.set_device("cpu")
    network = Network(description)
    load_weights(network, tensors)
    return DygraphRunner(network, description.scale)(image)


def image_of(height: int, width: int) -> np.ndarray:
    """Return a random image, (1, 3, H, W)."""
    return np.random.default_rng(2).random((1, 3, height, width), np.float32)


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
@pytest.mark.parametrize("description", NETWORKS, ids=str)
def test_the_engine_equals_paddle(description):
    tensors = tensors_of(description)
    engine = Engine(description, tensors)

    any_size = not isinstance(description, RRDBNet) or description.scale == 4
    for height, width in SIZES + (ODD_SIZES if any_size else []):
        image = image_of(height, width)
        expected = expected_of(description, tensors, image)
        found = engine(image)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
@pytest.mark.skipif(BLOCK == 8, reason="the test above has shown it")
def test_the_engine_equals_paddle_without_avx512(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    command = [sys.executable, "-m", "pytest", "-n0", "-q", __file__]
    command += ["-k", test_the_engine_equals_paddle.__name__, "-m", "not slow"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.paddle
@pytest.mark.parametrize("description", NETWORKS, ids=str)
def test_bf16_is_close_to_float32(description, has_bf16):
    tensors = tensors_of(description)
    image = image_of(20, 24)
    exact = Engine(description, tensors)(image)
    found = Engine(description, tensors, "bf16")(image)
    error = np.sqrt(np.mean((found - exact) ** 2)) / np.std(exact)
    assert 0 < error < 0.02


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_a_size_may_come_again_after_another():
    description = SRVGGNetCompact(num_conv=1, num_feat=16)
    engine = Engine(description, tensors_of(description))
    random = np.random.default_rng(3)
    images = [random.random((1, 3, *size), np.float32) for size in [(8, 9), (5, 4)]]
    first = [engine(image) for image in images]
    again = [engine(image) for image in images]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_a_repetition_depends_on_nothing_but_the_image():
    description = RRDBNet(num_block=1, num_feat=16, num_grow_ch=16)
    engine = Engine(description, tensors_of(description))
    random = np.random.default_rng(3)
    images = [random.random((1, 3, 12, 10), np.float32) for _ in range(3)]
    in_turn = [engine(image) for image in [*images, *images]]
    for image, found in zip([*images, *images], in_turn, strict=True):
        fresh = Engine(description, tensors_of(description))(image)
        np.testing.assert_array_equal(found, fresh)


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_cores_that_others_keep_busy_are_left_to_them(monkeypatch):
    description = SRVGGNetCompact(num_conv=1, num_feat=16)
    looks = iter([0, 0, 9, 9, 9, 9, 0, 0, 0])
    monkeypatch.setattr(engine_module, "running_elsewhere", lambda: next(looks))
    monkeypatch.setattr(engine_module.os, "cpu_count", lambda: 4)
    engine = Engine(description, tensors_of(description), threads=3)
    image = np.random.default_rng(3).random((1, 3, 24, 20), np.float32)
    expected = engine(image)
    threads = [library().threads]
    for _ in range(7):
        np.testing.assert_array_equal(engine(image), expected)
        threads.append(library().threads)
    # One look that is out of line changes nothing.
    assert threads == [3, 3, 3, 1, 1, 1, 1, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what runs")
def test_what_runs_elsewhere_is_counted(monkeypatch):
    monkeypatch.setattr(devices, "core_count", os.cpu_count)
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(2)]
    try:
        time.sleep(0.2)
        assert max(running_elsewhere() for _ in range(20)) >= 2
        # On the cores that this process may not use, others disturb nobody.
        monkeypatch.setattr(devices, "core_count", lambda: 0)
        assert running_elsewhere() == 0
    finally:
        for process in others:
            process.kill()
            process.wait()
    monkeypatch.setattr(devices, "core_count", os.cpu_count)
    monkeypatch.setattr(Path, "read_text", lambda path: "no numbers here")
    assert running_elsewhere() == 0


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
@pytest.mark.parametrize("height", [37, 40, 64])
def test_bands_give_the_same_image(monkeypatch, height):
    description = RRDBNet(num_block=1, num_feat=16, num_grow_ch=16)
    tensors = tensors_of(description)
    image = image_of(height, 11)
    whole = Engine(description, tensors)(image)

    monkeypatch.setattr(operators, "BAND_PIXELS", 8 * 11)
    found = Engine(description, tensors)(image)
    assert np.abs(found - whole).max() < ROUNDING * np.abs(whole).max()


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_strips_with_the_radius_give_the_same_image():
    description = SRVGGNetCompact(num_conv=2, num_feat=16)
    engine = Engine(description, tensors_of(description))
    image = image_of(64, 13)
    whole = engine(image)
    scale = description.scale

    begin, end, pad = 24, 40, engine.radius
    assert begin % engine.multiple == pad % engine.multiple == 0
    strip = engine(np.ascontiguousarray(image[:, :, begin - pad : end + pad]))
    kept = strip[:, :, pad * scale : (pad + end - begin) * scale]
    expected = whole[:, :, begin * scale : end * scale]
    assert np.abs(kept - expected).max() < ROUNDING * np.abs(whole).max()

    outside = image.copy()
    outside[:, :, begin - pad] += 1
    changed = engine(outside)[:, :, begin * scale]
    assert np.abs(changed - whole[:, :, begin * scale]).max() > 1e-3


@pytest.mark.usefixtures("avx2")
@pytest.mark.paddle
def test_an_image_that_does_not_fit_is_a_memory_error(monkeypatch):
    description = SRVGGNetCompact(num_conv=1, num_feat=16)
    engine = Engine(description, tensors_of(description))
    monkeypatch.setattr(engine_module, "free_memory", lambda: 2**22)
    with pytest.raises(MemoryError):
        engine(image_of(128, 128))
    assert engine(image_of(16, 16)).shape == (1, 3, 64, 64)

    # The upscaler halves its tiles until they fit.
    pixels = np.random.default_rng(4).integers(0, 256, (128, 128, 3), np.uint8)
    said: list[str] = []
    tiled = Upscaler(engine, 4, tile=0, log=said.append)(pixels)
    monkeypatch.undo()
    whole = Upscaler(engine, 4)(pixels).astype(int)
    assert "out of memory on 128x128 pixels" in said[0]
    assert np.abs(tiled - whole).max() <= 1


@pytest.mark.usefixtures("avx2")
def test_a_tile_is_not_computed_twice_in_the_same_precision():
    description = SRVGGNetCompact(num_conv=1, num_feat=16)
    engine = Engine(description, tensors_of(description))
    assert engine.exact() is engine


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (RRDBNet(num_feat=20), f"its 20 channels are no multiple of {BLOCK}"),
        (RRDN(G=4), f"its 4 channels are no multiple of {BLOCK}"),
        (SRVGGNetCompact(num_feat=4), f"its 4 features are fewer than {BLOCK}"),
        (SRVGGNetCompact(upscale=3), "it upscales by 3"),
        (RRDBNet(num_in_ch=1), "it is no network from RGB to RGB"),
    ],
)
def test_what_it_cannot_run(description, reason):
    assert why_not(description) == reason


def test_the_six_products_make_a_convolution():
    random = np.random.default_rng(0)
    d = random.random(6)
    weight, bias = random.random((1, 1, 3, 1)), random.random(1)
    t = [
        A2 * B2 * d[0] - (A2 + B2) * d[2] + d[4],
        d[4] - B2 * d[2] + A * (d[3] - B2 * d[1]),
        d[4] - B2 * d[2] - A * (d[3] - B2 * d[1]),
        d[4] - A2 * d[2] + B * (d[3] - A2 * d[1]),
        d[4] - A2 * d[2] - B * (d[3] - A2 * d[1]),
        A2 * B2 * d[1] - (A2 + B2) * d[3] + d[5],
    ]
    kinds = [float(kind.item()) for kind in kinds_of(weight)]
    biases = [float(bias.item()) for bias in biases_of(bias)]
    m = [x * w + b for x, w, b in zip(t, kinds, biases, strict=True)]

    found = [
        m[0] + m[1] + m[2] + m[3] + m[4],
        A * (m[1] - m[2]) + B * (m[3] - m[4]),
        A2 * (m[1] + m[2]) + B2 * (m[3] + m[4]),
        A**3 * (m[1] - m[2]) + B**3 * (m[3] - m[4]) + A**3 * m[5],
    ]
    taps = weight.ravel()
    expected = [d[i : i + 3] @ taps + bias[0] for i in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def prepared(value: float) -> bytes:
    """Return a constant weight as oneDNN wants it."""
    weight = np.full((BLOCK, BLOCK, 1, 3), value, np.float32)
    bias = np.zeros(BLOCK, np.float32)
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


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts what is reserved")
def test_a_process_with_many_ranges_may_fork():
    size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE
    ranges = [AddressRange(size) for _ in range(20)]
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert len({memory.address for memory in ranges}) == 20
