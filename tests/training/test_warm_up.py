"""The discriminator learns alone until it separates real from generated, and the generator stays as it is meanwhile."""

import numpy as np
import paddle
import pytest
from sample_runs import assert_states_equal, picture, reported, run

from realesrgan_paddle.loss.gan import GANLoss
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.training_state import load_state

pytestmark = pytest.mark.paddle

GENERATOR = ("generator", "ema", "optimizer_g")


@pytest.fixture
def separable(tmp_path, options):
    """Options of a run whose discriminator learns quickly: real pictures are grainy, generated ones smooth."""
    for i in range(3):
        grain = np.random.default_rng(i).integers(-60, 60, (96, 96, 3))
        write_image(
            tmp_path / "hr" / f"{i}.png",
            np.uint8(np.clip(picture(96, 96, i) + grain, 0, 255)),
        )
    options["train"] |= {
        "net_d_init_iters": 300,
        "net_d_init_until": 0.6,
        "optim_d": {"lr": 1e-3},
        "warmup_iter": -1,
    }
    options["train"]["scheduler"]["milestones"] = []
    del options["train"]["artifact_opt"]
    options["logger"] |= {"save_checkpoint_freq": 5, "keep_checkpoints": 0}
    return options


def parts(folder, iteration):
    return load_state(folder / f"training_states/{iteration}.state").parts


def same(a, b):
    arrays = [
        {
            (part, name): array
            for part in GENERATOR
            for name, array in at.get(part, {}).items()
        }
        for at in (a, b)
    ]
    return arrays[0].keys() == arrays[1].keys() and all(
        np.array_equal(arrays[0][k], arrays[1][k]) for k in arrays[0]
    )


def test_it_ends_when_the_discriminator_separates(tmp_path, separable):
    folder = run(tmp_path, separable, "train.total_iter=45")
    ended = int(parts(folder, 45)["warm_up"]["ended"][0])
    assert 11 < ended < 40, (
        "a running mean that starts at 0.5 takes at least 12 iterations to 0.6"
    )
    log = (folder / "train.log").read_text()
    assert (
        f"separated real from generated after {ended} iterations alone: its answers are right 6"
        in log
    )
    alone = [line for line in reported(folder) if "l_g_gan" not in line]
    assert [line["iter"] for line in alone] == list(range(1, ended + 1))
    mean = 0.5
    for line in alone:
        mean = 0.98 * mean + 0.02 * line["out_d_right"]
    assert (
        mean == pytest.approx(parts(folder, 45)["warm_up"]["accuracy"][0])
        and mean >= 0.6
    )
    before, after = ended // 5 * 5, ended // 5 * 5 + 5
    assert same(parts(folder, 5), parts(folder, before)), (
        "the generator, its average or its optimizer has moved"
    )
    assert not same(parts(folder, 5), parts(folder, after))
    names = parts(folder, 5)["discriminator"].items()
    assert any(
        not np.array_equal(array, parts(folder, before)["discriminator"][name])
        for name, array in names
    )


def test_resuming_in_it_and_after_it_is_exact(tmp_path, separable):
    separable["logger"]["save_checkpoint_freq"] = 100
    straight = run(tmp_path, separable, "name=straight", "train.total_iter=40")
    assert 10 < int(parts(straight, 40)["warm_up"]["ended"][0]) < 36
    for stop in (10, 36, 40):
        resumed = run(
            tmp_path,
            separable,
            "name=stopped",
            f"train.total_iter={stop}",
            "auto_resume=true",
        )
    assert_states_equal(
        straight / "training_states/40.state", resumed / "training_states/40.state"
    )
    assert reported(straight) == reported(resumed)
    assert (resumed / "train.log").read_text().count("separated") == 1


def test_it_ends_unseparated_after_the_iterations_given(tmp_path, options):
    options["train"] |= {
        "net_d_init_iters": 3,
        "net_d_init_until": 0.9,
        "optim_d": {"lr": 1e-12},
    }
    folder = run(tmp_path, options)
    assert parts(folder, 6)["warm_up"]["ended"] == 3
    log = (folder / "train.log").read_text()
    assert (
        "warning: the discriminator did not separate real from generated in 3 iterations alone"
        in log
    )
    assert (
        "not 90%; the generator learns from now on" in log
        and "train.net_d_init_iters" in log
    )
    assert ["l_g_gan" in line for line in reported(folder)] == [False] * 3 + [True] * 3


def test_without_an_accuracy_to_reach_it_takes_its_iterations(tmp_path, separable):
    folder = run(
        tmp_path,
        separable,
        "train.net_d_init_until=null",
        "train.net_d_init_iters=20",
        "train.total_iter=20",
    )
    assert not any("l_g_gan" in line for line in reported(folder))
    assert (
        "has learned alone for 20 iterations: its answers are right"
        in (folder / "train.log").read_text()
    )


def test_the_accuracy_compares_a_picture_with_what_was_generated_of_it():
    accuracy = GANLoss().accuracy
    real, fake = paddle.full([2, 1, 4, 4], 0.1), paddle.full([2, 1, 4, 4], -0.1)
    of_two_pictures = paddle.to_tensor([-7.0, 5.0]).reshape([2, 1, 1, 1])
    for both in (0.0, of_two_pictures):
        assert accuracy(real + both, fake + both) == 1
        assert accuracy(fake + both, real + both) == 0
        assert accuracy(real + both, real + both) in (0, 0.5), (
            "it answers the same to both"
        )
    fake[0] = real[0]
    assert accuracy(real, fake) in (0.5, 0.75)


def test_an_accuracy_needs_a_longest_time(tmp_path, options):
    options["train"]["net_d_init_until"] = 0.8
    with pytest.raises(
        UserError, match=r"train\.net_d_init_until needs train\.net_d_init_iters"
    ):
        run(tmp_path, options)
