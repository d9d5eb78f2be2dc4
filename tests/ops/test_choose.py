"""Which operators train, and why; what is refused."""

import sys

import paddle
import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops import choose
from realesrgan_paddle.utils.ops.choose import choose_ops
from realesrgan_paddle.utils.ops.onednn.library import Library, OneDNNError, library
from realesrgan_paddle.utils.ops.onednn.operators import OneDNNOps
from realesrgan_paddle.utils.ops.plain import PLAIN

pytestmark = pytest.mark.paddle


@pytest.fixture
def onednn():
    try:
        return library()
    except OneDNNError as error:
        pytest.skip(str(error))


def test_auto_chooses_onednn_and_names_its_version_and_path(onednn):
    ops, reason = choose_ops("auto")
    assert ops == OneDNNOps()
    assert onednn.version in reason
    assert str(onednn.path) in reason


def test_plain_is_chosen_on_request():
    ops, reason = choose_ops("plain")
    assert ops is PLAIN
    assert "cpu_ops: plain" in reason


def test_without_the_library_auto_falls_back_and_onednn_is_an_error(monkeypatch):
    def refuse(_):
        raise OneDNNError("no such library")

    monkeypatch.setattr(choose, "check", refuse)
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
    ops, reason = choose_ops("auto")
    assert ops is PLAIN
    assert "leaky_relu differs" in reason


def test_a_missing_library_is_refused(tmp_path):
    with pytest.raises(OneDNNError, match="does not exist"):
        Library(tmp_path / "libdnnl.so.3")


def test_a_file_that_is_no_library_is_refused(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no library")
    with pytest.raises(OneDNNError, match="cannot be used"):
        Library(text)


def test_other_platforms_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(OneDNNError, match="win32"):
        library.__wrapped__()
