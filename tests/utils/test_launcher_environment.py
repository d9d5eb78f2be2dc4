"""Environment variables of Paddle's launcher that somebody else has set."""

import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.cpu import start_paddle
from realesrgan_paddle.utils.machine.devices import launcher_number
from realesrgan_paddle.utils.machine.process_group import join_group

pytestmark = pytest.mark.paddle

WRONG = ["", "abc", "-2", "1.5", "\u00b2", "9" * 5000, "10000000"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("PADDLE_TRAINERS_NUM", text) for text in [*WRONG, "0"]),
        *(("PADDLE_LOCAL_SIZE", text) for text in [*WRONG, "0"]),
        *(("PADDLE_TRAINER_ID", text) for text in WRONG),
    ],
)
def test_a_number_that_is_none_is_one_line(name, text, monkeypatch):
    monkeypatch.setenv(name, text)
    with pytest.raises(UserError, match=f"environment variable {name} is ") as caught:
        start_paddle()
    assert len(str(caught.value)) < 250


def test_without_the_launcher_a_process_is_alone(monkeypatch):
    for name, number in (("PADDLE_TRAINERS_NUM", 1), ("PADDLE_TRAINER_ID", 0)):
        monkeypatch.delenv(name, raising=False)
        assert launcher_number(name) == number


@pytest.mark.parametrize(
    "missing",
    ["PADDLE_TRAINER_ID", "PADDLE_CURRENT_ENDPOINT", "PADDLE_TRAINER_ENDPOINTS"],
)
def test_an_incomplete_environment_is_one_line(missing, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    monkeypatch.setenv("PADDLE_TRAINER_ID", "0")
    monkeypatch.setenv("PADDLE_CURRENT_ENDPOINT", "127.0.0.1:1")
    monkeypatch.setenv("PADDLE_TRAINER_ENDPOINTS", "127.0.0.1:1,127.0.0.1:2")
    monkeypatch.delenv(missing)
    with pytest.raises(UserError, match=f"{missing} is not set"):
        join_group()
