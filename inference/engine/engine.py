"""A network run by oneDNN on the CPU, without Paddle."""

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np

from realesrgan_paddle.inference.engine.check import check_integers, check_operators
from realesrgan_paddle.inference.engine.int8 import IntegerOps, IntegerWeights
from realesrgan_paddle.inference.engine.operators import EngineOps
from realesrgan_paddle.inference.engine.primitives import PreparedWeights
from realesrgan_paddle.inference.engine.ranges import RangeOps, Ranges
from realesrgan_paddle.inference.engine.recorder import Recorder
from realesrgan_paddle.inference.engine.tensors import Image, Weight
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.recurrent_srvgg import (
    RecurrentSRVGG,
    joined_beside,
)
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.ops.onednn.library import BF16, F32, OneDNNError, library
from realesrgan_paddle.ops.onednn.primitives import BLOCK
from realesrgan_paddle.utils.machine.devices import core_count, running_elsewhere
from realesrgan_paddle.utils.machine.memory import free_memory

DTYPES = {"fp32": F32, "bf16": BF16, "int8": F32}
"""Of what is no 8-bit integer."""

SMALL_NETWORK_BYTES = {"fp32": 1300, "bf16": 1100, "int8": 1300}
LARGE_NETWORK_BYTES = {"fp32": 12_300, "bf16": 7000}
"""Memory for each input pixel without its output (docs/inference.md, "Tiles")."""
BANDS_BYTES = {"fp32": (345e6, 2900), "bf16": (180e6, 2060)}
"""Of large networks above `BAND_PIXELS`: for any image, and for each input pixel."""
LOOKS = 5
"""At what else runs on the machine; a look takes 0.1 to 0.3 ms."""
SHUFFLES = (1, 2, 4)
"""Scales of a pixel-shuffle whose rows of one color lie within blocks."""


