"""The network for `tools/upscale.py`: what the user names, or what suits inputs and machine."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Inputs
from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.inference.runners.runner import Run, Runner
from realesrgan_paddle.metrics.macs import count_macs
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.read_generator import (
    fetch_nearest,
    read_generator,
)
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.runlog.meter import duration

CRISPEST = "RealESRGAN_x4plus"
"""Upstream's default for pictures: it draws the most detail, and takes the most time."""
SMALL = "realesr-general-x4v3"
"""A thirteenth of the other's time (docs/inference-speed.md)."""
FASTEST = "realesr-animevideov3"
"""Half the size of `SMALL`."""

PATIENCE = 10 * 60.0
"""Seconds that pictures may take with `CRISPEST`: nobody waits longer unasked."""
LONG = 60 * 60.0
"""Seconds from which on faster networks are named before the work begins."""

SIDE = 96
"""Of the image that is timed [pixels]; a call's own cost would show with less."""
WORTH_TIMING = 2**17
"""Input pixels below which nothing is timed: they take less than a minute anywhere."""

MICROSECONDS = 1e6
"""In a second: the unit of a container's duration (AV_TIME_BASE)."""

Open = Callable[[str], Runner]


def open_network(
    flags: UpscaleFlags, inputs: Inputs, open_model: Open
) -> tuple[Runner, str]:
    """Return what runs the network, and its name; say which it is, why, and how long it takes.

    Args:
        flags: of the command; `model_path` is kept if given.
        inputs: what is to be upscaled.
        open_model: opens a model by name or path.

    Raises:
        UserError: the network cannot be had or read.
    """
    pixels = count_pixels(inputs, flags)
    if flags.model_path:
        runner = open_model(flags.model_path)
        seconds = time_for(runner, pixels)
        if seconds > LONG:
            say(
                f"{flags.model_path}: this will take {faster_networks(flags.model_path, seconds)}"
            )
        return runner, flags.model_path

    if inputs.videos:
        return _open_small(open_model, pixels, "for videos: the large ones take hours")

    runner = open_model(CRISPEST)
    seconds = time_for(runner, pixels)
    if seconds <= PATIENCE:
        _say_choice(CRISPEST, "for pictures: it draws the most detail", seconds)
        return runner, CRISPEST
    why = f"{CRISPEST} would take about {duration(seconds)}"
    return _open_small(open_model, pixels, why)


def _open_small(open_model: Open, pixels: float, why: str) -> tuple[Runner, str]:
    """Return the small network, or the nearest to it that can be had."""
    name, instead = fetch_nearest(SMALL)
    if instead:
        why += f"; {instead}"

    runner = open_model(name)
    seconds = time_for(runner, pixels)
    _say_choice(name, why, seconds)
    if seconds > LONG:
        say(f"{name}: this will take {faster_networks(name, seconds)}")
    return runner, name


def _say_choice(name: str, why: str, seconds: float) -> None:
    """Say which network was chosen."""
    takes = f"; about {duration(seconds)}" if seconds else ""
    say(
        f"network: {name} ({why}){takes}; for drawings: -m RealESRGAN_x4plus_anime_6B, "
        "videos of them -m realesr-animevideov3"
    )


def count_pixels(inputs: Inputs, flags: UpscaleFlags) -> float:
    """Return the input pixels of all images and frames, as far as headers tell."""
    pixels = 0.0
    for path in inputs.pictures:
        try:
            header = read_checked_header(path)
        except (UserError, OSError):
            continue  # as is said later
        pixels += header.width * header.height
    return pixels + sum(_declared_pixels(path, flags) for path in inputs.videos)


def _declared_pixels(path: Path, flags: UpscaleFlags) -> float:
    """Return the pixels of the frames to upscale, as a video's header has them.

    0 if it cannot be read, or does not say, or for a preview, which says itself how long
    the whole video takes.
    """
    if flags.preview or flags.preview_frames:
        return 0.0
    from realesrgan_paddle.inference.video.reading.source import (
        first_picture_stream,
        open_container,
    )

    try:
        with open_container(path) as container:
            picture = first_picture_stream(path, container)
            rate = float(picture.average_rate or 0)
            seconds = float((picture.duration or 0) * picture.time_base)
            seconds = seconds or float(container.duration or 0) / MICROSECONDS
            size = picture.codec_context.width * picture.codec_context.height
    except (UserError, OSError):
        return 0.0
    length = min(seconds, flags.video.end or seconds) - (flags.video.start or 0)
    return max(0.0, length) * rate * size


def time_for(runner: Run, pixels: float) -> float:
    """Return about how many seconds `pixels` input pixels take; 0 if that is not long.

    The padding of tiles, decoding and encoding are not counted.
    """
    if pixels < WORTH_TIMING:
        return 0.0
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    runner(image)  # prepares itself

    start = time.perf_counter()
    runner(image)
    seconds = time.perf_counter() - start
    return pixels / SIDE**2 * seconds


def faster_networks(model: str, seconds: float) -> str:
    """Return what a long work takes, and what it would take with smaller networks.

    Args:
        model: the network's name or path.
        seconds: that it takes.
    """
    takes = f"about {duration(seconds)}"
    network = _network_of(model)
    if network is None:
        return takes

    own = count_macs(network, SIDE, SIDE)
    for name in (SMALL, FASTEST):
        other = find(name).network
        assert isinstance(other, Generator)
        share = count_macs(other, SIDE, SIDE) / own
        if share < 1:
            takes += f"; with -m {name} about {duration(share * seconds)}"
    return takes


def _network_of(model: str) -> Generator | None:
    """Return the network of a model; None where it is an exported one."""
    path = Path(model)
    if is_exported(path):
        return None
    if not path.exists() and is_released(model):
        network = find(model).network
        return network if isinstance(network, Generator) else None
    return read_generator(path)[0]
