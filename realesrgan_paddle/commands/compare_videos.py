"""What tools/compare.py does with --video: its flags, and the steps."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.commands.compare import check_names, load_upscalers
from realesrgan_paddle.data.footage.video import is_video_name
from realesrgan_paddle.inference.video.settings import (
    VideoSettings,
    require_av,
    seconds_of,
)
from realesrgan_paddle.metrics.table import GT, INPUT
from realesrgan_paddle.utils.cli import Parser, int_range, named_value
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import start_paddle

if TYPE_CHECKING:
    from realesrgan_paddle.video.pictures import Excerpt
    from realesrgan_paddle.video.side_by_side import Layout

NOT_OF_VIDEOS = ("crop", "crop_size", "metrics", "run")
"""Flags of images only."""
OF_VIDEOS = ("results", "start", "end", "layout", "measured_frames")
"""Flags of videos only."""
LAYOUT: "Layout" = "beside"
MEASURED_FRAMES = 100
"""Defaults."""


def add_video_flags(parser: Parser) -> None:
    """Declare the flags that only videos have; without a value where not given."""
    add = parser.add_argument
    add("--video", action="store_true", help="compare videos: --input is one")
    add(
        "--results",
        nargs="+",
        type=named_value,
        metavar="NAME=VIDEO",
        help="videos: results of --input that exist already",
    )
    add("--start", type=seconds_of, help="videos: from this time on (90, 1:30, ...)")
    add("--end", type=seconds_of, help="videos: up to this time")
    add(
        "--layout",
        choices=("beside", "split"),
        help="videos: of the file to share, both pictures beside each other, or the "
        "left half of one and the right half of the other (default: beside)",
    )
    add(
        "--measured_frames",
        type=int_range(0),
        help="videos: frames whose temporal consistency is measured, from the middle; 0: none "
        f"(default: {MEASURED_FRAMES})",
    )


def check_flags(args: argparse.Namespace) -> None:
    """Raise UserError for flags that do not belong together, and say what would."""
    if not args.video:
        _refuse(args, OF_VIDEOS, "compares videos; add --video")
        if not args.models:
            raise UserError("--models: name the networks to compare: NAME=MODEL ...")
        videos = [name for name in args.input if is_video_name(Path(name))]
        if videos:
            raise UserError(f"--input {videos[0]}: a video; add --video")
        return

    _refuse(args, NOT_OF_VIDEOS, "compares images; leave it out, or --video")
    if len(args.input) > 1:
        raise UserError(f"--input: {len(args.input)} files; --video compares one video")
    if not (args.models or args.results):
        raise UserError(
            "--video: give --models NAME=MODEL ... to upscale --input with, or --results "
            "NAME=VIDEO ... that were made of it"
        )


def _refuse(args: argparse.Namespace, names: Sequence[str], reason: str) -> None:
    for name in names:
        value = getattr(args, name)
        if value is not None:
            raise UserError(f"--{name}: {reason}")


def compare_video_flags(args: argparse.Namespace) -> str:
    """Compare videos as the flags of tools/compare.py say; return what to print."""
    require_av()
    # They import PyAV.
    from realesrgan_paddle.video.comparison import compare_videos
    from realesrgan_paddle.video.pictures import open_excerpt

    part = VideoSettings(start=args.start, end=args.end)
    results = args.results or []
    check_names([*results, *(args.models or [])])
    excerpts = [open_excerpt(INPUT, Path(args.input[0]), part)]
    for name, file in results:
        excerpts.append(open_excerpt(name, Path(file), part))
    gt = open_excerpt(GT, args.gt, part) if args.gt else None

    if args.models:
        excerpts += _upscaled(args, part)
    frames = args.measured_frames
    done = compare_videos(
        excerpts,
        Path(args.output),
        gt=gt,
        layout=args.layout or LAYOUT,
        measured_frames=MEASURED_FRAMES if frames is None else frames,
    )
    return str(done)


def _upscaled(args: argparse.Namespace, part: VideoSettings) -> "list[Excerpt]":
    """Upscale the part of the input by each network."""
    start_paddle()
    from realesrgan_paddle.video.comparison import upscale_for_comparison

    upscalers = load_upscalers(
        args.models, tile=args.tile, tile_pad=args.tile_pad, device=args.device
    )
    source, folder = Path(args.input[0]), Path(args.output)
    return upscale_for_comparison(source, upscalers, folder, part)
