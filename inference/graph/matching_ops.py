"""The operators of networks as patterns: each call must be the next part of a program.

A network's `forward` over these walks through the program that it was exported to, and
stops where the two differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realesrgan_paddle.inference.graph.program import (
    Attribute,
    Operator,
    Program,
    Shape,
    UnknownGraphError,
)

DENSE_BLOCK_SLOPE = 0.2
DENSE_BLOCK_SCALE = 0.2
"""These two as in `ops/plain.py`, which imports Paddle."""
SCRATCH = "XShape"
"""An output that is read in a backward pass only; some operators have it."""
OPEN = -1
"""A size that a program leaves open."""


@dataclass(frozen=True)
class Parameter:
    """A tensor of the network, for which the program has a variable.

    Attributes:
        name: such as "conv_first.weight".
        shape: what the variable's must be.
    """

    name: str
    shape: Shape


@dataclass(frozen=True)
class Feature:
    """What an operator computes. It can be added, and multiplied by a number."""

    variable: str
    ops: "MatchingOps"

    shape = (OPEN, OPEN, OPEN, OPEN)

    def __add__(self, other: "Feature") -> "Feature":
        return self.ops.add(self, other)

    def __rmul__(self, factor: float) -> "Feature":
        return self.ops.scale(self, factor)


class MatchingOps:
    """`Ops` that take the operators which `PlainOps` would have written.

    Each method takes the program's next operators. Their kinds, the variables that they
    read, the shapes of weights and all attributes that change a result must be those of
    an exported network, or UnknownGraphError says what is not. What is written must be
    new: so a variable's name always means the same.

    Args:
        program: the program.
        network: its type, for messages.

    Attributes:
        index: that of the next operator.
        variables: {name of a tensor: variable} of all tensors so far.
    """

    def __init__(self, program: Program, network: str) -> None:
        self.index = 0
        self.variables: dict[str, str] = {}
        self._program = program
        self._network = network
        self._used: set[str] = set()

    def feed(self) -> Feature:
        """Return the input, images of any size."""
        x = self._take("feed", {"X": [Feature("feed", self)]}, col=0)
        if self._program.shapes[x.variable] != (OPEN, 3, OPEN, OPEN):
            raise UnknownGraphError("its input is not RGB of any size")
        return x

    def fetch(self, x: Feature) -> None:
        """Take the end of the program, of which x is the output."""
        # Paddle 2 writes this in front of the end.
        if self._program.kinds[self.index :] == ["scale", "fetch"]:
            x = self.scale(x, 1.0)

        operator = self._check("fetch", {"X": [x]}, {"col": 0})
        if operator.outputs != {"Out": ["fetch"]}:
            raise self._other("writes another variable")
        self.index += 1
        if self.index < len(self._program.kinds):
            raise UnknownGraphError("it goes on behind its output")
        if len(self.variables) < len(self._program.weights):
            raise UnknownGraphError("it has weights that it does not use")

    def enter(self, x: Feature) -> Feature:
        """Return x."""
        return x

    def leave(self, x: Feature) -> Feature:
        """Return x."""
        return x

    def conv(
        self,
        x: Feature,
        weight: Parameter,
        bias: Parameter,
        *,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Feature:
        """See `Ops`."""
        y = self._take(
            "conv2d",
            {"Input": [x], "Filter": [weight]},
            output="Output",
            strides=[1, 1],
            paddings=[padding, padding],
            dilations=[1, 1],
            groups=1,
            data_format="NCHW",
            padding_algorithm="EXPLICIT",
        )
        by_channel = self._take(
            "reshape2", {"X": [bias]}, shape=[1, bias.shape[0], 1, 1]
        )
        y = self.add(y, by_channel)
        return self.leaky_relu(y, slope)

    def add(self, x: Feature, y: Feature) -> Feature:
        """See `Ops`."""
        return self._take("elementwise_add", {"X": [x], "Y": [y]}, axis=-1)

    def scale(self, x: Feature, factor: float) -> Feature:
        """Return factor * x."""
        return self._take(
            "scale", {"X": [x]}, scale=factor, bias=0.0, bias_after_scale=True
        )

    def leaky_relu(self, x: Feature, slope: float) -> Feature:
        """See `Ops`."""
        if slope == 1:
            return x
        if slope == 0:
            return self._take("relu", {"X": [x]})
        return self._take("leaky_relu", {"X": [x]}, alpha=slope)

    def conv_prelu(
        self, x: Feature, weight: Parameter, bias: Parameter, slopes: Parameter
    ) -> Feature:
        """See `Ops`."""
        y = self.conv(x, weight, bias)
        mode = "channel" if slopes.shape[0] > 1 else "all"
        return self._take(
            "prelu", {"X": [y], "Alpha": [slopes]}, mode=mode, data_format="NCHW"
        )

    def conv_upsampled(
        self,
        x: Feature,
        weight: Parameter,
        bias: Parameter,
        *,
        slope: float = 1.0,
    ) -> Feature:
        """See `Ops`; by nearest neighbor."""
        x = self.nearest_upsample(x, 2)
        return self.conv(x, weight, bias, slope=slope)

    def pixel_shuffle(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        return self._take(
            "pixel_shuffle", {"X": [x]}, upscale_factor=scale, data_format="NCHW"
        )

    def concat(self, tensors: Sequence[Feature]) -> Feature:
        """See `Ops`."""
        return self._take("concat", {"X": tensors}, axis=1)

    def pixel_unshuffle(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        x = self._take("reshape2", {"X": [x]}, shape=[0, 0, 0, -1, scale])
        x = self._take("transpose2", {"X": [x]}, axis=[0, 1, 3, 4, 2])
        x = self._take("reshape2", {"X": [x]}, shape=[0, 0, 0, 0, -1, scale])
        x = self._take("transpose2", {"X": [x]}, axis=[0, 1, 5, 3, 4, 2])
        return self._flatten(x, 1, 3)

    def nearest_upsample(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        x = self._take("stack", {"X": [x] * scale}, output="Y", axis=4)
        x = self._flatten(x, 3, 4)
        x = self._take("stack", {"X": [x] * scale}, output="Y", axis=3)
        return self._flatten(x, 2, 3)

    def dense_block(
        self,
        x: Feature,
        convolutions: Sequence[tuple[Parameter, Parameter]],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Feature:
        """See `Ops`."""
        features = x
        for weight, bias in convolutions[:-1]:
            new = self.conv(features, weight, bias, slope=slope)
            features = self.concat([features, new])

        return x + DENSE_BLOCK_SCALE * self.conv(features, *convolutions[-1])

    def _flatten(self, x: Feature, first: int, last: int) -> Feature:
        return self._take(
            "flatten_contiguous_range", {"X": [x]}, start_axis=first, stop_axis=last
        )

    def _take(
        self,
        kind: str,
        inputs: dict[str, Sequence[Feature | Parameter]],
        output: str = "Out",
        **attributes: Attribute,
    ) -> Feature:
        """Take the next operator; return what it computes."""
        operator = self._check(kind, inputs, attributes)
        if operator.outputs.keys() - {SCRATCH} != {output}:
            raise self._other("writes other outputs")

        for names in operator.outputs.values():
            if len(names) > 1 or not self._is_new(names[0]):
                raise self._other("writes other variables")
            self._used.add(names[0])
        self.index += 1
        return Feature(operator.outputs[output][0], self)

    def _check(
        self,
        kind: str,
        inputs: dict[str, Sequence[Feature | Parameter]],
        attributes: dict[str, Attribute],
    ) -> Operator:
        """Return the next operator, which is of that kind, and computes just that."""
        if self.index == len(self._program.kinds):
            raise UnknownGraphError(f"it ends before {self._network} does")
        operator = self._program.operator(self.index)
        if operator.kind != kind:
            raise UnknownGraphError(
                f"its operator {self.index} is {operator.kind} where {self._network} has "
                f"{kind}"
            )

        if operator.inputs.keys() != inputs.keys():
            raise self._other("has other inputs")
        for slot, expected in inputs.items():
            self._check_input(operator.inputs[slot], expected)

        if operator.attributes.keys() != attributes.keys():
            raise self._other("has other attributes")
        for name, value in attributes.items():
            if not _equal(operator.attributes[name], value):
                raise self._other(f"has another {name}")
        return operator

    def _check_input(
        self, variables: list[str], expected: Sequence[Feature | Parameter]
    ) -> None:
        if len(variables) != len(expected):
            raise self._other("has other inputs")
        for variable, tensor in zip(variables, expected, strict=True):
            if isinstance(tensor, Parameter):
                self._find(tensor, variable)
            elif variable != tensor.variable:
                raise self._other("has other inputs")

    def _find(self, parameter: Parameter, variable: str) -> None:
        """Note that `parameter` is this variable."""
        if self._program.weights.get(variable) != parameter.shape:
            raise self._other("has a weight of another shape")
        if variable in self._used:
            raise self._other("has another weight")
        self._used.add(variable)
        self.variables[parameter.name] = variable

    def _is_new(self, variable: str) -> bool:
        program = self._program
        is_computed = variable in program.shapes and variable not in program.weights
        return is_computed and variable not in self._used

    def _other(self, difference: str) -> UnknownGraphError:
        kind = self._program.kinds[self.index]
        return UnknownGraphError(
            f"its operator {self.index}, {kind}, {difference} than {self._network}'s"
        )


def _equal(found: Attribute, expected: Attribute) -> bool:
    """Return whether two values are the same, of one type; Paddle's are float32."""
    if isinstance(expected, float):
        expected = float(np.float32(expected))
    return type(found) is type(expected) and found == expected
