"""What tools/infer.py and tools/predict.py have in common: their flags, and their work."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from realesrgan_paddle.models.inference.tiling.plan import Tile
from realesrgan_paddle.models.inference.upscale_files import EXTENSIONS, upscale_files
from realesrgan_paddle.models.inference.upscaler import (
    ALPHA_UPSAMPLERS,
    Upscaler,
)
from realesrgan_paddle.utils.cli import int_range, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.devices import DEVICES


class Runner(Protocol):
    """Runs a network, such as the runners of models/inference/predictors.py."""

    scale: int
    device: str

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Return (N, 3, scale * H, scale * W) for float32 (N, 3, H, W)."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of Real-ESRGAN's inference script, with its names and meanings."""
    add = parser.add_argument
    add("--input", required=True, help="an image or a folder of images")
    add("--output", default="results", help="folder for the results")
    add(
        "--outscale",
        type=_positive,
        help="upscaling factor of the result; the network's if not given",
    )
    add(
        "--suffix",
        type=_suffix,
        default="out",
        help="a.png becomes a_SUFFIX.png; may be empty",
    )
    add(
        "--ext",
        choices=EXTENSIONS,
        default="auto",
        help="format of the results; auto: the input's",
    )
    add(
        "--tile",
        type=_tile,
        default="auto",
        metavar="auto|N",
        help="longest side of a tile in input pixels; 0: no tiles; auto: no tiles if the "
        "image fits into the free memory, else those that fit and compute least",
    )
    add(
        "--tile_pad",
        type=int_range(0),
        help="pixels that a tile sees beyond its border; fewer are faster, with seams; "
        "80 or what the network needs if not given",
    )
    add(
        "--max_pixels",
        type=int_range(1),
        help="images with more pixels are refused before they are decoded; if not given, "
        "those that would be decoded to more than REALESRGAN_MAX_IMAGE_MB (400) MB",
    )
    add(
        "--pre_pad",
        type=int_range(0),
        default=0,
        help="pixels by which the image is mirrored at its borders, and cropped after",
    )
    add(
        "--alpha_upsampler",
        choices=ALPHA_UPSAMPLERS,
        default="realesrgan",
        help="what upscales an alpha channel",
    )
    add("--device", choices=DEVICES, default="auto", help="where to compute")


def upscale(runner: Runner, inputs: Sequence[Path], flags: argparse.Namespace) -> int:
    """Upscale the images `inputs` as the flags say; return the exit code: 1 if one failed."""
    say(f"{flags.model_path}: x{runner.scale}, on {runner.device}")
    upscaler = Upscaler(
        runner,
        runner.scale,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        pre_pad=flags.pre_pad,
        alpha_upsampler=flags.alpha_upsampler,
        progress=True,
        log=say,
    )

    failures = upscale_files(
        upscaler,
        inputs,
        flags.output,
        outscale=flags.outscale,
        suffix=flags.suffix,
        ext=flags.ext,
        max_pixels=flags.max_pixels,
    )

    done = len(inputs) - len(failures)
    say(f"{done} of {len(inputs)} images are in {flags.output}")
    return report_failures(f"{path}: {reason}" for path, reason in failures.items())


def _tile(text: str) -> Tile:
    """Return "auto" or the number in `text`, for argparse."""
    return "auto" if text == "auto" else int_range(0)(text)


def _positive(text: str) -> float:
    """Return the number in `text`, for argparse; inf and nan are refused."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _suffix(text: str) -> str:
    """Return `text` if it can be part of a file name, for argparse."""
    if "/" in text or "\\" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part of a file's name")
    return text
