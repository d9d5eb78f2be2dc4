"""What figures of images say of a network, by made figures with a known answer."""

import math

import numpy as np

from realesrgan_paddle.data.sets.naming import clips_of, moments_of
from realesrgan_paddle.judging.comparison import (
    Answer,
    Claim,
    compare_images,
    units_told,
)
from realesrgan_paddle.metrics.measuring import add_image, mean_of, only_finite
from realesrgan_paddle.metrics.table import METRICS, Metric


def figures(values, metric="psnr", clips=12):
    """Figures of images, each `values[i]`, of so many clips by turns."""
    made = {}
    for number, value in enumerate(values):
        clip = chr(ord("a") + number % clips)
        made[f"{clip}_{number:06}.000"] = {metric: value}
    return made


def compared(changes, metric="psnr", clips=12, seen=()):
    reference = figures([20.0] * len(changes), metric, clips)
    ours = figures([20.0 + change for change in changes], metric, clips)
    return compare_images(ours, reference, METRICS, seen)


def answer(changes, metric="psnr", clips=12):
    (judged,) = compared(changes, metric, clips)[0].changes
    return judged.answer


def around(mean, spread=0.1, count=12):
    return mean + spread * np.linspace(-1, 1, count)


def test_answers():
    """Better takes an interval above zero, and a gain that can be seen."""
    table = [
        (around(0.9), "psnr", Answer.BETTER),
        (around(-0.9), "psnr", Answer.WORSE),
        (around(-0.09, 0.01), "lpips", Answer.BETTER),
        (around(0.09, 0.01), "lpips", Answer.WORSE),
        # Surely above or below zero, and surely less than half a decibel.
        (around(0.02, 0.01), "psnr", Answer.NOT_BETTER),
        (around(-0.02, 0.01), "psnr", Answer.NOT_BETTER),
        (around(-0.002, 0.001), "dists", Answer.NOT_BETTER),
        (around(0.0, 0.2), "psnr", Answer.NOT_BETTER),
        # Surely above zero; whether it can be seen is open.
        (around(0.45, 0.3), "psnr", Answer.UNKNOWN),
        (around(0.0, 3.0), "psnr", Answer.UNKNOWN),
        (around(0.9, 3.0), "psnr", Answer.UNKNOWN),
        (around(0.02, 0.01), "sharpness", Answer.NOT_BETTER),
        (around(0.09, 0.01), "sharpness", Answer.BETTER),
        # A metric without a smallest effect.
        (around(-0.02, 0.01), "delta_e", Answer.BETTER),
    ]
    for changes, metric, expected in table:
        assert answer(changes, metric) is expected, (changes.mean(), metric)


def test_sharper_is_not_called_better():
    (sharper,) = compared(around(0.09, 0.01), "sharpness")
    assert sharper.described("bicubic") == "sharper than bicubic"
    assert sharper.surplus == 0

    (softer,) = compared(around(-0.09, 0.01), "sharpness")
    assert softer.described("bicubic") == "softer than bicubic"


def test_images_of_a_few_other_clips_tell_nothing_however_many_they_are():
    assert answer(around(2.0, count=60), clips=3) is Answer.UNKNOWN
    assert answer(around(2.0, count=60), clips=4) is Answer.BETTER


def test_what_is_held_out_is_said_to_be_too_little_before_it_is_trained_on():
    three = [f"a_{number:06}.000" for number in range(3)]
    assert units_told(three, {"a"}).startswith("3 moments of 1 clip (too few for a ")
    assert units_told([*three, "a_000005.000"], {"a"}) == "4 moments of 1 clip"
    assert "(too few" not in units_told([*three, "b_0", "c_0", "d_0", "e_0"], {"a"})


def test_names_without_times_never_tell_of_other_clips():
    """Of "54745b_1_8" nobody knows whether "54745b_3_8" is of the same clip."""
    names = [
        f"{clip}_{part}_{n}" for clip in "ab" for part in (1, 3, 5) for n in (1, 2)
    ]
    ours = {name: {"psnr": 31.0} for name in names}
    theirs = {name: {"psnr": 30.0} for name in names}
    (found,) = compare_images(ours, theirs, METRICS, seen={"c"})
    assert (found.claim, found.units) == (Claim.GROUPS, 6)
    assert found.headline("it", "bicubic", unseen=True).startswith(
        "On groups of images that it has not seen, it is closer to the truth than bicubic: "
        "in 6 of 6 groups"
    )
    assert units_told(names, {"c"}) == "6 groups"


