"""Which operators train, and why; what is refused."""

import ctypes
import sys

import paddle
import pytest
from sample_runs import write_yml

from realesrgan_paddle.ops import choose, trial
from realesrgan_paddle.ops.choose import choose_ops, float32_ops, in_float32
from realesrgan_paddle.ops.onednn.library import (
    BF16,
    F32,
    Library,
    OneDNNError,
    library,
)
from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.ops.training.convolution import ConvolutionLayer
from realesrgan_paddle.ops.training.operators import OneDNNOps
from realesrgan_paddle.ops.trial import Trial, start_trial, trial_result
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.build import build_step
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import has_bf16

pytestmark = pytest.mark.paddle


@pytest.fixture
def onednn():
    try:
        return library()
    except OneDNNError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def untried():
    """Forget what other tests have tried."""
    start_trial.cache_clear()
    trial_result.cache_clear()
    yield
    start_trial.cache_clear()
    trial_result.cache_clear()


def found(onednn_ms, plain_ms, bf16_difference=None):
    return lambda: Trial(4e-7, bf16_difference, onednn_ms, plain_ms)


def in_the_trial(monkeypatch, program):
    """Run `program` in place of the trial, and return what is chosen then."""
    monkeypatch.setattr(trial, "COMMAND", (sys.executable, "-c", program))
    return choose_ops("auto")


def test_a_trial_compares_and_times_both(onednn):
    result = trial_result()
    assert 0 < result.difference < 1e-5
    assert (result.bf16_difference is not None) == has_bf16()
    assert min(result.onednn_ms, result.plain_ms) > 0.5


def test_auto_chooses_the_faster_and_names_both_times(onednn, monkeypatch):
    monkeypatch.setattr(choose, "trial_result", found(20, 110))
    ops, reason = choose_ops("auto")
    assert ops == OneDNNOps()
    assert onednn.version in reason
    assert str(onednn.path) in reason
    assert "a small step takes 20 ms, with Paddle's own 110 ms" in reason

    monkeypatch.setattr(choose, "trial_result", found(33, 27))
    ops, reason = choose_ops("auto")
    assert ops is PLAIN
    assert "a small step takes 27 ms, with oneDNN" in reason
    assert "33 ms" in reason


@pytest.mark.usefixtures("onednn")
def test_auto_takes_bfloat16_where_it_is_there_but_measures_in_float32(monkeypatch):
    monkeypatch.setattr(choose, "trial_result", found(20, 110, 0.09))
    ops, reason = choose_ops("auto")
    assert ops == OneDNNOps(BF16)
    assert "bfloat16" in reason
    assert "9e-02" in reason
    assert "in float32 on one thread a small step takes 20 ms" in reason
    assert float32_ops() == OneDNNOps(F32)

    monkeypatch.setattr(choose, "trial_result", found(33, 27, 0.09))
    assert choose_ops("auto")[0] is float32_ops() is PLAIN


@pytest.mark.usefixtures("onednn")
def test_without_bfloat16_the_trial_says_so(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert trial_result().bf16_difference is None


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "oneDNN's ended a trial with SIGSEGV",
        ),
        (
            "raise OSError('(External) in a backward pass')",
            "oneDNN's failed: OSError: (External) in a backward pass",
        ),
        ("import time; time.sleep(60)", "oneDNN's did not end within 0.2 s"),
        ("raise SystemExit(3)", "oneDNN's failed: exit code 3"),
    ],
)
@pytest.mark.usefixtures("onednn")
def test_auto_falls_back_whatever_happens_in_the_trial(monkeypatch, program, reason):
    if "sleep" in program:
        monkeypatch.setattr(trial, "TIMEOUT_S", 0.2)
    ops, remark = in_the_trial(monkeypatch, program)
    assert ops is PLAIN
    assert remark == f"operators: Paddle's own ({reason}; cpu_ops: auto)"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("Library.call = lambda *_: ctypes.string_at(0)", "ended a trial with SIGSEGV"),
        ("del Library.create", "AttributeError: 'Library' object has no"),
        (
            "ConvolutionLayer.backward = staticmethod(lambda *_: 1 / 0)",
            "ZeroDivisionError: division by zero",
        ),
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("onednn")
def test_auto_falls_back_from_a_broken_library(monkeypatch, fault, reason):
    package = "realesrgan_paddle.ops"
    program = (
        "import ctypes\n"
        f"from {package}.trial import main\n"
        f"from {package}.training.convolution import ConvolutionLayer\n"
        f"from {package}.onednn.library import Library\n"
        f"{fault}\nmain()"
    )
    ops, remark = in_the_trial(monkeypatch, program)
    assert ops is PLAIN
    assert reason in remark


