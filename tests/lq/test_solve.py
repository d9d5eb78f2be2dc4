"""make_lq_data.py --fit --write and train.py --recipe auto --lq, from end to end."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from in_process import InProcess
from scenes import world

from realesrgan_paddle.commands import make_lq_data, train
from realesrgan_paddle.data.lq import solve, windows
from realesrgan_paddle.data.lq.folder import read_lq_options, write_lq_folder
from realesrgan_paddle.data.lq.search import TIMED, Round, TooLittleTimeError
from realesrgan_paddle.data.lq.solution import NumberFound, Solution, findings
from realesrgan_paddle.data.lq.solve import Solved, solve_for
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.recipes import choose_degradation
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.progress import Progress

pytestmark = pytest.mark.paddle
FEW = (Round(90, 4),)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with ground truth in HR and real images in REAL; few degradations."""
    monkeypatch.setattr(solve, "Simulator", InProcess)
    monkeypatch.setattr(solve, "ROUNDS", FEW)
    monkeypatch.setattr(windows, "REAL_WINDOWS", 16)
    monkeypatch.setattr(windows, "GT_WINDOWS", 24)
    monkeypatch.setattr(windows, "SIDES", (64,))
    for seed in range(3):
        write_image(tmp_path / f"HR/{seed}.png", world(seed, 192))
        write_image(tmp_path / f"other/{seed}.png", world(seed + 10, 192))
    hidden = {
        "gt_usm": False,
        "sinc_prob": 0,
        "kernel_list": ("iso",),
        "kernel_prob": (1,),
        "blur_sigma": (0.4, 0.4),
        "resize_prob": (0, 0, 1),
        "resize_prob2": (0, 0, 1),
        "noise_range": (0, 0),
        "gaussian_noise_prob": 1,
        "jpeg_prob": 0,
        "second_blur_prob": 0,
        "noise_range2": (0, 0),
        "gaussian_noise_prob2": 1,
        "final_sinc_prob": 0,
        "jpeg_range2": (30, 30),
    }
    options = LQConfig(dataroot_gt=str(tmp_path / "other"), scale=2, **hidden)
    write_lq_folder(options, tmp_path / "REAL")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_coarse_jpeg_is_found_and_both_commands_take_the_file(place, capsys):
    words = ["--fit", "REAL", "--hr", "HR", "--write", "my.yml", "scale=2"]
    assert make_lq_data.main(words) == 0
    printed = capsys.readouterr().out
    assert "train.py --yml_path my.yml" in printed
    assert (place / "my_windows.png").is_file()

    text = (place / "my.yml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("jpeg_range2"))
    low, high = yaml.safe_load(line)["jpeg_range2"]
    assert low - 5 <= 30 <= high + 5
    assert high - low < 60
    assert " # " in line

    trained = load_config("my.yml")
    assert trained.datasets.train.dataroot_gt == "HR"
    degraded = read_lq_options("my.yml")
    assert degraded.jpeg_prob2 == 1
    assert degraded.video_prob == 0
    assert degraded.blur_sigma == trained.datasets.train.blur_sigma


def test_the_recipe_trains_with_what_was_solved_for(place, monkeypatch, capsys):
    asked = []

    def solve_at_once(options, real, seconds):
        asked.append((options.dataroot_gt, options.scale, real))
        return solved_as({"jpeg_range2": [30, 40], "sinc_prob": 0.25})

    monkeypatch.setattr(choose_degradation, "solve_for", solve_at_once)
    words = ["--recipe", "auto", "--dataroot_gt", "HR", "--lq", "REAL", "--dry_run"]
    network = ["scale=2", "network_g.type=SRVGGNetCompact", "network_g.upscale=2"]
    assert train.main([*words, *network, "train.total_iter=300"]) == 0
    printed = capsys.readouterr()
    options = yaml.safe_load(printed.out)
    assert asked == [("HR", 2, Path("REAL"))]
    assert options["jpeg_range2"] == [30, 40]
    assert options["datasets"]["train"]["sinc_prob"] == 0.25
    said = printed.err + printed.out
    assert "solved for from REAL: distance 0.25" in said
    assert "warning: w" in said
    assert "a\nb" in said or "a\\nb" in said  # the notes


def test_without_real_images_the_recipe_is_mild_unless_something_is_given(
    place, monkeypatch, capsys
):
    monkeypatch.chdir(place)
    words = ["--recipe", "auto", "--dataroot_gt", "HR", "--dry_run", "scale=2"]
    words += ["network_g.type=SRVGGNetCompact", "network_g.upscale=2"]
    words.append("train.total_iter=300")
    assert train.main(words) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["jpeg_range"] == [85, 99]
    assert "--lq REAL" in printed.err + printed.out

    assert train.main([*words, "noise_range=[1, 4]"]) == 0
    options = yaml.safe_load(capsys.readouterr().out)
    assert options["noise_range"] == [1, 4]
    assert "jpeg_range" not in options


def test_a_fit_with_little_time_tries_a_quarter_and_says_so(place, monkeypatch, capsys):
    options = LQConfig(dataroot_gt="HR", scale=2)
    monkeypatch.setattr(Progress, "is_past", lambda self, share: share < 1)
    solved = solve_for(options, Path("REAL"), seconds=6000)
    assert solved.solution.tried == 23
    assert "23 degradations tried of 90, for lack of time" in str(solved)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fit: begins, at most 1h 40m"
    assert lines[-1].startswith("fit: done in")


def test_a_fit_that_cannot_end_in_its_time_ends_at_once(place, capsys):
    options = LQConfig(dataroot_gt="HR", scale=2)
    measured = []

    class Counted(InProcess):
        def measure(self, tasks):
            for statistics in super().measure(tasks):
                measured.append(len(statistics))
                yield statistics

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solve, "Simulator", Counted)
        patch.setattr(Progress, "is_past", lambda self, share: False)
        with pytest.raises(TooLittleTimeError, match=r"would take [0-9.]+ minutes"):
            solve_for(options, Path("REAL"), seconds=1e-3)
    assert len(measured) == TIMED


