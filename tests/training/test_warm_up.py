"""The warm-up: the discriminator is trained alone until it separates real from generated images."""

import paddle
import pytest
from sample_runs import (
    assert_states_equal,
    log_of,
    parts_of,
    reported,
    run,
    state_of,
    write_grainy_images,
)

from realesrgan_paddle.loss.losses import GANLoss
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

GENERATOR = ("generator", "ema", "optimizer_g")


@pytest.fixture
def separable(tmp_path, options):
    """Options of a run whose discriminator separates soon: only real images have grain."""
    write_grainy_images(tmp_path / "hr")
    options["train"] |= {
        "net_d_init_iters": 300,
        "net_d_init_until": 0.55,
        "optim_d": {"lr": 1e-3},
        "warmup_iter": -1,
    }
    options["train"]["scheduler"]["milestones"] = []
    del options["train"]["artifact_opt"]
    options["logger"] |= {"save_checkpoint_freq": 2, "keep_checkpoints": 0}
    return options


def arrays_of(state, parts):
    """The bytes of a state's parts, by part and name."""
    return {
        (part, name): array.tobytes()
        for part in parts
        for name, array in state.get(part, {}).items()
    }


def last_of_warm_up(folder, iteration):
    return int(parts_of(folder, iteration)["warm_up"]["ended"][0])


def test_the_warm_up_ends_when_the_discriminator_separates_also_if_resumed(
    tmp_path, separable
):
    folder = run(tmp_path, separable, "train.total_iter=30")
    ended = last_of_warm_up(folder, 30)
    assert 5 < ended < 28, (
        "a running mean that starts at 0.5 takes 6 iterations to 0.55"
    )
    assert (
        f"warm-up: the discriminator separates real from generated images after {ended} "
        "iterations: it classifies 5"
    ) in log_of(folder)

    alone = [line for line in reported(folder) if "l_g_gan" not in line]
    assert [line["iter"] for line in alone] == list(range(1, ended + 1))
    mean = 0.5
    for line in alone:
        mean = 0.98 * mean + 0.02 * line["out_d_right"]
    assert mean >= 0.55
    assert mean == pytest.approx(parts_of(folder, 30)["warm_up"]["accuracy"][0])

    first = parts_of(folder, 2)
    before, after = (
        parts_of(folder, ended // 2 * 2),
        parts_of(folder, ended // 2 * 2 + 2),
    )
    assert arrays_of(first, GENERATOR) == arrays_of(before, GENERATOR)
    assert arrays_of(first, GENERATOR) != arrays_of(after, GENERATOR)
    only_d = ("discriminator",)
    assert arrays_of(first, only_d) != arrays_of(before, only_d)

    for stop in (ended - 2, ended + 1, 30):
        total = f"train.total_iter={stop}"
        resumed = run(tmp_path, separable, "name=stopped", total, "auto_resume=true")
    assert_states_equal(state_of(folder, 30), state_of(resumed, 30))
    assert reported(folder) == reported(resumed)
    assert log_of(resumed).count("separates") == 1


def test_the_warm_up_ends_after_its_iterations_without_separation(tmp_path, options):
    options["train"] |= {
        "net_d_init_iters": 3,
        "net_d_init_until": 0.9,
        "optim_d": {"lr": 1e-12},
    }
    folder = run(tmp_path, options)
    assert last_of_warm_up(folder, 6) == 3
    (line,) = [line for line in log_of(folder).splitlines() if "warm-up" in line]
    assert "does not separate real from generated images: " in line
    assert "not 90%, after 3 iterations; the generator is trained from now on" in line
    assert "train.net_d_init_iters" in line
    assert ["l_g_gan" in line for line in reported(folder)] == [False] * 3 + [True] * 3


def test_a_warm_up_without_a_target_accuracy_takes_its_iterations(tmp_path, separable):
    folder = run(
        tmp_path,
        separable,
        "train.net_d_init_until=null",
        "train.net_d_init_iters=10",
        "train.total_iter=10",
    )
    assert not any("l_g_gan" in line for line in reported(folder))
    assert "trained alone for 10 iterations: it classifies" in log_of(folder)


def test_the_accuracy_compares_an_image_with_what_was_generated_from_it():
    accuracy = GANLoss().accuracy
    real, fake = paddle.full([2, 1, 4, 4], 0.1), paddle.full([2, 1, 4, 4], -0.1)
    of_two_images = paddle.to_tensor([-7.0, 5.0]).reshape([2, 1, 1, 1])
    for both in (0.0, of_two_images):
        assert accuracy(real + both, fake + both) == 1
        assert accuracy(fake + both, real + both) == 0
        same_answer = accuracy(real + both, real + both)
        assert same_answer in (0, 0.5)
    fake[0] = real[0]
    assert accuracy(real, fake) in (0.5, 0.75)


def test_a_target_accuracy_needs_a_maximum_of_iterations(tmp_path, options):
    options["train"]["net_d_init_until"] = 0.8
    with pytest.raises(
        UserError, match=r"train\.net_d_init_until needs train\.net_d_init_iters"
    ):
        run(tmp_path, options)