@pytest.mark.slow
@pytest.mark.usefixtures("onednn")
def test_on_an_old_processor_onednn_gains_less(monkeypatch):
    here = trial_result()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    start_trial.cache_clear()
    trial_result.cache_clear()
    old = trial_result()
    assert here.plain_ms / here.onednn_ms > 1.5 * old.plain_ms / old.onednn_ms


def test_a_library_without_a_symbol_is_refused_and_auto_falls_back(monkeypatch, onednn):
    real = ctypes.CDLL

    class Incomplete:
        def __init__(self, path, **flags):
            self._functions = real(path, **flags)

        def __getattr__(self, name):
            return getattr(self._functions, name.replace("execute", "missing"))

    monkeypatch.setattr(ctypes, "CDLL", Incomplete)
    library.cache_clear()
    try:
        ops, reason = choose_ops("auto")
        assert ops is PLAIN
        assert "undefined symbol: dnnl_primitive_missing" in reason
        with pytest.raises(UserError, match="undefined symbol"):
            choose_ops("onednn")
    finally:
        library.cache_clear()


def test_a_function_that_is_missing_is_refused_when_it_is_called(onednn):
    with pytest.raises(OneDNNError, match=r"libdnnl.* dnnl_gone"):
        onednn.call("dnnl_gone")


@pytest.mark.usefixtures("onednn")
def test_an_error_in_a_backward_pass_is_one_line(monkeypatch):
    def backward(ctx, *gradients):
        raise OneDNNError("returns status 3")

    monkeypatch.setattr(ConvolutionLayer, "backward", staticmethod(backward))
    with pytest.raises(UserError, match=r"returns status 3 .*use auto or plain$") as e:
        choose_ops("onednn")
    assert "\n" not in str(e.value)


def test_plain_is_chosen_on_request():
    ops, reason = choose_ops("plain")
    assert ops is PLAIN
    assert "cpu_ops: plain" in reason


def test_without_the_library_auto_falls_back_and_onednn_is_an_error(monkeypatch):
    def refuse(*_):
        raise OneDNNError("no such library")

    monkeypatch.setattr(choose, "check", refuse)
    monkeypatch.setattr(choose, "library", refuse)
    ops, reason = choose_ops("auto")
    assert ops is PLAIN
    assert "no such library" in reason
    with pytest.raises(UserError, match="no such library; use auto or plain"):
        choose_ops("onednn")


def test_auto_chooses_plain_on_a_gpu(monkeypatch):
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    ops, reason = choose_ops("auto")
    assert ops is PLAIN
    assert "computing on gpu:0" in reason


@pytest.mark.usefixtures("onednn")
def test_an_operator_that_differs_from_paddles_is_refused(monkeypatch):
    monkeypatch.setattr(OneDNNOps, "leaky_relu", lambda _, x, slope: x * 1.001)
    with pytest.raises(UserError, match="leaky_relu differs"):
        choose_ops("onednn")


def test_a_missing_library_is_refused(tmp_path):
    with pytest.raises(OneDNNError, match="does not exist"):
        Library(tmp_path / "libdnnl.so.3")


def test_a_file_that_is_no_library_is_refused(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no library")
    with pytest.raises(OneDNNError, match="cannot be used"):
        Library(text)


@pytest.mark.parametrize(
    ("platform", "reason"),
    [("darwin", "wheel for darwin has no oneDNN$"), ("win32", "mkldnn.dll does not")],
)
def test_other_systems_are_refused_without_their_library(monkeypatch, platform, reason):
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(OneDNNError, match=reason):
        library.__wrapped__()


def test_what_is_judged_is_computed_in_float32(tmp_path, options):
    """Whatever trains it: released weights in float16 lie on ties of bfloat16."""
    assert in_float32(PLAIN) is PLAIN
    assert in_float32(OneDNNOps(F32)) == in_float32(OneDNNOps(BF16)) == OneDNNOps(F32)
    cfg = load_config(write_yml(tmp_path, options))
    step = build_step(cfg, OneDNNOps(BF16))
    assert step.generator.ops == OneDNNOps(BF16)
    assert step.ema.layer.ops == OneDNNOps(F32)
