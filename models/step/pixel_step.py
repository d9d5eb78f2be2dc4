"""One training iteration of RealESRNet: call it with batches, get the losses back.

An iteration is one update of the weights, from one batch or from several that are
accumulated. Networks, losses and optimizers arrive as arguments, so a step knows
nothing of options. Wang et al. 2021, "Real-ESRGAN", section 3.3: RealESRNet is trained
with `PixelStep`, Real-ESRGAN is finetuned from it with `GANStep` (`gan_step.py`).
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.models.step.precision import STATE_BOUNDS, Precision
from realesrgan_paddle.models.step.state import (
    Parts,
    check_counters,
    check_network_part,
    check_optimizer_part,
    get_optimizer_state,
    set_optimizer_state,
)
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup


@dataclass(frozen=True)
class Batch:
    """One training batch; all tensors are float32 RGB in [0, 1]."""

    lq: Tensor
    """Low-quality input, (N, 3, H / scale, W / scale)."""
    gt: Tensor
    """Ground truth, (N, 3, H, W); of clips without the frames that only fill the state."""
    gt_usm: Tensor
    """Ground truth sharpened by an unsharp mask, (N, 3, H, W).

    `gt` itself where no loss takes it.
    """


ALEXNET_STRIDE = 4
"""Of its first convolution, in pixels."""

Losses = dict[str, Tensor]
"""Scalars by the names that BasicSR reports them under (`l_g_pix`, `l_d_real`, ...)."""

ImageLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes the output and its target, both (N, 3, H, W); returns a scalar."""


@dataclass(frozen=True)
class ReferenceLosses:
    """The weighted losses of the generator's output and a target; None: no such loss.

    Attributes:
        pixel: pixel loss.
        perceptual: returns the perceptual and the style loss, None for one of weight 0.
        artifact: LDL; takes the output, the target and the moving average's output.
        distillation: takes the output and the low-quality input, from which the teacher
            makes the target.
        lpips: LPIPS; sees both moved, see `moved`.
        distances: further losses, such as DISTS, by the names they are reported under.
        pixel_usm: whether the target of `pixel` is the sharpened ground truth.
        perceptual_usm: the same for `perceptual`. The artifact loss always takes the
            unsharpened ground truth, as its authors' code does (LDL), and so do `lpips`
            and `distances`.
    """

    pixel: ImageLoss | None
    perceptual: (
        Callable[[Tensor, Tensor], tuple[Tensor | None, Tensor | None]] | None
    ) = None
    artifact: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    distillation: ImageLoss | None = None
    lpips: ImageLoss | None = None
    distances: Mapping[str, ImageLoss] = field(default_factory=dict)
    pixel_usm: bool = True
    perceptual_usm: bool = True

    def __call__(
        self,
        sr: Tensor,
        batch: Batch,
        ema: Callable[[Tensor], Tensor],
        iteration: int,
    ) -> Losses:
        """Return the losses of the output `sr`, (N, 3, H, W) RGB in [0, 1].

        Args:
            sr: what the generator made of `batch.lq`.
            batch: input and targets.
            ema: the generator's moving average, called only for the artifact loss.
            iteration: that of the update.
        """
        losses: Losses = {}

        if self.pixel is not None:
            target = batch.gt_usm if self.pixel_usm else batch.gt
            losses["l_g_pix"] = self.pixel(sr, target)

        if self.perceptual is not None:
            target = batch.gt_usm if self.perceptual_usm else batch.gt
            perceptual, style = self.perceptual(sr, target)
            if perceptual is not None:
                losses["l_g_percep"] = perceptual
            if style is not None:
                losses["l_g_style"] = style

        if self.artifact is not None:
            losses["l_g_artifact"] = self.artifact(sr, batch.gt, ema(batch.lq))

        if self.distillation is not None:
            losses["l_g_distill"] = self.distillation(sr, batch.lq)

        if self.lpips is not None:
            losses["l_g_lpips"] = self.lpips(
                moved(sr, iteration), moved(batch.gt, iteration)
            )
        for name, distance in self.distances.items():
            losses[name] = distance(sr, batch.gt)
        return losses


def moved(images: Tensor, iteration: int) -> Tensor:
    """Return images (N, C, H, W) moved around by 0 to 3 pixels, other ones each iteration.

    AlexNet looks at every fourth pixel, and so meets the 4x4 pixels that a network makes of
    each input pixel always at the same place. What it rewards there becomes a grid of 4
    pixels: after 500 iterations its index is 1.2 to 1.6, without LPIPS or with images
    that are moved 1.0 (docs/domain_gain/README.md, "Where the grid comes from").
    """
    across, down = iteration % ALEXNET_STRIDE, iteration // ALEXNET_STRIDE
    return paddle.roll(images, [down % ALEXNET_STRIDE, across], axis=[2, 3])


