"""One training iteration as one object: call it with its batches, get the losses back.

An iteration is one update of the weights. Its batches are parts of one larger batch
(gradient accumulation): one after the other, each adds its share of the gradient, so
memory holds no more than one of them. Networks, losses and optimizers arrive as
arguments, so a step knows nothing of options. Wang et al. 2021, "Real-ESRGAN", section
3.3: RealESRNet is trained with `PixelStep`, Real-ESRGAN is finetuned from it with
`GANStep`. The names in the returned losses are BasicSR's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.models.networks.projected_discriminator import (
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.batch import Batch
from realesrgan_paddle.models.step.ema import EMA
from realesrgan_paddle.models.step.optimizer_state import (
    get_optimizer_state,
    set_optimizer_state,
)
from realesrgan_paddle.models.step.precision import Precision
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup

T = TypeVar("T")
Losses = dict[str, Tensor]
Seen = Sequence[Tensor]
Parts = dict[str, dict[str, np.ndarray]]


class AdversarialLoss(Protocol):
    """What `loss.gan.GANLoss` is."""

    def __call__(
        self, pred: Tensor, target_is_real: bool, is_disc: bool = False
    ) -> Tensor:
        """Return the loss of the discriminator's answers `pred`, its own (`is_disc`) or the generator's."""
        ...

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of its answers, to real and to generated pictures, that are right."""
        ...


@dataclass(frozen=True)
class ReferenceLosses:
    """The generator's losses against the ground truth, or a teacher; a loss that is None is left out.

    `pixel_usm` and `perceptual_usm` say whether the target is the sharpened ground
    truth. The artifact loss never takes that one, as its authors' code (LDL). Nor do
    `distances`: further losses of a picture and its ground truth, such as LPIPS, by the
    names they are reported under. `distillation` has a target of its own, which it
    makes of the low-quality input.
    """

    pixel: Callable[[Tensor, Tensor], Tensor] | None
    perceptual: (
        Callable[[Tensor, Tensor], tuple[Tensor | None, Tensor | None]] | None
    ) = None
    artifact: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    distillation: Callable[[Tensor, Tensor], Tensor] | None = None
    distances: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = field(
        default_factory=dict
    )
    pixel_usm: bool = True
    perceptual_usm: bool = True

    def __call__(
        self, sr: Tensor, batch: Batch, ema: Callable[[Tensor], Tensor]
    ) -> Losses:
        """Return the weighted losses of `sr`, scalars by name; `ema` is the generator's moving average."""
        losses: Losses = {}
        if self.pixel is not None:
            losses["l_g_pix"] = self.pixel(
                sr, batch.gt_usm if self.pixel_usm else batch.gt
            )
        if self.perceptual is not None:
            percep, style = self.perceptual(
                sr, batch.gt_usm if self.perceptual_usm else batch.gt
            )
            losses |= {
                name: loss
                for name, loss in (("l_g_percep", percep), ("l_g_style", style))
                if loss is not None
            }
        if self.artifact is not None:
            losses["l_g_artifact"] = self.artifact(sr, batch.gt, ema(batch.lq))
        if self.distillation is not None:
            losses["l_g_distill"] = self.distillation(sr, batch.lq)
        return losses | {
            name: distance(sr, batch.gt) for name, distance in self.distances.items()
        }


class Learner(NamedTuple):
    """A network that an update changes; `name` is "g" or "d"."""

    name: str
    network: nn.Layer
    optimizer: Optimizer
    grad_clip: float | None


