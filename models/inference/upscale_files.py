"""Image files in, upscaled image files out."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.inference.upscaler import Upscaler
from realesrgan_paddle.utils.atomic import make_folder
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import (
    IMAGE_SUFFIXES,
    SUFFIXES_16_BIT,
    list_images,
    read_image,
    write_image,
)
from realesrgan_paddle.utils.jobs import failure_line

EXTENSIONS = ("auto", "jpg", "png")


def upscale_files(
    upscaler: Upscaler,
    paths: Iterable[Path],
    output: str | Path,
    *,
    outscale: float | None = None,
    suffix: str = "out",
    ext: str = "auto",
    max_pixels: int | None = None,
    report: Callable[[str], None] = say,
) -> dict[Path, str]:
    """Upscale image files into the folder `output`; return the reason of each failure.

    The largest image comes first, the others as given: an exported graph prepares itself
    anew for each that is larger than all before. A file that cannot be read, upscaled or
    written does not stop the others, but a full disk does. Results of earlier runs are
    overwritten; an input never is, nor a result of this run.

    Args:
        upscaler: upscales one image.
        paths: the input files, see `find_inputs`.
        output: folder, made if missing.
        outscale: see `Upscaler.__call__`.
        suffix: the result of `a.png` is `a_<suffix>.png`, or `a.png` if it is empty.
        ext: "png", "jpg", or "auto" for the input's format; images with alpha are
            always PNG.
        max_pixels: images with more are refused before they are decoded; None: those
            are that `read_image` refuses.
        report: gets one line for each file.

    Raises:
        UserError: `output` is no folder and cannot become one.
    """
    paths = list(paths)
    make_folder(Path(output))
    taken = {_key(path): path for path in paths}
    failures: dict[Path, str] = {}

    for number, path in enumerate(_largest_first(paths), 1):
        start = time.perf_counter()
        head = f"[{number}/{len(paths)}] {path}"
        try:
            if max_pixels is not None:
                _refuse_larger(path, max_pixels)
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
    return {path: failures[path] for path in paths if path in failures}


def find_inputs(path: str | Path) -> list[Path]:
    """Return `path` itself, or the images of that folder, not of the folders within.

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
        suffixes = ", ".join(IMAGE_SUFFIXES)
        within = list_images(path, recursive=True)
        hint = f"; there are some in {within[0].parent}" if within else ""
        raise UserError(f"{path}: no images in this folder ({suffixes}){hint}")
    return found


def _largest_first(paths: Sequence[Path]) -> list[Path]:
    """Return the paths with that of the largest image first, and the others as given."""
    if len(paths) < 2:
        return [*paths]
    largest = max(paths, key=_pixels)
    others = [path for path in paths if path != largest]
    return [largest, *others]


def _pixels(path: Path) -> int:
    """Return how many pixels an image has; 0 if that cannot be read, as is said later."""
    try:
        header = read_checked_header(path)
    except (UserError, OSError):
        return 0
    return header.width * header.height


def _refuse_larger(path: Path, max_pixels: int) -> None:
    """Raise UserError if the header of an image declares more pixels."""
    header = read_checked_header(path)
    pixels = header.width * header.height
    if pixels > max_pixels:
        raise UserError(
            f"{path}: {header.width}x{header.height} are {pixels:,} pixels, more than "
            f"--max_pixels {max_pixels:,}; cut it into smaller images, or allow more"
        )


def _name(path: Path, image: np.ndarray, suffix: str, ext: str) -> str:
    """Return the file name of the result of `path`."""
    extension = f".{ext}"
    if ext == "auto":
        extension = path.suffix if path.suffix.lower() in IMAGE_SUFFIXES else ".png"

    # As upstream: PNG is the one format of --ext that holds alpha.
    has_alpha = image.shape[2:] == (4,)
    if has_alpha and extension.lower() != ".png":
        extension = ".png"
    return f"{path.stem}_{suffix}{extension}" if suffix else f"{path.stem}{extension}"


def _key(path: Path) -> str:
    """Return a key equal for two paths of one file, also where case does not matter."""
    return str(path.resolve()).casefold()


def _refuse_taken(target: Path, taken: dict[str, Path]) -> None:
    """Raise UserError if `target` is an input file or a result of this run."""
    source = taken.get(_key(target))
    if source is None:
        return

    if _key(source) == _key(target):
        raise UserError(
            f"its result would overwrite the input {source}; choose another --output or "
            "--suffix"
        )
    raise UserError(
        f"its result would overwrite {target}, that of {source}; rename one of the two"
    )


def _storable(image: np.ndarray, target: Path) -> np.ndarray:
    """Return `image` with the bits per sample that the format of `target` holds."""
    holds_16_bits = target.suffix.lower() in SUFFIXES_16_BIT
    if image.dtype == np.uint16 and not holds_16_bits:
        return np.rint(image / 257).astype(np.uint8)
    return image


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
