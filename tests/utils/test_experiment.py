"""The files of a run, when others have changed them."""

import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.experiment import Experiment

GOOD = b'{"iter": 1, "l_g_pix": 0.5}\n'


@pytest.mark.parametrize(
    "bad",
    [
        b'{"iter": 1, "l_\xff": 0.5}\n',
        b'{"iter": 1e999}\n',
        b'{"iter": 2, "a": ' + b"[" * 100_000 + b"\n",
        b'{"iter": 2, "a": "b"}\n',
        b'["iter"]\n',
    ],
)
def test_a_line_that_is_no_record_ends_a_resumed_run_in_one_line(tmp_path, bad):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(GOOD + bad)
    with pytest.raises(UserError, match=r"metrics.jsonl: the line .* is no record"):
        Experiment(tmp_path).open("name: run\n", resumed_at=5)
    assert metrics.read_bytes() == GOOD + bad


def test_a_resumed_run_drops_later_records_and_a_half_written_line(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(GOOD + b'{"iter": 6}\n' + b'{"iter": 2, "l_\xff')
    Experiment(tmp_path).open("name: run\n", resumed_at=5)
    assert metrics.read_bytes() == GOOD
