"""Names of the files of an image set, and which of them are of one clip.

tools/extract_keyframes.py writes `match_000012.480.png`, tools/extract_subimages.py
`name_s001.png` and tools/generate_multiscale.py `nameT0.png`. In other folders, names
that differ only in their last number are taken for one series.
"""

import hashlib
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.made_folders import check_images
from realesrgan_paddle.data.sets.meta_info import PAIR_SEPARATOR
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, open_regular, read_regular
from realesrgan_paddle.utils.images import list_images

SOURCES_FOLDER = ".sources"
"""Hidden folder of an image set; a file per source name says which video has it."""

MAX_STEM = 50
"""Characters of a source name; with time and temporary suffix it fits any disk."""

HASHED_BYTES = 1 << 20
"""Bytes at the start and at the end of a file that identify it."""

# Control characters and line separators, bytes that are no UTF-8, what Windows forbids,
# and the comma and percent sign, which mean something in meta-info files and in
# ffmpeg's numbered names.
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"/\\\\|?*,%]')

_LINE_BREAK_OR_SEPARATOR = re.compile(f"[\r\n]|{PAIR_SEPARATOR}")

MOMENT_SECONDS = 1.0
"""Frames of a clip that are less than so many seconds apart count as one moment.

What is nearer than that to a moment that is held out is not trained on either.
A choice: in a second people and camera move on; frames that look alike are dropped.
"""

LONGEST_STEP = 0.13
"""Frames with times that are further apart do not follow each other [s].

That is 8 frames a second, as of animation on threes.
"""

# Of tools/extract_subimages.py and tools/generate_multiscale.py, in any order.
_CROP_OR_SCALE = re.compile(r"(_s\d{3,}|T[0-3])+$")
_TIME = re.compile(r"_(\d{6,}\.\d{3})$")  # of tools/extract_keyframes.py
_NUMBER = re.compile(r"[-_. ]*\d+(?=\D*$)")
_VARIES = re.compile(r"(_\d{6,}\.\d{3}|\d{3,})((?:_s\d{3,}|T[0-3])*)(?=\.[^./]*$)")


def safe_stem(path: Path) -> str:
    """Return the stem of `path`, fit for any disk and for meta-info files."""
    stem = unicodedata.normalize("NFC", path.stem)
    stem = _UNSAFE.sub("_", stem).strip(" .-")
    return stem[:MAX_STEM] or "video"


def claim_source_name(source: Path, output: Path) -> str:
    """Return the name of a video in the set `output`, which its frames begin with.

    It is the safe stem of the file, with "-2", "-3", ... if another video has that
    name, now or from an earlier run. A video is identified by its content, so it keeps
    its name when it is moved.
    """
    stem, identity = safe_stem(source), _identity(source)
    for number in itertools.count(1):
        name = stem if number == 1 else f"{stem}-{number}"
        owner = output / SOURCES_FOLDER / f"{name}.txt"
        if not owner.exists():
            with atomic_path(owner) as temporary:
                temporary.write_text(identity, encoding="utf-8")
            return name
        if read_regular(owner) == identity.encode():
            return name
    raise AssertionError("unreachable")


def _identity(path: Path) -> str:
    """Return a SHA-256 of the size, the first and the last MiB of a file."""
    size = path.stat().st_size
    with open_regular(path) as file:
        head = file.read(HASHED_BYTES)
        file.seek(max(0, size - HASHED_BYTES))
        tail = file.read()
    return hashlib.sha256(b"%d" % size + head + tail).hexdigest()


