"""The discriminator on frozen VGG16 features: its logits, training, state and options."""

import formulas
import numpy as np
import paddle
import pytest
import sample_perceptual_metrics as sample
from sample_runs import assert_states_equal, reported, run, write_yml

from realesrgan_paddle.loss.losses import GANLoss, L1Loss
from realesrgan_paddle.loss.lpips_dists import load_vgg16_features
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.projected_discriminator import (
    CHANNELS,
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import EMA, Batch, ReferenceLosses
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with VGG16's weights, of a formula."""
    folder = tmp_path_factory.mktemp("weights")
    write_pdparams(
        folder / "dists.pdparams", {"": sample.network("vgg") | sample.dists()}
    )
    return folder


def projected_discriminator(weights):
    paddle.seed(0)
    return ProjectedDiscriminator(
        load_vgg16_features(3, weights), num_feat=8, num_block=3
    )


@pytest.fixture
def discriminator(weights):
    return projected_discriminator(weights)


def relativistic_step(judge, losses, rate=1.0):
    """A step with SGD of this rate and a generator of its own, always the same one."""
    paddle.seed(5)
    generator = Network(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2))
    return GANStep(
        generator=generator,
        ema=EMA(generator, 0.9),
        losses=losses,
        optimizer_g=paddle.optimizer.SGD(rate, parameters=generator.parameters()),
        lr_g=rate,
        discriminator=judge,
        optimizer_d=paddle.optimizer.SGD(rate, parameters=judge.parameters()),
        lr_d=rate,
        gan_loss=GANLoss(),
        relativistic=True,
    )


def pictures(name, n=2):
    return paddle.to_tensor(formulas.picture(name, (n, 3, 32, 48)))


def test_each_blocks_logits_have_its_own_scale(discriminator):
    seen = discriminator.features(pictures("gt"))
    assert [tuple(feature.shape[1:]) for feature in seen] == [
        (64, 32, 48),
        (128, 16, 24),
        (256, 8, 12),
    ]
    answers = discriminator.classify(seen).numpy()
    assert answers.shape == (2, 3, 16, 24)
    coarse = answers[:, 2]
    np.testing.assert_array_equal(coarse, coarse[:, ::2, ::2].repeat(2, 1).repeat(2, 2))
    assert np.ptp(answers[:, 1, :2, :2]) > 0, "finer answers are not repeated"
    with (
        paddle.no_grad()
    ):  # one weight vector per forward: spectral norm moves on while it trains
        discriminator.eval()
        np.testing.assert_array_equal(
            discriminator(pictures("gt")), discriminator.classify(seen)
        )


def test_only_the_heads_are_trained_and_saved(discriminator):
    x = pictures("gt")
    x.stop_gradient = False
    discriminator(x).mean().backward()
    assert float(x.grad.abs().sum()) > 0
    names = set(discriminator.state_dict())
    assert {name.split(".")[0] for name in names} == {"heads"}
    assert sum(np.prod(p.shape) for p in discriminator.parameters()) == sum(
        8 * channels * (16 if block == 0 else 9) + 8 * 8 * 9 + 8 * 9 + 1
        for block, channels in enumerate(CHANNELS[:3])
    )
    assert all(
        float(parameter.grad.abs().sum()) > 0
        for parameter in discriminator.parameters()
    )


def test_it_tells_sharp_from_blurred_within_a_few_updates(discriminator):
    adam = paddle.optimizer.Adam(2e-3, parameters=discriminator.parameters())
    loss = GANLoss()
    for step in range(40):
        real = pictures(f"gt{step}")
        fake = paddle.nn.functional.interpolate(
            paddle.nn.functional.avg_pool2d(real, 2), scale_factor=2
        )
        to_real, to_fake = discriminator(real), discriminator(fake)
        (
            loss(to_real, True, is_disc=True) + loss(to_fake, False, is_disc=True)
        ).backward()
        adam.step()
        adam.clear_grad()
    assert float(loss.accuracy(to_real, to_fake)) > 0.8


