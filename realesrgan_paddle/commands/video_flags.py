"""The flags about videos, and what they must not be given with."""

import argparse
import dataclasses

from realesrgan_paddle.inference.video.settings import DEFAULTS, VideoSettings
from realesrgan_paddle.utils.cli import Parser, float_range, group_of, int_range
from realesrgan_paddle.utils.errors import UserError

CONTAINERS = ("auto", "mp4", "mov", "mkv", "webm")

LONGEST_PREVIEW = 3600.0
"""Seconds; a longer part is asked for with --start and --end."""
MOST_PREVIEW_FRAMES = 100
"""A page with more would be as slow to look at as the video."""


def add_video_flags(parser: Parser) -> None:
    """Declare the flags that only videos have."""
    parser.add_group(VideoSettings)
    add = parser.add_argument
    add(
        "--container",
        choices=CONTAINERS,
        default="auto",
        help="of videos' results, where --output is a folder; auto: the input's, or mkv",
    )
    add(
        "--preview",
        type=float_range(0.1, LONGEST_PREVIEW),
        metavar="SECONDS",
        help="upscale so many seconds from the middle of a video, and write a page that "
        "shows them before and after",
    )
    add(
        "--preview_frames",
        type=int_range(1, MOST_PREVIEW_FRAMES),
        metavar="N",
        help="the same for N frames, evenly spread over a video",
    )


def check_video_flags(flags: argparse.Namespace, *, has_videos: bool) -> None:
    """Raise UserError for flags of videos without a video, or that exclude each other."""
    if flags.preview is not None and flags.preview_frames is not None:
        raise UserError("--preview and --preview_frames: give one of the two")
    if has_videos:
        return

    settings = group_of(flags, VideoSettings)
    given = [
        field.name
        for field in dataclasses.fields(VideoSettings)
        if getattr(settings, field.name) != getattr(DEFAULTS, field.name)
    ]
    given += [name for name in ("preview", "preview_frames") if getattr(flags, name)]
    if given:
        raise UserError(
            f"--{given[0]}: for videos, and {flags.input} has none; images have "
            "--outscale and --ext"
        )
