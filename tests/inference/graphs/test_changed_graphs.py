"""A graph that computes anything else is never taken for a known network."""

import re

import numpy as np
import pytest
from graphs import samples
from graphs.exported import (
    PARAMETERS,
    PROGRAM,
    arrays_read,
    parameter_file,
    read_program,
    recorded_graph,
    write_program,
)
from graphs.mutants import operator_mutants, variable_mutants

from realesrgan_paddle.inference.graph.framework_proto import framework_proto
from realesrgan_paddle.inference.graph.recognize import recognize
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

SAME_OPERATOR = re.compile(
    r"with_quant_attr removed"  # it is false
    r"|outputs XShape \[\]"
    r"|inputs (Shape|ShapeTensor|ScaleTensor|BiasTensor|AxisTensor) (renamed|twice)"
)
"""Changes after which an operator computes the same: empty inputs, an unread output."""
SAME_VARIABLE = re.compile(r"size \d .*|(name|removed)")
"""Changes of a variable that is computed: sizes are found anew, some are never read."""


def outcome(folder):
    """Return the network, or None for a graph that is not known, or refused."""
    try:
        known = recognize(folder)
    except UserError:
        return None
    if isinstance(known, str):
        assert re.fullmatch(r"(its|it) [\x20-\x7e]{5,150}", known)
        return None
    return known


def check_same(known, spec, folder):
    """Check that a network has the tensors that the program reads."""
    assert known.description == spec
    for tensor, read in zip(known.tensors.values(), arrays_read(folder), strict=True):
        assert np.array_equal(tensor, read)


def distinct_operators(program):
    """Return the index of the first operator of each kind with each set of attributes."""
    found = {}
    for index, operator in enumerate(program.blocks[0].ops):
        found.setdefault((operator.type, str(operator.attrs)), index)
    return list(found.values())


def mutate_operators(name, version, folder):
    """Check all changes of operators; return how many there are."""
    spec = samples.SPECS[name]
    program = read_program(recorded_graph(name, version, folder))
    count = 0
    for index in distinct_operators(program):
        for change, mutant in operator_mutants(program, index):
            write_program(mutant, folder)
            known = outcome(folder)
            count += 1
            if known is not None:
                assert SAME_OPERATOR.fullmatch(change), (index, change)
                check_same(known, spec, folder)
    return count


def mutate_variables(name, version, folder):
    """Check all changes of variables; return how many there are."""
    spec = samples.SPECS[name]
    program = read_program(recorded_graph(name, version, folder))
    count = 0
    for index, variable in enumerate(program.blocks[0].vars):
        for change, mutant in variable_mutants(program, index):
            write_program(mutant, folder)
            known = outcome(folder)
            count += 1
            if known is None:
                continue
            check_same(known, spec, folder)
            if variable.name not in ("feed", "fetch"):
                assert SAME_VARIABLE.fullmatch(change), (variable.name, change)
                assert not variable.persistable
                assert variable.name != "x"
    return count


def test_a_changed_operator_is_not_known(tmp_path):
    assert mutate_operators("smallest", "2.6.2", tmp_path) > 500


def test_a_changed_variable_is_not_known(tmp_path):
    assert mutate_variables("smallest", "3.3.1", tmp_path) > 300


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RRDBNet", "RDN", "RRDN"])
def test_a_changed_operator_of_another_network_is_not_known(name, tmp_path):
    assert mutate_operators(name, "3.3.1", tmp_path) > 500


def test_remarks_change_nothing(tmp_path):
    """What a graph says about itself, and what Paddle finds anew, is not what it computes."""
    folder = recorded_graph("smallest", "2.6.2", tmp_path)
    program = read_program(folder)
    proto = framework_proto()
    program.version.version = 7
    program.op_version_map.pair.add(op_name="conv2d").op_version.version = 3
    for operator in program.blocks[0].ops:
        for attribute in operator.attrs:
            if attribute.name == "op_role":
                attribute.i = 1
            if attribute.name in ("op_device", "op_namescope"):
                attribute.s = "elsewhere"
        trace = operator.attrs.add(name="op_callstack", type=proto.STRINGS)
        trace.strings.append("File a.py, line 1")
        if operator.type == "reshape2":
            (scratch,) = (s for s in operator.outputs if s.parameter == "XShape")
            del scratch.arguments[:]
    write_program(program, folder)

    known = outcome(folder)
    check_same(known, samples.SPECS["smallest"], folder)
    check_pixels(known, folder)


def check_pixels(known, folder):
    """Check that Paddle computes of the graph what the network computes."""
    from realesrgan_paddle.inference.runners.predictors import DygraphRunner
    from realesrgan_paddle.inference.runners.static_runner import open_graph
    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.models.weights.assign import load_weights

    network = Network(known.description)
    load_weights(network, known.tensors)
    images = np.random.default_rng(0).random((1, 3, 12, 8), np.float32)
    expected = DygraphRunner(network, known.description.scale)(images)
    result = open_graph(folder, device="cpu", threads=1)(images)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("name", samples.SPECS)
def test_a_known_graph_computes_what_the_network_computes(name, tmp_path):
    folder = recorded_graph(name, "2.6.2", tmp_path)
    check_pixels(recognize(folder), folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda operators: setattr(operators[11], "type", "instance_norm"),
            "its operator 11 is instance_norm where RRDBNet has elementwise_add",
        ),
        (
            lambda operators: setattr(operators[12].attrs[0], "f", 0.3),
            "its operator 12, leaky_relu, has another alpha than RRDBNet's",
        ),
    ],
)
def test_the_reason_names_the_operator(change, reason, tmp_path):
    folder = recorded_graph("RRDBNet", "3.3.1", tmp_path)
    program = read_program(folder)
    change(program.blocks[0].ops)
    write_program(program, folder)
    assert recognize(folder) == reason


def test_an_operator_behind_the_output_is_not_known(tmp_path):
    folder = recorded_graph("smallest", "3.3.1", tmp_path)
    program = read_program(folder)
    program.blocks[0].ops.append(program.blocks[0].ops[-1])
    write_program(program, folder)
    assert recognize(folder) == "it goes on behind its output"


def test_a_weight_that_is_not_used_is_not_known(tmp_path):
    folder = recorded_graph("smallest", "3.3.1", tmp_path)
    program = read_program(folder)
    weight = next(v for v in program.blocks[0].vars if v.name == "conv2d_0.b_0")
    program.blocks[0].vars.add().CopyFrom(weight)
    program.blocks[0].vars[-1].name = "zzz"
    write_program(program, folder)
    stored = folder / PARAMETERS
    stored.write_bytes(stored.read_bytes() + parameter_file([np.ones(3, np.float32)]))
    assert recognize(folder) == "it has weights that it does not use"


def test_names_that_are_no_text_are_not_known(tmp_path):
    """Their order, which is that of the weights in their file, would not be certain."""
    folder = recorded_graph("smallest", "3.3.1", tmp_path)
    content = (folder / PROGRAM).read_bytes()
    content = content.replace(b".w_0", b".w_\xff").replace(b".b_0", b".b_\xff")
    (folder / PROGRAM).write_bytes(content)
    assert recognize(folder) == "it has a variable whose name is no text"
