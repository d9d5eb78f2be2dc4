"""Frozen parts of the generator: they stay bit for bit, have no state, and cost no gradient."""

from functools import partialmethod

import numpy as np
import paddle
import pytest
from sample_runs import assert_states_equal, run

from realesrgan_paddle.models.networks.build import build
from realesrgan_paddle.models.networks.specs import RRDBNetSpec
from realesrgan_paddle.models.step.freeze import freeze
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops.onednn.convolution import Convolution
from realesrgan_paddle.utils.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.utils.ops.onednn.operators import OneDNNOps
from realesrgan_paddle.utils.ops.onednn.upsampled_convolution import (
    TransposedConvolution,
)
from realesrgan_paddle.utils.runlog.training_state import load_state

pytestmark = pytest.mark.paddle

FREEZE = "train.freeze=[body.0.*, body.1.weight]"
FROZEN = {"body.0.weight", "body.0.bias", "body.1.weight"}


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_frozen_parameters_stay_and_the_others_learn(tmp_path, options, optimizer):
    options["train"]["optim_g"] = {"type": optimizer, "lr": 1e-3, "weight_decay": 0.1}
    folder = run(
        tmp_path, options, FREEZE, "logger.save_checkpoint_freq=1", "train.total_iter=3"
    )
    first, last = (
        load_state(folder / f"training_states/{i}.state").parts for i in (1, 3)
    )
    for part in ("generator", "ema"):
        stayed = {
            name
            for name, array in last[part].items()
            if array.tobytes() == first[part][name].tobytes()
        }
        assert stayed == FROZEN, part
    assert {name.rpartition("/")[0] for name in last["optimizer_g"]} == set(
        last["generator"]
    ) - FROZEN
    assert any(
        not np.array_equal(array, last["ema"][name])
        for name, array in last["generator"].items()
    )
    sizes = {name: array.size for name, array in last["generator"].items()}
    learn = sum(size for name, size in sizes.items() if name not in FROZEN)
    line = f"{learn:,} of the generator's {sum(sizes.values()):,} parameters learn"
    assert line in (folder / "train.log").read_text()


def test_resuming_equals_not_stopping(tmp_path, options):
    straight = run(tmp_path, options, "name=straight", FREEZE)
    run(tmp_path, options, "name=stopped", "train.total_iter=3", FREEZE)
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true", FREEZE)
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )


def test_what_is_frozen_later_stays_from_then_on(tmp_path, options):
    run(tmp_path, options, "train.total_iter=3")
    folder = run(tmp_path, options, "auto_resume=true", FREEZE)
    before, after = (
        load_state(folder / f"training_states/{i}.state").parts for i in (3, 6)
    )
    stayed = {
        name
        for name, a in after["generator"].items()
        if np.array_equal(a, before["generator"][name])
    }
    assert stayed == FROZEN
    assert not any(name.rpartition("/")[0] in FROZEN for name in after["optimizer_g"])


def test_what_did_not_learn_cannot_begin_in_the_middle(tmp_path, options):
    run(tmp_path, options, "train.total_iter=3", FREEZE)
    with pytest.raises(
        UserError,
        match=r"optimizer state: .*'body\.0\.bias', which did not learn .* train\.freeze as it was",
    ):
        run(tmp_path, options, "auto_resume=true")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            "[bdy.0.*]",
            r"^train\.freeze: 'bdy\.0\.\*' matches no parameter of network_g; did you mean 'body\.0\.\*'\?$",
        ),
        ("[body.0.wieght]", r"did you mean 'body\.0\.weight'\?$"),
        ("['*']", "matches every parameter of network_g; leave some to learn"),
    ],
)
def test_a_pattern_that_does_nothing_or_all_is_refused(
    tmp_path, options, patterns, message
):
    with pytest.raises(UserError, match=message):
        run(tmp_path, options, f"train.freeze={patterns}")
    assert not (tmp_path / "runs").exists()


def test_the_gradient_of_a_frozen_weight_is_not_computed(monkeypatch):
    """Those below everything that learns pass nothing on either."""
    try:
        library()
    except OneDNNError as problem:
        pytest.skip(str(problem))
    computed = []

    def counting(self, kind, make):
        make(self, kind)
        for name in ("backward_weights", "backward_data"):
            compute = getattr(self, name)

            def call(*args, name=name, compute=compute):
                computed.append((name, kind.out_ch))
                return compute(*args)

            setattr(self, name, call)

    for layer in (Convolution, TransposedConvolution):
        monkeypatch.setattr(
            layer, "__init__", partialmethod(counting, make=layer.__init__)
        )
    network = build(RRDBNetSpec(num_feat=20, num_block=1, num_grow_ch=4))
    network.ops = OneDNNOps()
    freeze(
        network, ["conv_first.*", "body.*", "conv_body.*", "conv_up1.*", "conv_hr.*"]
    )
    network(paddle.rand([1, 3, 7, 9])).mean().backward()
    assert sorted(computed) == [
        ("backward_data", 3),  # conv_last: of conv_hr's output
        ("backward_data", 20),  # conv_hr, frozen: of conv_up2's output
        ("backward_weights", 3),
        ("backward_weights", 20),  # conv_up2
    ]
