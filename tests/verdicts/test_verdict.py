"""The verdict in words, what it says to do next, and its file."""

from dataclasses import replace

import pytest
from sample_runs import log_of, run, state_of

from realesrgan_paddle.judging.comparison import (
    Change,
    Claim,
    Comparison,
    described_set,
)
from realesrgan_paddle.judging.drift import Drift
from realesrgan_paddle.judging.findings import COLORS, GRIDDED
from realesrgan_paddle.judging.verdict import Outcome, next_step, read_lines
from realesrgan_paddle.metrics.table import METRICS
from realesrgan_paddle.training.run_record import RunRecord
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.paired import Interval
from realesrgan_paddle.utils.runlog.training_state import TrainingState, load_state


def against(clips=5, images=12, **changes):
    """A comparison; each metric has changed from low to high."""
    compared = []
    for name, (low, high) in changes.items():
        interval = Interval((low + high) / 2, low, high, clips)
        compared.append(Change(METRICS[name], interval))
    return Comparison(Claim.CLIPS, images, clips, clips, compared)


BETTER = against(psnr=(-0.2, 0.8), lpips=(-0.2, -0.1), dists=(-0.1, -0.05))
WORSE = against(psnr=(-2, -1), lpips=(0.1, 0.2))
NEITHER = against(psnr=(-1, 1))
SHIFTED = [Drift(COLORS, "held_out", "by Delta E 2.5")]
GRID = [Drift(GRIDDED, "general", "with x2.0 the energy")]
OUTCOME = Outcome(
    validated=BETTER,
    best=None,
    best_iteration=400,
    trained_on=200,
    general=None,
    drifts=(),
    softer_on_real=False,
    use_last="EXPORT LAST",
    use_best="EXPORT BEST",
)


def test_one_sentence_says_what_is_better_and_what_cannot_be_told():
    told = described_set("held-out", {"the start": BETTER, "bicubic": NEITHER})
    assert told[0] == (
        "On 12 held-out images of 5 clips: better than the start in LPIPS and DISTS, "
        "cannot be told in PSNR; against bicubic it cannot be told in PSNR"
    )
    assert told[2] == "  against bicubic: PSNR +0.00 dB (-1.00 to +1.00)"
    nothing = Comparison(Claim.IMAGES, 0, 0, 0, [])
    assert described_set("held-out", {"bicubic": nothing}) == []

    few = against(clips=1, images=1, psnr=(1, 2))
    assert described_set("held-out", {"the start": few, "bicubic": few})[0] == (
        "On 1 held-out image: whether it is better than the start and bicubic cannot be "
        "told; that takes at least 4 clips"
    )


NEXT_STEPS = [
    ({}, "use it: EXPORT LAST"),
    ({"general": WORSE}, "use it for this kind of images only"),
    (
        {"drifts": [Drift(COLORS, "general", "by Delta E 2.5")]},
        "look at its images first: colors have shifted: general by Delta E 2.5; ",
    ),
    (
        {"general": WORSE, "trained_on": 1},
        "general ones it became worse; train on more images",
    ),
    (
        {"softer_on_real": True},
        "match the degradation to them: realesrgan-paddle train --recipe auto",
    ),
    (
        {"drifts": GRID},
        "look at its images first: a regular grid shows: general with x2.0 the energy; "
        "try the grid loss (train.grid_opt.type=GridLoss)",
    ),
    ({"drifts": GRID, "trained_on": 1}, "the energy; train on more images"),
    (
        {"drifts": SHIFTED},
        "do not use it: colors have shifted: held_out by Delta E 2.5; check that",
    ),
    (
        {"validated": WORSE},
        "do not use it: images became worse; check that datasets.train",
    ),
    ({"validated": WORSE, "best": BETTER}, "use the best network, of iter 400"),
    ({"validated": WORSE, "best": WORSE}, "do not use it: images became worse"),
    ({"validated": NEITHER}, "train for longer"),
    (
        {"validated": NEITHER, "best": NEITHER},
        "it gained nothing: train on more, and more varied",
    ),
    ({"validated": NEITHER, "trained_on": 4}, "fewer than 5, here 4, were never"),
    (
        {"validated": WORSE, "trained_on": 1},
        "images became worse; train on more images",
    ),
    ({"drifts": SHIFTED, "trained_on": 1}, "by Delta E 2.5; train on more images"),
    ({"validated": against(clips=2, psnr=(1, 2))}, "compare by eye"),
]


def test_next_steps():
    for found, said in NEXT_STEPS:
        assert said in next_step(replace(OUTCOME, **found))

    found = replace(OUTCOME, validated=WORSE, best=BETTER)
    assert next_step(found).endswith("EXPORT BEST")


@pytest.mark.paddle
def test_a_run_that_validates_nothing_has_no_verdict(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    assert not (folder / "verdict.json").exists()
    assert "verdict" not in log_of(folder)
    assert read_lines(folder) == []


@pytest.mark.paddle
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
