"""Image files in, upscaled image files out."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from realesrgan_paddle.inference.pictures.batch import Batch
from realesrgan_paddle.inference.pictures.record import Record, reported
from realesrgan_paddle.inference.pictures.targets import Targets
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.utils.atomic import check_target, make_folder, remove_leftovers
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES, list_images

EXTENSIONS = ("auto", "jpg", "png")

PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".gif", ".apng")
"""Of files that are upscaled; those of GIF and APNG are none to train on."""


def upscale_files(
    upscaler: ArrayUpscaler,
    paths: Sequence[Path],
    output: str | Path,
    *,
    outscale: float | None = None,
    suffix: str = "out",
    ext: str = "auto",
    root: Path | None = None,
    all_frames: bool = False,
    skip_existing: bool = False,
    report_file: Path | None = None,
    records: list[Record] | None = None,
    max_pixels: int | None = None,
    model: str = "",
    report: Callable[[str], None] = say,
) -> dict[Path, str]:
    """Upscale image files into the folder `output`; return the reason of each failure.

    The largest first, for which a graph prepares itself. A file that cannot be read,
    upscaled or written does not stop the others, but a full disk does. Results of earlier
    runs are overwritten; an input never is, nor a result of this run.

    Args:
        upscaler: upscales one image.
        paths: the input files, see `find_inputs`.
        output: folder, made if missing.
        outscale: see `ArrayUpscaler.__call__`.
        suffix: see `Targets`.
        ext: see `Targets`.
        root: see `Targets`.
        all_frames: see `Batch`.
        skip_existing: see `Batch`.
        report_file: JSON file that says what became of each picture; None: none.
        records: gets a record of each picture, filled in as it is done.
        max_pixels: see `Batch`.
        model: what the report says that upscaled them.
        report: gets one line for each file.

    Raises UserError if `output` or `report_file` cannot be written.
    """
    if report_file is not None:
        check_report(report_file, paths)
    _prepare(Path(output), goes_on=skip_existing)

    batch = Batch(
        upscaler,
        sorted(paths, key=_pixels, reverse=True),
        Targets(Path(output), root, suffix, ext),
        outscale=outscale,
        all_frames=all_frames,
        skip_existing=skip_existing,
        max_pixels=max_pixels,
        say=report,
    )
    if records is not None:
        records += batch.records
    with reported(report_file, batch.records, model):
        batch.run()
    return _failures(paths, batch.records)


def _prepare(output: Path, *, goes_on: bool) -> None:
    """Make the folder of the results; a run that goes on removes what a killed one left."""
    make_folder(output)
    if goes_on:
        remove_leftovers(output)


def _failures(given: Sequence[Path], records: Sequence[Record]) -> dict[Path, str]:
    """Return why files failed, in the order in which they were given."""
    errors = {record.input: record.error for record in records}
    failures = {}
    for path in given:
        reason = errors[path]
        if reason is not None:
            failures[path] = reason
    return failures


def find_inputs(
    path: str | Path,
    *,
    suffixes: Sequence[str] = IMAGE_SUFFIXES,
    recursive: bool = False,
    without: str | Path | None = None,
    may_be_none: bool = False,
) -> list[Path]:
    """Return `path` itself, or the images of that folder.

    Args:
        path: an image, or a folder.
        suffixes: of the images in a folder.
        recursive: also the images of the folders within.
        without: a folder within `path` to leave out: that of the results.
        may_be_none: a folder may hold none.

    Raises:
        UserError: there is no such file, or no image in the folder.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        return [path]

    found = list_images(path, recursive=recursive, suffixes=suffixes)
    if recursive and without is not None:
        found = _outside(found, Path(without).resolve(), path.resolve())
    if not found and not may_be_none:
        known = ", ".join(suffixes)
        within = list_images(path, recursive=True, suffixes=suffixes)
        hint = (
            "" if recursive or not within else f"; there are some in {within[0].parent}"
        )
        raise UserError(f"{path}: no images in this folder ({known}){hint}")
    return found


def may_have_16_bits(paths: Iterable[Path], ext: str) -> bool:
    """Return whether a result may have 16 bits a sample, by the inputs' headers."""
    if ext == "jpg":
        return False
    return "uint16" in map(_sample_type, paths)


def _sample_type(path: Path) -> str:
    """Return the type of an image's samples; "" if it cannot be read, as is said later."""
    try:
        return read_checked_header(path).sample_type
    except (UserError, OSError):
        return ""


def _outside(paths: list[Path], results: Path, root: Path) -> list[Path]:
    """Return the paths that are not in the folder `results`, unless that is `root`."""
    if results == root:
        return paths
    return [path for path in paths if results not in path.resolve().parents]


def _pixels(path: Path) -> int:
    """Return how many pixels an image has; 0 if that cannot be read, as is said later."""
    try:
        header = read_checked_header(path)
    except (UserError, OSError):
        return 0
    return header.width * header.height


def check_report(path: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError if the report cannot be written, or would replace an input."""
    check_target(path)
    if path.resolve() in {each.resolve() for each in inputs}:
        raise UserError(f"{path}: an input; choose another file for --report")
