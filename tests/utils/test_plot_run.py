"""tools/plot_run.py: curves of one run or several, and errors where there are none."""

import json
import sys

import cv2
import numpy as np
import pytest

from realesrgan_paddle.loss.titles import LOSS_TITLES, REFERENCE_LEVELS
from realesrgan_paddle.metrics.table import CURVE_TITLES
from realesrgan_paddle.tools.plot_run import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.curves import panels, plot_runs, read_curves, smooth
from realesrgan_paddle.utils.runlog.experiment import Experiment

pytest.importorskip("matplotlib")


def write_run(folder, reports=40, unfinished=""):
    folder.mkdir(parents=True)
    lines = [
        {"iter": i, "l_g_pix": 1 / i, "l_d_real": 0.6, "l_d_fake": 0.7, "lr": 1e-4}
        for i in range(1, reports + 1)
    ]
    lines += [
        {
            "iter": reports,
            "held_out/psnr": 26.5,
            "night/psnr": 24.0,
            "general/delta_e": 0.2,
        }
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + unfinished)
    return folder


def plot(inputs, output):
    return plot_runs(inputs, output, LOSS_TITLES, REFERENCE_LEVELS)


def test_one_run_and_several_are_drawn(tmp_path, capsys):
    first, second = write_run(tmp_path / "first"), write_run(tmp_path / "second", 5)
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    assert main(["--input", str(first), "--output", str(one)]) == 0
    assert capsys.readouterr().out == f"{one}: 5 panels\n"

    second_file = second / "metrics.jsonl"
    main(["--input", str(first), str(second_file), "--output", str(two)])
    one, two = cv2.imread(str(one)), cv2.imread(str(two))
    assert one.shape == two.shape and min(one.shape[:2]) > 500
    assert (one != two).any()
    assert len(np.unique(one.reshape(-1, 3), axis=0)) > 50, "nothing is drawn"


def test_both_discriminator_losses_and_one_metric_of_all_sets_share_a_panel(tmp_path):
    curves = read_curves(write_run(tmp_path / "run") / "metrics.jsonl", "run")
    shown = panels(curves, {**LOSS_TITLES, **CURVE_TITLES})
    assert [[curve.name for curve in curves] for curves in shown.values()] == [
        ["l_g_pix"],
        ["l_d_real", "l_d_fake"],
        ["lr"],
        ["held_out/psnr", "night/psnr"],
        ["general/delta_e"],
    ]
    assert list(shown) == [
        "pixel loss (l_g_pix)",
        "discriminator losses (untrained: ln 2)",
        "learning rate",
        "psnr (higher is better)",
        "delta_e (lower is better)",
    ]


def test_the_unfinished_last_line_of_an_active_run_is_ignored(tmp_path):
    folder = write_run(tmp_path / "run", 3, unfinished='{"iter": 4, "l_g_p')
    (curve, *_) = read_curves(folder / "metrics.jsonl", "run")
    assert curve.iterations.tolist() == [1, 2, 3]
    assert curve.values.tolist() == [1, 1 / 2, 1 / 3]


def test_values_that_were_not_finite_are_gaps(tmp_path):
    file = tmp_path / "metrics.jsonl"
    values = ("null", "NaN", "0.5")
    file.write_text(
        "".join(f'{{"iter": {i}, "l_g_pix": {v}}}\n' for i, v in enumerate(values, 1))
    )
    (curve,) = read_curves(file, "run")
    assert np.isnan(curve.values).tolist() == [True, True, False]
    assert plot([file], tmp_path / "curves.png") == 1
    file.write_text('{"iter": 1, "l_g_pix": null}\n')
    assert plot([file], tmp_path / "curves.png") == 1


def test_values_that_no_axis_can_show_are_gaps(tmp_path):
    folder = write_run(tmp_path / "run", reports=2)
    record = json.dumps({"iter": 1, "l_g_pix": 1e308, "lr": 1e-4})
    (folder / "metrics.jsonl").write_text(f"{record}\n")
    plot([folder], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()


def test_smoothing_removes_noise_and_does_not_start_from_0():
    rng = np.random.default_rng(0)
    line = np.linspace(2, 1, 600)
    noisy = line + rng.normal(0, 0.2, 600)
    assert np.abs(smooth(noisy) - line)[100:].max() < 0.15  # the noise reaches 0.6
    constant = np.full(40, 3.0)
    assert np.array_equal(smooth(constant).round(9), constant)


def test_runs_of_one_name_in_two_folders_are_two_runs(tmp_path):
    runs = [write_run(tmp_path / parent / "run", 3) for parent in ("a", "b")]
    assert plot(runs, tmp_path / "curves.png") == 5


NO_METRICS = [
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
    ('{"iter": 1, "a": 1' + 400 * "0" + "}\n", "line 1 is no record"),
    ('{"iter": Infinity, "a": 1}\n', "line 1 is no record"),
    (100_000 * "[" + "\n", "line 1 is no record"),
    ("\0\0\0\n", "line 1 is no record"),
    ('{"iter": 1, "a": ' + "[" * 100_000 + "\n", "line 1 is no record"),
    ('{"iter": 1, "a": 1' + "0" * 400 + "}\n", "line 1 is no record"),
    ('{"iter": 1, "a": 1' + "0" * 5000 + "}\n", "line 1 is no record"),
    ('{"iter": 1e999, "a": 1}\n', "line 1 is no record"),
    ('{"iter": 1e300, "a": 1}\n', "line 1 is no record"),
]


def test_a_file_that_is_no_metrics_file_is_one_error_line(tmp_path):
    for text, message in NO_METRICS:
        (tmp_path / "run").mkdir(exist_ok=True)
        if text is not None:
            (tmp_path / "run" / "metrics.jsonl").write_text(text)
        with pytest.raises(UserError) as caught:
            plot([tmp_path / "run"], tmp_path / "curves.png")
        assert message in str(caught.value) and "\n" not in str(caught.value), message
        assert not (tmp_path / "curves.png").exists(), message


def test_without_matplotlib_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"pip install matplotlib$"):
        plot([write_run(tmp_path / "run")], tmp_path / "curves.png")


GOOD = b'{"iter": 1, "l_g_pix": 0.5}\n'


NO_RECORDS = [
    b'{"iter": 1, "l_\xff": 0.5}\n',
    b'{"iter": 1e999}\n',
    b'{"iter": 2, "a": ' + b"[" * 100_000 + b"\n",
    b'{"iter": 2, "a": "b"}\n',
    b'["iter"]\n',
]


def test_a_line_that_is_no_record_ends_a_resumed_run_in_one_line(tmp_path):
    for bad in NO_RECORDS:
        metrics = tmp_path / "metrics.jsonl"
        metrics.write_bytes(GOOD + bad)
        with pytest.raises(UserError, match=r"metrics.jsonl: the line .* is no record"):
            Experiment(tmp_path).open("name: run\n", resumed_at=5)
        assert metrics.read_bytes() == GOOD + bad, bad[:40]


def test_a_resumed_run_drops_later_records_and_a_half_written_line(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(GOOD + b'{"iter": 6}\n' + b'{"iter": 2, "l_\xff')
    Experiment(tmp_path).open("name: run\n", resumed_at=5)
    assert metrics.read_bytes() == GOOD