@dataclass(kw_only=True)
class PixelStep:
    """Update the generator by its reference losses, then its moving average (RealESRNet)."""

    generator: nn.Layer
    ema: EMA
    losses: ReferenceLosses
    optimizer_g: Optimizer
    lr_g: float
    """Base learning rate of the generator's optimizer."""
    grad_clip_g: float | None = None
    """Largest norm of the generator's gradient; None: any."""
    group: ProcessGroup = ALONE
    """The processes that learn together, each from its own part of the batch."""
    precision: Precision = field(default_factory=Precision)
    skipped: bool = False
    """Whether the last call left all weights as they were, because a loss or a gradient was not finite.

    Not where only float16's loss scale was too large: it is smaller in the next call.
    """

    def __call__(self, batches: Sequence[Batch], iteration: int) -> Losses:
        """Make one update out of `batches`, all of one size; return the means of their detached losses."""
        mean = Accumulation(len(batches), self.precision.scale)
        for batch in batches:
            sr = self.precision(self.generator, batch.lq)
            mean.learn(self.losses(sr, batch, partial(self.precision, self.ema)))
        return self._advance(mean.found, self._learner_g)

    def set_learning_rates(self, rate: Callable[[float], float]) -> None:
        """Set each optimizer's learning rate to what `rate` makes of its base rate."""
        self.optimizer_g.set_lr(rate(self.lr_g))

    def state(self) -> Parts:
        """Return everything that training has changed, as arrays."""
        return {
            "generator": _arrays(self.generator),
            "ema": _arrays(self.ema.layer),
            "optimizer_g": get_optimizer_state(self.optimizer_g, self.generator),
            "precision": self.precision.state(),
        }

    def load(
        self,
        parts: Mapping[str, Mapping[str, np.ndarray]],
        source: str = "training state",
    ) -> None:
        """Put back what `state` returned.

        Raises:
            UserError: names `source` and the part that is missing or does not fit.
        """
        load_weights(
            self.generator,
            _part(parts, "generator", source),
            source=f"{source}, generator",
        )
        load_weights(
            self.ema.layer, _part(parts, "ema", source), source=f"{source}, ema"
        )
        # Before its first step an optimizer has no state.
        set_optimizer_state(
            self.optimizer_g, self.generator, parts.get("optimizer_g", {})
        )
        self.precision.load(parts.get("precision", {}))

    @property
    def _learner_g(self) -> Learner:
        return Learner("g", self.generator, self.optimizer_g, self.grad_clip_g)

    def _advance(
        self, losses: Losses, *learners: Learner, average: bool = True
    ) -> Losses:
        """Take the optimizers' step and the moving `average`'s, or none of them where a number is not finite.

        Gradients and losses are averaged over the processes before, so all of them take
        the same step, or none. Return the losses, the norm of each gradient that has a
        largest norm, as it was before, and the loss scale.
        """
        gradients = _gradients(learner.network for learner in learners)
        self.group.average([*gradients, *losses.values()])
        finite = _finite([*losses.values(), *gradients])
        losses_finite, gradients_finite = (
            finite[: len(losses)].all(),
            finite[len(losses) :].all(),
        )
        advance = losses_finite and gradients_finite
        figures = self.precision.figures()
        for name, network, optimizer, grad_clip in learners:
            if advance:
                self.precision.unscale(network.parameters())
                if grad_clip is not None:
                    figures[f"grad_norm_{name}"] = nn.utils.clip_grad_norm_(
                        network.parameters(), grad_clip
                    )
                optimizer.step()
            optimizer.clear_grad()
        if average and advance:
            self.ema.update(self.generator)
        scale_was_too_large = losses_finite and self.precision.adapt(gradients_finite)
        self.skipped = not advance and not scale_was_too_large
        return losses | figures


@dataclass(kw_only=True)
class GANStep(PixelStep):
    """Update the generator, then the discriminator, then the generator's moving average (Real-ESRGAN)."""

    discriminator: UNetDiscriminatorSN | ProjectedDiscriminator
    optimizer_d: Optimizer
    lr_d: float
    grad_clip_d: float | None = None
    gan_loss: AdversarialLoss
    relativistic: bool = False
    """Whether an answer is judged less the answer to the picture's other version: see `_answer`."""
    gan_usm: bool = False
    net_d_iters: int = 1
    """The generator is updated once in so many iterations."""
    warm_up: DiscriminatorWarmUp = field(default_factory=DiscriminatorWarmUp)
    """Says in which iterations only the discriminator is updated."""

    def __call__(self, batches: Sequence[Batch], iteration: int) -> Losses:
        """Make one update out of `batches`, all of one size; return the means of their detached losses."""
        mean = Accumulation(len(batches), self.precision.scale)
        learners = [
            Learner("d", self.discriminator, self.optimizer_d, self.grad_clip_d)
        ]
        alone = self.warm_up.lasts(iteration)
        generator_learns = iteration % self.net_d_iters == 0 and not alone
        if generator_learns:
            learners.append(self._learner_g)
        pairs, answers = [], []
        for batch in parts_of_one(self.discriminator, batches):
            with paddle.set_grad_enabled(generator_learns):
                sr = self.precision(self.generator, batch.lq)
            real = self.discriminator.see(batch.gt_usm if self.gan_usm else batch.gt)
            fake = (
                self._teach(sr, batch, real, mean)
                if generator_learns
                else self.discriminator.see(sr)
            )
            pairs.append((real, [seen.detach() for seen in fake]))

        for real, fake in parts_of_one(self.discriminator, pairs):
            answer = self._answer(real, fake)
            mean.learn(
                {"l_d_real": self.gan_loss(answer, True, is_disc=True)},
                out_d_real=answer.mean(),
            )
            answers.append(answer.detach())
        for (real, fake), to_real in parts_of_one(
            self.discriminator, zip(pairs, answers, strict=True)
        ):
            answer = self._answer(fake, real)
            loss, right = (
                self.gan_loss(answer, False, is_disc=True),
                self.gan_loss.accuracy(to_real, answer),
            )
            mean.learn({"l_d_fake": loss}, out_d_fake=answer.mean(), out_d_right=right)

        losses = self._advance(mean.found, *learners, average=not alone)
        if alone:
            self.warm_up.note(iteration, float(losses["out_d_right"]))
        return losses

    def _teach(
        self, sr: Tensor, batch: Batch, real: Seen, mean: "Accumulation"
    ) -> Seen:
        """Add the gradients of the generator's losses to its weights'; return what `sr` is judged by.

        They meet in the picture, so memory holds what the discriminator remembers, or
        the other losses' networks do.
        """
        picture = sr.detach()
        picture.stop_gradient = False
        mean.learn(self.losses(picture, batch, partial(self.precision, self.ema)))
        fake = self.discriminator.see(picture)
        with frozen(
            self.discriminator
        ):  # it tells the generator what it sees, and learns nothing from this
            mean.learn(
                {
                    "l_g_gan": self.gan_loss(
                        self._answer(fake, real), True, is_disc=False
                    )
                }
            )
        sr.backward(picture.grad)
        return fake

    def _answer(self, seen: Seen, other: Seen) -> Tensor:
        """Return the discriminator's answer to what is `seen`; if `relativistic`, less its answer to the `other`.

        The other version of the picture has everything in common with it but what tells
        them apart. Its answer is a constant here: the sum of the losses of both
        versions has the same gradient. (Jolicoeur-Martineau 2020, "On relativistic
        f-divergences", RpGAN; Huang et al. 2024, "The GAN is dead; long live the GAN!",
        equation 2; of pixels of a picture and its restoration, not of two drawn at
        random.)
        """
        answer = self.precision(self.discriminator.judge, seen)
        if not self.relativistic:
            return answer
        with paddle.no_grad():
            to_other = self.precision(self.discriminator.judge, other)
        return answer - to_other

    def set_learning_rates(self, rate: Callable[[float], float]) -> None:
        """Set each optimizer's learning rate to what `rate` makes of its base rate."""
        super().set_learning_rates(rate)
        self.optimizer_d.set_lr(rate(self.lr_d))

    def state(self) -> Parts:
        """Return everything that training has changed, as arrays."""
        return super().state() | {
            "discriminator": _arrays(self.discriminator),
            "optimizer_d": get_optimizer_state(self.optimizer_d, self.discriminator),
            "warm_up": self.warm_up.state(),
        }

    def load(
        self,
        parts: Mapping[str, Mapping[str, np.ndarray]],
        source: str = "training state",
    ) -> None:
        """Put back what `state` returned; errors as those of `PixelStep.load`."""
        super().load(parts, source)
        load_weights(
            self.discriminator,
            _part(parts, "discriminator", source),
            source=f"{source}, discriminator",
        )
        set_optimizer_state(
            self.optimizer_d, self.discriminator, parts.get("optimizer_d", {})
        )
        self.warm_up.load(parts.get("warm_up", {}))


