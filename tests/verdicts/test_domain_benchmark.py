"""The finetunes that benchmarks/domain_gain compares are compared on equal terms."""

from pathlib import Path

import pytest

from benchmarks.domain_gain.bootstrap import bootstrap_interval
from benchmarks.domain_gain.domains import Domain, halves
from benchmarks.domain_gain.finetune import BASE, ROOT, degradation_keys
from benchmarks.domain_gain.hidden import PRESETS, TRUTHS
from benchmarks.domain_gain.recipes import RECIPES, Recipe
from benchmarks.domain_gain.report import METRICS, put_together
from realesrgan_paddle.data.lq.folder import read_lq_options
from realesrgan_paddle.options.reading.load import given_options, merged

ARMS = sorted((ROOT / "benchmarks" / "domain_gain" / "options").glob("*.yml"))


def test_finetunes_differ_in_the_degradation_alone():
    base = given_options(BASE)
    for yml in (*TRUTHS, *PRESETS.values(), *ARMS):
        options = merged(base, degradation_keys(read_lq_options(yml)))
        for shared in ("gt_size", "queue_size", "gt_usm", "train", "network_g", "path"):
            assert options[shared] == base[shared], yml
        batch = "batch_size_per_gpu"
        assert options["datasets"]["train"][batch] == base["datasets"]["train"][batch]


def test_a_recipe_takes_frames_of_all_clips():
    clips = [f"{clip}_{number:02}" for clip in "abcd" for number in range(10)]
    domain = Domain("made", [Path(f"{name}.jpg") for name in clips], {}, 1, 1)
    names = [f"{name}_{crop}.png" for name in clips for crop in range(3)]
    chosen = Recipe("few", frames=8).images(names, domain)
    assert len(chosen) == 24
    assert {name[0] for name in chosen} == set("abcd")
    two = Recipe("two", clips=2, frames=8).images(names, domain)
    assert len(two) == 24
    assert {name[0] for name in two} == set("ab")
    assert Recipe("all").images(names, domain) == names


def test_halves_repeat_the_fewer():
    few, many = ["few/a", "few/b"], [f"many/{number}" for number in range(5)]
    assert sorted(halves(few, many)) == sorted(few * 2 + many)
    assert sorted(halves(many, few)) == sorted(few * 2 + many)
    assert halves(few, few) == few * 2


def test_recipes_have_names_of_their_own():
    names = [recipe.name for recipe in RECIPES]
    assert len({*names, ""}) == len(names) + 1


def judged(network, figure):
    """Return a record of one crop of each of two clips."""
    figures = {metric: [figure, figure] for metric in METRICS}
    return {"network": network, "input": "made: input", "group": ["a", "b"], **figures}


def test_arms_are_compared_by_the_seeds_that_both_have():
    oracle, domain, released = put_together(
        [
            judged("oracle, made, seed 1", 5.0),
            judged("domain, made, seed 0", 1.0),
            judged("domain, made, seed 1", 3.0),
            judged("released", 0.0),
        ]
    )
    assert domain.mean("psnr") == 2
    assert oracle.against(domain)["psnr"]["mean"] == 2
    assert domain.against(oracle)["psnr"]["mean"] == -2
    assert domain.against(released)["psnr"]["mean"] == 2


def test_arms_are_compared_by_a_bootstrap_over_clips():
    values = [1.0, 2.0, 3.0, 4.0, 10.0, 5.0]
    found = bootstrap_interval(values, list("aaaaab"))
    # The mean is over crops; of two clips, draws are only a, only b or both.
    assert (found.mean, found.low, found.high) == (pytest.approx(25 / 6), 4.0, 5.0)
    alone = bootstrap_interval(values)
    assert alone == bootstrap_interval(values, list("abcdef"))
    assert alone.low < alone.mean < alone.high
