"""A generator as a Paddle layer: the tensors of its description, and its forward pass."""

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.jit import not_to_static
from paddle.nn import initializer

from realesrgan_paddle.models.networks.description import (
    Constant,
    Generator,
    Normal,
    Uniform,
    Weights,
)
from realesrgan_paddle.models.networks.recurrent_srvgg import (
    RecurrentSRVGG,
    joined_beside,
)
from realesrgan_paddle.ops.plain import PLAIN, Ops


class Network(nn.Layer):
    """A generator with weights, random at first, in training mode.

    Its state dict has the names and shapes of the description's tensors.

    Attributes:
        description: which generator it is.
        ops: what computes it; Paddle's own operators unless another is set.
        num_frame: in training mode, how many images of a batch are the frames of a clip,
            which a network with a state takes one after the other. 1: all are pictures.
        warmup_frames: how many of these only fill the state, without gradients: truncated
            backpropagation through time.
    """

    ops: Ops = PLAIN
    num_frame: int = 1
    warmup_frames: int = 0

    def __init__(self, description: Generator) -> None:
        super().__init__()
        self.description = description
        self._holders: dict[str, nn.Layer] = {}

        for layer, parameters in description.layers().items():
            is_prelu = len(parameters["weight"].shape) == 1
            scope = "p_re_lu" if is_prelu else "conv2d"
            holder = _add_sublayer(self, layer, scope)
            for name, (shape, init) in parameters.items():
                attr = ParamAttr(initializer=_initializer(init))
                bias = name == "bias"
                parameter = holder.create_parameter(list(shape), attr, is_bias=bias)
                holder.add_parameter(name, parameter)
            self._holders[layer] = holder

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 3, scale * H, scale * W) for x (N, 3, H, W); see `Generator`."""
        if self.training and self.num_frame > 1:
            return self.clips(x, self.num_frame, self.warmup_frames)
        return self._forward(x)

    @not_to_static  # no branch depends on a tensor, so an export can trace it as it is
    def _forward(self, x: Tensor) -> Tensor:
        return self.description.forward(x, self.weights(), self.ops)

    def clips(self, x: Tensor, num_frame: int, warmup_frames: int = 0) -> Tensor:
        """Return clips upscaled frame by frame, the state carried through each of them.

        Args:
            x: the frames of N clips, clip by clip: (N * num_frame, 3, H, W).
            num_frame: frames of a clip.
            warmup_frames: how many only fill the state, without gradients.

        Returns:
            Those after them, (N * (num_frame - warmup_frames), 3, scale * H, scale * W).
        """
        network = self.description
        assert isinstance(network, RecurrentSRVGG)
        frames = x.reshape([-1, num_frame, *x.shape[1:]]).unbind(1)
        state = paddle.zeros([len(frames[0]), network.num_state, *x.shape[2:]])

        results = []
        for number, frame in enumerate(frames):
            before = frames[max(0, number - 1)]
            after = frames[min(number + 1, num_frame - 1)]
            trained = number >= warmup_frames
            with paddle.set_grad_enabled(trained and paddle.is_grad_enabled()):
                result, state = self.step(frame, before, after, state)
            if trained:
                results.append(result)
        return paddle.stack(results, 1).flatten(0, 1)

    @not_to_static
    def step(
        self, x: Tensor, before: Tensor, after: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the upscaled frames of N videos, and the state for those after them.

        Args:
            x: the frames, (N, 3, H, W).
            before: those before them; x where there is none, as at a cut.
            after: those after them, as well.
            state: what the step before returned, (N, num_state, H, W); zeros at first.
        """
        network = self.description
        assert isinstance(network, RecurrentSRVGG)
        beside = joined_beside(x, before, after, state, _along_channels)
        return network.step(x, beside, self.weights(), self.ops)

    def weights(self) -> Weights:
        """Return {layer name: its tensors, weight before bias}."""
        return {
            name: tuple(holder.parameters(include_sublayers=False))
            for name, holder in self._holders.items()
        }


def _along_channels(tensors: list[Tensor]) -> Tensor:
    return paddle.concat(tensors, 1)


def _add_sublayer(layer: nn.Layer, name: str, scope: str) -> nn.Layer:
    """Add a sublayer under a dotted name, such as "body.0.rdb1.conv1", and return it.

    With the name scope of Paddle's layers, parameters have the names that these give
    them in exported graphs: `conv2d_0.w_0`, `p_re_lu_0.w_0`.
    """
    *groups, last = name.split(".")
    for group in groups:
        children = dict(layer.named_children())
        layer = children.get(group) or layer.add_sublayer(group, nn.Layer())
    return layer.add_sublayer(last, nn.Layer(name_scope=scope))


def _initializer(init: Uniform | Normal | Constant) -> initializer.Initializer:
    if isinstance(init, Uniform):
        return initializer.Uniform(-init.bound, init.bound)
    if isinstance(init, Normal):
        return initializer.Normal(0.0, init.std)
    return initializer.Constant(init.value)