class Accumulation:
    """Adds up the gradients of the mean of several batches' losses, times `scale`, one batch at a time.

    Attributes:
        found: the means of what was given, detached.
    """

    def __init__(self, batches: int, scale: float) -> None:
        self._share = 1 / batches
        self._scale = scale
        self.found: Losses = {}

    def learn(self, losses: Losses, **others: Tensor) -> None:
        """Add the share of one batch's losses to the gradients; `others` are only reported."""
        if losses:
            (sum(losses.values()) * (self._share * self._scale)).backward()
        for name, value in {**losses, **others}.items():
            share = value.detach() * self._share
            self.found[name] = self.found[name] + share if name in self.found else share


def parts_of_one(network: nn.Layer, parts: Iterable[T]) -> Iterator[T]:
    """Yield the parts of one batch; what the network estimates from batch to batch moves with the first only.

    Spectral norm does: it takes a step of its power iteration in each forward in
    training mode.
    """
    for part in parts:
        yield part
        network.eval()
    network.train()


@contextmanager
def frozen(layer: nn.Layer) -> Iterator[None]:
    """Keep gradients out of the layer's own parameters; they still flow through it to its input."""
    learning = [
        parameter for parameter in layer.parameters() if not parameter.stop_gradient
    ]
    for parameter in learning:
        parameter.stop_gradient = True
    try:
        yield
    finally:
        for parameter in learning:
            parameter.stop_gradient = False


def _gradients(networks: Iterable[nn.Layer]) -> list[Tensor]:
    """Return the gradients of all parameters that have one."""
    gradients = [
        parameter.grad for network in networks for parameter in network.parameters()
    ]
    return [gradient for gradient in gradients if gradient is not None]


@paddle.no_grad()
def _finite(tensors: Sequence[Tensor]) -> np.ndarray:
    """Return for each tensor whether all its numbers are finite; waits for the device, once.

    What is not finite makes its sum so, and a sum is one operation for each tensor.
    """
    return paddle.isfinite(paddle.stack([tensor.sum() for tensor in tensors])).numpy()


def _part(
    parts: Mapping[str, Mapping[str, np.ndarray]], name: str, source: str
) -> Mapping[str, np.ndarray]:
    if name not in parts:
        raise UserError(
            f"{source}: holds no {name}: it is of another model_type, and only its generator can be gone on with, "
            "as path.pretrain_network_g"
        )
    return parts[name]


def _arrays(layer: nn.Layer) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in layer.state_dict().items()}
