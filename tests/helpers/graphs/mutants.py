"""All small changes of a graph's operators and variables."""

from realesrgan_paddle.inference.graph.framework_proto import framework_proto
from realesrgan_paddle.inference.graph.program import WITHOUT_EFFECT

OTHER_KINDS = ["relu", "sigmoid", "leaky_relu", "elementwise_sub", "scale", "conv2d"]
OTHER_KINDS += ["depthwise_conv2d", "concat", "assign", "fetch"]


def operator_mutants(program, index):
    """Yield (what was changed, program) for the changes of one operator."""
    for make in (_attribute_mutants, _slot_mutants, _kind_mutants, _place_mutants):
        yield from make(program, index)


def _copy(program, index):
    copied = type(program)()
    copied.CopyFrom(program)
    return copied, copied.blocks[0].ops[index]


def _attribute_mutants(program, index):
    for at, attribute in enumerate(program.blocks[0].ops[index].attrs):
        if attribute.name in WITHOUT_EFFECT:
            continue
        for field, value in _other_values(attribute):
            mutant, operator = _copy(program, index)
            operator.attrs[at].ClearField(field)
            if isinstance(value, list):
                getattr(operator.attrs[at], field).extend(value)
            else:
                setattr(operator.attrs[at], field, value)
            yield f"{attribute.name} {value}", mutant

        mutant, operator = _copy(program, index)
        del operator.attrs[at]
        yield f"{attribute.name} removed", mutant
        mutant, operator = _copy(program, index)
        operator.attrs.append(attribute)
        yield f"{attribute.name} twice", mutant
        mutant, operator = _copy(program, index)
        operator.attrs[at].type = framework_proto().LONG
        operator.attrs[at].l = attribute.i
        yield f"{attribute.name} of another type", mutant

    mutant, operator = _copy(program, index)
    operator.attrs.add(name="fuse_relu", type=framework_proto().BOOLEAN, b=True)
    yield "an attribute more", mutant


def _other_values(attribute):
    """Yield (field, value) of other values of an attribute."""
    types = framework_proto()
    if attribute.type == types.INT:
        yield from (("i", attribute.i + step) for step in (-1, 1, 2))
    elif attribute.type == types.FLOAT:
        yield from (("f", v) for v in (attribute.f + 0.1, attribute.f + 1e-6, -1.0))
        yield "f", float("nan")
    elif attribute.type == types.BOOLEAN:
        yield "b", not attribute.b
    elif attribute.type == types.STRING:
        yield from (("s", value) for value in ("", "NHWC", "SAME", "element"))
    else:
        values = list(attribute.ints)
        for at, value in enumerate(values):
            yield "ints", [*values[:at], value + 1, *values[at + 1 :]]
        yield from (("ints", changed) for changed in (values[:-1], [*values, 1]))


def _slot_mutants(program, index):
    operators = program.blocks[0].ops
    near = operators[max(0, index - 4) : index + 5]
    names = {n for op in near for s in (*op.inputs, *op.outputs) for n in s.arguments}
    for side in ("inputs", "outputs"):
        for at, slot in enumerate(getattr(operators[index], side)):
            arguments = list(slot.arguments)
            others = [
                [name, *arguments[1:]] for name in sorted(names | {"x", "nowhere"})
            ]
            if arguments:
                others += [[], [*arguments, arguments[0]], [*arguments, "x"]]
            for other in others:
                if other == arguments:
                    continue
                mutant, operator = _copy(program, index)
                getattr(operator, side)[at].arguments[:] = other
                yield f"{side} {slot.parameter} {other}", mutant

            mutant, operator = _copy(program, index)
            getattr(operator, side)[at].parameter = "Bias"
            yield f"{side} {slot.parameter} renamed", mutant
            mutant, operator = _copy(program, index)
            getattr(operator, side).add().CopyFrom(slot)
            yield f"{side} {slot.parameter} twice", mutant


def _kind_mutants(program, index):
    before = program.blocks[0].ops[index].type
    for kind in OTHER_KINDS:
        if kind != before:
            mutant, operator = _copy(program, index)
            operator.type = kind
            yield kind, mutant


def _place_mutants(program, index):
    """Yield programs with the operator removed, twice, exchanged, or a copy elsewhere."""
    operators = list(program.blocks[0].ops)
    here = operators[index]
    next_two = operators[index : index + 2]
    others = {
        "removed": [*operators[:index], *operators[index + 1 :]],
        "twice": [*operators[:index], here, *operators[index:]],
        "again at the end": [*operators, here],
        "again at the beginning": [here, *operators],
        "exchanged": [*operators[:index], *next_two[::-1], *operators[index + 2 :]],
    }
    for label, changed in others.items():
        mutant, _ = _copy(program, index)
        del mutant.blocks[0].ops[:]
        mutant.blocks[0].ops.extend(changed)
        if changed != operators:
            yield label, mutant


def variable_mutants(program, index):
    """Yield (what was changed, program) for the changes of one variable."""
    types = framework_proto().VarType
    field = "dense_tensor" if hasattr(types(), "dense_tensor") else "lod_tensor"
    variable = program.blocks[0].vars[index]
    tensor = getattr(variable.type, field).tensor

    def copied():
        mutant = type(program)()
        mutant.CopyFrom(program)
        return mutant, mutant.blocks[0].vars[index]

    for kind in (types.FP64, types.FP16, types.INT32, types.BF16):
        mutant, other = copied()
        getattr(other.type, field).tensor.data_type = kind
        yield f"data type {kind}", mutant
    for kind in (
        types.SELECTED_ROWS,
        types.FEED_MINIBATCH,
        types.FETCH_LIST,
        types.RAW,
    ):
        mutant, other = copied()
        other.type.type = kind
        yield f"kind {kind}", mutant
    for at, size in enumerate(tensor.dims):
        for new in (size + 1, -1, 0, 2**40):
            mutant, other = copied()
            getattr(other.type, field).tensor.dims[at] = new
            if new != size:
                yield f"size {at} {new}", mutant
    mutant, other = copied()
    other.persistable = not other.persistable
    yield "persistable", mutant
    mutant, other = copied()
    other.name = "another"
    yield "name", mutant
    mutant, other = copied()
    del mutant.blocks[0].vars[index]
    yield "removed", mutant
    mutant, other = copied()
    mutant.blocks[0].vars.append(other)
    yield "twice", mutant
