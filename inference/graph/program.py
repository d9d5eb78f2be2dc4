"""A `.pdmodel`'s variables and operators as Python values, without what changes nothing."""

from dataclasses import dataclass
from typing import Any

from realesrgan_paddle.inference.graph.framework_proto import framework_proto

Shape = tuple[int, ...]
Attribute = int | float | bool | str | list[int]

FIELDS = {"INT": "i", "FLOAT": "f", "BOOLEAN": "b", "STRING": "s", "INTS": "ints"}
"""{attribute type: field with its value}: the types of the attributes of known graphs."""
WITHOUT_EFFECT = {
    "op_callstack",  # where in a Python program it was made
    "op_device",  # where Paddle would run it
    "op_namescope",
    "op_role",  # forward, backward, optimizer: for training
    "op_role_var",
}
"""Attributes of every operator that do not change what it computes."""
QUANTIZED = "with_quant_attr"
"""An attribute that some operators have; false, it changes nothing."""
MOST_ATTRIBUTES = 64
"""Of one operator; those of known graphs have at most 13."""
VARIABLES_PER_OPERATOR = 4
"""At most; known graphs have fewer than 2."""
DENSE_TENSOR_FIELD = 3
"""Of VarType; its name is dense_tensor in Paddle 3, lod_tensor in Paddle 2."""


class UnknownGraphError(Exception):
    """A graph is of no known network; the message is a short reason: "its ..."."""


@dataclass(frozen=True)
class Operator:
    """An operator.

    Attributes:
        kind: such as "conv2d".
        inputs: {slot: names of variables}, without empty slots.
        outputs: the same.
        attributes: those that may change what it computes.
    """

    kind: str
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    attributes: dict[str, Attribute]


class Program:
    """A program of one block, of which nothing is trusted.

    Args:
        description: a ProgramDesc message of one block.

    Raises:
        UnknownGraphError: some of its variables are no float32 tensors.

    Attributes:
        shapes: {name: shape} of the variables, float32 tensors all; -1 is an open size.
            Only those of the input and of the weights are more than a remark.
        weights: {name: shape} of the variables in the `.pdiparams`, in its order.
        kinds: those of the operators.
    """

    def __init__(self, description: Any) -> None:
        block = description.blocks[0]
        if len(block.vars) > VARIABLES_PER_OPERATOR * len(block.ops):
            raise UnknownGraphError("it has more variables than operators use")
        tensors = _tensors(block.vars)

        self._operators = block.ops
        self.kinds = [str(operator.type) for operator in block.ops]
        self.shapes: dict[str, Shape] = {
            variable.name: tuple(_tensor(variable).dims) for variable in tensors
        }
        if not all(isinstance(name, str) for name in self.shapes):
            raise UnknownGraphError("it has a variable whose name is no text")
        if len(self.shapes) < len(tensors):
            raise UnknownGraphError("it has two variables of one name")

        # In the `.pdiparams` they are in the order of their names' bytes.
        persistable = [one.name for one in tensors if one.persistable]
        names = sorted(persistable, key=lambda name: name.encode())
        self.weights = {name: self.shapes[name] for name in names}

    def operator(self, index: int) -> Operator:
        """Return an operator; UnknownGraphError if none of known graphs is like it."""
        operator = self._operators[index]
        try:
            return Operator(
                self.kinds[index],
                _slots(operator.inputs),
                _slots(operator.outputs),
                _attributes(operator.attrs),
            )
        except UnknownGraphError as error:
            raise UnknownGraphError(
                f"its operator {index}, {self.kinds[index]}, {error}"
            ) from None

    def convolutions(self) -> list[Shape]:
        """Return the shapes (out, in, k, k) of convolutions' weights, in program order."""
        found = []
        for index, kind in enumerate(self.kinds):
            if kind == "conv2d":
                (name, *_) = self.operator(index).inputs.get("Filter", [""])
                found.append(self.weights.get(name, ()))
        return [shape for shape in found if len(shape) == 4]


def _tensors(variables: Any) -> list[Any]:
    """Return the variables that are tensors: all but where images come from and go."""
    types = framework_proto().VarType
    ends = {"feed": types.FEED_MINIBATCH, "fetch": types.FETCH_LIST}
    tensors = [v for v in variables if ends.get(v.name) != v.type.type]
    if len(variables) - len(tensors) != len(ends):
        raise UnknownGraphError("it has other ends than one feed and one fetch")

    field = types.DESCRIPTOR.fields_by_number[DENSE_TENSOR_FIELD].name
    dense = types.Type.Value(field.upper())
    for variable in tensors:
        if variable.type.type != dense or _tensor(variable).data_type != types.FP32:
            raise UnknownGraphError("its variables are not all float32 tensors")
    return tensors


def _tensor(variable: Any) -> Any:
    """Return the TensorDesc message of a variable."""
    field = variable.type.DESCRIPTOR.fields_by_number[DENSE_TENSOR_FIELD].name
    return getattr(variable.type, field).tensor


def _slots(slots: Any) -> dict[str, list[str]]:
    """Return {slot: names of variables}, without empty slots."""
    filled = [slot for slot in slots if slot.arguments]
    names = {slot.parameter: list(slot.arguments) for slot in filled}
    if len(names) < len(filled):
        raise UnknownGraphError("has two slots of one name")
    return names


def _attributes(attributes: Any) -> dict[str, Attribute]:
    """Return {name: value} of the attributes that may change what is computed."""
    if len(attributes) > MOST_ATTRIBUTES:
        raise UnknownGraphError("has too many attributes")

    types = framework_proto().AttrType
    values: dict[str, Attribute] = {}
    for attribute in attributes:
        name = attribute.name
        if name in WITHOUT_EFFECT:
            continue
        field = FIELDS.get(types.Name(attribute.type))
        if field is None or name in values:
            raise UnknownGraphError("has an attribute that is not known")
        value = getattr(attribute, field)
        values[name] = list(value) if field == "ints" else value

    if values.get(QUANTIZED) is False:
        del values[QUANTIZED]
    return values