@pytest.mark.parametrize("kind", ["projected", "unet"])
def test_a_relativistic_step_follows_the_gradient_of_the_difference(
    discriminator, kind
):
    judge = discriminator if kind == "projected" else UNetDiscriminatorSN(num_feat=8)
    gt = pictures("gt")
    for _ in range(20):
        judge(gt)
    # its spectral norm has converged and stands still, so that both ways below see the
    # same weights
    judge.eval()
    judge.train = lambda: judge
    batch = Batch(lq=paddle.nn.functional.avg_pool2d(gt, 2), gt=gt, gt_usm=gt)
    step = relativistic_step(judge, ReferenceLosses(pixel=L1Loss(loss_weight=0.0)))
    generator = step.generator
    fake, real = judge(generator(batch.lq)), judge(gt)
    teaches, learns = (
        paddle.nn.functional.softplus(x).mean()
        for x in (real.detach() - fake, fake - real)
    )
    expected_g = paddle.grad(teaches, generator.parameters(), retain_graph=True)
    expected_d = paddle.grad(learns, judge.parameters())
    before = [
        [p.numpy().copy() for p in network.parameters()]
        for network in (generator, judge)
    ]

    losses = step([batch], 1)
    assert float(losses["l_g_gan"]) == pytest.approx(float(teaches), rel=1e-5)
    assert (
        float(losses["l_d_real"])
        == float(losses["l_d_fake"])
        == pytest.approx(float(learns), rel=1e-5)
    )
    for network, old, gradients in zip(
        (generator, judge), before, (expected_g, expected_d), strict=True
    ):
        for parameter, was, gradient in zip(
            network.parameters(), old, gradients, strict=True
        ):
            tolerance = 1e-3 * float(gradient.abs().max()) + 1e-7
            np.testing.assert_allclose(
                was - parameter.numpy(), gradient.numpy(), atol=tolerance
            )


def test_two_accumulated_batches_of_two_are_one_of_four(weights):
    large, small = (
        relativistic_step(
            projected_discriminator(weights), ReferenceLosses(pixel=L1Loss()), 0.1
        )
        for _ in range(2)
    )
    before = large.state()
    gt = pictures("gt", 4)
    whole = Batch(lq=paddle.nn.functional.avg_pool2d(gt, 2), gt=gt, gt_usm=gt)
    halves = [
        Batch(lq=lq, gt=gt, gt_usm=gt)
        for lq, gt in zip(whole.lq.split(2), whole.gt.split(2), strict=True)
    ]
    for i in (1, 2):
        expected, found = large([whole], i), small(halves, i)
        for name, loss in expected.items():
            assert float(found[name]) == pytest.approx(float(loss), rel=1e-4), name
    for part in ("generator", "discriminator"):
        for name, array in large.state()[part].items():
            found = small.state()[part][name]
            np.testing.assert_allclose(found, array, atol=2e-6, err_msg=name)
            is_last_bias = part == "discriminator" and name.endswith("bias")
            moved = np.abs(array - before[part][name]).max()
            assert moved > 1e-6 or is_last_bias, "a difference of logits has no bias"


@pytest.fixture
def projected(options, weights, monkeypatch):
    monkeypatch.chdir(weights.parent)
    (weights.parent / "weights").exists() or (weights.parent / "weights").symlink_to(
        weights
    )
    options["network_d"] = {
        "type": "ProjectedDiscriminator",
        "num_feat": 8,
        "num_block": 2,
    }
    options["train"]["gan_opt"] |= {"relativistic": True}
    return options


def test_a_projected_run_resumes_exactly_and_its_weights_start_another(
    tmp_path, projected
):
    straight = run(tmp_path, projected, "name=straight", "train.net_d_init_iters=2")
    run(
        tmp_path,
        projected,
        "name=stopped",
        "train.net_d_init_iters=2",
        "train.total_iter=3",
    )
    resumed = run(
        tmp_path,
        projected,
        "name=stopped",
        "train.net_d_init_iters=2",
        "auto_resume=true",
    )
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )
    assert "l_g_gan" not in reported(straight)[1]
    assert reported(straight)[5]["l_g_gan"] > 0

    trained = straight / "models" / "net_d_latest.pdparams"
    assert set(read_weights(trained).select()) == {
        f"heads.{head}.{name}"
        for head in range(2)
        for name in [
            f"conv{i}.weight_{v}" for i in range(2) for v in ("orig", "u", "v")
        ]
        + ["conv2.weight", "conv2.bias"]
    }
    run(
        tmp_path,
        projected,
        "name=third",
        f"path.pretrain_network_d={trained}",
        "train.total_iter=1",
    )


def test_options_for_the_u_net_alone_are_refused(tmp_path, projected):
    for change, found in (
        ("network_d.num_block=5", "num_block"),
        (
            "train.net_d_init_detail=true",
            r"train\.net_d_init_detail is for UNetDiscriminatorSN",
        ),
        (
            "train.gan_opt.gan_type=lsgan",
            "relativistic goes with vanilla, hinge, wgan or wgan_softplus",
        ),
    ):
        with pytest.raises(UserError, match=found):
            load_config(write_yml(tmp_path, projected), [change])
