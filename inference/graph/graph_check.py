"""Which operators an exported graph runs, read before Paddle loads it.

A `.pdmodel` is a program. Paddle has operators that write and read files (`save`,
`load_combine`, `read_file` ...), and its predictor runs them with the paths that the
file gives. So a graph may only have operators that compute tensors from tensors.
"""

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError, EncodeError

from realesrgan_paddle.inference.graph.framework_proto import framework_proto
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import open_regular

INPUT_AND_OUTPUT = {"feed", "fetch"}
CONVOLUTIONS = {
    "conv2d",
    "conv2d_transpose",
    "depthwise_conv2d",
    "depthwise_conv2d_transpose",
    "deformable_conv",
}
ACTIVATIONS = {
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "swish",
    "tanh",
}
ARITHMETIC = {
    "abs",
    "clip",
    "elementwise_add",
    "elementwise_div",
    "elementwise_floordiv",
    "elementwise_max",
    "elementwise_min",
    "elementwise_mod",
    "elementwise_mul",
    "elementwise_pow",
    "elementwise_sub",
    "exp",
    "log",
    "matmul",
    "matmul_v2",
    "mul",
    "pow",
    "reduce_max",
    "reduce_mean",
    "reduce_sum",
    "rsqrt",
    "scale",
    "sqrt",
    "square",
    "sum",
}
NORMALIZATION = {
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "norm",
    "p_norm",
}
POOLING_AND_RESIZING = {
    "bicubic_interp_v2",
    "bilinear_interp",
    "bilinear_interp_v2",
    "grid_sampler",
    "nearest_interp",
    "nearest_interp_v2",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pool2d",
}
REARRANGEMENT = {
    "assign",
    "assign_value",
    "cast",
    "concat",
    "dropout",
    "expand_as_v2",
    "expand_v2",
    "fill_any_like",
    "fill_constant",
    "flatten_contiguous_range",
    "gather",
    "pad",
    "pad2d",
    "pad3d",
    "reshape",
    "reshape2",
    "roll",
    "shape",
    "slice",
    "split",
    "squeeze2",
    "stack",
    "strided_slice",
    "tile",
    "transpose",
    "transpose2",
    "unsqueeze2",
    "unstack",
}
ALLOWED = frozenset(
    INPUT_AND_OUTPUT
    | CONVOLUTIONS
    | ACTIVATIONS
    | ARITHMETIC
    | NORMALIZATION
    | POOLING_AND_RESIZING
    | REARRANGEMENT
)
"""Operators of upscalers, none of which touches a file, prints, or runs other code."""


LARGEST_PROGRAM = 1 << 23
"""Largest `.pdmodel` [bytes]: RealESRGAN_x4plus has 0.5 MB."""
MOST_OPERATORS = 20_000
"""Operators of one graph: RealESRGAN_x4plus has 1,800. Paddle's passes are quadratic."""


def checked_program(program: Path) -> bytes:
    """Return the program of a `.pdmodel`, read once and fit to be run.

    Written anew from what was read, so that Paddle reads nothing else in it.

    Raises:
        UserError: see `checked_description`.
    """
    description = checked_description(program)
    try:
        return description.SerializeToString()
    except EncodeError as error:
        raise _damaged(program) from error


def checked_description(program: Path) -> Any:
    """Return the ProgramDesc message of a `.pdmodel`, of one block.

    Raises:
        UserError: an operator that no upscaler needs, in any of its blocks, by its name;
            the file is no Paddle program, or far larger than that of an upscaler.
    """
    with open_regular(program) as file:
        content = file.read(LARGEST_PROGRAM + 1)
    if len(content) > LARGEST_PROGRAM:
        raise UserError(
            f"{program}: larger than {LARGEST_PROGRAM >> 20} MiB, so no upscaler's graph"
        )

    try:
        description = framework_proto().ProgramDesc.FromString(content)
        description.DiscardUnknownFields()
        operators = [str(op.type) for block in description.blocks for op in block.ops]
    except (DecodeError, UnicodeDecodeError) as error:
        raise _damaged(program) from error

    _check_operators(program, operators)
    if len(description.blocks) != 1:
        raise UserError(
            f"{program}: has {len(description.blocks):,} blocks; an upscaler's graph has one"
        )
    return description


def _damaged(program: Path) -> UserError:
    return UserError(f"{program}: damaged, or not a Paddle program")


def _check_operators(program: Path, operators: list[str]) -> None:
    foreign = sorted(set(operators) - ALLOWED)
    if foreign:
        names = ", ".join(repr(name[:40]) for name in foreign[:3])
        raise UserError(
            f"{program}: has operators that no upscaler needs ({names}), which may read or "
            "write files, so it is not run; export the network yourself with "
            "tools/export_model.py"
        )
    if len(operators) > MOST_OPERATORS:
        raise UserError(
            f"{program}: has {len(operators):,} operators; an upscaler's graph has at most "
            f"{MOST_OPERATORS:,}"
        )
