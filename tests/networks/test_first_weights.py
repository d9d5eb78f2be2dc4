"""A discriminator that begins with a first layer that sees detail."""

import numpy as np
import paddle
import pytest
from sample_runs import run

from realesrgan_paddle.judging.images import general_images
from realesrgan_paddle.models.networks.unet_discriminator import (
    UNetDiscriminatorSN,
    init_first_layer,
)
from realesrgan_paddle.utils.runlog.training_state import load_state

pytestmark = pytest.mark.paddle


def first_layer(*, detail):
    paddle.seed(0)
    network = UNetDiscriminatorSN(num_feat=16)
    if detail:
        init_first_layer(network)
    return network.conv0


def answers(layer, picture):
    return layer(paddle.to_tensor(np.float32(picture.transpose(2, 0, 1)[None]) / 255))[
        0, :, 2:-2, 2:-2
    ].numpy()


def test_the_first_layer_ignores_flat_color_and_responds_to_detail():
    usual, layer = first_layer(detail=False), first_layer(detail=True)
    flat = [
        np.full((16, 16, 3), colour, np.uint8)
        for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 90))
    ]
    assert np.ptp([answers(usual, picture) for picture in flat], axis=0).max() > 0.3
    assert np.ptp([answers(layer, picture) for picture in flat], axis=0).max() < 1e-4
    spread = [
        answers(layer, picture.gt).std(axis=(1, 2)).mean()
        for picture in general_images(4)
    ]
    assert 0.3 < np.median(spread) < 3
    assert (
        max(
            answers(usual, picture.gt).std(axis=(1, 2)).mean()
            for picture in general_images(4)
        )
        > 0.05
    )


def test_only_the_first_layer_changes():
    paddle.seed(0)
    usual, other = UNetDiscriminatorSN(num_feat=16), UNetDiscriminatorSN(num_feat=16)
    other.set_state_dict(usual.state_dict())
    init_first_layer(other)
    same = [
        name
        for name, value in other.state_dict().items()
        if (value == usual.state_dict()[name]).all()
    ]
    assert set(usual.state_dict()) - set(same) == {"conv0.weight"}


@pytest.mark.parametrize("pretrained", [False, True])
def test_a_new_discriminator_starts_with_this_layer_a_pretrained_one_does_not(
    tmp_path, options, pretrained
):
    """After one iteration at a rate of next to nothing the first weights are still there."""
    options["train"] |= {"net_d_init_detail": True, "optim_d": {"lr": 1e-12}}
    if pretrained:
        folder = run(
            tmp_path,
            options,
            "name=before",
            "train.total_iter=1",
            "train.net_d_init_detail=false",
        )
        options["path"]["pretrain_network_d"] = str(folder / "models/net_d_1.pdparams")
    folder = run(tmp_path, options, "train.total_iter=1")
    (state,) = (folder / "training_states").glob("*.state")
    weight = load_state(state).parts["discriminator"]["conv0.weight"]
    assert (np.abs(weight.mean(axis=(2, 3))).max() < 1e-5) != pretrained
