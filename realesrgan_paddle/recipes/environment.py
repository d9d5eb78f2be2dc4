"""What `--recipe auto` depends on: images, network, machine, time of an iteration."""

import math
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import paddle

from realesrgan_paddle.data.loading.held_out_crops import HeldOutSet
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.data.sets.naming import source_and_frame
from realesrgan_paddle.data.sets.sources import read_size
from realesrgan_paddle.judging.findings import FEWEST_IMAGES
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.sections import GeneratorOptions
from realesrgan_paddle.options.schema.validation import GENERAL, HELD_OUT
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.learning_rate import learning_rate
from realesrgan_paddle.training.memory import SMALL_NETWORK
from realesrgan_paddle.training.open_training import open_training
from realesrgan_paddle.training.validation import validate
from realesrgan_paddle.training.validator import Validator
from realesrgan_paddle.utils.machine.devices import core_count, pick_device
from realesrgan_paddle.utils.machine.memory import memory_limit
from realesrgan_paddle.utils.machine.process_group import ALONE
from realesrgan_paddle.utils.runlog.progress import Progress

MAX_HEADERS = 1000
"""Sizes are read from at most so many images, spread evenly: enough for a quantile."""
LONG_TIMING_S = 60
"""Timing ends with the first measured iteration if that took so long."""
TIMED = 3
"""Parts of a run that are timed: opening, iterations, validation."""


@dataclass(frozen=True)
class Images:
    """The training images.

    Attributes:
        count: how many.
        pixels: of all together.
        short_side: the shorter side that nine in ten have at least [pixels].
        frames: of how many they are crops, counted up to `FEWEST_IMAGES`.
    """

    count: int
    pixels: float
    short_side: int
    frames: int

    def __str__(self) -> str:
        megapixels = self.pixels / 1e6
        return (
            f"{self.count:,} images, {megapixels:,.0f} megapixels, "
            f"shorter side {self.short_side}"
        )


@dataclass(frozen=True)
class Machine:
    """What a run trains on.

    Attributes:
        gpu: whether it is a GPU.
        cores: CPU cores.
        memory: the GPU's memory, without a GPU the machine's [GiB].
    """

    gpu: bool
    cores: int
    memory: float

    def __str__(self) -> str:
        device = "a GPU" if self.gpu else f"a CPU, {self.cores} cores"
        return f"{device}, {self.memory:.3g} GiB"


@dataclass(frozen=True)
class NetworkSize:
    """The network: its description and its number of parameters."""

    name: str
    parameters: int

    @property
    def small(self) -> bool:
        """Whether it is of the size of SRVGGNetCompact instead of RRDBNet."""
        return self.parameters < SMALL_NETWORK

    def __str__(self) -> str:
        millions = self.parameters / 1e6
        return f"{self.name}: {millions:.2g} million parameters"


def inspect_images(dataroot: str, meta_info: str | None) -> Images:
    """Return the number and size of the training images; sizes are read from headers.

    Raises:
        UserError: there are no images, or the size of one cannot be read.
    """
    paths = training_images(dataroot, meta_info)
    count = len(paths)
    step = math.ceil(count / MAX_HEADERS)
    sizes = np.array([read_size(path) for path in paths[::step]])

    pixels = sizes.prod(axis=1)
    mean_pixels = float(pixels.mean())
    short_sides = sizes.min(axis=1)
    short_side = np.quantile(short_sides, 0.1, method="lower")

    frames: set[str] = set()
    for path in paths:
        if len(frames) == FEWEST_IMAGES:
            break
        frames.add(source_and_frame(path)[1])
    return Images(count, mean_pixels * count, int(short_side), len(frames))


def inspect_machine() -> Machine:
    """Return the device that training would use."""
    cores = core_count()
    if pick_device()[0] == "gpu":
        properties = paddle.device.cuda.get_device_properties(0)
        return Machine(True, cores, properties.total_memory / 2**30)
    return Machine(False, cores, memory_limit() / 2**30)


def inspect_network(options: GeneratorOptions) -> NetworkSize:
    """Return description and size of the network of the section `network_g`."""
    count = 0
    for parameter in Network(options).parameters():
        count += int(parameter.size)
    return NetworkSize(str(options), count)


@dataclass(frozen=True)
class Costs:
    """What the parts of a run take on this machine as it is now [s]."""

    opening: float
    """Networks, data, held-out images."""
    step: float
    """An iteration."""
    validation: float
    """Of all sets, by the time of one image of each."""
    general: float
    """Its part for general images, which can be left out."""
    held_out: float
    """Its part for crops held out of training, of which there can be fewer."""
    crops: int
    """How many these are; 0: other images are validated."""


def measure_costs(cfg: Config) -> Costs:
    """Return what a run takes: it is opened, some iterations and images are timed.

    An iteration is the mean of three after the first, which takes longer, or one if they
    are slow; all networks are trained. Nothing is written.
    """
    no_warm_up = {"net_d_init_iters": 0, "net_d_init_until": None}
    train = cfg.train.model_copy(update=no_warm_up)
    cfg = cfg.model_copy(update={"train": train})

    progress = Progress("timing", TIMED)
    begun = time.perf_counter()
    run = open_training(cfg, group=ALONE)
    opening = time.perf_counter() - begun
    run.step.set_learning_rates(
        partial(learning_rate, train.scheduler, train.warmup_iter, 1)
    )
    progress.advance()
    with closing(run.batches) as batches:
        step = _seconds_of_step(run.step, batches, cfg.datasets.train.accum_iter)
    progress.advance()
    by_set = _seconds_of_sets(run.validator)
    progress.close()
    crops = [len(each) for each in run.validator.sets if each.name == HELD_OUT]
    return Costs(
        opening=opening,
        step=step,
        validation=sum(by_set.values()),
        general=by_set.get(GENERAL, 0.0),
        held_out=by_set.get(HELD_OUT, 0.0),
        crops=sum(crops),
    )


def _seconds_of_step(
    step: PixelStep, batches: TrainingBatches, accum_iter: int
) -> float:
    times = [time.perf_counter()]
    while len(times) < 3 or (len(times) < 5 and times[-1] - times[0] < LONG_TIMING_S):
        parts = list(islice(batches, accum_iter))
        losses = step(parts, len(times))
        float(next(iter(losses.values())))  # waits for the device
        times.append(time.perf_counter())
    return (times[-1] - times[1]) / (len(times) - 2)


def _seconds_of_sets(validator: Validator) -> dict[str, float]:
    """Return what a validation of each set takes, by the time of one image.

    The first image of all takes longer and counts for its set if it has no other.
    """
    if validator.options is None:
        return {}
    found: dict[str, float] = {}
    for images in (*validator.sets, *validator.judged_sets):
        for image in islice(images, 1 if found else 2):
            begun = time.perf_counter()
            one = HeldOutSet(images.name, images.scale, [image])
            validate(validator.metrics, validator.upscale, [one])
            found[images.name] = (time.perf_counter() - begun) * len(images)
    return found
