"""Training states with a right checksum and wrong contents: one line, and passed over."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sample_runs import assert_states_equal, log_of, opened, run, state_of

from realesrgan_paddle.commands.train import train
from realesrgan_paddle.ops.plain import PlainOps
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.build import build_step
from realesrgan_paddle.training.checkpoints import check_state
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.training_state import load_state, save_state

pytestmark = pytest.mark.paddle

WEIGHT, MOMENT = "generator/body.0.weight", "optimizer_d/conv0.weight/moment2_0"
POWER = "optimizer_g/body.0.weight/beta1_pow_acc_0"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of four iterations with states of 2 and 4."""
    from sample_runs import tiny_options

    folder = tmp_path_factory.mktemp("finished")
    options = tiny_options(folder)
    options["train"] |= {"total_iter": 4, "net_d_init_iters": 1}
    options["logger"]["save_checkpoint_freq"] = 2
    return run(folder, options)


@pytest.fixture(scope="module")
def step(finished):
    """The networks of the run."""
    return build_step(load_config(finished / "config.yml"), PlainOps())


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the run, whose name is the same."""
    return shutil.copytree(finished, tmp_path / "runs/tiny")


def resume(folder, *overrides):
    root = f"path.experiments_root={folder.parent}"
    train(load_config(folder / "config.yml", [root, "auto_resume=true", *overrides]))


def problem_of(state, step):
    """The one line that a state of the path `x.state` is refused with."""
    with pytest.raises(UserError) as error:
        check_state(replace(state, path=Path("x.state")), step, 4)
    message = str(error.value)
    assert message.startswith("x.state")
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_a_sound_state_is_sound(finished, step):
    for iteration in (2, 4):
        check_state(load_state(state_of(finished, iteration)), step, 4)


def test_a_state_without_a_record_of_its_run_is_refused(finished, step):
    state = load_state(state_of(finished, 4))
    for record in (None, [], "", 3):
        changed_state = replace(state, record={"run": record})
        assert f"run: {record!r}" in problem_of(changed_state, step)
    assert "run: None" in problem_of(replace(state, record={}), step)


WRONG_VALUES = [
    ("saved", 4),
    ("saved", ["4"]),
    ("saved", [99]),
    ("good", -1),
    ("good", 5),
    ("best", []),
    ("best", {"figure": "a/psnr"}),
    ("best", {"figure": "a/psnr", "value": "high", "iteration": 2}),
    ("best", {"figure": "a/psnr", "value": 1.0, "iteration": 7}),
    ("stale", None),
    ("stale", 1.5),
    ("skipped", True),
    ("rolled_back", 1),
    ("unknown", 1),
]


def test_a_value_of_a_wrong_type_in_a_record_is_refused(finished, step):
    state = load_state(state_of(finished, 4))
    for key, value in WRONG_VALUES:
        record = {"run": {**state.record["run"], key: value}}
        message = problem_of(replace(state, record=record), step)
        assert key in message or "mentions iteration" in message


def changed(array, index, value):
    array = array.copy()
    array.flat[index] = value
    return array


CHANGES = {
    "a weight that is NaN": (WEIGHT, lambda a: changed(a, 3, np.nan)),
    "a moment that is NaN": (MOMENT, lambda a: changed(a, 0, np.nan)),
    "a moment that is infinite": (MOMENT, lambda a: changed(a, 0, np.inf)),
    "a mean square below 0": (MOMENT, lambda a: changed(a, 0, -1e-9)),
    "a power of 1": (POWER, lambda a: changed(a, 0, 1)),
    "a weight of another shape": (WEIGHT, lambda a: a[:, :1]),
    "a moment of another shape": (MOMENT, lambda a: a.ravel()),
    "a power of another shape": (POWER, lambda a: np.repeat(a, 2)),
    "a weight of another type": (WEIGHT, lambda a: a.astype(np.float64)),
    "bits of a bfloat16 buffer": (
        "discriminator/conv1.weight_v",
        lambda a: (a.view(np.uint32) >> 16).astype(np.uint16),
    ),
    "a moment of another type": (MOMENT, lambda a: a.astype(np.float16)),
    "a missing weight": (WEIGHT, None),
    "a missing moment": (MOMENT, None),
    "a missing average": ("ema/body.0.weight", None),
    "an unknown weight": ("generator/body.99.weight", lambda _: np.ones(3, "f4")),
    "an unknown moment": (f"{MOMENT}0", lambda _: np.ones(3, "f4")),
    "an unknown part": ("stranger/a", lambda _: np.ones(3, "f4")),
    "a pool that is NaN": (
        "pool/lq",
        lambda a: changed(a / np.float32(255), 7, np.nan),
    ),
    "a pool of another type": ("pool/lq", lambda a: a.astype(np.float16)),
    "a pool of another scale": ("pool/lq", lambda a: a[..., ::2, ::2]),
    "a pool without height": ("pool/lq", lambda a: a[0]),
    "a pool of one number": ("pool/gt", lambda _: np.float32(1).reshape(())),
    "a pool of unequal lengths": ("pool/gt", lambda a: a[:-1]),
    "a pool of gray images": ("pool/gt", lambda a: a[:, :1]),
    "half a pool": ("pool/gt", None),
    "an accuracy above 1": ("warm_up/accuracy", lambda a: a + 1),
    "a warm-up's end below 0": ("warm_up/ended", lambda a: a - 9),
    "a loss scale that is NaN": ("precision/scale", lambda _: np.array([np.nan, 0])),
    "a loss scale below 0": ("precision/scale", lambda _: np.array([-1.0, 0])),
    "a loss scale without its count": ("precision/scale", lambda _: np.array([2.0])),
}


def with_change(state, key, change):
    """The state with an array of a key "part/name" changed, removed (None) or added."""
    parts = {part: dict(arrays) for part, arrays in state.parts.items()}
    part, _, name = key.partition("/")
    arrays = parts.setdefault(part, {})
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays.get(name))
    return replace(state, parts=parts)


def test_an_array_that_does_not_belong_in_a_state_is_refused(finished, step):
    state = load_state(state_of(finished, 4))
    for name, (key, change) in CHANGES.items():
        message = problem_of(with_change(state, key, change), step)
        part, _, array = key.partition("/")
        known = part.replace("pool", "pair pool") in message or array in message
        assert known, f"{name}: {message}"


def test_an_unsound_state_is_passed_over_and_made_again(copied):
    newest, expected = state_of(copied, 4), copied / "expected.state"
    shutil.copy(newest, expected)
    save_state(
        newest, with_change(load_state(newest), *CHANGES["a moment that is NaN"])
    )
    resume(copied)
    assert f"skipped a damaged training state: {newest}: {MOMENT}: holds NaN" in log_of(
        copied
    )
    assert "resumed after iteration 2" in log_of(copied)
    assert_states_equal(newest, expected)


def test_a_run_from_an_older_state_goes_on_from_its_own_later(copied):
    """The states of what it leaves are renamed: they are newer by their names."""
    left = state_of(copied, 4)
    older = f"path.resume_state={state_of(copied, 2)}"
    resume(copied, "auto_resume=false", older, "train.total_iter=3")
    assert f"{left}: of a later iteration, so renamed 4.state.left" in log_of(copied)
    resume(copied, "train.total_iter=5")
    assert "resumed after iteration 3" in log_of(copied)


def test_an_unsound_state_that_was_named_is_one_line_and_writes_nothing(copied):
    newest = state_of(copied, 4)
    save_state(newest, with_change(load_state(newest), *CHANGES["a missing weight"]))
    with pytest.raises(UserError, match=r"4\.state, generator: .* 1 missing \(body"):
        resume(copied, "auto_resume=false", "name=other", f"path.resume_state={newest}")
    assert not copied.with_name("other").exists()


@pytest.mark.parametrize("override", ["queue_size=3", "gt_size=48"])
def test_an_option_that_was_changed_does_not_make_states_unusable(copied, override):
    """An older state with a pool that fits must not be taken: newer ones would be lost."""
    log = log_of(copied)
    with pytest.raises(UserError, match=override.partition("=")[0]):
        resume(copied, override, "train.total_iter=8")
    assert log_of(copied) == log


def spoil_weight(step):
    weight = step.ema.layer.parameters()[0]
    weight.set_value(weight + float("nan"))


def spoil_buffer(step):
    """As automatic mixed precision leaves one that is computed within it."""
    layer = step.discriminator.conv1
    layer.weight_v = layer.weight_v.astype("bfloat16")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (spoil_weight, "ema/body.0.weight: holds NaN or infinite numbers"),
        (spoil_buffer, "discriminator/conv1.weight_v: uint16, not float32"),
    ],
)
def test_what_could_not_be_resumed_from_is_not_saved(tmp_path, options, spoil, problem):
    with opened(tmp_path, options) as (_, training):
        spoil(training.step)
        with pytest.raises(UserError) as error:
            training.checkpoints.save(7)
    assert str(error.value).startswith(f"iteration 7: {problem}, so nothing is saved")
    assert "--auto_resume, and try a lower train.optim_g.lr" in str(error.value)
    assert not list((tmp_path / "runs/tiny").rglob("*7*"))
    assert not (tmp_path / "runs/tiny/models").exists()


def test_a_network_that_is_not_finite_is_not_kept_as_the_best(tmp_path, options):
    with opened(tmp_path, options) as (cfg, training):
        spoil_weight(training.step)
        with pytest.raises(
            UserError, match=r"iteration 7: ema/body\.0\.weight: holds NaN"
        ):
            training.checkpoints.keep_best(7, {"a/psnr_y": 30.0}, cfg.val)
    assert not (tmp_path / "runs/tiny/models").exists()


def test_a_run_whose_moments_overflow_ends_at_its_first_checkpoint(tmp_path, options):
    """Finite gradients, whose squares are not: Paddle's Adam makes NaN weights of them.

    With one operation for each parameter, as on Paddle 2.6, the weights stand still.
    """
    with pytest.raises(
        UserError, match=r"iteration 3: (generator/|optimizer_g/.*/moment2_0).*: holds"
    ):
        run(tmp_path, options, "train.pixel_opt.loss_weight=1e30")
    assert not (tmp_path / "runs/tiny/models").exists()
    assert not (tmp_path / "runs/tiny/training_states").exists()
