"""A run without a verdict; records and verdicts that no run wrote."""

import pytest
from sample_runs import log_of, run, state_of

from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.training.checkpoints import RunRecord
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.training_state import TrainingState, load_state

pytestmark = pytest.mark.paddle


def test_a_run_that_validates_nothing_has_no_verdict(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    assert not (folder / "verdict.json").exists()
    assert "verdict" not in log_of(folder)
    assert read_lines(folder) == []


def test_figures_in_a_record_are_checked(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    state = load_state(state_of(folder, 1))
    wrong = (
        {"last": {"set": {"a.png": {"psnr": "30"}}}},
        {"last": {"set": {"a.png": {"psnr": float("nan")}}}},
        {"last": {"set": [1.0]}},
        {"last": 3},
    )
    for figures in wrong:
        record = {"run": {**state.record["run"], "figures": figures}}
        with pytest.raises(UserError, match=r"its record has run\.figures"):
            RunRecord.of(TrainingState(1, state.parts, record, state.path))


def test_a_verdict_that_no_run_wrote_is_refused(tmp_path):
    for text in (
        "",
        "[]",
        "{}",
        '{"lines": 3, "next": ""}',
        '{"lines": [1], "next": ""}',
    ):
        (tmp_path / "verdict.json").write_text(text)
        with pytest.raises(UserError, match="not the verdict of a run"):
            read_lines(tmp_path)