StepState = dict[str, dict[str, np.ndarray]]
"""What training has changed: arrays by part ("generator", "ema", ...) and name."""


class TrainedNetwork(NamedTuple):
    """A network that takes part in an update, with its optimizer."""

    name: str
    """Suffix of its reported values: "g" or "d"."""
    network: nn.Layer
    optimizer: Optimizer
    grad_clip: float | None


@dataclass(kw_only=True)
class PixelStep:
    """Updates the generator by its reference losses, then its moving average."""

    generator: nn.Layer
    ema: "EMA"
    losses: ReferenceLosses
    optimizer_g: Optimizer
    lr_g: float
    """Base learning rate of the generator's optimizer."""
    grad_clip_g: float | None = None
    """Largest norm of the generator's gradient; None: not clipped."""
    group: ProcessGroup = ALONE
    """The processes that train together, each on its own part of the batch."""
    precision: Precision = field(default_factory=Precision)
    skipped: bool = False
    """Whether the last call changed no weights: a loss or gradient was not finite.

    False if only float16's loss scale was too large: the next call has a smaller one.
    """

    def __call__(self, batches: Sequence[Batch], iteration: int) -> Losses:
        """Make one update from `batches`, all of one size; return their mean losses."""
        mean = GradientAccumulation(len(batches), self.precision.scale)

        for batch in batches:
            sr = self.precision(self.generator, batch.lq)
            losses = self.losses(sr, batch, self._ema_output, iteration)
            mean.backward(losses)

        return self._update_weights(mean.means, [self._trained_generator])

    def set_learning_rates(self, schedule: Callable[[float], float]) -> None:
        """Set each optimizer's learning rate to `schedule` of its base rate."""
        lr_g = schedule(self.lr_g)
        self.optimizer_g.set_lr(lr_g)

    def state(self) -> StepState:
        """Return everything that training has changed, as arrays."""
        return {
            "generator": weights_of(self.generator),
            "ema": weights_of(self.ema.layer),
            "optimizer_g": get_optimizer_state(self.optimizer_g, self.generator),
            "precision": self.precision.state(),
        }

    def check(self, state: Parts, source: str = "training state") -> None:
        """Raise UserError unless `state` is one that training can continue from.

        It has all networks, and in their optimizers nothing but what these keep; all
        numbers are float32 and finite. The message begins with `source`.
        """
        check_network_part(self.generator, state, "generator", source)
        check_network_part(self.ema.layer, state, "ema", source)
        check_optimizer_part(self.generator, state, "optimizer_g", source)
        check_counters(state, "precision", STATE_BOUNDS, source)

    def load(self, state: Parts, source: str = "training state") -> None:
        """Restore what `state()` returned; nothing changes where it is not sound.

        Raises:
            UserError: as `check`, or a parameter that is trained was frozen before.
        """
        self.check(state, source)
        load_weights(self.generator, state["generator"])
        load_weights(self.ema.layer, state["ema"])
        # An optimizer has no state before its first update.
        optimizer_state = state.get("optimizer_g", {})
        set_optimizer_state(self.optimizer_g, self.generator, optimizer_state)
        self.precision.load(state.get("precision", {}))

    @property
    def _trained_generator(self) -> TrainedNetwork:
        return TrainedNetwork("g", self.generator, self.optimizer_g, self.grad_clip_g)

    def _ema_output(self, lq: Tensor) -> Tensor:
        return self.precision(self.ema, lq)

    def _update_weights(
        self,
        losses: Losses,
        trained: Sequence[TrainedNetwork],
        *,
        update_ema: bool = True,
    ) -> Losses:
        """Apply the accumulated gradients, then update the moving average.

        Where a loss or gradient is not finite, all weights stay as they are.

        Returns:
            The losses averaged over the processes; the norm, before clipping, of each
            gradient that is clipped; float16's loss scale.
        """
        # Every process sees the same averages, so all make the same update or none.
        gradients = gradients_of(trained)
        self.group.average([*gradients, *losses.values()])

        # The one CPU-GPU sync point of a step.
        losses_finite, gradients_finite = are_finite(losses, gradients)
        advance = losses_finite and gradients_finite

        reported = self.precision.reported()
        for name, network, optimizer, grad_clip in trained:
            if advance:
                self.precision.unscale(network.parameters())
                if grad_clip is not None:
                    norm = nn.utils.clip_grad_norm_(network.parameters(), grad_clip)
                    reported[f"grad_norm_{name}"] = norm
                optimizer.step()
            optimizer.clear_grad()

        if advance and update_ema:
            self.ema.update(self.generator)

        scale_was_too_large = losses_finite and self.precision.adapt(gradients_finite)
        self.skipped = not advance and not scale_was_too_large
        return losses | reported


