"""How much memory a training step takes: a rule, said before a run begins."""

import paddle

from realesrgan_paddle.ops.plain import PLAIN, Ops
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.machine.memory import free_memory

SMALL_NETWORK = 3e6
"""Parameters: SRVGGNetCompact has 0.6 and 1.2 million, RRDBNet 4.5 to 16.7."""
GIB_PER_CROP = {True: 0.15, False: 1.5}
"""Memory to train on a crop of 256x256, by whether the network is small [GiB].

Measured with Paddle's own operators (docs/measurements.md, "Memory of a step"); a U-Net
discriminator adds a fifth to a large network's.
"""
ONEDNN_GIB_PER_CROP = {True: 0.12, False: 0.6}
"""The same with oneDNN's operators, which keep less for the backward pass."""


def memory_of_step(cfg: Config, parameters: int, ops: Ops = PLAIN) -> float:
    """Return about how much memory a step takes beside weights and libraries [GiB].

    Of clips, frames without gradients take little: `train.warmup_frames`.

    Args:
        cfg: options.
        parameters: number of the generator's parameters.
        ops: the operators that it is trained with.
    """
    train = cfg.datasets.train
    crops = train.batch_size_per_gpu * (train.num_frame - cfg.train.warmup_frames)
    per_crop = GIB_PER_CROP if ops is PLAIN else ONEDNN_GIB_PER_CROP
    return per_crop[parameters < SMALL_NETWORK] * crops * (cfg.gt_size / 256) ** 2


def describe_memory(cfg: Config, parameters: int, ops: Ops) -> str:
    """Return a line for the log: what a step takes, what is free, and what to lower."""
    needed = memory_of_step(cfg, parameters, ops)
    free = _free_gib()
    line = f"memory: a step takes about {needed:.1f} GiB; {free:.1f} GiB are free"
    if needed < free:
        return line

    clips = ", datasets.train.num_frame" if cfg.datasets.train.num_frame > 1 else ""
    return (
        f"{line}, so the run may be ended for want of memory: lower "
        f"datasets.train.batch_size_per_gpu (and raise accum_iter as much){clips} or gt_size"
    )


def _free_gib() -> float:
    """Return the memory that is free on the device [GiB]."""
    if not paddle.get_device().startswith("gpu"):
        return free_memory() / 2**30
    total = paddle.device.cuda.get_device_properties().total_memory
    return (total - paddle.device.cuda.memory_reserved()) / 2**30
