"""Names of the files of an image set."""

import hashlib
import itertools
import re
import unicodedata
from pathlib import Path

from realesrgan_paddle.data.sets.meta_info import PAIR_SEPARATOR
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images

SOURCES_FOLDER = ".sources"
"""Hidden folder of an image set with one file per source name: it says which video has that name."""

# Control characters and line separators, bytes that are no UTF-8, what Windows forbids,
# and the comma and percent sign, which meta-info files and ffmpeg's numbered names give
# a meaning to.
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"/\\\\|?*,%]')


def safe_stem(path: Path) -> str:
    """Return the stem of `path` as it may stand in any file name and in a meta-info file; 50 characters at most."""
    return (
        _UNSAFE.sub("_", unicodedata.normalize("NFC", path.stem)).strip(" .-")[:50]
        or "video"
    )


def claim_source_name(source: Path, output: Path) -> str:
    """Return the name under which the frames of `source` lie in the set `output`.

    It is the safe stem of the file, with "-2", "-3", ... where another video has taken
    that name, now or in an earlier run. A video is known by its content, so it keeps
    its name when it is moved.
    """
    stem, identity = safe_stem(source), _identity(source)
    folder = output / SOURCES_FOLDER
    for name in (
        stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1)
    ):
        owner = folder / f"{name}.txt"
        if not owner.exists():
            with atomic_path(owner) as temporary:
                temporary.write_text(identity)
            return name
        if owner.read_text() == identity:
            return name
    raise AssertionError("unreachable")


def _identity(path: Path) -> str:
    """Return a SHA-256 over the size, the first and the last MiB of a file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1 << 20)
        file.seek(max(0, size - (1 << 20)))
        return hashlib.sha256(b"%d" % size + head + file.read()).hexdigest()


def check_apart(output: Path, folder: Path) -> None:
    """Refuse an output folder in which results would count among the images below `folder` the next time.

    Raises:
        UserError: `output` is `folder`, or lies in it.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{output}: the results would join the images of {folder}; choose a folder beside it"
        )


def distinct_stems(folder: Path) -> dict[Path, Path]:
    """Return, for each image below `folder`, its path inside the folder without the suffix.

    With "_" in place of a line break and of ", ", which a meta-info file cannot hold.

    Raises:
        UserError: the folder holds no image, or two that differ in nothing but the
            suffix.
    """
    stems: dict[Path, Path] = {}
    for path in list_images(folder, recursive=True):
        stem = Path(
            re.sub(
                f"[\r\n]|{PAIR_SEPARATOR}",
                "_",
                str(path.relative_to(folder).with_suffix("")),
            )
        )
        if stem in stems:
            raise UserError(
                f"{path} and {stems[stem]} would get the same output names; rename one"
            )
        stems[stem] = path
    if not stems:
        raise UserError(f"{folder}: no images in it")
    return {path: stem for stem, path in stems.items()}
