"""What figures of images say of a network, by made figures with a known answer."""

import math

import numpy as np

from realesrgan_paddle.data.sets.naming import clips_of
from realesrgan_paddle.judging.comparison import Answer, compare_images
from realesrgan_paddle.metrics.measuring import add_image, mean_of, only_finite
from realesrgan_paddle.metrics.table import METRICS, Metric


def figures(values, metric="psnr", clips=12):
    """Figures of images, each `values[i]`, of so many clips by turns."""
    made = {}
    for number, value in enumerate(values):
        clip = chr(ord("a") + number % clips)
        made[f"{clip}_{number:06}.000"] = {metric: value}
    return made


def answer(changes, metric="psnr", clips=12):
    reference = figures([20.0] * len(changes), metric, clips)
    ours = figures([20.0 + change for change in changes], metric, clips)
    (judged,) = compare_images(ours, reference, METRICS).changes
    return judged.answer


def around(mean, spread=0.1, count=12):
    return mean + spread * np.linspace(-1, 1, count)


def test_answers():
    assert answer(around(0.5)) is Answer.BETTER
    assert answer(around(-0.5)) is Answer.WORSE
    assert answer(around(-0.5), "lpips") is Answer.BETTER
    assert answer(around(0.5), "lpips") is Answer.WORSE
    assert answer(around(0.0, 0.01)) is Answer.NOT_BETTER
    assert answer(around(0.0, 3.0)) is Answer.UNKNOWN
    assert answer(around(0.0, 0.001), "dists") is Answer.NOT_BETTER


def test_images_of_a_few_clips_tell_nothing_however_many_they_are():
    assert answer(around(2.0, count=60), clips=4) is Answer.UNKNOWN
    assert answer(around(2.0, count=60), clips=5) is Answer.BETTER


def test_only_images_that_both_have_are_compared():
    ours = figures([21.0] * 8)
    theirs = figures([20.0] * 6)
    theirs["another"] = {"psnr": 1.0}
    against = compare_images(ours, theirs, METRICS)
    assert (against.images, against.clips) == (6, 6)
    assert against.changes[0].interval.mean == 1.0
    assert compare_images(ours, {}, METRICS).changes == []
    assert compare_images(ours, figures([0.2] * 8, "lpips"), METRICS).images == 0


def test_a_change_is_printed_with_its_unit_and_interval():
    against = compare_images(
        figures([21.0] * 6), figures([20.5] * 6), {"psnr": METRICS["psnr"]}
    )
    assert str(against.changes[0]) == "PSNR +0.50 dB (+0.50 to +0.50)"
    few = compare_images(
        figures([0.5] * 2, "x"), figures([0.75] * 2, "x"), {"x": Metric("X", 3)}
    )
    assert str(few.changes[0]) == "X -0.250"


def test_names_tell_clips():
    # Frames and sub-images of videos.
    parts = ["m_000001.000_s001", "m_000001.000_s002", "n_000002.500"]
    assert clips_of(parts) == ["m", "m", "n"]
    assert clips_of(["m_000001.000", "m_000002.000"]) == ["m", "m"]
    # Numbered photographs tell nothing; several series do.
    assert clips_of(["0801", "0802", "0803"]) == ["./0801", "./0802", "./0803"]
    assert clips_of(["cup 1", "cup 2", "hat 1"]) == ["./cup", "./cup", "./hat"]
    assert clips_of(["baby", "bird"]) == ["./baby", "./bird"]
    # Crops of numbered photographs are one image each.
    crops = ["0801_s001", "0801_s002", "0802_s001"]
    assert clips_of(crops) == ["0801", "0801", "0802"]


def test_images_of_one_name_are_all_kept():
    made = {}
    for value in (1.0, 2.0, 6.0):
        add_image(made, "a", {"psnr": value})
    assert mean_of(made, "psnr") == 3.0
    assert list(made) == ["a", "a 2", "a 3"]
    assert len(set(clips_of([*made, "b"]))) == 2
    made["unknown"] = {"psnr": math.nan}
    assert mean_of(made, "psnr") == 3.0
    assert math.isnan(mean_of(made, "ssim"))


def test_an_infinite_figure_counts_in_the_mean_and_in_no_interval():
    made = {"set": {"a": {"psnr": math.inf, "ssim": 1.0}}}
    assert mean_of(made["set"], "psnr") == math.inf
    assert only_finite(made) == {"set": {"a": {"ssim": 1.0}}}
