"""Which files are videos, by their names; ffmpeg is not imported for that."""

from pathlib import Path

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".dv", ".flv", ".gxf", ".ivf", ".m2ts", ".m4v", ".mkv"),
    *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".rm", ".rmvb"),
    *(".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m"),
)
"""Of files that are videos, in lower case."""


def is_video_name(path: Path) -> bool:
    """Return whether a path is named like a video, and not hidden."""
    is_hidden = path.name.startswith(".")
    return not is_hidden and path.suffix.lower() in VIDEO_SUFFIXES


def list_videos(folder: Path) -> list[Path]:
    """Return the videos below `folder`, by suffix, sorted; no hidden files."""
    return sorted(
        path for path in folder.rglob("*") if is_video_name(path) and path.is_file()
    )