def check_outside(output: Path, folder: Path) -> None:
    """Refuse an output folder whose files would count as images of `folder` next time.

    Raises:
        UserError: `output` is `folder`, or lies in it.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{output}: the results would join the images of {folder}; choose a folder "
            "outside it"
        )


def distinct_stems(folder: Path) -> dict[Path, Path]:
    """Return, for each image below `folder`, its relative path without the suffix.

    With "_" in place of line breaks and of ", ", which a meta-info file cannot hold.

    Raises:
        UserError: the folder holds no image, or two that differ only in the suffix, or
            it is refused by `check_images`.
    """
    by_stem: dict[Path, Path] = {}
    paths = list_images(folder, recursive=True)
    check_images(folder, paths)
    for path in paths:
        relative = path.relative_to(folder).with_suffix("")
        stem = Path(_LINE_BREAK_OR_SEPARATOR.sub("_", str(relative)))
        if stem in by_stem:
            raise UserError(
                f"{path} and {by_stem[stem]} would get the same output names; "
                "rename one"
            )
        by_stem[stem] = path

    if not by_stem:
        raise UserError(f"{folder}: no images in it")
    return {path: stem for stem, path in by_stem.items()}


def source_and_frame(path: Path) -> tuple[str, str]:
    """Return keys of the source (video, series, folder) and of the frame in it.

    Files that one of the tools has named count as one source whatever their folders:
    crops and downscaled versions of an image may be in two.
    """
    return source_and_frame_in(path.parent.as_posix(), path.stem)


def source_and_frame_in(folder: str, stem: str) -> tuple[str, str]:
    """As `source_and_frame`, of a file's folder and stem: a `Path` takes ten times longer.

    Args:
        folder: of the file, as `Path.as_posix` writes it.
        stem: the file's name without suffix.
    """
    image = _CROP_OR_SCALE.sub("", stem)
    if _TIME.search(image):
        return _TIME.sub("", image), image

    series = _NUMBER.sub("", image)
    if image != stem:
        return series, image
    return f"{folder}/{series}", f"{folder}/{image}"


def clips_of(names: Sequence[str]) -> list[str]:
    """Return the clip of each image, by names without suffix; see this module.

    If all are of one series, and no frames of a video, then the names tell nothing, as
    in a folder of numbered photographs: each image counts as a clip.
    """
    files = [Path(f"{name}.png") for name in names]
    known = [source_and_frame(file) for file in files]
    clips = [clip for clip, _ in known]
    are_frames = any(_TIME.search(frame) for _, frame in known)
    if len(set(clips)) > 1 or are_frames:
        return clips
    return [frame for _, frame in known]


def image_name(path: Path) -> str:
    """Return the name of an image without suffix, from which `clips_of` tells its clip.

    That of a video's frame is told by the file alone; other files keep their folders,
    which may be what tells their series apart.

    Args:
        path: below the folder of the images.
    """
    stem = path.with_suffix("")
    if seconds_of_frame(stem.name) is not None:
        return stem.name
    # A shard is as the folder that it was made of.
    return "_".join(part.removesuffix(".tar") for part in stem.parts)


def one_of_each_clip(names: Iterable[str]) -> set[str]:
    """Return names of as many clips, with other numbers: few of a million files.

    `image_name` and `source_and_frame` tell the same clips from them.
    """
    return {_VARIES.sub(_any_number, name) for name in names}


def _any_number(found: re.Match[str]) -> str:
    # Four digits, for three after a point are a time's.
    number = "_000000.000" if found[1].startswith("_") else "0000"
    return number + ("_s000" if found[2] else "")


def seconds_of_frame(name: str) -> float | None:
    """Return when a video's frame is shown, by its name or a crop's; None for others."""
    found = _TIME.search(_CROP_OR_SCALE.sub("", name))
    return float(found[1]) if found else None


def moments_of(names: Sequence[str]) -> list[str]:
    """Return the moment of each image, by names without suffix.

    Frames of a video are of one moment if less than `MOMENT_SECONDS` after its first
    frame. Images without times are moments of their own, with all of their crops.
    """
    moments: dict[str, str] = {}
    started: dict[str, tuple[float, str]] = {}

    def order(name: str) -> tuple[float, str]:
        """Return what names are sorted by: the time."""
        return seconds_of_frame(name) or 0.0, name

    for name in sorted(names, key=order):
        clip, frame = source_and_frame(Path(f"{name}.png"))
        seconds = seconds_of_frame(name)
        if seconds is None:
            moments[name] = frame
            continue
        first, moment = started.get(clip, (-math.inf, ""))
        if seconds >= first + MOMENT_SECONDS:
            moment = frame
            started[clip] = seconds, moment
        moments[name] = moment
    return [moments[name] for name in names]
