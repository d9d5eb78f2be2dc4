"""The choice of the device, the number of cores, and what the launcher says."""

import math
import os
import subprocess
import sys

import paddle
import pytest
from places import ROOT

from realesrgan_paddle.data.degradation.filters import USM
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine import devices
from realesrgan_paddle.utils.machine.devices import (
    core_count,
    launcher_number,
    pick_device,
    start_paddle,
)
from realesrgan_paddle.utils.machine.process_group import join_group

pytestmark = pytest.mark.paddle


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        (
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ({}, math.inf),
    ],
)
def test_a_containers_quota_is_read(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert devices._quota(tmp_path) == cores


def test_the_core_count_is_at_least_1_and_at_most_the_machines(monkeypatch):
    monkeypatch.setattr(devices, "_quota", lambda _: 0.2)
    assert core_count() == 1
    monkeypatch.setattr(devices, "_quota", lambda _: math.inf)
    assert 1 <= core_count() <= os.cpu_count()


def test_a_device_is_picked_with_a_reason(monkeypatch):
    assert pick_device("cpu") == ("cpu", "asked for")
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: False)
    assert pick_device("auto") == ("cpu", "the installed Paddle is the CPU build")
    with pytest.raises(
        UserError, match="device 'gpu': the installed Paddle is the CPU build"
    ):
        pick_device("gpu")
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 0)
    assert pick_device("auto") == ("cpu", "no GPU is visible")
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == ("gpu", "a GPU is there")
    assert pick_device("gpu") == ("gpu", "asked for")
    with pytest.raises(UserError, match="device 'tpu': known are auto, cpu, gpu"):
        pick_device("tpu")


WRONG = ["", "abc", "-2", "1.5", "\u00b2", "9" * 5000, "10000000"]


WRONG_NUMBERS = [
    *(("PADDLE_TRAINERS_NUM", text) for text in [*WRONG, "0"]),
    *(("PADDLE_LOCAL_SIZE", text) for text in [*WRONG, "0"]),
    *(("PADDLE_TRAINER_ID", text) for text in WRONG),
]


def test_tf32_is_off_while_images_are_degraded_and_only_then(monkeypatch):
    """Paddle's switch is for CUDA builds: here it only has to be turned."""
    turned, state = [], {"on": True}
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(
        paddle.base.core, "get_cublas_switch", lambda: state["on"], raising=False
    )
    monkeypatch.setattr(
        paddle.base.core,
        "set_cublas_switch",
        lambda on: turned.append(on) or state.update(on=on),
        raising=False,
    )
    USM()(paddle.rand([1, 3, 8, 8]))
    assert (turned, state["on"]) == ([False, True], True)
    with pytest.raises(ZeroDivisionError), devices.without_tf32():
        raise ZeroDivisionError
    assert state["on"]


def test_a_gpu_that_paddle_has_no_code_for_is_one_line(monkeypatch):
    set_flags = []
    monkeypatch.setattr(paddle, "set_flags", set_flags.append)
    devices.start_gpu()
    assert not set_flags, "a CPU has no cuDNN"

    def fail(_):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda: "NVIDIA H100")
    monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda: (9, 0))
    devices.start_gpu()
    assert set_flags == [{"FLAGS_cudnn_exhaustive_search": True}]
    monkeypatch.setattr(paddle, "ones", fail)
    with pytest.raises(
        UserError, match=r"NVIDIA H100 \(compute capability 9\.0\): the"
    ):
        devices.start_gpu()


def test_a_number_that_is_none_is_one_line(monkeypatch):
    for name, text in WRONG_NUMBERS:
        message = f"environment variable {name} is "
        with monkeypatch.context() as patch:
            patch.setenv(name, text)
            with pytest.raises(UserError, match=message) as caught:
                start_paddle()
        assert len(str(caught.value)) < 250, (name, text)


def test_without_the_launcher_a_process_is_alone(monkeypatch):
    for name, number in (("PADDLE_TRAINERS_NUM", 1), ("PADDLE_TRAINER_ID", 0)):
        monkeypatch.delenv(name, raising=False)
        assert launcher_number(name) == number


def test_an_incomplete_environment_is_one_line(monkeypatch):
    for missing in [
        "PADDLE_TRAINER_ID",
        "PADDLE_CURRENT_ENDPOINT",
        "PADDLE_TRAINER_ENDPOINTS",
    ]:
        monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
        monkeypatch.setenv("PADDLE_TRAINER_ID", "0")
        monkeypatch.setenv("PADDLE_CURRENT_ENDPOINT", "127.0.0.1:1")
        monkeypatch.setenv("PADDLE_TRAINER_ENDPOINTS", "127.0.0.1:1,127.0.0.1:2")
        monkeypatch.delenv(missing)
        with pytest.raises(UserError, match=f"{missing} is not set"):
            join_group()


def test_warnings_are_shown_once_paddle_is_imported():
    """Paddle's import gives the root logger a handler that would swallow them."""
    code = (
        "from realesrgan_paddle.utils.machine.devices import start_paddle; import logging; "
        "start_paddle(); logging.getLogger('x').warning('seen')"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr.endswith("seen\n")
