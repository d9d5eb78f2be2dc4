"""The files that results are written to: their names, folders and formats."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.inference.pictures.animation import SUFFIXES
from realesrgan_paddle.inference.pictures.reading import Picture
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES

ANIMATED_SUFFIXES = tuple(suffix for kind in SUFFIXES.values() for suffix in kind)

LONGEST_SIDE = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500, ".gif": 65_535}
"""Pixels that a format can declare, in 14 or 16 bits; libjpeg stops a little earlier."""


@dataclass(frozen=True)
class Targets:
    """Where results go.

    Attributes:
        output: the folder of all results.
        root: the folder whose subfolders are repeated in `output`; None: all results
            are in `output` itself.
        suffix: the result of `a.png` is `a_<suffix>.png`, or `a.png` if it is empty.
        ext: "png", "jpg", or "auto" for the input's format; images with alpha are
            always PNG, and animations keep their kind.
    """

    output: Path
    root: Path | None = None
    suffix: str = "out"
    ext: str = "auto"

    def of(self, path: Path, picture: Picture) -> Path:
        """Return the file of the result of `path`."""
        if picture.animation is not None:
            known = SUFFIXES[picture.animation.kind]
            is_known = path.suffix.lower() in known
            extension = path.suffix if is_known else known[0]
            return self._file(path, extension)

        has_alpha = picture.pixels.shape[2:] == (4,)
        return self._still(path, has_alpha=has_alpha)

    def possible(self, path: Path, *, all_frames: bool) -> list[Path]:
        """Return the files that the result of `path` may be, the likeliest first.

        Only its pixels tell whether it has alpha, and its content whether it moves.
        """
        opaque = self._still(path, has_alpha=False)
        clear = self._still(path, has_alpha=True)
        if not all_frames or path.suffix.lower() not in ANIMATED_SUFFIXES:
            return [opaque, clear]

        animated = self._file(path, path.suffix)
        return [animated, opaque, clear]

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


class Taken:
    """The files that may not be written: the inputs, and results of this run."""

    def __init__(self, inputs: Sequence[Path]) -> None:
        self._sources: dict[str, Path] = {}
        for path in inputs:
            self._sources[_key(path)] = path

    def take(self, target: Path, source: Path) -> None:
        """Note that `target` holds, or will hold, the result of `source`.

        Raises:
            UserError: it is an input file, or another input's result.
        """
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
            f"its result would overwrite {target}, that of {other}; rename one of the two"
        )

    def release(self, target: Path) -> None:
        """Note that `target` was not written after all."""
        del self._sources[_key(target)]

    def is_free(self, target: Path) -> bool:
        """Return whether `target` may be written."""
        return _key(target) not in self._sources


def _key(path: Path) -> str:
    """Return a key equal for two paths of one file, also where case does not matter."""
    return str(path.resolve()).casefold()
