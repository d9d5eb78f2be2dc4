"""tools/infer.py and tools/predict.py on videos, from a command's words to its files."""

import importlib.util
import json
import shlex
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_clips import AAC, FFV1, X264, YUV420, made, pattern, tone
from read_back import NEEDED, read_back
from sample_weights import sample_weights

from realesrgan_paddle.commands import video_previews
from realesrgan_paddle.commands.upscale_flags import CONTAINERS
from realesrgan_paddle.inference import open_runner
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.inference.video import progress
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.tools import compare, export_model, infer, predict, upscale
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [NEEDED, pytest.mark.paddle]

SPEC = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
COUNT, SIZE = 6, "24x16"
PRESETS = {"vp9": "8", "h264": "ultrafast"}
TOOLS = {"infer": infer, "predict": predict}


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A read-only folder: net_g_10.pdparams, infer/, a clip, and files with two clips."""
    folder = tmp_path_factory.mktemp("work")
    weights = sample_weights(SPEC)
    weights["conv_last.bias"][:] = 0.5
    write_pdparams(folder / "net_g_10.pdparams", {"params": weights})
    model = ["--model_dir", f"{folder}/net_g_10.pdparams"]
    export_model.main([*model, "--save_inference_dir", f"{folder}/infer"])

    moving = pattern(size=SIZE, also=YUV420, count=COUNT)
    clip = folder / "my clip.mp4"
    made(*moving, *tone(seconds=0.24), *X264, *AAC)(clip)
    within = folder / "files" / "within"
    within.mkdir(parents=True)
    shutil.copy(clip, folder / "files" / "a.mp4")
    made(*pattern(size=SIZE, count=2), *FFV1)(within / "b.mkv")
    write_image(folder / "files" / "c.png", np.full((8, 8, 3), 99, np.uint8))
    return folder


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(open_runner, "load_static", open_graph)


def run_infer(work: Path, source: Path | str, target: Path | str, *more: str) -> int:
    words = ["--input", str(source), "--output", str(target)]
    return infer.main([*words, "--model_path", str(work / "infer"), *more])


def next_words(capsys) -> list[str]:
    """Return the words of the command that is said to follow."""
    printed = capsys.readouterr().out
    (line,) = [each for each in printed.splitlines() if each.startswith("next")]
    return shlex.split(line.partition(": ")[2])


def names(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in files)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_file_becomes_a_file(work, tmp_path, capsys, tool):
    model = {"infer": "infer", "predict": "net_g_10.pdparams"}[tool]
    target = tmp_path / "new folder" / "result x4.mp4"
    words = ["--input", f"{work}/my clip.mp4", "--output", str(target)]
    assert TOOLS[tool].main([*words, "--model_path", f"{work}/{model}"]) == 0

    found = read_back(target)
    assert found.size == (96, 64)
    assert len(found.times) == COUNT
    assert [stream.codec for stream in found.streams] == ["h264", "aac"]
    assert names(tmp_path) == ["new folder/result x4.mp4"]

    said = capsys.readouterr()
    assert "my clip.mp4: 24x16 -> " in said.out
    assert "96x64, 6 frames, h264" in said.out
    assert not said.err


def test_the_next_command_is_understood(work, tmp_path, capsys):
    target = tmp_path / "it's x4.mp4"
    assert run_infer(work, work / "my clip.mp4", target) == 0
    _, script, *words = next_words(capsys)
    assert script.endswith("compare.py")
    assert compare.main(words) == 0
    assert (tmp_path / "it's x4_compare" / "index.html").is_file()


def test_parts_sizes_and_other_videos_have_names_of_their_own(work, tmp_path, capsys):
    clip = tmp_path / "clip.mkv"
    shutil.copy(work / "files/within/b.mkv", clip)
    model = ["-m", str(work / "infer")]
    for words in ("--start 0:00.04", "--end 0.04 --height 32", "--width 48", ""):
        assert upscale.main([str(clip), *model, *words.split()]) == 0
    assert names(tmp_path) == [
        "clip.mkv",
        "clip_32p_0-0.04.mkv",
        "clip_48w.mkv",
        "clip_x4.mkv",
        "clip_x4_0.04-end.mkv",
    ]
    assert "left as it is" not in capsys.readouterr().out

    assert upscale.main([str(clip), *model]) == 0
    assert "left as it is; --overwrite makes it anew" in capsys.readouterr().out
    assert upscale.main([str(shutil.copy(clip, tmp_path / "clip.avi")), *model]) == 1
    assert "would be taken for that of" in capsys.readouterr().err


def test_after_a_part_that_part_is_compared(work, tmp_path, capsys):
    part = ("--start", "0.05", "--end", "0.2")
    assert run_infer(work, work / "my clip.mp4", tmp_path / "part.mp4", *part) == 0
    _, _, *words = next_words(capsys)
    assert words[-6:-2] == [*part]
    assert compare.main(words) == 0
    page = tmp_path / "part_compare"
    assert (page / "index.html").is_file()
    results = list((page / "upscaled").iterdir())
    assert [len(read_back(each).times) for each in results] == [3]


def test_a_folder_of_pictures_and_videos(work, tmp_path, capsys):
    report = tmp_path / "report.json"
    flags = ("--recursive", "--report", str(report), "--suffix", "x4")
    assert run_infer(work, work / "files", tmp_path / "out", *flags) == 0
    written = ["a_x4.mp4", "c_x4.png", "within/b_x4.mkv"]
    assert names(tmp_path / "out") == written
    assert f"3 of 3 files are in {tmp_path}/out" in capsys.readouterr().out

    told = json.loads(report.read_text())
    assert told["totals"]["done"] == 3
    assert told["model"] == f"{work}/infer"
    by_name = {Path(each["input"]).name: each for each in told["files"]}
    assert sorted(by_name) == ["a.mp4", "b.mkv", "c.png"]
    assert "video" not in by_name["c.png"]
    video = by_name["a.mp4"]["video"]
    assert by_name["a.mp4"]["frames"] == COUNT
    assert video["codec"] == "h264"
    assert video["pixel_format"] == "yuv420p"
    assert video["duration"] == COUNT / 25
    assert video["bytes"] == (tmp_path / "out/a_x4.mp4").stat().st_size
    assert video["frames_resumed"] == video["frames_bad"] == 0
    assert video["tiles_computed"] + video["frames_repeated"] == COUNT

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.m*")}
    again = (*flags, "--skip_existing")
    assert run_infer(work, work / "files", tmp_path / "out", *again) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert json.loads(report.read_text())["totals"]["skipped"] == 3
    assert names(tmp_path / "out") == written


def test_without_recursive_the_folders_within_are_left(work, tmp_path):
    flags = ("--container", "mkv", "--suffix", "")
    assert run_infer(work, work / "files", tmp_path / "out", *flags) == 0
    assert names(tmp_path / "out") == ["a.mkv", "c.png"]


def test_a_bad_video_does_not_stop_the_others(work, tmp_path, capsys):
    files = Path(shutil.copytree(work / "files", tmp_path / "files"))
    (files / "0.mp4").write_bytes(b"no video" * 99)
    report = tmp_path / "report.json"
    flags = ("--report", str(report))
    assert run_infer(work, files, tmp_path / "out", *flags) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"failed: {files}/0.mp4: ")
    assert said.err.count("\n") == 1
    assert "2 of 3 files are in" in said.out
    assert "next" not in said.out
    assert names(tmp_path / "out") == ["a_out.mp4", "c_out.png"]
    assert json.loads(report.read_text())["totals"]["failed"] == 1


def test_two_inputs_with_one_result_are_not_mixed_up(work, tmp_path, capsys):
    files = tmp_path / "files"
    files.mkdir()
    for name in ("a.mp4", "a.mov"):
        shutil.copy(work / "my clip.mp4", files / name)
    flags = ("--container", "mkv")
    assert run_infer(work, files, tmp_path / "out", *flags) == 1
    error = capsys.readouterr().err
    assert "a_out.mkv" in error
    assert error.count("\n") == 1
    assert names(tmp_path / "out") == ["a_out.mkv"]


def test_a_video_is_not_replaced_by_its_result(work, tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    shutil.copy(work / "my clip.mp4", clip)
    content = clip.read_bytes()
    for words in ((clip, clip), (clip, tmp_path, "--suffix", "")):
        source, target, *more = words
        assert run_infer(work, source, target, *more) == 1
        assert "clip.mp4: " in capsys.readouterr().err
    assert clip.read_bytes() == content
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_each_container_can_be_written(work, tmp_path, container):
    source = work / "my clip.mp4"
    codec = "vp9" if container == "webm" else "h264"
    flags = ("--container", container, "--codec", codec, "--preset", PRESETS[codec])
    # MP4's AAC cannot be in WebM, so that one is of a clip without sound.
    silent = work / "files/within/b.mkv"
    given = silent if container == "webm" else source
    assert run_infer(work, given, tmp_path, *flags) == 0
    suffix = ".mp4" if container == "auto" else f".{container}"
    (written,) = names(tmp_path)
    assert written.endswith(f"_out{suffix}")
    assert read_back(tmp_path / written).size == (96, 64)


def test_flags_of_videos_need_one(work, tmp_path):
    for words in ("--crf 20", "--preview 5", "--start 1", "--no_reuse"):
        flag, *_ = flags = words.split()
        with pytest.raises(UserError, match=f"{flag}: for videos, and "):
            run_infer(work, work / "files/c.png", tmp_path / "out", *flags)
    assert not names(tmp_path)


BAD_WORDS = {
    "--start 1;30": "'1;30' is not a time such as 90, 1:30 or 0:01:30.5",
    "--start 1:60": "'1:60' is not a time: 60 is 60 or more, after a colon",
    "--crf 64": "'64' is not a whole number from 0 to 63",
    "--codec h265": "invalid choice: 'h265'",
    "--deinterlase no": "did you mean '--deinterlace'",
    "--container avi": "invalid choice: 'avi'",
    "--preview_frames 0": "'0' is not a whole number from 1",
    "--segment_seconds 0": "'0' is not a number from 0.1 to 600",
}


def test_bad_words_are_named(work, tmp_path, capsys):
    for words, message in BAD_WORDS.items():
        with pytest.raises(SystemExit) as caught:
            run_infer(work, work / "my clip.mp4", tmp_path / "out", *words.split())
        assert caught.value.code == 2
        assert message in capsys.readouterr().err
    assert not names(tmp_path)


NOT_TO_BE_HAD = {
    "--codec ffv1 --crf 9": "--crf 9: ffv1 is lossless",
    "--preset fats": "did you mean 'fast'",
    "--pix_fmt yuv420": "did you mean 'yuv420p'",
    "--start 9": "no frame between --start and --end",
    "--outscale 1000": "more than 16384 on a side",
    "--codec h264 --container webm": "h264",
}


def test_what_cannot_be_had_is_one_line_and_leaves_nothing(work, tmp_path, capsys):
    for words, message in NOT_TO_BE_HAD.items():
        flags = words.split()
        assert run_infer(work, work / "my clip.mp4", tmp_path / "out", *flags) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.startswith("failed: ")
        assert error.count("\n") == 1
    assert not names(tmp_path)


def test_without_pyav_it_is_named(work, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec

    def find(name: str, *more):
        return None if name == "av" else find_spec(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(UserError, match=r"videos need PyAV.*: pip install av"):
        run_infer(work, work / "my clip.mp4", tmp_path / "out.mp4")
    assert run_infer(work, work / "files/c.png", tmp_path / "out") == 0
    assert names(tmp_path) == ["out/c_out.png"]


def test_a_preview_of_seconds(work, tmp_path, capsys):
    flags = ("--preview", "0.1", "--codec", "h264")
    assert run_infer(work, work / "my clip.mp4", tmp_path, *flags) == 0
    folder = tmp_path / "my clip_out_preview"
    assert (folder / "index.html").is_file()
    assert len(read_back(folder / "preview.mp4").times) in (2, 3)
    printed = capsys.readouterr()
    assert "all 6 frames will take about " in printed.out
    line = printed.out.splitlines()[-1]
    words = shlex.split(line.partition(": ")[2])
    assert "--preview" not in words
    assert infer.main(words[2:]) == 0
    assert (tmp_path / "my clip_out.mp4").is_file()


def test_a_preview_of_frames(work, tmp_path, capsys, monkeypatch):
    target = tmp_path / "result.mp4"
    flags = ("--preview-frames", "3")
    assert run_infer(work, work / "my clip.mp4", target, *flags) == 0
    assert (tmp_path / "result_preview" / "index.html").is_file()
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if ": frame at " in line] == [
        f"my clip.mp4: frame at 0:00:00.{time}" for time in ("000", "080", "200")
    ]
    assert "--preview" not in said.splitlines()[-1]
    assert not target.exists()

    monkeypatch.setattr(video_previews, "time_for", lambda *_: 80.0)
    assert run_infer(work, work / "my clip.mp4", target, "--preview", "0.2") == 0
    said = capsys.readouterr().out
    assert "5 frames would take about 6m 40s, so the preview has 2 frames" in said
    assert said.count(": frame at ") == 2
    assert "all 6 frames will take about " in said
    page = tmp_path / "result_preview" / "index.html"
    assert "all 6 frames will take about " in page.read_text()

    monkeypatch.setattr(video_previews, "time_for", lambda *_: 720.0)
    assert run_infer(work, work / "my clip.mp4", target, "--preview", "0.2") == 0
    assert "has 25% of one frame, its middle" in capsys.readouterr().out
    before, after = (page.with_name(f"001_{kind}.png") for kind in ("input", "result"))
    assert read_image(before).shape == (8, 12, 3)
    assert read_image(after).shape == (32, 48, 3)

    with pytest.raises(UserError, match=r"--end 0\.1 is not after --start 0\.2"):
        part = ("--start", "0.2", "--end", "0.1")
        run_infer(work, work / "my clip.mp4", target, *part)
    both = (*flags, "--preview", "3")
    with pytest.raises(UserError, match="--preview and --preview_frames"):
        run_infer(work, work / "my clip.mp4", target, *both)


def test_a_long_video_is_estimated_and_told_of_once_a_minute(
    work, tmp_path, capsys, monkeypatch
):
    class Clock:
        now = 0.0
        perf_counter = staticmethod(time.perf_counter)

        def monotonic(self) -> float:
            self.now += 4.0
            return self.now

    clip = tmp_path / "clip.mkv"
    made(*pattern(size=SIZE, count=40), *FFV1)(clip)
    monkeypatch.setattr(progress, "time", Clock())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=99))
    assert run_infer(work, clip, tmp_path / "result.mkv") == 0
    lines = capsys.readouterr().out.splitlines()
    (estimate,) = [line for line in lines if line.startswith("estimate")]
    assert "40 frames at " in estimate
    (warning,) = [line for line in lines if line.startswith("warning")]
    assert "0 MB are free" in warning
    told = [line for line in lines if line.startswith("clip.mkv: at ")]
    assert 2 <= len(told) <= 3
    assert "of 40 frames, " in told[0]
    assert told[0].endswith(" left")


def test_ten_bits_are_computed_in_float32(work, tmp_path, monkeypatch):
    """`--precision auto` takes bf16 for results of 8 bits only."""
    asked = []
    opened = infer.open_runner

    def noted(*arguments, **flags):
        asked.append(flags["sixteen_bit"])
        return opened(*arguments, **flags)

    monkeypatch.setattr(infer, "open_runner", noted)
    deep = tmp_path / "deep.mkv"
    made(*pattern(size=SIZE, count=2, also="format=yuv420p10le"), *FFV1)(deep)
    assert run_infer(work, deep, tmp_path / "a.mkv") == 0
    assert run_infer(work, work / "my clip.mp4", tmp_path / "b.mp4") == 0
    assert asked == [True, False]
    assert read_back(tmp_path / "a.mkv").pixel_format == "yuv420p10le"
