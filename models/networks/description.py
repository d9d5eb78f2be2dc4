"""What the file of a network describes: its arguments, its tensors, how it is recognized.

Neither this module nor a generator's file imports Paddle. So options, conversion and
recognition work without it, and `network.py` turns a description into a Paddle layer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from typing_extensions import Self

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.field_types import Options

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

Tensors = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]

LRELU_SLOPE = 0.2
"""Slope of the leaky ReLUs of RRDBNet and the discriminators, as in BasicSR."""


@dataclass(frozen=True)
class Uniform:
    """Random initial values between -bound and bound."""

    bound: float


@dataclass(frozen=True)
class Normal:
    """Random initial values with mean 0."""

    std: float


@dataclass(frozen=True)
class Constant:
    """The same initial value everywhere."""

    value: float


class Parameter(NamedTuple):
    """A tensor that is trained: its shape, and its values before training."""

    shape: tuple[int, ...]
    init: Uniform | Normal | Constant


Layers = dict[str, dict[str, Parameter]]
"""{layer name: {"weight": ..., "bias": ...}}, in the order of the forward pass."""

Weights = Mapping[str, "tuple[Tensor, ...]"]
"""{layer name: (weight, bias)}: what a forward pass computes with."""


def fan_in_bound(in_ch: int, kernel_size: int) -> float:
    """Return the bound of PyTorch's uniform initial weights and biases: 1/sqrt(fan_in).

    That is `kaiming_uniform_(a=sqrt(5))`, as in
    `torch.nn.modules.conv._ConvNd.reset_parameters`.
    """
    fan_in = in_ch * kernel_size**2
    return 1 / math.sqrt(fan_in)


def conv(in_ch: int, out_ch: int, kernel_size: int = 3) -> dict[str, Parameter]:
    """Return a convolution initialized as PyTorch's."""
    init = Uniform(fan_in_bound(in_ch, kernel_size))
    return {
        "weight": Parameter((out_ch, in_ch, kernel_size, kernel_size), init),
        "bias": Parameter((out_ch,), init),
    }


def residual_conv(in_ch: int, out_ch: int) -> dict[str, Parameter]:
    """Return a 3x3 convolution with 0.1 times Kaiming's normal weights and zero biases.

    Wang et al. 2018, "ESRGAN", section 3.1 (smaller initialization); BasicSR's
    `default_init_weights`.
    """
    std = 0.1 * math.sqrt(2 / (in_ch * 9))
    return {
        "weight": Parameter((out_ch, in_ch, 3, 3), Normal(std)),
        "bias": Parameter((out_ch,), Constant(0.0)),
    }


def prelu(num_parameters: int) -> dict[str, Parameter]:
    """Return a PReLU with one slope per channel, 0.25 before training, as PyTorch's."""
    slopes = Parameter((num_parameters,), Constant(0.25))
    return {"weight": slopes}


class Description(Options):
    """A network's arguments, which are its keys in an option file, and its tensors."""

    def tensor_shapes(self) -> Shapes:
        """Return {tensor name: shape}, in the order of the forward pass."""
        raise NotImplementedError

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """Return the network that `tensors` belong to, or None if it is another type.

        Args:
            tensors: {name: array}; see `weights.layouts.to_basicsr` for the names.
            source: the file, for error messages.
            act_type: the activation, where tensors do not tell it (SRVGGNetCompact).

        Raises:
            UserError: it is this type, but its arguments cannot be derived.
        """
        raise NotImplementedError


class Generator(Description):
    """A super-resolution network: (N, 3, H, W) to (N, 3, scale * H, scale * W).

    Images are float32 RGB in [0, 1]; the output is not clipped.
    """

    if TYPE_CHECKING:
        # Every generator has these four, as a field, a property or a constant.
        @property
        def type(self) -> str:
            """Its name in an option file."""

        @property
        def scale(self) -> int:
            """The upscaling factor."""

        @property
        def num_in_ch(self) -> int:
            """Channels of the input."""

        @property
        def num_out_ch(self) -> int:
            """Channels of the output."""

    def layers(self) -> Layers:
        """Return the layers with the shapes and initial values of their tensors."""
        raise NotImplementedError

    def forward(self, x: "Tensor", w: Weights, ops: "Ops") -> "Tensor":
        """Return the upscaled images.

        Args:
            x: (N, num_in_ch, H, W), float32 in [0, 1].
            w: the tensors of each layer.
            ops: what computes: Paddle's operators or oneDNN's (`ops`).
        """
        raise NotImplementedError

    def tensor_shapes(self) -> Shapes:
        """Return {tensor name: shape}, in the order of the forward pass."""
        return {
            f"{layer}.{name}": parameter.shape
            for layer, parameters in self.layers().items()
            for name, parameter in parameters.items()
        }

    def channels_remark(self) -> str:
        """Return ", 1 -> 3 channels", or nothing for a network from RGB to RGB."""
        channels = (self.num_in_ch, self.num_out_ch)
        return (
            "" if channels == (3, 3) else f", {channels[0]} -> {channels[1]} channels"
        )


def check_count(weights: Sequence[str], layers: int, source: str) -> None:
    """Raise UserError if a network of so many layers has more than the `weights`.

    A file may name few layers so that their numbers, multiplied, are very many.
    """
    if layers > len(weights):
        raise UserError(
            f"{source}: its {len(weights):,} weights are named like some of a network "
            f"with more than {layers:,} layers; the others are missing"
        )


def conv_channels(tensors: Tensors, name: str, source: str) -> tuple[int, int]:
    """Return (out_ch, in_ch) of the convolution weight `name`; UserError if it is none."""
    if name not in tensors:
        raise UserError(f"{source}: the tensor {name} is missing")
    shape = tensors[name].shape
    if len(shape) != 4 or 0 in shape:
        raise UserError(
            f"{source}: {name} has shape {list(shape)}; a convolution's is "
            "[out, in, height, width]"
        )
    return shape[0], shape[1]
