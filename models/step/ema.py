"""The exponential moving average of a network's weights (`params_ema`)."""

import copy

import paddle
from paddle import Tensor, nn


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
        self.decay = decay
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
