"""Which files an exported graph consists of; found without Paddle."""

from collections.abc import Collection
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import check_utf8, failed_download, open_regular

MODEL_NAME = "inference.pdmodel"
ONNX_NAME = "inference.onnx"
EXPORT_FIRST = "export one with tools/export_model.py"
PROGRAM_TAG = b"\x0a"
"""The first byte of a ProgramDesc (its first field); Paddle crashes on others."""
MOST_OPERATORS = 20_000
"""Of one graph: RealESRGAN_x4plus has 1,800, in ONNX 1,100. Paddle's passes are quadratic."""


def is_exported(model: str | Path) -> bool:
    """Return whether `model` is a graph's file or a folder with an exported graph."""
    if Path(model).suffix in (".pdmodel", ".onnx"):
        return True
    names = (MODEL_NAME, "inference.json", ONNX_NAME)
    return any(Path(model, name).is_file() for name in names)


def onnx_file(model: Path) -> Path | None:
    """Return the path of the ONNX file that `model` is or has, or None.

    Raises:
        UserError: `model` is an `.onnx` file that does not exist, or a file is of
            another kind.
    """
    path = model if model.suffix == ".onnx" else model / ONNX_NAME
    if not path.exists():
        if path == model:
            raise UserError(f"{model}: no such file; {EXPORT_FIRST} --onnx")
        return None
    _head(path)
    return path


def check_count(graph: Path, operators: Collection[object]) -> None:
    """Raise UserError if a graph has more operators than any upscaler."""
    if len(operators) > MOST_OPERATORS:
        raise UserError(
            f"{graph}: has {len(operators):,} operators; an upscaler's graph has at most "
            f"{MOST_OPERATORS:,}"
        )


def require_weights(model: str | Path) -> None:
    """Raise UserError if `model` is exported, not weights."""
    if is_exported(model):
        raise UserError(
            f"{model}: an exported model, not weights; run it with tools/infer.py"
        )


def exported_files(model: Path) -> tuple[Path, Path]:
    """Return the paths of the program and its weights; UserError if one is none."""
    if model.suffix == ".onnx":
        raise UserError(
            f"{model}: Paddle runs no ONNX file; use --engine openvino or onnxruntime"
        )
    if model.is_file() and model.suffix != ".pdmodel":
        raise UserError(
            f"{model}: not an exported model; {EXPORT_FIRST}, or run weights with "
            "tools/predict.py"
        )
    program = model if model.suffix == ".pdmodel" else model / MODEL_NAME
    weights = program.with_suffix(".pdiparams")

    if not program.exists():
        hint = ""
        if program.with_suffix(".json").is_file():
            hint = " (the .json beside it is Paddle 3's own format, which its oneDNN cannot run)"
        elif program.with_suffix(".onnx").is_file():
            hint = " (--engine openvino or onnxruntime runs the .onnx beside it)"
        raise UserError(f"{program}: no such file{hint}; {EXPORT_FIRST}")
    if not weights.exists():
        raise UserError(f"{weights}: no such file; {EXPORT_FIRST}")

    check_utf8(program)  # Paddle opens it
    if _head(program)[:1] != PROGRAM_TAG:
        raise UserError(f"{program}: not a Paddle program; {EXPORT_FIRST}")
    _head(weights)
    return program, weights


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; UserError if they are those of another kind."""
    with open_regular(path) as file:
        head = file.read(512)
    # A graph without weights has an empty .pdiparams.
    if head and (other_kind := failed_download(head)):
        raise UserError(f"{path}: {other_kind}")
    return head