def test_without_time_to_solve_the_recipe_keeps_the_codec_of_the_stream(
    place, monkeypatch, capsys
):
    def too_slow(options, real, seconds):
        raise TooLittleTimeError("the fit would take 2 minutes")

    monkeypatch.setattr(choose_degradation, "solve_for", too_slow)
    monkeypatch.setattr(choose_degradation, "stream_codec", lambda real: "vp9")
    words = ["--recipe", "auto", "--dataroot_gt", "HR", "--lq", "REAL", "--dry_run"]
    network = ["scale=2", "network_g.type=SRVGGNetCompact", "network_g.upscale=2"]
    assert train.main([*words, *network, "train.total_iter=300"]) == 0
    printed = capsys.readouterr()
    options = yaml.safe_load(printed.out)
    assert options["codec_list"] == ["vp9"]
    assert options["jpeg_prob2"] == 0
    assert "h264_crf" not in options
    assert "the fit would take 2 minutes; it is the mild one, with the vp9" in (
        printed.err + printed.out
    )


def test_what_goes_together_is_said(place, capsys):
    wrong = {
        "--yml_path a.yml --write b.yml": "--fit REAL",
        "--yml_path a.yml --fit REAL --write b.yml --save_dir LQ": "--write comes first",
        "--fit REAL --hr HR": "--write",
        "--fit REAL --write b.yml": "--yml_path",
        "--yml_path a.yml --fit REAL --minutes 2": "--write",
    }
    for words, said in wrong.items():
        with pytest.raises(SystemExit):
            make_lq_data.main(words.split())
        assert said in capsys.readouterr().err


def test_results_that_are_not_like_the_real_images_are_warned_of():
    inside = Solution({}, {}, outlying=1.0, tried=1)
    outside = Solution({}, {}, outlying=solve.FAR + 1, tried=1)
    (warning,) = solve._warnings(outside, after=0.28, null=0.27)
    assert "out of range" in warning
    (warning,) = solve._warnings(inside, after=0.44, null=0.28)
    assert "the distance is 0.44, between halves of the real images 0.28" in warning
    assert "--minutes" in warning
    assert not solve._warnings(inside, after=0.28, null=0.27)


def test_what_the_images_do_not_show_is_called_not_identifiable():
    wide = NumberFound(0.5, 0.1, 0.9, present=1.0, explained=0.1)
    narrow = NumberFound(0.5, 0.45, 0.55, present=1.0, explained=0.9)
    absent = NumberFound(0.5, 0.1, 0.9, present=0.05, explained=0.0)
    numbers = {"blur": narrow, "noise": wide, "halo": absent}
    choices = {"scaler": {"area": 0.5, "bicubic": 0.45, "bilinear": 0.05}}
    choices["codec"] = {"none": 1.0}
    found = findings(Solution(numbers, choices, 1.0, 1), scale=4)
    by_name = {finding.name: finding.interval for finding in found}
    assert by_name["blur"].startswith("90%: ")
    assert by_name["noise"].startswith("not identifiable")
    assert by_name["scaler"] == "not identifiable: area or bicubic"
    assert by_name["codec"] == "identified"
    assert by_name["halo"] == "identified"


def solved_as(options) -> Solved:
    """Return these options as solved for."""
    groups = {"noise": 0.5, "all": 0.5}
    nothing = np.zeros((1, 64, 64, 3), np.uint8)
    return Solved(
        solution=Solution({}, {}, 1.0, 1),
        options=options,
        findings=[],
        before=groups,
        after={"noise": 0.25, "all": 0.25},
        null=groups,
        real=nothing,
        synthetic=nothing,
        notes=["a\nb"],
        warnings=["w"],
        failures=[],
    )


def test_the_table_has_a_line_for_each_distance():
    text = str(solved_as({}))
    assert "a\\nb" in text
    assert "noise            0.50    0.25         0.50" in text
    assert text.endswith("warning: w")
