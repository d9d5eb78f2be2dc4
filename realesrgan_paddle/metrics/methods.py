"""What is measured: networks, as their commands would run them, and bicubic."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.graph.exported_files import exported_files, is_exported
from realesrgan_paddle.inference.graph.inference_yml import checked_export
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.frame_upscaler import FrameUpscaler
from realesrgan_paddle.inference.video.recurrent import (
    carries_state,
    open_frame_upscaler,
)
from realesrgan_paddle.metrics.macs import count_macs, count_parameters
from realesrgan_paddle.metrics.matlab_bicubic import resize_bicubic
from realesrgan_paddle.metrics.table import BICUBIC
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.weight_options import AS_THEY_ARE
from realesrgan_paddle.utils.errors import UserError

CARD_SIZE = 128
"""Side of the input that a card is of [pixels]: that of vendors' model zoos."""
TIMED_RUNS = 3
"""Of which the median is taken, after one that is not timed."""


Run = Callable[[np.ndarray, int], np.ndarray]
"""Returns a method's result at a scale, of uint8 RGB (H, W, 3)."""


@dataclass(frozen=True)
class Card:
    """What a network costs."""

    network: str
    """Its description, or why it is not known."""
    parameters: int | None
    """None where the network of an exported graph is not known."""
    macs: int | None
    """Multiplications for an input of 128 x 128 pixels; None as above."""
    seconds_per_megapixel: float
    """Of output, at an input of 128 x 128 pixels, measured on this machine."""
    runs_on: str
    """The engine, the precision and the device."""

    @property
    def macs_per_pixel(self) -> float | None:
        """Multiplications for each input pixel."""
        if self.macs is None:
            return None
        return self.macs / CARD_SIZE**2


class Method(NamedTuple):
    """One row of the table."""

    name: str
    model: str
    """What was loaded; "bicubic" for MATLAB's bicubic enlargement."""
    precision: str
    """What it computes in; "" for bicubic."""
    scale: int | None
    """Its upscaling factor; None: any."""
    run: Run
    """The result at a scale, of uint8 RGB (H, W, 3)."""
    card: Card | None
    """None for bicubic."""


class ClipRun:
    """Runs a network that carries a state on the frames of clips, in order."""

    def __init__(self, upscaler: Upscaler) -> None:
        self._upscaler = upscaler
        self._frames: FrameUpscaler | None = None
        self._shape: tuple[int, ...] = ()

    def __call__(self, lq: np.ndarray, scale: int) -> np.ndarray:
        """Return the result of a single image."""
        return self._upscaler(lq, outscale=scale)

    def begin(self) -> None:
        """Forget what was before: the next frame is the first of a clip."""
        self._frames = None

    def frame(self, lq: np.ndarray, after: np.ndarray | None, scale: int) -> np.ndarray:
        """Return the result of a frame; `after` is the next of its clip, if there is one."""
        height, width = lq.shape[:2]
        if self._frames is None or lq.shape != self._shape:
            size = (width * scale, height * scale)
            self._frames = open_frame_upscaler(self._upscaler, size, reuse=True)
            self._shape = lq.shape
        return self._frames(lq, after)


def open_methods(
    models: Sequence[tuple[str, str]],
    precisions: Sequence[str],
    *,
    engine: str = "auto",
    device: str = "auto",
) -> list[Method]:
    """Return the methods of (name, model) pairs, each network in all the precisions.

    Raises:
        UserError: a model cannot be loaded, or has not the precision.
    """
    methods = []
    for name, model in models:
        if model == BICUBIC:
            methods.append(Method(name, model, "", None, _bicubic, None))
            continue
        for precision in precisions:
            label = name if len(precisions) == 1 else f"{name} {precision}"
            upscaler = Upscaler.load(
                model, engine=engine, precision=precision, device=device, tile="auto"
            )
            card = card_of(model, upscaler)
            run: Run = partial(_upscaled, upscaler)
            if carries_state(upscaler.run):
                run = ClipRun(upscaler)
            methods.append(Method(label, model, precision, upscaler.scale, run, card))
    return methods


def card_of(model: str, upscaler: Upscaler) -> Card:
    """Return what a network costs; it is run four times on 128 x 128 pixels."""
    network = network_of(model)
    seconds = _seconds(upscaler)
    megapixels = (CARD_SIZE * upscaler.scale) ** 2 / 1e6
    runs_on = getattr(upscaler.run, "device", "")

    if isinstance(network, str):
        return Card(network, None, None, seconds / megapixels, runs_on)
    macs = count_macs(network, CARD_SIZE, CARD_SIZE)
    parameters = count_parameters(network)
    return Card(str(network), parameters, macs, seconds / megapixels, runs_on)


def network_of(model: str) -> Generator | str:
    """Return the network of weights or an exported graph, or why it is not known."""
    if not is_exported(model):
        network, _ = AS_THEY_ARE.read(model)
        return network
    try:
        program, _ = exported_files(Path(model))
        export = checked_export(program)
    except UserError as error:  # such as an .onnx alone, which runs all the same
        return str(error)
    return export if isinstance(export, str) else export.network


def _seconds(upscaler: Upscaler) -> float:
    """Return how long the network takes for one image of 128 x 128 pixels."""
    draw = np.random.default_rng(0)
    image = draw.random((1, 3, CARD_SIZE, CARD_SIZE), np.float32)
    upscaler.run(image)  # prepares itself

    times = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        upscaler.run(image)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _upscaled(upscaler: Upscaler, lq: np.ndarray, scale: int) -> np.ndarray:
    return upscaler(lq, outscale=scale)


def _bicubic(lq: np.ndarray, scale: int) -> np.ndarray:
    return resize_bicubic(lq, scale)
