"""tools/plot_run.py: a picture of what runs have reported, and one line where there is nothing to draw."""

import json
import sys

import cv2
import numpy as np
import pytest

from realesrgan_paddle.tools.plot_run import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.curves import panels, plot_runs, read_curves, smooth

pytest.importorskip("matplotlib")


def write_run(folder, reports=40, unfinished=""):
    folder.mkdir()
    lines = [
        {"iter": i, "l_g_pix": 1 / i, "l_d_real": 0.6, "l_d_fake": 0.7, "lr": 1e-4}
        for i in range(1, reports + 1)
    ]
    lines += [
        {
            "iter": reports,
            "held_out/psnr": 26.5,
            "night/psnr": 24.0,
            "drift/general/delta_e": 0.2,
        }
    ]
    (folder / "metrics.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + unfinished
    )
    return folder


def test_one_run_and_several_are_drawn(tmp_path, capsys):
    first, second = write_run(tmp_path / "first"), write_run(tmp_path / "second", 5)
    assert main(["--input", str(first), "--output", str(tmp_path / "one.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/one.png: 5 panels\n"
    main(
        [
            "--input",
            str(first),
            str(second / "metrics.jsonl"),
            "--output",
            str(tmp_path / "two.png"),
        ]
    )
    one, two = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("one", "two"))
    assert one.shape == two.shape and min(one.shape[:2]) > 500
    assert (one != two).any()
    assert len(np.unique(one.reshape(-1, 3), axis=0)) > 50, "nothing is drawn"


def test_figures_that_belong_together_share_a_panel(tmp_path):
    shown = panels(read_curves(write_run(tmp_path / "run") / "metrics.jsonl", "run"))
    assert [[curve.figure for curve in curves] for curves in shown.values()] == [
        ["l_g_pix"],
        ["l_d_real", "l_d_fake"],
        ["lr"],
        ["held_out/psnr", "night/psnr"],
        ["drift/general/delta_e"],
    ]
    assert list(shown)[3:] == ["psnr (higher is better)", "drift delta_e"]


def test_a_run_that_goes_on_is_drawn_without_its_unfinished_line(tmp_path):
    folder = write_run(tmp_path / "run", 3, unfinished='{"iter": 4, "l_g_p')
    (curve, *_) = read_curves(folder / "metrics.jsonl", "run")
    assert curve.iterations.tolist() == [1, 2, 3]
    assert curve.values.tolist() == [1, 1 / 2, 1 / 3]


def test_numbers_that_were_not_finite_are_gaps(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(
        '{"iter": 1, "l_g_pix": null}\n{"iter": 2, "l_g_pix": NaN}\n{"iter": 3, "l_g_pix": 0.5}\n'
    )
    (curve,) = read_curves(file, "run")
    assert np.isnan(curve.values).tolist() == [True, True, False]
    assert plot_runs([file], tmp_path / "curves.png") == 1
    file.write_text('{"iter": 1, "l_g_pix": null}\n')
    assert plot_runs([file], tmp_path / "curves.png") == 1


def test_smoothing_follows_the_curve_without_its_noise():
    rng = np.random.default_rng(0)
    line = np.linspace(2, 1, 600)
    noisy = line + rng.normal(0, 0.2, 600)
    assert np.abs(smooth(noisy) - line)[100:].max() < 0.15  # of 0.6
    assert np.array_equal(smooth(np.full(40, 3.0)).round(9), np.full(40, 3.0)), (
        "it does not start from 0"
    )


def test_runs_of_one_name_are_told_apart(tmp_path):
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        write_run(tmp_path / parent / "run", 3)
    assert (
        plot_runs([tmp_path / "a/run", tmp_path / "b/run"], tmp_path / "curves.png")
        == 5
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; --input takes the folder of a run"),
        ("", "no numbers in it yet"),
        ('{"iter": 1', "no numbers in it yet"),
        (
            '{"iter": 1, "a": 2}\nhello\n{"iter": 2, "a": 2}\n',
            "line 2 is no record of a run: 'hello'",
        ),
        ('{"a": 2}\n', "line 1 is no record"),
        ('{"iter": 1, "a": "b"}\n', "line 1 is no record"),
        ("[1]\n", "line 1 is no record"),
        ("\0\0\0\n", "line 1 is no record"),
    ],
)
def test_a_file_without_a_run_gives_one_line(tmp_path, text, message):
    (tmp_path / "run").mkdir()
    if text is not None:
        (tmp_path / "run" / "metrics.jsonl").write_text(text)
    with pytest.raises(UserError) as caught:
        plot_runs([tmp_path / "run"], tmp_path / "curves.png")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "curves.png").exists()


def test_without_matplotlib_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"pip install matplotlib$"):
        plot_runs([write_run(tmp_path / "run")], tmp_path / "curves.png")
