"""Read real low-quality images: pictures, or frames of videos."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ffmpeg
import numpy as np

from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.video import frames, is_video_name, list_videos
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8
from realesrgan_paddle.utils.report.contact_sheet import evenly_spaced
from realesrgan_paddle.utils.video.probe import probe

MOST_PICTURES = 32
"""Images, or frames of all videos, that are read."""
UNKNOWN_SECONDS = 60.0
"""Length that is assumed of a video that does not tell its own."""
MINUTES = 2.0
"""Longest time that one video is decoded for."""

CODECS = {"h264": "h264", "hevc": "hevc", "mpeg2video": "mpeg2", "vp9": "vp9"}
"""Our names of the codecs that are searched, by ffmpeg's."""
ONE_FRAME = {"frames:v": 1}
_STREAM = re.compile(r"Stream #\S+.* Video: (\w+)")


@dataclass(frozen=True)
class Picture:
    """One real low-quality image."""

    source: str
    """What it comes from: its own file, or its video and part of it."""
    pixels: np.ndarray
    """uint8 RGB (H, W, 3)."""


def read_real(path: Path) -> tuple[list[Picture], list[str]]:
    """Return real images, and a line for each file that cannot be read.

    Args:
        path: a folder of images, of videos or of both, an image, or a video.

    Raises:
        UserError: there is nothing to read, or none of it is readable.
    """
    images, videos = _list(path)
    if not images and not videos:
        raise UserError(
            f"{path}: no images or videos in it; --fit takes a folder of real "
            "low-quality images or videos, an image or a video"
        )

    failures: list[str] = []
    pictures: list[Picture] = []
    for image in evenly_spaced(images, MOST_PICTURES):
        try:
            pixels = to_uint8(read_rgb(image))
        except UserError as error:
            failures.append(printable(str(error)))
            continue
        pictures.append(Picture(str(image), pixels))
    each = max(2, MOST_PICTURES // max(1, len(videos)))
    for video in evenly_spaced(videos, MOST_PICTURES // 2):
        try:
            pictures += _frames(video, each)
        except UserError as error:
            failures.append(printable(str(error)))
    if not pictures:
        raise UserError(f"{path}: none of it can be read; {failures[0]}")
    return pictures, failures


def stream_codec(path: Path) -> str | None:
    """Return the codec of the videos at a path: "h264", "hevc", "mpeg2" or "vp9".

    None for images, for videos of different codecs and for other codecs.
    """
    images, videos = _list(path)
    if images or not videos:
        return None
    found = {_codec(video) for video in evenly_spaced(videos, MOST_PICTURES // 2)}
    return found.pop() if len(found) == 1 else None


def _codec(video: Path) -> str | None:
    lines: list[str] = []
    output = ffmpeg.output(video_input(video), "pipe:1", format="null", **ONE_FRAME)
    with FFmpegRun(output, video, lines.append, minutes=MINUTES) as run:
        run.finish()
    match = _STREAM.search("\n".join(lines))
    return CODECS.get(match[1]) if match else None


def _list(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the images and the videos at a path."""
    if path.is_dir():
        return list_images(path, recursive=True), list_videos(path)
    if not path.exists():
        raise UserError(f"{path}: does not exist; --fit takes a folder or a file")
    if is_video_name(path):
        return [], [path]
    return [path], []


def _frames(video: Path, count: int) -> Iterator[Picture]:
    """Yield about `count` frames of a video; each quarter of it is a source."""
    info = probe(video)
    seconds = info.seconds or UNKNOWN_SECONDS
    interval = max(0.001, seconds / count)
    sampling = Sampling(select="interval", interval=interval, max_minutes=MINUTES)
    for number, frame in enumerate(frames(video, info, sampling)):
        if number >= count:
            break
        quarter = number * 4 // count
        yield Picture(f"{video}#{quarter}", frame.image)
