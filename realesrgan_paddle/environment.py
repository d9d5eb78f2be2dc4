"""What `--recipe auto` looks at: the images, the network, the machine, and how long an iteration takes here."""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import paddle
from PIL import Image, UnidentifiedImageError

from realesrgan_paddle.data.sets.meta_info import image_paths
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.step.schedule import learning_rate
from realesrgan_paddle.options.schema.config import Config, GeneratorOptions
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.run.build import build_step
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import (
    core_count,
    memory_limit,
    pick_device,
)
from realesrgan_paddle.utils.ops.choose import choose_ops

MOST_LOOKED_AT = 1000
"""Sizes are read of so many images at most, spread over all of them."""


@dataclass(frozen=True)
class Images:
    """The training images: how many, their pixels in all, and the shorter side that nine in ten have at least."""

    count: int
    pixels: float
    short_side: int

    def __str__(self) -> str:
        return f"{self.count:,} images, {self.pixels / 1e6:,.0f} megapixels, shorter side {self.short_side}"


@dataclass(frozen=True)
class Machine:
    """What it is trained on: a GPU with its memory, or CPU cores with the machine's [GiB]."""

    gpu: bool
    cores: int
    memory: float

    def __str__(self) -> str:
        device = "a GPU" if self.gpu else f"a CPU, {self.cores} cores"
        return f"{device}, {self.memory:.3g} GiB"


@dataclass(frozen=True)
class NetworkSize:
    """The network, in words, and its number of parameters."""

    name: str
    parameters: int

    @property
    def small(self) -> bool:
        """Whether it is of the size of SRVGGNetCompact (0.6 and 1.2 million) rather than of RRDBNet (4.5 to 16.7)."""
        return self.parameters < 3e6

    def __str__(self) -> str:
        return f"{self.name}: {self.parameters / 1e6:.2g} million parameters"


def look_at_images(dataroot: str, meta_info: str | None) -> Images:
    """Return what there is to train on; sizes come from the files' headers.

    Raises:
        UserError: no images, or a file of which no size can be read.
    """
    paths = image_paths(dataroot, meta_info)
    sizes = np.array(
        [_size(path) for path in paths[:: -(-len(paths) // MOST_LOOKED_AT)]]
    )
    pixels = float(sizes.prod(axis=1).mean()) * len(paths)
    return Images(
        len(paths), pixels, int(np.quantile(sizes.min(axis=1), 0.1, method="lower"))
    )


def look_at_machine() -> Machine:
    """Return the device that training would take."""
    if pick_device()[0] == "gpu":
        return Machine(
            True,
            core_count(),
            paddle.device.cuda.get_device_properties(0).total_memory / 2**30,
        )
    return Machine(False, core_count(), memory_limit() / 2**30)


def look_at_network(options: GeneratorOptions) -> NetworkSize:
    """Return what the section `network_g` describes."""
    parameters = Network(options).parameters()
    return NetworkSize(str(options), sum(int(p.size) for p in parameters))


def seconds_per_iteration(cfg: Config) -> float:
    """Return how long an iteration takes here in which both networks learn.

    That is the mean of three after a first, which takes longer; of one if a minute has
    gone by.
    """
    alone = {"net_d_init_iters": 0, "net_d_init_until": None}
    cfg = cfg.model_copy(update={"train": cfg.train.model_copy(update=alone)})
    step = build_step(cfg, choose_ops(cfg.cpu_ops)[0])
    step.set_learning_rates(
        partial(learning_rate, cfg.train.scheduler, cfg.train.warmup_iter, 1)
    )
    marks = [time.perf_counter()]
    with closing(TrainingBatches(cfg, 0)) as batches:
        while len(marks) < 3 or (len(marks) < 5 and marks[-1] - marks[0] < 60):
            losses = step(
                list(islice(batches, cfg.datasets.train.accum_iter)), len(marks)
            )
            float(next(iter(losses.values())))  # waits for the device
            marks.append(time.perf_counter())
    return (marks[-1] - marks[1]) / (len(marks) - 2)


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error})") from error
