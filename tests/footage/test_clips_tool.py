"""tools/extract_clips.py: consecutive frames, cut out where there is detail, none across cuts."""

from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg, picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.views import moments
from realesrgan_paddle.data.loading.clips import runs_of
from realesrgan_paddle.data.sets.naming import seconds_of_frame
from realesrgan_paddle.tools.extract_clips import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb8


def two_shots(path: Path) -> Path:
    """A clip of 4 s at 10 frames a second: noise at the right, and a cut after 2.1 s."""
    noise = "if(gt(X,96),random(1)*255,mod(3*N,200)+20)"
    first = f"color=gray:s=192x96:r=10:d=2.1,geq=lum='{noise}':cb=90:cr=110"
    second = f"color=gray:s=192x96:r=10:d=1.9,geq=lum='{noise}':cb=170:cr=190"
    ffmpeg(
        *("-f", "lavfi", "-i", first, "-f", "lavfi", "-i", second),
        *("-filter_complex", "concat=n=2", "-c:v", "libx264", "-qp", 4, path),
    )
    return path


def extract(video: Path, output: Path, *flags: str) -> int:
    words = ["--input", str(video), "--output", str(output), "--crop_size", "64"]
    return main([*words, "--num_frame", "5", "--crops", "1", *flags])


def test_clips_are_consecutive_frames_and_none_has_a_cut(tmp_path, capsys):
    assert extract(two_shots(tmp_path / "m.mp4"), tmp_path / "out") == 0
    printed = capsys.readouterr().out
    # They begin at 0, 1, 2 and 3 s; that of 2 s has the cut.
    assert "3 clips of 5 frames of 1 videos" in printed
    assert "1 moments with a cut or a gap" in printed
    assert "--recipe auto --video --dataroot_gt " in printed.splitlines()[-1]

    paths = sorted((tmp_path / "out").rglob("*.png"))
    runs = runs_of(paths)
    assert [len(run) for run in runs] == [5, 5, 5]
    for run in runs:
        times = [seconds_of_frame(path.stem) for path in run]
        assert np.allclose(np.diff(times), 0.1)
        # The half that is noise, and none of the other.
        assert all(read_rgb8(path)[:, :4].std() > 20 for path in run)


def test_no_clip_has_a_gap(tmp_path, capsys):
    """Of a variable rate: a second without a frame in the moment that begins at 2 s."""
    even, gap = tmp_path / "even.mkv", tmp_path / "gap.mkv"
    noise = "testsrc2=s=192x96:r=10:d=4"
    ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "ffv1", "-g", 1, even)
    left_out = "select='not(between(n,22,31))'"
    ffmpeg(
        "-i", even, "-vf", left_out, "-fps_mode", "vfr", "-c:v", "ffv1", "-g", 1, gap
    )
    assert extract(gap, tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "1 moments with a cut or a gap" in printed
    runs = runs_of(sorted((tmp_path / "out").rglob("*.png")))
    assert runs and all(len(run) == 5 for run in runs)


def test_what_is_there_stays_and_what_is_missing_comes_back(tmp_path):
    video = two_shots(tmp_path / "m.mp4")
    extract(video, tmp_path / "out")
    paths = sorted((tmp_path / "out").rglob("*.png"))
    before = paths[1].read_bytes()
    paths[0].write_bytes(b"mine")
    paths[1].unlink()
    extract(video, tmp_path / "out")
    assert paths[0].read_bytes() == b"mine"
    assert paths[1].read_bytes() == before


def test_clips_of_other_sizes_are_not_put_among_those_that_are_there(tmp_path):
    video = two_shots(tmp_path / "m.mp4")
    extract(video, tmp_path / "out")
    with pytest.raises(UserError, match="was made with crop_size 64, not 80"):
        extract(video, tmp_path / "out", "--crop_size", "80")


def test_a_video_without_a_clip_fails_and_says_why(tmp_path, capsys):
    video = two_shots(tmp_path / "m.mp4")
    assert extract(video, tmp_path / "out", "--num_frame", "50") == 1
    said = capsys.readouterr()
    assert "nowhere 50 frames follow each other without a cut" in said.err
    assert "next" not in said.out


def test_a_file_that_is_no_video_is_one_line_and_others_go_on(tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    two_shots(tmp_path / "videos" / "m.mp4")
    (tmp_path / "videos" / "n.mp4").write_bytes(b"no video")
    assert extract(tmp_path / "videos", tmp_path / "out") == 1
    output = capsys.readouterr()
    assert "3 clips of 5 frames of 1 videos" in output.out
    assert "n.mp4" in output.err


# With room for 13, every second moment is compared: no copy is after the seventh.
@pytest.mark.parametrize(("room", "left_out"), [(3000, 16), (13, 14)])
def test_of_two_encodings_the_better_one_gives_the_clips(
    tmp_path, capsys, monkeypatch, room, left_out
):
    monkeypatch.setattr(moments, "MAX_COMPARED", room)
    # Eight places for half a second each, at ten frames a second, and one of one alone.
    shown = [scene(place, width=320, height=192) for place in range(9)]
    good = [picture for picture in shown[:8] for _ in range(5)]
    for name, pictures, quality in (("good", good, 2), ("poor", good, 9)):
        options = ("-c:v", "mpeg4", "-q:v", quality, "-g", 1)
        picture_clip(tmp_path / f"{name}.mkv", pictures, rate=10, options=options)
    others = ("-c:v", "mpeg4", "-q:v", 9, "-g", 1)
    picture_clip(tmp_path / "z.mkv", shown[8:] * 20, rate=10, options=others)

    output = tmp_path / "out"
    words = ["--input", str(tmp_path), "--output", str(output), "--interval", "0.5"]
    assert main([*words, "--crop_size", "64", "--crops", "2", "--num_frame", "5"]) == 0
    printed = capsys.readouterr().out
    assert f"left out {left_out} clips of poor, which good shows better" in printed
    names = [path.name.partition("_")[0] for path in output.iterdir()]
    assert names.count("poor") == 16 - left_out
