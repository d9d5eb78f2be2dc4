"""Which images are of one clip, as far as their names tell.

tools/extract_keyframes.py writes `match_000012.480.png`, tools/extract_subimages.py
`name_s001.png` and tools/generate_multiscale.py `nameT0.png`. In other folders, names
that differ only in their last number are taken for one series.
"""

import re
from collections.abc import Sequence
from pathlib import Path

_CROP = re.compile(r"_s\d{3,}$")  # of tools/extract_subimages.py
_DOWNSCALED = re.compile(r"T[0-3]$")  # of tools/generate_multiscale.py
_TIME = re.compile(r"_\d{6,}\.\d{3}$")  # of tools/extract_keyframes.py
_NUMBER = re.compile(r"[-_. ]*\d+$")


def source_and_frame(path: Path) -> tuple[str, str]:
    """Return keys of the source (video, series, folder) and of the frame in it.

    Files that one of the tools has named count as one source whatever their folders:
    crops and downscaled versions of an image may be in two.
    """
    uncropped = _CROP.sub("", path.stem)
    image = _DOWNSCALED.sub("", uncropped)
    if _TIME.search(image):
        return _TIME.sub("", image), image

    series = _NUMBER.sub("", image)
    if image != path.stem:
        return series, image
    folder = path.parent.as_posix()
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
