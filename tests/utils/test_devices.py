"""The choice of the device, and the number of cores."""

import math
import os

import paddle
import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine import devices
from realesrgan_paddle.utils.machine.devices import core_count, pick_device

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
