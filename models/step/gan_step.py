"""One training iteration of Real-ESRGAN: generator, discriminator, moving average.

A new discriminator is trained alone first (`DiscriminatorWarmUp`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.models.networks.projected_discriminator import (
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.pixel_step import (
    Batch,
    GradientAccumulation,
    Losses,
    PixelStep,
    StepState,
    TrainedNetwork,
    weights_of,
)
from realesrgan_paddle.models.step.state import (
    Parts,
    check_counters,
    check_network_part,
    check_optimizer_part,
    frozen,
    get_optimizer_state,
    set_optimizer_state,
)
from realesrgan_paddle.models.weights.assign import load_weights

CHANCE = 0.5
"""Accuracy of a discriminator that answers at random, or the same to every image."""
SMOOTHING = 0.98
"""Weight of the old value in the running mean of the accuracy, over about 50 values."""

WARM_UP_BOUNDS = {"accuracy": (1.0,), "ended": (2.0**53,)}
"""The largest values in a state."""


class DiscriminatorWarmUp:
    """Decides how long only the discriminator is trained.

    The generator is frozen meanwhile: to it the gradient of a discriminator that does
    not separate real from generated images is noise. Whether it does is judged by a
    running mean of its accuracy. (Karras et al. 2020, "Training GANs with limited
    data", aim at a similar quantity of 0.8: r_t = 0.6, which is 2 * accuracy - 1 on
    real images.)

    Args:
        max_iterations: where the warm-up ends at the latest; 0: there is none.
        target_accuracy: the accuracy at which it ends; None: at `max_iterations` only.

    Attributes:
        accuracy: the running mean; it starts at chance.
        ended: the warm-up's last iteration; None as long as it has not ended.
    """

    def __init__(
        self, max_iterations: int = 0, target_accuracy: float | None = None
    ) -> None:
        self.max_iterations = max_iterations
        self.target_accuracy = target_accuracy
        self.accuracy = CHANCE
        self.ended: int | None = None

    @property
    def separated(self) -> bool:
        """Whether the target accuracy is reached."""
        target = self.target_accuracy
        return target is not None and self.accuracy >= target

    def is_active(self, iteration: int) -> bool:
        """Return whether only the discriminator is trained in `iteration`."""
        return self.ended is None and iteration <= self.max_iterations

    def record(self, iteration: int, accuracy: float) -> None:
        """Add an iteration's accuracy; end the warm-up if it was the last."""
        old = SMOOTHING * self.accuracy
        self.accuracy = old + (1 - SMOOTHING) * accuracy
        if self.separated or iteration == self.max_iterations:
            self.ended = iteration

    def state(self) -> dict[str, np.ndarray]:
        """Return accuracy and last iteration as arrays; `ended` is 0 for None."""
        return {
            "accuracy": np.array([self.accuracy]),
            "ended": np.array([self.ended or 0]),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state()` returned; an empty one, of older runs, is ignored."""
        if state:
            self.accuracy = float(state["accuracy"][0])
            self.ended = int(state["ended"][0]) or None


DiscriminatorFeatures = Sequence[Tensor]
"""What a discriminator's `features` returned and its `classify` takes."""


class AdversarialLoss(Protocol):
    """The interface of `loss.gan.GANLoss`."""

    def __call__(
        self, pred: Tensor, target_is_real: bool, is_disc: bool = False
    ) -> Tensor:
        """Return the discriminator's loss (`is_disc`) or the generator's, of logits."""
        ...

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of correct logits, of real and generated images."""
        ...


class RealAndFake(NamedTuple):
    """The discriminator's features of ground truth and generator output, detached."""

    real: DiscriminatorFeatures
    fake: DiscriminatorFeatures


@dataclass(kw_only=True)
class GANStep(PixelStep):
    """Updates generator and discriminator, then the generator's moving average."""

    discriminator: UNetDiscriminatorSN | ProjectedDiscriminator
    optimizer_d: Optimizer
    lr_d: float
    """Base learning rate of the discriminator's optimizer."""
    grad_clip_d: float | None = None
    """Largest norm of the discriminator's gradient; None: not clipped."""
    gan_loss: AdversarialLoss
    relativistic: bool = False
    """Whether real and generated image are compared pixel by pixel: see `_classify`."""
    gan_usm: bool = False
    """Whether the real images are the sharpened ground truths."""
    net_d_iters: int = 1
    """Discriminator updates per generator update."""
    warm_up: DiscriminatorWarmUp = field(default_factory=DiscriminatorWarmUp)
    """Says in which first iterations only the discriminator is updated."""

    def __call__(self, batches: Sequence[Batch], iteration: int) -> Losses:
        """Make one update from `batches`, all of one size; return their mean losses."""
        warming_up = self.warm_up.is_active(iteration)
        train_generator = iteration % self.net_d_iters == 0 and not warming_up
        mean = GradientAccumulation(len(batches), self.precision.scale)

        # 1. Generator. The features of both images are kept for the discriminator.
        pairs = []
        for i, batch in enumerate(batches):
            with power_iteration(self.discriminator, enabled=i == 0):
                pairs.append(
                    self._generator_pass(batch, mean, iteration, train=train_generator)
                )

        # 2. Discriminator, on real images.
        real_logits = []
        for i, pair in enumerate(pairs):
            with power_iteration(self.discriminator, enabled=i == 0):
                real_logits.append(self._real_pass(pair, mean))

        # 3. Discriminator, on generated images.
        for i, (pair, logits) in enumerate(zip(pairs, real_logits, strict=True)):
            with power_iteration(self.discriminator, enabled=i == 0):
                self._fake_pass(pair, logits, mean)

        # 4. All weights at once, so that a step is made whole or not at all.
        trained = [self._trained_discriminator]
        if train_generator:
            trained.append(self._trained_generator)
        losses = self._update_weights(mean.means, trained, update_ema=not warming_up)

        if warming_up:
            self.warm_up.record(iteration, float(losses["out_d_right"]))
        return losses

    def _generator_pass(
        self,
        batch: Batch,
        mean: GradientAccumulation,
        iteration: int,
        *,
        train: bool,
    ) -> RealAndFake:
        """Upscale a batch and, with `train`, accumulate the generator's gradients."""
        with paddle.set_grad_enabled(train):
            sr = self.precision(self.generator, batch.lq)
        real = self.discriminator.features(batch.gt_usm if self.gan_usm else batch.gt)

        if not train:
            return RealAndFake(real, self.discriminator.features(sr))
        fake = self._generator_backward(sr, batch, real, mean, iteration)
        return RealAndFake(real, [feature.detach() for feature in fake])

    def _generator_backward(
        self,
        sr: Tensor,
        batch: Batch,
        real: DiscriminatorFeatures,
        mean: GradientAccumulation,
        iteration: int,
    ) -> DiscriminatorFeatures:
        """Accumulate the generator's gradients; return the features of its output.

        The gradients of the losses meet in a detached copy of `sr` and go through the
        generator together. So memory never holds the activations of the discriminator
        and those of the other losses' networks at the same time.
        """
        output = sr.detach()
        output.stop_gradient = False

        mean.backward(self.losses(output, batch, self._ema_output, iteration))

        fake = self.discriminator.features(output)
        # Gradients flow through the discriminator here, but not into it.
        with frozen(self.discriminator):
            logits = self._classify(fake, real)
            mean.backward({"l_g_gan": self.gan_loss(logits, True, is_disc=False)})

        sr.backward(output.grad)
        return fake

    def _real_pass(self, pair: RealAndFake, mean: GradientAccumulation) -> Tensor:
        """Accumulate the discriminator's gradients on real images; return logits."""
        logits = self._classify(pair.real, pair.fake)
        loss = self.gan_loss(logits, True, is_disc=True)
        mean.backward({"l_d_real": loss}, out_d_real=logits.mean())
        return logits.detach()

    def _fake_pass(
        self, pair: RealAndFake, real_logits: Tensor, mean: GradientAccumulation
    ) -> None:
        """Accumulate the discriminator's gradients on generated images."""
        logits = self._classify(pair.fake, pair.real)
        loss = self.gan_loss(logits, False, is_disc=True)
        accuracy = self.gan_loss.accuracy(real_logits, logits)
        mean.backward(
            {"l_d_fake": loss}, out_d_fake=logits.mean(), out_d_right=accuracy
        )

    def _classify(
        self, features: DiscriminatorFeatures, counterpart: DiscriminatorFeatures
    ) -> Tensor:
        """Return the logits; if `relativistic`, minus those of the counterpart.

        The counterpart of a generated image is its ground truth and vice versa: they
        share everything but what tells them apart. Its logits are constants here,
        because the losses of both images summed up have the same gradient.
        (Jolicoeur-Martineau 2020, "On relativistic f-divergences", RpGAN; Huang et al.
        2024, "The GAN is dead; long live the GAN!", equation 2; here for the pixels of
        an image and its restoration instead of two images drawn at random.)
        """
        logits = self.precision(self.discriminator.classify, features)
        if not self.relativistic:
            return logits

        # By the same weights: without another power iteration of the spectral norm.
        with paddle.no_grad(), power_iteration(self.discriminator, enabled=False):
            reference = self.precision(self.discriminator.classify, counterpart)
        return logits - reference

    def set_learning_rates(self, schedule: Callable[[float], float]) -> None:
        """Set each optimizer's learning rate to `schedule` of its base rate."""
        super().set_learning_rates(schedule)
        lr_d = schedule(self.lr_d)
        self.optimizer_d.set_lr(lr_d)

    def state(self) -> StepState:
        """Return everything that training has changed, as arrays."""
        return super().state() | {
            "discriminator": weights_of(self.discriminator),
            "optimizer_d": get_optimizer_state(self.optimizer_d, self.discriminator),
            "warm_up": self.warm_up.state(),
        }

    def check(self, state: Parts, source: str = "training state") -> None:
        """See `PixelStep.check`."""
        super().check(state, source)
        check_network_part(self.discriminator, state, "discriminator", source)
        check_optimizer_part(self.discriminator, state, "optimizer_d", source)
        check_counters(state, "warm_up", WARM_UP_BOUNDS, source)

    def load(self, state: Parts, source: str = "training state") -> None:
        """Restore what `state()` returned; raises what `PixelStep.load` raises."""
        super().load(state, source)
        load_weights(self.discriminator, state["discriminator"])
        optimizer_state = state.get("optimizer_d", {})
        set_optimizer_state(self.optimizer_d, self.discriminator, optimizer_state)
        self.warm_up.load(state.get("warm_up", {}))

    @property
    def _trained_discriminator(self) -> TrainedNetwork:
        return TrainedNetwork(
            "d", self.discriminator, self.optimizer_d, self.grad_clip_d
        )


@contextmanager
def power_iteration(network: nn.Layer, *, enabled: bool) -> Iterator[None]:
    """Let spectral norm make a power iteration step in each forward pass, or not.

    It does so in training mode only, so without it the network is in evaluation mode
    meanwhile. Accumulated batches share the steps of the first: an update then depends
    on the images in it and not on how many batches they came in.
    """
    before = network.training
    if not enabled:
        network.eval()
    try:
        yield
    finally:
        if before:
            network.train()
