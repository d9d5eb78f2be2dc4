"""Which files are videos, by their names; ffmpeg is not imported for that."""

import re
from pathlib import Path

_VIDEO_NAME = re.compile(
    r"[^.].*\.(3gp|asf|avi|dv|flv|gxf|ivf|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|nut|ogv|"
    r"rm|rmvb|ts|vob|webm|wmv|wtv|y4m)",
    re.IGNORECASE | re.DOTALL,
)


def is_video_name(path: Path) -> bool:
    """Return whether a path is named like a video, and not hidden."""
    return _VIDEO_NAME.fullmatch(path.name) is not None


def list_videos(folder: Path) -> list[Path]:
    """Return the videos below `folder`, by suffix, sorted; no hidden files."""
    return sorted(
        path for path in folder.rglob("*") if is_video_name(path) and path.is_file()
    )
