"""Clips whose picture has company are upscaled, and nothing of it is lost."""

from pathlib import Path

import pytest
from kept import assert_all_is_kept
from made_clips import STREAMS
from read_back import NEEDED

pytestmark = NEEDED


@pytest.mark.parametrize("name", STREAMS)
def test_sound_subtitles_and_all_else_are_kept(tmp_path: Path, name: str):
    assert_all_is_kept(tmp_path, name, STREAMS[name])