class Engine:
    """Runs a network from RGB to RGB, as `DygraphRunner` does, several times as fast.

    Args:
        description: which network.
        tensors: {name: float32 array}, with the description's names and shapes.
        precision: "fp32" or "bf16", what convolutions multiply in; sums are float32.
            "int8" for SRVGGNetCompact: all but the first multiply 8-bit integers.
        threads: the most CPU threads; None: all cores of this process. Cores that other
            programs keep busy are left to them.
        ranges: of the features; needed for "int8", and for nothing else.

    Attributes:
        scale: its upscaling factor.
        device: where it runs, for messages.
        multiple: tiles that begin at multiples of it give the untiled result, but for
            the rounding of sums near their borders.
        radius: input pixels around a pixel that its output depends on; only where they
            are few.
        bytes_per_pixel: memory for each pixel of an image.
        bytes_in_bands: memory for any image and for each of its pixels, if that is less;
            not where it never is.
        num_state: channels of the state; only of a network that has one, and not in int8.

    Raises:
        OneDNNError: oneDNN cannot compute this network on this processor, or is wrong.
        ValueError: int8 without ranges.
    """

    multiple = 4

    def __init__(
        self,
        description: Generator,
        tensors: Mapping[str, np.ndarray],
        precision: str = "fp32",
        threads: int | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        reason = why_not(description)
        if precision == "int8":
            reason = reason or why_no_integers(description)
            check_integers()
        if reason:
            raise OneDNNError(reason)
        self._dtype = DTYPES[precision]
        check_operators(self._dtype)

        self.description = description
        self.scale = description.scale
        self.device = "cpu"
        if isinstance(description, SRVGGNetCompact):
            self.radius = description.num_conv + 2
            self.bytes_per_pixel = SMALL_NETWORK_BYTES[precision]
        else:
            self.bytes_per_pixel = LARGE_NETWORK_BYTES[precision]
            self.bytes_in_bands = BANDS_BYTES[precision]

        self._tensors = tensors
        if (precision == "int8") != (ranges is not None):
            raise ValueError("int8 needs ranges, and nothing else has them")
        self._ranges = ranges
        self._threads = threads or core_count()
        self._others = deque([running_elsewhere()], LOOKS)
        self._lock = Lock()
        self._weights = _weights(description, tensors)
        self._prepared: dict[tuple[str, int], PreparedWeights] = {}
        self._integers: dict[str, PreparedWeights | IntegerWeights] = {}
        self._recorded: dict[Compute, _Recording] = {}
        if isinstance(description, RecurrentSRVGG) and ranges is None:
            self.num_state = description.num_state

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images, (N, 3, scale * H, scale * W), not clipped.

        Args:
            images: float32 RGB (N, 3, H, W) in [0, 1]. For RRDBNet of scales 2 and 1, H
                and W must be multiples of 2 and 4.

        Raises:
            MemoryError: an image does not fit into the free memory.
        """
        with self._lock:
            # OpenMP keeps these for each thread that calls it. Its own threads must sleep
            # soon after an image: others are decoded and encoded meanwhile.
            library().use_threads(self._free_threads())
            results = [self._run(_forward, image)[0] for image in images]
        # One image, as the upscaler gives, is not copied again.
        return np.stack(results) if len(results) > 1 else results[0][None]

    def step(
        self,
        frame: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        state: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an upscaled frame, and the state for the one after it; see `Runner`."""
        beside = joined_beside(frame, before, after, state, np.concatenate)
        with self._lock:
            library().use_threads(self._free_threads())
            result, next_state = self._run(_step, frame, beside)
        return result, next_state

    def _free_threads(self) -> int:
        """Return on how many threads to compute: on none that other programs need.

        All wait for the slowest after each operation. With two other busy processes on
        two cores (AMD EPYC, Zen 3), 128x128 pixels through realesr-animevideov3 took
        0.94 s on two threads and 0.26 s on one, RealESRGAN_x4plus_anime_6B 6.8 and 2.9 s.
        The median of some looks counts, because other programs pause.
        """
        self._others.append(running_elsewhere())
        middle = (len(self._others) - 1) // 2
        others = sorted(self._others)[middle]
        return max(1, min(self._threads, (os.cpu_count() or 1) - others))

    def exact(self) -> "Engine":
        """Return the same network in float32."""
        if self._dtype == F32 and self._ranges is None:
            return self
        return Engine(self.description, self._tensors, "fp32", self._threads)

    def _run(self, compute: "Compute", *images: np.ndarray) -> list[np.ndarray]:
        recorded = self._recorded.get(compute)
        if recorded is not None and recorded.fits(images):
            recorded.repeat(images)
        else:
            # The memory of the last size is free before that of this one is taken.
            recorded = None
            self._recorded.pop(compute, None)
            recorded = self._recorded[compute] = self._record(compute, images)
        return [output.array.copy() for output in recorded.outputs]

    def _record(self, compute: "Compute", images: Sequence[np.ndarray]) -> "_Recording":
        """Compute the first images of a size."""
        recorder = Recorder(free_memory())
        inputs = [_image(recorder, image) for image in images]
        ops: EngineOps | IntegerOps
        if self._ranges is None:
            ops = EngineOps(recorder, self._dtype, self._prepared)
        else:
            ops = IntegerOps(recorder, self._ranges, self._integers)
        outputs = compute(self.description, inputs, self._weights, ops)
        return _Recording(recorder, inputs, outputs)

    def measure_ranges(self, image: np.ndarray) -> Ranges:
        """Return how large the features of an image (3, H, W) are: see `Ranges`."""
        recorder = Recorder(free_memory())
        source = _image(recorder, image)
        ops = RangeOps(recorder, self._dtype, self._prepared)
        with self._lock:
            library().use_threads(self._threads)
            _forward(self.description, [source], self._weights, ops)
        return ops.ranges


# The engine's images and features stand in for Paddle's tensors.
Compute = Callable[[Any, list[Image], Any, Any], Sequence[Image]]
"""(the network, its inputs, its weights, operators) -> its outputs."""


def _forward(
    network: Any, inputs: list[Image], weights: Any, ops: Any
) -> Sequence[Image]:
    return [network.forward(*inputs, weights, ops)]


def _step(network: Any, inputs: list[Image], weights: Any, ops: Any) -> Sequence[Image]:
    frame, beside = inputs
    outputs: Sequence[Image] = network.step(
        frame, ops.features_of(beside), weights, ops
    )
    return outputs


def _image(recorder: Recorder, array: np.ndarray) -> Image:
    """Return an image with the values of an array (C, H, W)."""
    image = Image(recorder, *array.shape)
    image.array[...] = array
    return image


class _Recording:
    """What is computed for one size of image, from `inputs` to `outputs`."""

    def __init__(
        self, recorder: Recorder, inputs: Sequence[Image], outputs: Sequence[Image]
    ) -> None:
        self.outputs = outputs
        self._recorder = recorder
        self._inputs = inputs
        self._threads = library().threads

    def fits(self, images: Sequence[np.ndarray]) -> bool:
        """Return whether that is the images' size, and its threads the present number."""
        are_same_size = all(
            known.array.shape == image.shape
            for known, image in zip(self._inputs, images, strict=True)
        )
        return are_same_size and self._threads == library().threads

    def repeat(self, images: Sequence[np.ndarray]) -> None:
        """Compute other images."""
        for known, image in zip(self._inputs, images, strict=True):
            known.array[...] = image
        self._recorder.repeat()


def _weights(
    description: Generator, tensors: Mapping[str, np.ndarray]
) -> dict[str, tuple[Weight, ...]]:
    """Return {layer: its tensors}, as a network's forward pass takes them."""
    weights = {}
    for layer, parameters in description.layers().items():
        names = [f"{layer}.{name}" for name in parameters]
        weights[layer] = tuple(Weight(name, tensors[name]) for name in names)
    return weights


def why_not(description: Generator) -> str:
    """Return why the engine cannot run a network, or ""."""
    if (description.num_in_ch, description.num_out_ch) != (3, 3):
        return "it is no network from RGB to RGB"

    # What is concatenated must fill whole blocks.
    joined: tuple[int, ...] = ()
    if isinstance(description, RRDBNet):
        joined = (description.num_feat, description.num_grow_ch)
    elif isinstance(description, RDN | RRDN):
        joined = (description.G0, description.G)
    for channels in joined:
        if channels % BLOCK:
            return f"its {channels} channels are no multiple of {BLOCK}"

    if isinstance(description, SRVGGNetCompact) and description.num_feat < BLOCK:
        return f"its {description.num_feat} features are fewer than {BLOCK}"
    if not isinstance(description, RRDBNet) and description.scale not in SHUFFLES:
        return f"it upscales by {description.scale}"
    return ""


def why_no_integers(description: Generator) -> str:
    """Return why a network has no int8, or ""."""
    if isinstance(description, SRVGGNetCompact):
        return ""
    return f"int8 is had with SRVGGNetCompact, not with {description.type}; use bf16"