def test_moments_of_clips_that_were_trained_on_and_other_clips_are_told_apart():
    changes = around(2.0, count=24)
    (moments,) = compared(changes, clips=2, seen={"a", "b"})
    assert (moments.claim, moments.units, moments.clips) == (Claim.MOMENTS, 24, 2)
    assert moments.place("held-out") == "24 held-out images, 24 moments of 2 clips"

    clips, moments = compared(changes, clips=12, seen=set("abcdef"))
    if clips.claim is Claim.MOMENTS:
        clips, moments = moments, clips
    assert (clips.claim, clips.units, clips.images) == (Claim.CLIPS, 6, 12)
    assert (moments.claim, moments.clips) == (Claim.MOMENTS, 6)

    # Where it is not known what was trained on, a few clips stand for themselves only.
    assert compared(changes, clips=3, seen=None)[0].claim is Claim.MOMENTS
    assert compared(changes, clips=4, seen=None)[0].claim is Claim.CLIPS
    photos = {"baby": {"psnr": 1.0}, "bird": {"psnr": 2.0}}
    assert compare_images(photos, photos, METRICS)[0].claim is Claim.IMAGES


def test_the_first_sentence():
    def said(changes, metric="psnr", clips=2, seen=("a", "b")):
        (found,) = compared(changes, metric, clips, seen)
        return found.headline("the new network", "the old one", unseen=True)

    gained = around(1.3, 1.5, 24)
    assert said(gained) == (
        "On moments of these 2 clips that it has not seen, the new network is closer to "
        "the truth than the old one: in 22 of 24 moments, PSNR +1.30 dB (+0.91 to +1.69)"
    )
    assert "this clip that" in said(gained, clips=1)
    assert said(-gained).endswith(
        "further from the truth than the old one: in 22 of 24 moments, PSNR -1.30 dB "
        "(-1.69 to -0.91)"
    )
    assert said(-gained / 10, "lpips", 6, ()).startswith(
        "On clips that it has not seen, the new network is closer to the truth than the "
        "old one: in 6 of 6 clips, LPIPS -0.1300 ("
    )
    assert "is not visibly closer to the truth than the old one: PSNR +0.02 dB" in said(
        around(0.02, 0.01, 24)
    )
    assert said(around(0.2, 3.0, 24)).endswith("gained in 13 of 24 moments")
    assert "it cannot be told whether the new network is closer" in said(
        around(0.2, 3.0, 24)
    )
    assert said(gained, clips=3, seen=()).endswith("that takes 4 clips, here 3 clips")


def test_only_images_that_both_have_are_compared():
    ours = figures([21.0] * 8)
    theirs = figures([20.0] * 6)
    theirs["another"] = {"psnr": 1.0}
    (against,) = compare_images(ours, theirs, METRICS)
    assert (against.images, against.clips) == (6, 6)
    assert against.changes[0].interval.mean == 1.0
    assert compare_images(ours, {}, METRICS) == []
    assert compare_images(ours, figures([0.2] * 8, "lpips"), METRICS) == []


def test_a_change_is_printed_with_its_unit_and_interval():
    (against,) = compare_images(
        figures([21.0] * 6), figures([20.5] * 6), {"psnr": METRICS["psnr"]}
    )
    assert str(against.changes[0]) == "PSNR +0.50 dB (+0.50 to +0.50)"
    (few,) = compare_images(
        figures([0.5] * 2, "x"), figures([0.75] * 2, "x"), {"x": Metric("X", 3)}
    )
    assert str(few.changes[0]) == "X -0.250"


def test_names_tell_clips_and_moments():
    # Frames and sub-images of videos.
    parts = ["m_000001.000_s001", "m_000001.000_s002", "n_000002.500"]
    assert clips_of(parts) == ["m", "m", "n"]
    assert clips_of(["m_000001.000_s003_s001", "m_000002.000"]) == ["m", "m"]
    # Numbered photographs tell nothing; several series do.
    assert clips_of(["0801", "0802", "0803"]) == ["./0801", "./0802", "./0803"]
    assert clips_of(["cup 1", "cup 2", "hat 1"]) == ["./cup", "./cup", "./hat"]
    assert clips_of(["baby", "bird"]) == ["./baby", "./bird"]
    # Crops of numbered photographs are one image each.
    crops = ["0801_s001", "0801_s002", "0802_s001"]
    assert clips_of(crops) == ["0801", "0801", "0802"]

    frames = ["m_000002.100", "m_000001.000_s001", "m_000001.900", "n_000001.500"]
    first = "m_000001.000"
    assert moments_of(frames) == ["m_000002.100", first, first, "n_000001.500"]
    assert moments_of(["cup 1", "cup 2"]) == ["./cup 1", "./cup 2"]


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
