"""What is decided after all videos: the better copy stays, views are dealt out whole."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from clips import picture_clip
from killed import run_until_killed
from places import pngs
from scenes import scene

from realesrgan_paddle.data.footage.views.decisions import Decisions, read_decisions
from realesrgan_paddle.data.footage.views.set_images import remove_outdated
from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

SIZE = {"width": 320, "height": 192}


def clip(path: Path, shown: list[np.ndarray], quality: int = 2) -> Path:
    options = ("-c:v", "mpeg4", "-q:v", quality, "-g", 1)
    return picture_clip(path, shown, options=options)


def views(*numbers: int) -> list[np.ndarray]:
    return [scene(number, **SIZE) for number in numbers]


def extract(output: Path, *words: str | Path) -> None:
    assert main(["--output", str(output), "--input", *map(str, words)]) == 0


def reasons(output: Path) -> dict[str, str]:
    records = read_records(output / "manifest.jsonl")
    return {record["file"]: record["reason"] for record in records}


@pytest.fixture(scope="module")
def matches(tmp_path_factory) -> tuple[Path, Path]:
    """Two places, poorly and well coded; the good video begins with another place."""
    folder = tmp_path_factory.mktemp("matches")
    poor = clip(folder / "poor.mkv", views(1, 2), quality=7)
    good = clip(folder / "well.mkv", views(3, 1, 2))
    return poor, good


GOOD = ["well_000000.000.png", "well_000000.040.png", "well_000000.080.png"]


def test_the_better_copies_stay_in_whatever_order_the_videos_come(tmp_path, matches):
    poor, good = matches
    extract(tmp_path / "one", poor, good)
    extract(tmp_path / "other", good, poor)
    assert pngs(tmp_path / "one") == pngs(tmp_path / "other") == GOOD
    assert reasons(tmp_path / "one") == {
        **dict.fromkeys(GOOD, ""),
        "poor_000000.000.png": f"copy of {GOOD[1]} (better)",
        "poor_000000.040.png": f"copy of {GOOD[2]} (better)",
    }


def test_poor_copies_are_replaced_by_a_later_run(tmp_path, matches, capsys):
    poor, good = matches
    out = tmp_path / "out"
    extract(out, poor)
    assert len(pngs(out)) == 2
    (out / "mine.png").write_bytes(b"a file of the user's")
    extract(out, good)
    assert pngs(out) == ["mine.png", *GOOD]
    capsys.readouterr()
    extract(out, poor, good)  # what was dropped is not extracted again
    assert pngs(out) == ["mine.png", *GOOD]
    printed = capsys.readouterr().out
    assert "3 key frames (3 of them there before) of 2 videos" in printed
    assert "dropped: 2 copies" in printed
    shared = read_decisions(out).copies_by_source(
        {name: name.split("_")[0] for name in [*GOOD, *reasons(out)]}
    )
    assert shared == {"poor": {"well": 2}, "well": {"poor": 2}}


def test_copies_of_shots_in_validation_are_found_mirrored_too(tmp_path):
    shown = views(1, 2, 3, 4, 5)
    first = clip(tmp_path / "a.mkv", shown)
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in shown]
    second = clip(tmp_path / "b.mkv", mirrored, quality=6)
    extract(tmp_path / "out", first, second, "--val-share", "0.2")
    assert len(pngs(tmp_path / "out" / "val")) == 1
    assert len(pngs(tmp_path / "out" / "train")) == 4
    assert list(reasons(tmp_path / "out").values()).count("") == 5


def test_views_are_dealt_out_whole_across_videos(tmp_path):
    shown = [scene(n, step, **SIZE) for step in (0, 32) for n in range(5)]
    first = clip(tmp_path / "a.mkv", shown[:7])
    second = clip(tmp_path / "b.mkv", [image[:, ::-1] for image in shown[7:]])
    out = tmp_path / "out"
    extract(out, first, second, "--val-share", "0.2")
    parts: dict[int, set[str]] = {}
    for record in read_records(out / "manifest.jsonl"):
        part = record["file"].split("/")[0]
        parts.setdefault(record["view"], set()).add(part)
    assert [len(part) for part in parts.values()] == [1] * 5
    assert len(pngs(out / "val")) == 2


def test_one_view_leaves_no_validation_and_it_is_said(tmp_path, capsys):
    shown = [scene(1, 8 * step, **SIZE) for step in range(3)]
    extract(tmp_path / "out", clip(tmp_path / "a.mkv", shown), "--val-share", "0.2")
    assert not (tmp_path / "out" / "val").exists()
    assert "the footage has 1 view" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize("file", ["decisions.json", "/train/"])
def test_a_run_killed_while_it_decides_is_resumed(tmp_path, matches, file):
    words = ["--val-share", "0.3", "--input", *map(str, matches)]
    run_until_killed(main, ["--output", str(tmp_path / "out"), *words], file, 1)
    for name in ("out", "whole"):
        assert main(["--output", str(tmp_path / name), *words]) == 0
    assert pngs(tmp_path / "out") == pngs(tmp_path / "whole")
    assert reasons(tmp_path / "out") == reasons(tmp_path / "whole")
    assert len(pngs(tmp_path / "out")) == 3


def test_validation_images_stay_what_they_are_when_videos_are_added(tmp_path):
    out = tmp_path / "out"
    extract(out, clip(tmp_path / "a.mkv", views(*range(5))), "--val-share", "0.2")
    before = pngs(out / "val")
    extract(out, clip(tmp_path / "b.mkv", views(*range(6, 11))), "--val-share", "0.2")
    assert len(before) == 1
    assert set(before) < set(pngs(out / "val"))
    assert len(pngs(out / "val")) == 2


def test_keep_all_keeps_copies(tmp_path, matches):
    extract(tmp_path / "out", *matches, "--keep_all")
    assert len(pngs(tmp_path / "out")) == 5


def test_what_only_earlier_versions_decided_is_passed_over(tmp_path, matches):
    out = tmp_path / "out"
    extract(out, matches[0], "--val-share", "0.5")
    path = out / ".sources" / "decisions.json"
    before = path.read_text()
    near = {"file": "a.png", "distance": 0.4, "inliers": 8, "mirrored": False}
    path.write_text(json.dumps({**json.loads(before), "nearest": {"b.png": near}}))
    extract(out, matches[0], "--val-share", "0.5")
    assert read_decisions(out) == Decisions.model_validate_json(before)


def test_damaged_decisions_are_refused_in_one_line(tmp_path, matches):
    out = tmp_path / "out"
    extract(out, matches[0])
    path = out / ".sources" / "decisions.json"
    path.write_text(json.dumps({"copies": {"a": "../../etc/passwd"}}))
    with pytest.raises(UserError, match=r"decisions.json: .*delete it to decide anew"):
        extract(out, matches[0])


def test_sub_images_of_frames_that_left_the_training_part_are_removed(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    decisions = Decisions(copies={"a.png": "b.png"}, parts={"b.png": "val"})
    lines = []
    for name in ("a", "b", "c"):
        record = {"source": "x.mp4", "decision": "kept", "reason": "", "shot": 0}
        record |= {"file": f"{name}.png", "seconds": 1.0, "size": [8, 8], "score": 1.0}
        record |= {"hash": "0" * 64, "overlays": [], "sharpness": 1.0}
        record |= {"blockiness": 0.0, "contrast": 99.0}
        lines.append(json.dumps(decisions.applied_to(record)) + "\n")
    (frames / "manifest.jsonl").write_text("".join(lines))
    made = ["sub/a_s001.png", "sub/b_s002.png", "sub/c_s001.png", "sub/mine.png"]
    made += ["multiscale/b_s002T1.png", "val/HR/b.png", "val/LR/a.png", "val/HR/c.png"]
    for file in made:
        write_image(tmp_path / "set" / file, np.zeros((8, 8, 3), np.uint8))
    remove_outdated(frames, tmp_path / "set")
    assert pngs(tmp_path / "set") == ["sub/c_s001.png", "sub/mine.png", "val/HR/b.png"]


def test_a_set_without_miniatures_is_read_from_its_frames(tmp_path, matches):
    poor, good = matches
    out = tmp_path / "out"
    extract(out, poor)
    for path in (out / ".sources" / "miniatures").iterdir():
        path.unlink()
    extract(out, good)
    assert pngs(out) == GOOD


def test_another_encoding_of_a_video_gives_no_moments_between_its_copies(tmp_path):
    shown = views(1, 2, 3, 4, 5, 6, 7)
    poor = clip(tmp_path / "poor.mkv", shown, quality=7)
    # What it shows at 3, 5 and 6 instead is no copy, and yet taken at the same time.
    good = clip(tmp_path / "well.mkv", [*shown[:2], *views(8, 4, 9, 10), shown[6]])
    extract(tmp_path / "set", poor, good)
    assert {name.partition("_")[0] for name in pngs(tmp_path / "set")} == {"well"}
