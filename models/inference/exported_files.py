"""Which files an exported graph consists of; found without Paddle."""

from pathlib import Path

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download
from realesrgan_paddle.utils.files.regular import check_utf8, open_regular

MODEL_NAME = "inference.pdmodel"
EXPORT_FIRST = "export one with tools/export_model.py"
PROGRAM_TAG = b"\x0a"
"""The first byte of a ProgramDesc (its first field); Paddle crashes on others."""


def is_exported(model: str | Path) -> bool:
    """Return whether `model` is a `.pdmodel` file or a folder with an exported graph."""
    if Path(model).suffix == ".pdmodel":
        return True
    names = (MODEL_NAME, "inference.json")
    return any(Path(model, name).is_file() for name in names)


def exported_files(model: Path) -> tuple[Path, Path]:
    """Return the paths of the program and its weights; UserError if one is none."""
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
