"""Clips whose frames are shown at all kinds of times are upscaled, and nothing is lost."""

from pathlib import Path

import pytest
from kept import assert_all_is_kept
from made_clips import TIMES
from read_back import NEEDED

pytestmark = NEEDED


@pytest.mark.parametrize("name", TIMES)
def test_every_frame_keeps_its_time(tmp_path: Path, name: str):
    assert_all_is_kept(tmp_path, name, TIMES[name])
