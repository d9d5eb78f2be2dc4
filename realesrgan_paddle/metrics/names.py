"""What the flags name: networks, and folders of images."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from realesrgan_paddle.utils.errors import UserError

GT = ""
"""The ground truth, among the names of methods."""

BICUBIC = "bicubic"
"""MATLAB's bicubic: among models the enlargement, of --degrade the downscale."""

NOT_A_NAME = ("hr", "gt", "lr", "lq")
"""Folders whose images are known by the name of the folder above."""


class NamedFolder(NamedTuple):
    """A folder of images, and its column in the table."""

    name: str
    path: Path


def check_distinct(names: Sequence[str], flag: str) -> None:
    """Raise UserError if one of the names is there twice."""
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"{flag}: two are named {name!r}; give one another name: NAME=PATH"
            )


def parse_model(text: str) -> tuple[str, str]:
    """Return (name, model) of "NAME=MODEL", MODEL or "bicubic", for argparse.

    A model without a name is named as its file.
    """
    name, equals, model = text.partition("=")
    if equals and not Path(text).exists():
        if name and model:
            return name, model
        raise ArgumentTypeError(
            f"{text!r} is not NAME=MODEL, such as finetuned=infer, nor bicubic"
        )
    if not text:
        raise ArgumentTypeError("'' is no model; NAME=MODEL or bicubic are")
    if text.lower() == BICUBIC:
        return BICUBIC, BICUBIC
    path = Path(text)
    return (path.stem if path.is_file() else path.name) or text, text


def parse_folder(text: str) -> NamedFolder:
    """Return the folder of "NAME=FOLDER" or FOLDER, for argparse.

    Without a name it is that of the folder, or of the one above for HR, GT, LR and LQ.
    """
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        if name and path:
            return NamedFolder(name, Path(path))
        raise ArgumentTypeError(f"{text!r} is not NAME=FOLDER, such as Set5=sets/Set5")
    if not text:
        raise ArgumentTypeError("'' is no folder")

    folder = Path(text).absolute()
    if folder.name.lower() in NOT_A_NAME:
        folder = folder.parent
    return NamedFolder(folder.name or text, Path(text))
