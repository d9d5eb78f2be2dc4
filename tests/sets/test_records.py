"""Manifests and settings of sets that others have changed: one line, never a traceback."""

import json

import pytest

from realesrgan_paddle.data.sets.made_folders import keep_settings
from realesrgan_paddle.data.sets.manifest import DOWNSCALED, EXTRACTED, read_records
from realesrgan_paddle.utils.errors import UserError

FRAME = {
    "source": "match.mp4",
    "decision": "kept",
    "reason": "",
    "file": "match/1.png",
    "seconds": 1.5,
    "shot": 0,
    "score": 0.5,
    "hash": "0" * 64,
    "size": [640, 360],
    "overlays": [[0, 0, 10, 10]],
}
DEEP = "[" * 100_000


def test_a_record_that_no_extraction_writes_is_named(tmp_path):
    for changes, key in [
        ({"source": None}, "source"),
        ({"decision": "maybe"}, "decision"),
        ({"file": "a\0b"}, "file"),
        ({"file": ["a"]}, "file"),
        ({"seconds": "soon"}, "seconds"),
        ({"seconds": 10**400}, "seconds"),
        ({"shot": -1}, "shot"),
        ({"score": float("nan")}, "score"),
        ({"hash": "x" * 64}, "hash"),
        ({"size": [640]}, "size"),
        ({"size": [0, 360]}, "size.0"),
        ({"overlays": [[1, 2, 3]]}, "overlays.0"),
        ({"overlays": None}, "overlays"),
    ]:
        path = tmp_path / "manifest.jsonl"
        lines = [json.dumps(FRAME), json.dumps({**FRAME, **changes})]
        path.write_text("\n".join(lines))
        with pytest.raises(UserError, match=rf"not a manifest of .* \({key}: "):
            list(read_records(path))


def test_a_frame_without_what_is_needed_is_refused(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps(FRAME))
    assert list(read_records(path, DOWNSCALED)) == [FRAME]
    with pytest.raises(UserError, match="a frame without sharpness, blockiness, contr"):
        list(read_records(path, EXTRACTED))


def test_a_line_that_is_no_record_is_refused(tmp_path):
    for line in [DEEP, "[]", "1" * 5000, "\0"]:
        path = tmp_path / "manifest.jsonl"
        path.write_text(line)
        with pytest.raises(UserError, match="not a manifest of"):
            list(read_records(path))


def test_settings_that_are_none_are_refused(tmp_path):
    for content in [b"", b"[]", b"\xff", DEEP.encode()]:
        path = tmp_path / "settings.json"
        path.write_bytes(content)
        with pytest.raises(
            UserError, match=r"settings.json: not the settings of a set"
        ):
            keep_settings(path, {"step": 1}, tmp_path)
        assert path.read_bytes() == content
