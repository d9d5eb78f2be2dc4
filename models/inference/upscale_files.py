"""Pictures from files into files: what tools/predict.py and tools/infer.py share."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from realesrgan_paddle.models.inference.upscaler import (
    ALPHA_UPSAMPLERS,
    TILE_PAD,
    Upscaler,
)
from realesrgan_paddle.utils.atomic import make_folder
from realesrgan_paddle.utils.cli import int_range
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import (
    IMAGE_SUFFIXES,
    SUFFIXES_16_BIT,
    list_images,
    read_image,
    write_image,
)
from realesrgan_paddle.utils.jobs import failure_line, report_failures
from realesrgan_paddle.utils.machine.devices import DEVICES

EXTENSIONS = ("auto", "jpg", "png")


class Runner(Protocol):
    """What runs a network and knows its enlargement, such as those of models/predictors.py."""

    scale: int

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Return (N, 3, scale * H, scale * W) for float32 (N, 3, H, W)."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of upscaling; their names and meanings are those of Real-ESRGAN's inference script."""
    parser.add_argument("--input", required=True, help="an image or a folder of images")
    parser.add_argument("--output", default="results", help="folder for the results")
    parser.add_argument(
        "--outscale",
        type=_positive,
        help="enlargement of the result; the network's own if not given",
    )
    parser.add_argument(
        "--suffix",
        type=_suffix,
        default="out",
        help="a.png becomes a_SUFFIX.png; may be empty",
    )
    parser.add_argument(
        "--ext",
        choices=EXTENSIONS,
        default="auto",
        help="format of the results; auto: the input's",
    )
    parser.add_argument(
        "--tile",
        type=int_range(0),
        default=0,
        help="longest side of a tile in input pixels; 0: no tiles",
    )
    parser.add_argument(
        "--tile_pad",
        type=int_range(0),
        default=TILE_PAD,
        help="pixels a tile sees beyond its border",
    )
    parser.add_argument(
        "--pre_pad",
        type=int_range(0),
        default=0,
        help="pixels mirrored around it and cut off after",
    )
    parser.add_argument(
        "--alpha_upsampler",
        choices=ALPHA_UPSAMPLERS,
        default="realesrgan",
        help="for alpha channels",
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where to compute"
    )


def from_flags(runner: Runner, flags: argparse.Namespace) -> Upscaler:
    """Return an upscaler with what `add_flags` declared."""
    return Upscaler(
        runner,
        runner.scale,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        pre_pad=flags.pre_pad,
        alpha_upsampler=flags.alpha_upsampler,
        progress=True,
    )


def upscale_files(
    upscaler: Upscaler,
    paths: Iterable[Path],
    output: str | Path,
    *,
    outscale: float | None = None,
    suffix: str = "out",
    ext: str = "auto",
    report: Callable[[str], None] = print,
) -> dict[Path, str]:
    """Enlarge image files into the folder `output` and return what failed: the reason for each such file.

    A file that cannot be read, enlarged or written does not stop the others, but a full
    disk does. Results of earlier runs are overwritten; an input never is, nor a result
    of this run.

    Args:
        upscaler: what enlarges one picture.
        paths: the input files, see `find_inputs`.
        output: folder, made when missing.
        outscale: see `Upscaler.__call__`.
        suffix: the result of `a.png` is `a_<suffix>.png`, `a.png` for an empty one.
        ext: "png", "jpg", or "auto" for the input's format; pictures with alpha are
            always PNG.
        report: gets one line for each file.

    Raises:
        UserError: `output` is no folder and cannot become one.
    """
    paths = list(paths)
    make_folder(Path(output))
    taken = {_key(path): path for path in paths}
    failures: dict[Path, str] = {}
    for number, path in enumerate(paths, 1):
        start = time.perf_counter()
        head = f"[{number}/{len(paths)}] {path}"
        try:
            image = read_image(path)
            target = Path(output) / _name(path, image, suffix, ext)
            _refuse_taken(target, taken)
            result = upscaler(image, outscale=outscale)
            write_image(target, _storable(result, target))
        except (UserError, OSError) as error:
            failures[path] = failure_line(path, error).removeprefix(f"{path}: ")
            report(f"{head}: failed: {failures[path]}")
            continue
        taken[_key(target)] = path
        seconds = time.perf_counter() - start
        report(f"{head} {_size(image)} -> {target} {_size(result)}, {seconds:.1f} s")
    return failures


def find_inputs(path: str | Path) -> list[Path]:
    """Return the images that `path` means: itself, or those of the folder, not of the folders within.

    Raises:
        UserError: there is no such file, or no image in the folder.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        return [path]
    found = list_images(path)
    if not found:
        raise UserError(
            f"{path}: no images in this folder ({', '.join(IMAGE_SUFFIXES)})"
        )
    return found


def conclude(failures: dict[Path, str], count: int, output: str | Path) -> int:
    """Say how many of `count` images are in `output`, and on stderr which failed and why; return the exit code."""
    sys.stdout.write(f"{count - len(failures)} of {count} images are in {output}\n")
    return report_failures(f"{path}: {reason}" for path, reason in failures.items())


def _positive(text: str) -> float:
    """Return the number that `text` says, for argparse; inf and nan are none."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _suffix(text: str) -> str:
    """Return `text` if it can be part of a file's name, for argparse."""
    if "/" in text or "\\" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part of a file's name")
    return text


def _name(path: Path, image: np.ndarray, suffix: str, ext: str) -> str:
    """Return the file name of the result of `path`."""
    known = path.suffix if path.suffix.lower() in IMAGE_SUFFIXES else ".png"
    extension = known if ext == "auto" else f".{ext}"
    if image.ndim == 3 and image.shape[2] == 4 and extension.lower() != ".png":
        extension = ".png"  # as upstream: the one format of --ext that holds alpha
    return f"{path.stem}_{suffix}{extension}" if suffix else f"{path.stem}{extension}"


def _key(path: Path) -> str:
    """Return what is equal for two paths of one file, on file systems that ignore case too."""
    return str(path.resolve()).casefold()


def _refuse_taken(target: Path, taken: dict[str, Path]) -> None:
    """Raise UserError if `target` is an input file or a result of this run."""
    source = taken.get(_key(target))
    if source is None:
        return
    if _key(source) == _key(target):
        raise UserError(
            f"its result would overwrite the input {source}; choose another --output or --suffix"
        )
    raise UserError(
        f"its result would overwrite {target}, that of {source}; rename one of the two"
    )


def _storable(image: np.ndarray, target: Path) -> np.ndarray:
    """Return `image` with the bits per sample that the format of `target` holds."""
    if image.dtype == np.uint16 and target.suffix.lower() not in SUFFIXES_16_BIT:
        return np.rint(image / 257).astype(np.uint8)
    return image


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
