"""Frozen parts of the generator: unchanged bit for bit, without optimizer state or gradient."""

from functools import partialmethod

import paddle
import pytest
from sample_runs import log_of, parts_of, run

from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.step.state import freeze
from realesrgan_paddle.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.ops.training.convolution import Convolution
from realesrgan_paddle.ops.training.operators import OneDNNOps
from realesrgan_paddle.ops.training.upsampled_convolution import TransposedConvolution
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

FREEZE = "train.freeze=[body.0.*, body.1.weight]"
FROZEN = {"body.0.weight", "body.0.bias", "body.1.weight"}


def unchanged(before, after):
    """The names of the arrays that are equal in both, bit for bit."""
    return {
        name
        for name, array in after.items()
        if array.tobytes() == before[name].tobytes()
    }


def trained_by(optimizer_state):
    """The names of the parameters that an optimizer's state holds something of."""
    return {key.rpartition("/")[0] for key in optimizer_state}


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_frozen_parameters_stay_and_the_others_are_trained(
    tmp_path, options, optimizer
):
    options["train"]["optim_g"] = {"type": optimizer, "lr": 1e-3, "weight_decay": 0.1}
    folder = run(
        tmp_path, options, FREEZE, "logger.save_checkpoint_freq=1", "train.total_iter=3"
    )
    first, last = parts_of(folder, 1), parts_of(folder, 3)
    for part in ("generator", "ema"):
        assert unchanged(first[part], last[part]) == FROZEN, part
    assert trained_by(last["optimizer_g"]) == set(last["generator"]) - FROZEN
    assert unchanged(last["ema"], last["generator"]) == FROZEN, "the average lags"

    sizes = {name: array.size for name, array in last["generator"].items()}
    trained = sum(size for name, size in sizes.items() if name not in FROZEN)
    total = sum(sizes.values())
    expected = f"{trained:,} of the generator's {total:,} parameters are trained"
    assert expected in log_of(folder)


def test_what_is_frozen_later_stays_from_then_on(tmp_path, options):
    run(tmp_path, options, "train.total_iter=3")
    folder = run(tmp_path, options, "auto_resume=true", FREEZE)
    before, after = parts_of(folder, 3), parts_of(folder, 6)
    assert unchanged(before["generator"], after["generator"]) == FROZEN
    assert not trained_by(after["optimizer_g"]) & FROZEN


def test_a_resumed_run_cannot_unfreeze_parameters(tmp_path, options):
    run(tmp_path, options, "train.total_iter=3", FREEZE)
    with pytest.raises(
        UserError,
        match=r"optimizer state: has no 'body\.0\.bias', which was frozen before; give "
        r"train\.freeze as it was",
    ):
        run(tmp_path, options, "auto_resume=true")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            "[bdy.0.*]",
            r"^train\.freeze: 'bdy\.0\.\*' matches no parameter of network_g; "
            r"did you mean 'body\.0\.\*'\?$",
        ),
        ("[body.0.wieght]", r"did you mean 'body\.0\.weight'\?$"),
        ("['*']", "matches every parameter of network_g; leave some to train"),
    ],
)
def test_a_pattern_that_matches_nothing_or_everything_is_refused(
    tmp_path, options, patterns, message
):
    with pytest.raises(UserError, match=message):
        run(tmp_path, options, f"train.freeze={patterns}")
    assert not (tmp_path / "runs").exists()


def test_the_gradient_of_a_frozen_weight_is_not_computed(monkeypatch):
    """Nor that of the input of layers below everything that is trained."""
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
    network = Network(RRDBNet(num_feat=20, num_block=1, num_grow_ch=4))
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
