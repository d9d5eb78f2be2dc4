"""What tools/compare.py does: its flags, and the steps with images and with a video."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from realesrgan_paddle.commands.compare import (
    CROP_SIZE,
    ImageComparison,
    check_names,
    compare,
    load_upscalers,
)
from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.sets.made_folders import images_to_compare
from realesrgan_paddle.inference.pictures.files import find_inputs
from realesrgan_paddle.inference.video.settings import (
    VideoSettings,
    require_av,
    seconds_of,
)
from realesrgan_paddle.metrics.table import (
    GT,
    INPUT,
    OF_IMAGES,
    missing_weights,
    parse_metric,
)
from realesrgan_paddle.utils.cli import int_range, named_value, setting
from realesrgan_paddle.utils.crops import Crop, parse_crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import DEVICES, start_paddle
from realesrgan_paddle.utils.next_steps import command_line, filled

if TYPE_CHECKING:
    from realesrgan_paddle.video.comparison import VideoComparison
    from realesrgan_paddle.video.pictures import Excerpt

NOT_OF_VIDEOS = ("crop", "crop_size", "metrics", "run")
"""Flags of images only."""
OF_VIDEOS = ("results", "start", "end", "layout", "measured_frames")
"""Flags of videos only."""
MEASURED_FRAMES = 100
"""Unless --measured_frames says another."""

AGAIN = (
    "tools/compare.py --input {input} --models {models} --output {output} --gt {gt} "
    "--run {run} --crop {crop} --crop_size {crop_size} --metrics {metrics}"
)
"""The line that compares the same networks on the same images again."""


@dataclass(frozen=True, kw_only=True)
class CompareFlags:
    """The flags of tools/compare.py; None where one of images or videos is not given."""

    input: list[str] = setting(
        ...,
        "low-quality images, folders, a set of tools/build_domain_set.py, or with "
        "--video a video",
        takes_words=True,
    )
    gt: Path | None = setting(
        None,
        "ground truth: an image, a folder of images named like the inputs, or with "
        "--video a video",
    )
    models: list[tuple[str, str]] | None = setting(
        None,
        "networks to compare: weights, exported folders or released models",
        named_value,
        metavar="NAME=MODEL",
    )
    output: str = setting("compare", "folder for the sheet and the page")
    tile: int = setting(
        0, "longest side of a tile in input pixels; 0: no tiling", int_range(0)
    )
    tile_pad: int | None = setting(
        None,
        "pixels around each tile that are upscaled with it, against seams; 80 or what "
        "the network needs if not given",
        int_range(0),
    )
    device: str = setting("auto", "where to compute", choices=DEVICES)

    crop: Crop | None = setting(
        None,
        "the crop to show, in input pixels; without it, those where the last network "
        "differs most from the first",
        parse_crop,
        metavar="X,Y,W,H",
        heading="images",
    )
    crop_size: int | None = setting(
        None,
        f"width and height of the crops, in input pixels (default: {CROP_SIZE})",
        int_range(1),
    )
    metrics: list[str] | None = setting(
        None,
        f"any of {', '.join(OF_IMAGES)}; without it, psnr_y, ssim_y and lpips; niqe "
        "needs no ground truth",
        parse_metric,
        choices=OF_IMAGES,
        metavar="METRIC",
    )
    run: Path | None = setting(
        None,
        "folder of a training, experiments/NAME: its verdict, curves and commands are "
        "shown at the top of the page; images only",
    )

    video: bool = setting(False, "compare videos: --input is one")
    results: list[tuple[str, str]] | None = setting(
        None,
        "videos: results of --input that exist already",
        named_value,
        metavar="NAME=VIDEO",
        heading="videos",
    )
    start: float | None = setting(
        None, "videos: from this time on (90, 1:30, ...)", seconds_of
    )
    end: float | None = setting(None, "videos: up to this time", seconds_of)
    layout: Literal["beside", "split"] | None = setting(
        None,
        "videos: of the file to share, both pictures beside each other, or the left half "
        "of one and the right half of the other (default: beside)",
    )
    measured_frames: int | None = setting(
        None,
        "videos: frames whose temporal consistency is measured, from the middle; 0: none "
        f"(default: {MEASURED_FRAMES})",
        int_range(0),
    )

    @property
    def named_models(self) -> list[tuple[str, str]]:
        """The networks, [] where none is given."""
        return self.models or []


def compare_as_told(flags: CompareFlags) -> "ImageComparison | VideoComparison":
    """Compare networks on images or a video; return what to print, as a text.

    Raises:
        UserError: flags do not belong together; says what would.
    """
    check_flags(flags)
    return compare_on_video(flags) if flags.video else compare_on_images(flags)


def check_flags(flags: CompareFlags) -> None:
    """Raise UserError for flags that do not belong together, and say what would."""
    if not flags.video:
        _refuse(flags, OF_VIDEOS, "compares videos; add --video")
        if not flags.models:
            raise UserError("--models: name the networks to compare: NAME=MODEL ...")
        videos = [name for name in flags.input if is_video_name(Path(name))]
        if videos:
            raise UserError(f"--input {videos[0]}: a video; add --video")
        return

    _refuse(flags, NOT_OF_VIDEOS, "compares images; leave it out, or --video")
    if len(flags.input) > 1:
        raise UserError(
            f"--input: {len(flags.input)} files; --video compares one video"
        )
    if not (flags.models or flags.results):
        raise UserError(
            "--video: give --models NAME=MODEL ... to upscale --input with, or --results "
            "NAME=VIDEO ... that were made of it"
        )


def _refuse(flags: CompareFlags, names: Sequence[str], reason: str) -> None:
    for name in names:
        if getattr(flags, name) is not None:
            raise UserError(f"--{name}: {reason}")


def compare_on_images(flags: CompareFlags) -> ImageComparison:
    """Compare networks on images."""
    folders, gt = images_to_compare(flags.input, flags.gt)
    inputs = [path for folder in folders for path in find_inputs(folder)]

    start_paddle()
    models = flags.named_models
    upscalers = load_upscalers(
        models, tile=flags.tile, tile_pad=flags.tile_pad, device=flags.device
    )
    metrics, remarks = metrics_to_measure(flags.metrics, gt)
    again = vars(flags) | {"models": [f"{name}={model}" for name, model in models]}
    done = compare(
        inputs,
        upscalers,
        flags.output,
        gt=gt,
        crop=flags.crop,
        crop_size=flags.crop_size or CROP_SIZE,
        metrics=metrics,
        run=flags.run,
        commands=[command_line(*filled(AGAIN, **again))],
    )
    return replace(done, remark="; ".join([done.remark, *remarks]))


def metrics_to_measure(
    chosen: Sequence[str] | None, gt: Path | None
) -> tuple[Sequence[str], list[str]]:
    """Return the chosen metrics, and remarks.

    If none are, and there is ground truth: PSNR and SSIM of Y, as papers report them, and,
    if its weights are available, LPIPS; else a remark.
    """
    if chosen or gt is None:
        return chosen or (), []

    reason = missing_weights("lpips")
    if reason:
        return ["psnr_y", "ssim_y"], [f"LPIPS is left out: {reason}"]
    return ["psnr_y", "ssim_y", "lpips"], []


def compare_on_video(flags: CompareFlags) -> "VideoComparison":
    """Compare networks, or results that exist already, on a video."""
    require_av()
    from realesrgan_paddle.video.comparison import compare_videos
    from realesrgan_paddle.video.pictures import open_excerpt

    part = VideoSettings(start=flags.start, end=flags.end)
    results = flags.results or []
    check_names([*results, *flags.named_models])
    excerpts = [open_excerpt(INPUT, Path(flags.input[0]), part)]
    for name, file in results:
        excerpts.append(open_excerpt(name, Path(file), part))
    gt = open_excerpt(GT, flags.gt, part) if flags.gt else None

    if flags.models:
        excerpts += _upscaled(flags, part)
    frames = flags.measured_frames
    return compare_videos(
        excerpts,
        Path(flags.output),
        gt=gt,
        layout=flags.layout or "beside",
        measured_frames=MEASURED_FRAMES if frames is None else frames,
    )


def _upscaled(flags: CompareFlags, part: VideoSettings) -> "list[Excerpt]":
    """Upscale the part of the input by each network."""
    start_paddle()
    from realesrgan_paddle.video.comparison import upscale_for_comparison

    upscalers = load_upscalers(
        flags.named_models,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        device=flags.device,
    )
    source, folder = Path(flags.input[0]), Path(flags.output)
    return upscale_for_comparison(source, upscalers, folder, part)
