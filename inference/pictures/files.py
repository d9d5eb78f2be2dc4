"""Files that are read and written: which images a folder has, and what results are called."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.inference.pictures.reading import ANIMATED, Picture
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES, list_images

EXTENSIONS = ("auto", "jpg", "png")

PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".gif", ".apng")
"""Of files that are upscaled; those of GIF and APNG are none to train on."""

ANIMATED_SUFFIXES = tuple(suffix for kind in ANIMATED.values() for suffix in kind)

OPAQUE_SUFFIXES = (".jpg", ".jpeg", ".ppm", ".pgm")
"""Of formats without alpha."""

LONGEST_SIDE = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500, ".gif": 65_535}
"""Pixels that a format can declare, in 14 or 16 bits; libjpeg stops a little earlier."""


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


@dataclass(frozen=True)
class Targets:
    """Where results go.

    Attributes:
        output: the folder of all results, or the file of a single one.
        root: the folder whose subfolders are repeated in `output`; None: all results
            are in `output` itself.
        suffix: the result of `a.png` is `a_<suffix>.png`, or `a.png` if it is empty.
        ext: "png", "jpg", or "auto" for the input's format; images with alpha are
            always PNG, and animations keep their format.
    """

    output: Path
    root: Path | None
    suffix: str
    ext: str

    @property
    def folder(self) -> Path:
        """The folder of all results."""
        return self.output.parent if self._is_file else self.output

    @property
    def _is_file(self) -> bool:
        is_named_so = self.output.suffix.lower() in PICTURE_SUFFIXES
        return is_named_so and not self.output.is_dir()

    def of(self, path: Path, picture: Picture) -> Path:
        """Return the file of the result of `path`.

        Raises:
            UserError: a single result's file cannot hold it.
        """
        if self._is_file:
            check_format(self.output, picture)
            return self.output
        if picture.animation is not None:
            known = ANIMATED[picture.animation.format]
            is_known = path.suffix.lower() in known
            extension = path.suffix if is_known else known[0]
            return self._file(path, extension)

        has_alpha = picture.pixels.shape[2:] == (4,)
        return self._still(path, has_alpha=has_alpha)

    def possible(self, path: Path, *, all_frames: bool) -> list[Path]:
        """Return the files that the result of `path` may be, the likeliest first.

        Only its pixels tell whether it has alpha, and its content whether it moves.
        """
        if self._is_file:
            return [self.output]
        suffix = path.suffix.lower()
        stills = [self._still(path, has_alpha=False)]
        if suffix not in OPAQUE_SUFFIXES:
            stills.append(self._still(path, has_alpha=True))
        if not all_frames or suffix not in ANIMATED_SUFFIXES:
            return stills

        animated = self._file(path, path.suffix)
        if suffix == ".gif":  # a PNG may be there of its first frame alone
            return [animated]
        return [animated, *stills]

    def _still(self, path: Path, *, has_alpha: bool) -> Path:
        extension = f".{self.ext}"
        if self.ext == "auto":
            known = path.suffix.lower() in IMAGE_SUFFIXES
            extension = path.suffix if known else ".png"

        # As upstream: PNG is the one format of --ext that holds alpha.
        if has_alpha and extension.lower() != ".png":
            extension = ".png"
        return self._file(path, extension)

    def _file(self, path: Path, extension: str) -> Path:
        folder = self.output
        if self.root is not None:
            folder /= path.parent.relative_to(self.root)
        stem = f"{path.stem}_{self.suffix}" if self.suffix else path.stem
        return folder / f"{stem}{extension}"


def check_format(target: Path, picture: Picture) -> None:
    """Raise UserError if a file named `target` cannot hold what the picture has."""
    suffix = target.suffix.lower()
    if picture.animation is not None:
        known = ANIMATED[picture.animation.format]
        if suffix not in known:
            raise UserError(
                f"{target}: the result is an animation, which keeps its format; name it "
                f"*{known[0]}"
            )
    elif picture.pixels.shape[2:] == (4,) and suffix != ".png":
        raise UserError(f"{target}: pictures with alpha are written as *.png only")
    elif suffix not in IMAGE_SUFFIXES:
        raise UserError(f"{target}: is not written as {suffix}; name it *.png")


def check_size(target: Path, picture: Picture, scale: float) -> None:
    """Raise UserError if the format of `target` cannot hold the upscaled picture."""
    longest = int(max(picture.pixels.shape[:2]) * scale + 0.5)
    suffix = target.suffix.lower()
    most = LONGEST_SIDE.get(suffix, longest)
    if longest > most:
        raise UserError(
            f"{target}: would have a side of {longest} pixels, and {suffix} holds {most}; "
            "choose --ext png"
        )


def is_written(target: Path) -> bool:
    """Return whether a result is there: one is renamed to its place when it is whole."""
    return target.is_file() and target.stat().st_size > 0


class TakenFiles:
    """The files that may not be written: the inputs, and results of this run.

    Args:
        inputs: the input files.
        spares: neither may results that change their suffix have the name of that of
            another file: of b.gif, where there is b.png, b_x4.png, which the next run
            would take for the result of b.png.
    """

    def __init__(self, inputs: Sequence[Path], *, spares: bool = False) -> None:
        self._spares = spares
        self._sources: dict[str, Path] = {}
        for path in inputs:
            self._sources[_key(path)] = path

    def take(self, target: Path, source: Path) -> None:
        """Note that `target` holds, or will hold, the result of `source`.

        Raises:
            UserError: it is an input file, or another file's result.
        """
        if self._is_spared(target, source):
            beside = source.with_suffix(target.suffix)
            raise UserError(
                f"its result, {target}, would be taken for that of {beside.name}; rename "
                f"{source.name}, or upscale it alone and name its result with --output"
            )
        key = _key(target)
        other = self._sources.get(key)
        if other is None:
            self._sources[key] = source
            return

        if _key(other) == key:
            raise UserError(
                f"its result would overwrite the input {other}; choose another --output "
                "or --suffix"
            )
        raise UserError(
            f"its result would overwrite {target}, that of {other}; rename the second, "
            "or give another --output"
        )

    def release(self, target: Path) -> None:
        """Note that `target` was not written after all."""
        del self._sources[_key(target)]

    def is_free(self, target: Path, source: Path) -> bool:
        """Return whether `target` may be the result of `source`."""
        return _key(target) not in self._sources and not self._is_spared(target, source)

    def _is_spared(self, target: Path, source: Path) -> bool:
        """Return whether `target` is named like the result of a file beside `source`."""
        other = source.with_suffix(target.suffix)
        if not self._spares or not other.is_file():
            return False
        return _key(other) not in (_key(source), _key(target))


def _key(path: Path) -> str:
    """Return a key equal for two paths of one file, also where case does not matter."""
    whole = str(path.resolve())
    return whole if sys.platform == "linux" else whole.lower()
