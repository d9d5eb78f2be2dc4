import os
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import flat_clip, moving_clip, picture_clip
from scenes import scene

from realesrgan_paddle.data.sets.naming import safe_stem
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg


def extract(output: Path, *inputs: Path, keep_all: bool = True) -> int:
    return main(
        [
            "--input",
            *map(str, inputs),
            "--output",
            str(output),
            *(["--keep_all"] if keep_all else []),
        ]
    )


def names(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.name not in ("manifest.jsonl", "passport.json")
    )


def test_files_are_named_after_the_video_and_the_time(tmp_path: Path, capsys):
    assert (
        extract(tmp_path / "out", moving_clip(tmp_path / "match.mp4", "0,0.48,1.28"))
        == 0
    )
    assert names(tmp_path / "out") == [
        "match_000000.000.png",
        "match_000000.480.png",
        "match_000001.280.png",
    ]
    assert "3 key frames of 1 videos; 0 videos failed" in capsys.readouterr().out


def test_a_red_video_gives_a_red_file(tmp_path: Path):
    extract(tmp_path / "out", flat_clip(tmp_path / "red.mkv", "red", tagged="bt709"))
    image = cv2.imread(str(tmp_path / "out" / "red_000000.000.png"))
    assert image.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - (0, 0, 255)).max() <= 3


def test_a_second_run_adds_missing_frames_and_leaves_other_files_unchanged(
    tmp_path: Path, capsys
):
    clip, out = moving_clip(tmp_path / "match.mp4", "0,0.48,1.28"), tmp_path / "out"
    extract(out, clip)
    (out / "match_000000.480.png").unlink()
    (out / "match_000001.280.png").write_bytes(b"mine")
    (out / "other.txt").write_bytes(b"mine")
    assert extract(out, clip) == 0
    assert len(names(out)) == 4
    assert (
        (out / "match_000001.280.png").read_bytes()
        == (out / "other.txt").read_bytes()
        == b"mine"
    )
    assert "3 key frames (2 of them there before)" in capsys.readouterr().out


def test_videos_of_the_same_name_get_different_names_in_the_set(tmp_path: Path):
    for folder, color in (("a", "red"), ("b", "lime"), ("c", "blue")):
        (tmp_path / folder).mkdir()
        flat_clip(tmp_path / folder / "match.mkv", color)
    out = tmp_path / "out"
    extract(out, tmp_path / "a", tmp_path / "b" / "match.mkv")
    shutil.move(tmp_path / "a" / "match.mkv", tmp_path / "a" / "renamed folder.mkv")
    shutil.move(tmp_path / "a" / "renamed folder.mkv", tmp_path / "match.mkv")
    extract(out, tmp_path / "c" / "match.mkv", tmp_path / "b", tmp_path / "match.mkv")
    assert names(out) == [f"match{n}_000000.000.png" for n in ("-2", "-3", "")]
    colors = [
        cv2.imread(str(out / f"match{n}_000000.000.png"))[0, 0].argmax()
        for n in ("", "-2", "-3")
    ]
    assert colors == [2, 1, 0]  # OpenCV's order is BGR


def test_broken_videos_are_reported_and_the_others_are_extracted(
    tmp_path: Path, capsys
):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a broken\none.mp4").write_bytes(b"no video")
    (folder / "b.mp4").write_bytes(b"")
    moving_clip(folder / "c.mp4", "0,0.48")
    assert extract(tmp_path / "out", folder) == 1
    assert names(tmp_path / "out") == ["c_000000.000.png", "c_000000.480.png"]
    output = capsys.readouterr()
    assert "2 key frames of 1 videos; 2 videos failed" in output.out
    failures = [line for line in output.err.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 2
    assert "a broken\\none.mp4: not a readable video" in failures[0]


@pytest.mark.skipif(os.name == "nt", reason="no limit of the size of files")
def test_an_unwritable_frame_fails_only_its_own_video(tmp_path: Path, capsys):
    import resource

    small = [scene(0), scene(1)]
    rng = np.random.default_rng(0)
    large = [rng.integers(0, 256, (800, 1000, 3), np.uint8) for _ in range(4)]
    clips = [
        picture_clip(tmp_path / f"{name}.mkv", pictures)
        for name, pictures in (("a", small), ("b", large), ("c", small))
    ]
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        assert extract(tmp_path / "out", *clips) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert {name[0] for name in names(tmp_path / "out")} == {"a", "c"}
    (failure,) = capsys.readouterr().err.splitlines()
    assert "b_000000" in failure
    assert "File too large" in failure


def test_frames_that_were_all_dropped_are_an_error_with_the_reasons(tmp_path: Path):
    video = flat_clip(tmp_path / "a.mp4", "black")
    with pytest.raises(UserError, match=r"all frames were dropped \(\d+ .*see "):
        main(["--input", str(video), "--output", str(tmp_path / "out")])


def test_a_wrong_input_path_writes_nothing(tmp_path: Path):
    clip = moving_clip(tmp_path / "match.mp4")
    (tmp_path / "empty").mkdir()
    for wrong, reason in (
        ("nowhere.mp4", "no such file"),
        ("empty", "no videos in this folder"),
    ):
        with pytest.raises(UserError, match=reason):
            extract(tmp_path / "out", clip, tmp_path / wrong)
    assert not (tmp_path / "out").exists()


def test_a_video_given_several_times_is_extracted_once(tmp_path: Path, capsys):
    clip = moving_clip(tmp_path / "match.mp4", "0,0.48")
    extract(tmp_path / "out", clip, tmp_path, clip)
    assert "2 key frames of 1 videos" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("two words.mp4", "two words"),
        ("-rf.mp4", "rf"),
        (".hidden.mp4", "hidden"),
        ("a, b\n100%.mp4", "a_ b_100_"),
        ("a/..mp4", "video"),
        ("比赛.cut.mp4", "比赛.cut"),
        ("e\u0301.mp4", "\u00e9"),
        ("bad\udcff.mp4", "bad_"),
        ("x" * 300 + ".mp4", "x" * 50),
    ],
)
def test_safe_stem(name: str, stem: str):
    assert safe_stem(Path(name)) == stem


CLIPS = {
    "asone_football1_1080p": 3,
    # and one before the start that the edit list sets; no player shows it
    "rubico_football_720p": 5,
    "dhruvil_football_848x478_inter": 3,
    "onepiece_demo": 2,
    "bikes": 6,
}


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_have_the_key_frames_that_ffmpeg_finds(
    tmp_path: Path, assets: Path, name: str
):
    clip = assets / "videos" / f"{name}.mp4"
    assert extract(tmp_path, clip) == 0
    assert len(names(tmp_path)) == CLIPS[name]
    command = [
        find_ffmpeg(),
        "-skip_frame",
        "nokey",
        "-i",
        clip,
        "-an",
        "-vf",
        "showinfo",
        "-f",
        "null",
        "-",
    ]
    messages = subprocess.run(command, check=True, capture_output=True).stderr.decode(
        errors="replace"
    )
    times = [
        float(text) for text in re.findall(r"\bn: *\d+ .*pts_time:(\S+)", messages)
    ]
    assert names(tmp_path) == [f"{name}_{seconds:010.3f}.png" for seconds in times]
