"""What tools/infer.py and tools/predict.py have in common: their flags, and their work."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.find_videos import find_videos_in, has_more_than_8_bits
from realesrgan_paddle.commands.video_flags import add_video_flags, check_video_flags
from realesrgan_paddle.commands.video_record import VideoRecord
from realesrgan_paddle.commands.what_follows import after_video
from realesrgan_paddle.inference.open_runner import (
    ENGINES,
    PRECISIONS,
    Runner,
)
from realesrgan_paddle.inference.pictures.record import Record, reported
from realesrgan_paddle.inference.pictures.self_ensemble import (
    SelfEnsemble,
)
from realesrgan_paddle.inference.tiling.plan import Tile
from realesrgan_paddle.inference.upscale_files import (
    EXTENSIONS,
    PICTURE_SUFFIXES,
    check_report,
    find_inputs,
    may_have_16_bits,
    upscale_files,
)
from realesrgan_paddle.inference.upscaler import (
    ALPHA_UPSAMPLERS,
    Upscaler,
)
from realesrgan_paddle.inference.video.settings import require_av
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.devices import DEVICES
from realesrgan_paddle.utils.next_steps import command_without


def add_flags(parser: Parser) -> None:
    """Declare the flags of Real-ESRGAN's inference script, with its names and meanings."""
    add = parser.add_argument
    add("--input", required=True, help="an image, a video, or a folder of these")
    add(
        "--output",
        default="results",
        help="folder for the results; or a video's result",
    )
    add(
        "--outscale",
        type=_positive,
        help="upscaling factor of the result; the network's if not given",
    )
    add(
        "--suffix",
        type=_suffix,
        default="out",
        help="a.png becomes a_SUFFIX.png; may be empty",
    )
    add(
        "--ext",
        choices=EXTENSIONS,
        default="auto",
        help="format of the results; auto: the input's",
    )
    add(
        "--pre_pad",
        type=int_range(0),
        default=0,
        help="pixels by which the image is mirrored at its borders, and cropped after",
    )
    add(
        "--alpha_upsampler",
        choices=ALPHA_UPSAMPLERS,
        default="realesrgan",
        help="what upscales an alpha channel",
    )
    _add_tile_flags(parser)
    _add_engine_flags(parser)
    _add_picture_flags(parser)
    add_video_flags(parser)


def _add_tile_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags about memory."""
    add = parser.add_argument
    add(
        "--tile",
        type=_tile,
        default="auto",
        metavar="auto|N",
        help="longest side of a tile in input pixels; 0: no tiles; auto: no tiles if the "
        "image fits into the free memory, else those that fit and compute least",
    )
    add(
        "--tile_pad",
        type=int_range(0),
        help="pixels that a tile sees beyond its border; fewer are faster, with seams; "
        "80 or what the network needs if not given",
    )
    add(
        "--max_pixels",
        type=int_range(1),
        help="images with more pixels are refused before they are decoded; if not given, "
        "those that would be decoded to more than REALESRGAN_MAX_IMAGE_MB (400) MB",
    )


def _add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags about what computes."""
    add = parser.add_argument
    add("--device", choices=DEVICES, default="auto", help="where to compute")
    add(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="what computes; auto: onednn for networks that it knows on a CPU, or paddle",
    )
    add(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="what it computes in; auto: bf16 for 8-bit images where CPU and engine have "
        "it, or fp32",
    )


def _add_picture_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags about files that Real-ESRGAN's script does not have."""
    add = parser.add_argument
    add(
        "--recursive",
        action="store_true",
        help="also the images of the folders within; --output repeats these",
    )
    add(
        "--skip_existing",
        action="store_true",
        help="leave out images whose results are there, such as of a run that ended",
    )
    add(
        "--all_frames",
        action="store_true",
        help="upscale all frames of GIF, WebP and APNG animations, not the first alone",
    )
    add(
        "--tta",
        action="store_true",
        help="average the results of 8 flips and turns; takes 8 times as long",
    )
    add(
        "--report",
        type=Path,
        help="write a JSON file of what became of each image (docs/inference.md)",
    )


def add_denoise_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that mix the weights of two networks."""
    parser.add_argument(
        "-dn",
        "--denoise_strength",
        type=float_range(0, 1),
        help="0 keeps noise, 1 removes most; realesr-general-x4v3 only, or with "
        "--dn_model",
    )
    parser.add_argument(
        "--dn_model",
        help="weights of the same network that denoise weakly; those of "
        "realesr-general-wdn-x4v3 if not given",
    )


def refuse_denoising(flags: argparse.Namespace) -> None:
    """Raise UserError for flags that mix weights: a graph's are fixed."""
    if flags.denoise_strength is None and flags.dn_model is None:
        return
    raise UserError(
        "--denoise_strength and --dn_model: the weights of an exported graph are fixed; "
        "give these flags to tools/export_model.py, and run the graph that it writes"
    )


