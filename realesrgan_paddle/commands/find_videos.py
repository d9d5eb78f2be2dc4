"""Which videos a command is given."""

from pathlib import Path

from realesrgan_paddle.data.footage.video import is_video_name, list_videos
from realesrgan_paddle.utils.errors import UserError


def find_videos_in(
    path: str | Path, output: str | Path, *, recursive: bool
) -> list[Path]:
    """Return `path` itself if it is named like a video, or the videos of that folder.

    Args:
        path: a file or a folder.
        output: that of the results; what lies in it is none, unless it is `path`.
        recursive: also the videos of the folders within.
    """
    path, output = Path(path), Path(output)
    if not path.is_dir():
        is_there = path.exists() and is_video_name(path)
        return [path] if is_there else []

    found = list_videos(path)
    if not recursive:
        return [each for each in found if each.parent == path]
    if output.resolve() == path.resolve():
        return found
    return [each for each in found if output.resolve() not in each.resolve().parents]


def has_more_than_8_bits(path: Path) -> bool:
    """Return whether a video has more than 8 bits a sample.

    False if it cannot be read, as is said later.
    """
    from realesrgan_paddle.inference.video.reading.packets import (
        open_container,
        picture_streams,
    )

    try:
        with open_container(path) as container:
            pixel_format = picture_streams(container)[0].codec_context.format
    except (UserError, OSError):
        return False
    return pixel_format is not None and pixel_format.components[0].bits > 8