def gradients_of(trained: Sequence[TrainedNetwork]) -> list[Tensor]:
    """Return the gradients of all parameters that have one."""
    gradients = []
    for each in trained:
        for parameter in each.network.parameters():
            if parameter.grad is not None:
                gradients.append(parameter.grad)
    return gradients


@paddle.no_grad()
def are_finite(losses: Losses, gradients: Sequence[Tensor]) -> tuple[bool, bool]:
    """Return whether all losses are finite, and whether all gradients are.

    Waits for the device, once.
    """
    on_cpu = paddle.get_device() == "cpu"
    found = _sums_are_finite if on_cpu else _are_finite_at_once
    together = paddle.stack([_sums_are_finite([*losses.values()]), found(gradients)])
    losses_finite, gradients_finite = together.tolist()
    return losses_finite, gradients_finite


def _sums_are_finite(tensors: Sequence[Tensor]) -> Tensor:
    """Return whether all values are finite, bool (): one that is not spoils its sum."""
    sums = [tensor.sum() for tensor in tensors]
    return paddle.isfinite(paddle.stack(sums)).all()


def _are_finite_at_once(tensors: Sequence[Tensor]) -> Tensor:
    """As `_sums_are_finite`, by one operation for all tensors, which a GPU starts at once.

    GradScaler's; it multiplies the tensors by 1. On a CPU it takes twice the sums' time.
    """
    one = paddle.ones([1])
    _, found = paddle._C_ops.check_finite_and_unscale_([*tensors], one)
    return ~found.reshape([])


def weights_of(layer: nn.Layer) -> dict[str, np.ndarray]:
    """Return a layer's parameters and buffers as arrays by name."""
    arrays = {}
    for name, tensor in layer.state_dict().items():
        arrays[name] = tensor.numpy()
    return arrays


class GradientAccumulation:
    """Adds up the gradient of the mean loss of several batches, one batch at a time.

    So memory holds the activations of one batch only.

    Args:
        batches: how many batches make up the update.
        scale: factor on the losses before the backward pass (float16's loss scale).

    Attributes:
        means: all losses and reported values, detached, averaged over the batches.
    """

    def __init__(self, batches: int, scale: float) -> None:
        self._share = 1 / batches
        self._scale = scale
        self.means: Losses = {}

    def backward(self, losses: Losses, **reported: Tensor) -> None:
        """Add one batch's share of the gradient of the sum of `losses`.

        `reported` are averaged as the losses are, but have no gradient.
        """
        if losses:
            total = sum(losses.values())
            (total * (self._share * self._scale)).backward()

        for name, value in {**losses, **reported}.items():
            share = value.detach() * self._share
            if name in self.means:
                share = self.means[name] + share
            self.means[name] = share


class EMA:
    """A moving average of a network: its own layer in evaluation mode, no gradients.

    Each `update` sets every parameter to decay * average + (1 - decay) * parameter, as
    BasicSR's `model_ema` does. Buffers are copied: they are state (counters,
    estimates), and their mean has no meaning. With decay 0 it is a plain copy.

    Attributes:
        layer: the averaged network; its state is read and set as any layer's.
    """

    def __init__(self, layer: nn.Layer, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema decay {decay} is not in [0, 1)")
        # Made once: given a number, Paddle makes a tensor of it for each parameter,
        # which on a GPU waits for a copy each time.
        self._weight = paddle.to_tensor(1.0 - decay, dtype="float32")
        self.layer = copy.deepcopy(layer)
        self.layer.eval()
        for parameter in self.layer.parameters():
            parameter.stop_gradient = True

    @paddle.no_grad()
    def update(self, layer: nn.Layer) -> None:
        """Move the average towards the current weights of `layer`, of the same kind."""
        parameters = dict(layer.named_parameters())
        for name, average in self.layer.named_parameters():
            average.lerp_(parameters[name], self._weight)

        buffers = dict(layer.named_buffers())
        for name, buffer in self.layer.named_buffers():
            buffer.set_value(buffers[name])

    @paddle.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return the averaged network's output for `x`, without a gradient."""
        return self.layer(x)
