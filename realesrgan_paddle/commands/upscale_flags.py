"""The flags that tools/upscale.py, tools/infer.py and tools/predict.py share."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from realesrgan_paddle.commands.shared_work import Sharing
from realesrgan_paddle.inference.open_runner import ENGINES, PRECISIONS
from realesrgan_paddle.inference.pictures.files import EXTENSIONS
from realesrgan_paddle.inference.tiling.plan import Tile
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.machine.devices import DEVICES

CONTAINERS = ("auto", "mp4", "mov", "mkv", "webm", "ts")

LONGEST_PREVIEW = 3600.0
"""Seconds; a longer part is asked for with --start and --end."""
MOST_PREVIEW_FRAMES = 100
"""A page with more would be as slow to look at as the video."""


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


@dataclass(frozen=True, kw_only=True)
class UpscaleFlags:
    """The flags of these commands, with Real-ESRGAN's names and meanings where it has them.

    Attributes:
        how_anew: what makes results anew that are there; the braces hold "it" or "them".
    """

    how_anew: ClassVar[str] = "leave out --skip_existing to make {} anew"

    input: list[str] = setting(
        ..., "images, videos, or folders of these", also=("-i",), takes_words=True
    )
    output: str | None = setting(
        "results",
        "folder for the results; or the result of a single image or video",
        also=("-o",),
    )
    model_path: str = setting(
        ...,
        "weights of any known format, or a released model's name",
        also=("--model", "--model_name", "-m", "-n"),
    )
    outscale: float | None = setting(
        None,
        "upscaling factor of the result; the network's if not given",
        _positive,
        also=("--scale", "-s"),
    )
    # How results look.
    suffix: str | None = setting(
        None,
        "a.png becomes a_SUFFIX.png; may be empty; out if not given",
        _suffix,
        heading="results",
    )
    ext: str = setting(
        "auto", "format of the results; auto: the input's", choices=EXTENSIONS
    )
    pre_pad: int = setting(
        0,
        "pixels by which the image is mirrored at its borders, and cropped after",
        int_range(0),
        rare=True,
    )
    alpha_upsampler: Literal["realesrgan", "bicubic"] = setting(
        "realesrgan",
        "what upscales an alpha channel",
        rare=True,
    )

    # Memory.
    tile: Tile = setting(
        "auto",
        "longest side of a tile in input pixels; 0: no tiles; auto: no tiles if the image "
        "fits into the free memory, else those that fit and compute least",
        _tile,
        also=("-t",),
        metavar="auto|N",
        heading="memory",
    )
    tile_pad: int | None = setting(
        None,
        "pixels that a tile sees beyond its border; fewer are faster, with seams; 80 or "
        "what the network needs if not given",
        int_range(0),
        rare=True,
    )
    max_pixels: int | None = setting(
        None,
        "images with more pixels are refused before they are decoded; if not given, those "
        "that would be decoded to more than REALESRGAN_MAX_IMAGE_MB (400) MB",
        int_range(1),
        rare=True,
    )

    # What computes.
    device: str = setting(
        "auto", "where to compute", choices=DEVICES, heading="what computes"
    )
    engine: str = setting(
        "auto",
        "what computes; auto: onednn for networks that it knows on a CPU, or paddle",
        choices=ENGINES,
        rare=True,
    )
    precision: str = setting(
        "auto",
        "what it computes in; auto: bf16 for 8-bit images where CPU and engine have it, "
        "or fp32; int8, after tools/quantize.py, is faster than fp32 on a CPU with VNNI",
        choices=PRECISIONS,
        rare=True,
    )

    # Files.
    recursive: bool = setting(
        False,
        "also what lies in the folders within; --output repeats these",
        also=("-r",),
        heading="files",
    )
    skip_existing: bool = setting(
        False, "leave out images whose results are there, such as of a run that ended"
    )
    all_frames: bool = setting(
        False,
        "upscale all frames of GIF, WebP and APNG animations, not the first alone",
    )
    tta: bool = setting(
        False, "average the results of 8 flips and turns; takes 8 times as long"
    )
    report: Path | None = setting(
        None,
        "write a JSON file of what became of each image (docs/inference.md)",
        rare=True,
    )

    sharing: Sharing

    # Videos.
    video: VideoSettings
    container: str = setting(
        "auto",
        "of videos' results, where --output is a folder; auto: the input's, or mkv",
        choices=CONTAINERS,
        rare=True,
    )
    preview: float | None = setting(
        None,
        "upscale so many seconds from the middle of a video, and write a page that shows "
        "them before and after",
        float_range(0.1, LONGEST_PREVIEW),
        metavar="SECONDS",
    )
    preview_frames: int | None = setting(
        None,
        "the same for N frames, evenly spread over a video",
        int_range(1, MOST_PREVIEW_FRAMES),
        metavar="N",
    )