@dataclass(frozen=True)
class Inputs:
    """What is to be upscaled."""

    pictures: list[Path]
    videos: list[Path]

    def __len__(self) -> int:
        return len(self.pictures) + len(self.videos)

    def may_have_16_bits(self, ext: str) -> bool:
        """Return whether a result may have more than 8 bits a sample."""
        pictures = may_have_16_bits(self.pictures, ext)
        return pictures or any(map(has_more_than_8_bits, self.videos))


def inputs_of(flags: argparse.Namespace) -> Inputs:
    """Return the images and videos that the flags name.

    Raises:
        UserError: there is none, or flags do not fit them.
    """
    videos = find_videos_in(flags.input, flags.output, recursive=flags.recursive)
    if videos:
        require_av()
    check_video_flags(flags, has_videos=bool(videos))
    pictures = []
    if not videos or Path(flags.input).is_dir():
        pictures = find_inputs(
            flags.input,
            suffixes=PICTURE_SUFFIXES,
            recursive=flags.recursive,
            without=flags.output,
            may_be_none=bool(videos),
        )
    return Inputs(pictures, videos)


def upscale(runner: Runner, inputs: Inputs, flags: argparse.Namespace) -> int:
    """Upscale `inputs` as the flags say; return the exit code: 1 if one failed."""
    if flags.tta:
        runner = SelfEnsemble(runner)
    say(f"{flags.model_path}: x{runner.scale}, on {runner.device}")
    upscaler = Upscaler(
        runner,
        runner.scale,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        pre_pad=flags.pre_pad,
        alpha_upsampler=flags.alpha_upsampler,
        progress=not inputs.videos,  # these have a progress bar of their own
        log=say,
    )
    if flags.report is not None:
        check_report(flags.report, [*inputs.pictures, *inputs.videos])

    videos = list(map(VideoRecord, inputs.videos))
    records: list[Record] = list(videos)
    with reported(flags.report, records, flags.model_path):
        if inputs.pictures:
            _upscale_pictures(upscaler, inputs.pictures, flags, records)
        if videos:
            _upscale_videos(upscaler, videos, flags)

    failed = [record for record in records if record.error is not None]
    kind = "images" if not videos else "files"
    if len(inputs) > 1 or not videos:
        say(
            f"{len(inputs) - len(failed)} of {len(inputs)} {kind} are in {flags.output}"
        )
    return report_failures(f"{record.input}: {record.error}" for record in failed)


def after_videos(
    script: str, argv: Sequence[str], inputs: Inputs, flags: argparse.Namespace
) -> str | None:
    """Return what follows upscaled videos, or a preview of them; None without videos.

    Args:
        script: the running command's.
        argv: its words.
        inputs: what was upscaled.
        flags: what `argv` says.
    """
    if not inputs.videos:
        return None
    if flags.preview or flags.preview_frames:
        return command_without(script, argv, ("--preview", "--preview_frames"))
    from realesrgan_paddle.commands.video_names import target_of

    video = inputs.videos[0]
    return after_video(video, target_of(video, flags))


def _upscale_videos(
    upscaler: Upscaler, videos: Sequence[VideoRecord], flags: argparse.Namespace
) -> None:
    """Upscale videos as the flags say."""
    # PyAV is optional, and who upscales pictures does not wait for it.
    from realesrgan_paddle.commands.upscale_videos import upscale_videos

    upscale_videos(upscaler, videos, flags)


def _upscale_pictures(
    upscaler: Upscaler,
    pictures: Sequence[Path],
    flags: argparse.Namespace,
    records: list[Record],
) -> None:
    """Upscale pictures as the flags say."""
    keeps_folders = flags.recursive and Path(flags.input).is_dir()
    upscale_files(
        upscaler,
        pictures,
        flags.output,
        outscale=flags.outscale,
        suffix=flags.suffix,
        ext=flags.ext,
        max_pixels=flags.max_pixels,
        root=Path(flags.input) if keeps_folders else None,
        all_frames=flags.all_frames,
        skip_existing=flags.skip_existing,
        records=records,
    )


def _tile(text: str) -> Tile:
    """Return "auto" or the number in `text`, for argparse."""
    return "auto" if text == "auto" else int_range(0)(text)


def _positive(text: str) -> float:
    """Return the number in `text`, for argparse; inf and nan are refused."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _suffix(text: str) -> str:
    """Return `text` if it can be part of a file name, for argparse."""
    if "/" in text or "\\" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part of a file's name")
    return text
