"""The cut into tiles that all runs of a video share: written, read, and given up."""

from dataclasses import asdict

import pytest

from realesrgan_paddle.inference.tiles import Cut
from realesrgan_paddle.inference.tiling.plan import Plan
from realesrgan_paddle.inference.video.frame_upscaler import plan_from

PLAN = Plan(Cut(64, 32, 8, 2), Cut(96, 0, 0, 1))


def test_a_plan_comes_back_from_plain_values():
    assert plan_from(asdict(PLAN)) == PLAN


@pytest.mark.parametrize(
    "axis",
    [
        None,
        [],
        {},
        {"length": 64},
        {"length": 0, "tile": 32, "pad": 8, "multiple": 2},
        {"length": 64, "tile": -32, "pad": 8, "multiple": 2},
        {"length": 64, "tile": 32, "pad": 8, "multiple": 0},
        {"length": 64, "tile": 32.0, "pad": 8, "multiple": 2},
        {"length": True, "tile": 32, "pad": 8, "multiple": 2},
        {"length": 64, "tile": 32, "pad": "8", "multiple": 2},
        {"length": 64, "tile": 32, "pad": 8, "multiple": 2, "more": 1},
    ],
)
def test_a_plan_that_somebody_changed_is_refused(axis):
    with pytest.raises(ValueError, match="tiles"):
        plan_from(asdict(PLAN) | {"rows": axis})


def test_a_plan_without_an_axis_is_refused():
    with pytest.raises(ValueError, match="rows and columns"):
        plan_from({"rows": asdict(PLAN.rows)})
