"""The endless stream of a run's training batches, and the pair pool that they pass.

On a CPU the next batch is read and degraded in a thread of its own, on one core, while the
step computes. It passes the pool when it is requested, so a training state holds nothing
of the batch that is being made. On a GPU the degradation runs on the device, in line with
the step.
"""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.filters import USM
from realesrgan_paddle.data.degradation.pipeline import (
    degrade,
    draw,
    paired_random_crop,
)
from realesrgan_paddle.data.loading.datasets import Sample
from realesrgan_paddle.data.loading.loader import (
    BadImages,
    Dataset,
    EndlessSampler,
    endless_batches,
)
from realesrgan_paddle.data.loading.pair_pool import PairPool, counts_of
from realesrgan_paddle.models.step.pixel_step import Batch
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.datasets import ImageOptions
from realesrgan_paddle.training.training_data import TrainingData, slice_count
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.images import to_float
from realesrgan_paddle.utils.machine.devices import (
    compute_on_one_thread,
    shorten_spin_time,
)
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup
from realesrgan_paddle.utils.seeds import Stream, generator


class Pairs(NamedTuple):
    """A batch before the pair pool: float32 RGB in [0, 1]."""

    gt: Tensor
    """Ground truths, (N, 3, gt_size, gt_size)."""
    lq: Tensor
    """Low-quality images, (N, 3, gt_size / scale, gt_size / scale)."""
    rngs: Sequence[np.random.Generator]
    """Continue after the random values of each slice; none for given pairs: no pool."""


@dataclass(frozen=True)
class PairSchedule:
    """Says which batches are given pairs: a fixed share, spread as evenly as possible.

    Batches are counted from 1.
    """

    share: Fraction
    """Exact: 0.1 has no binary fraction."""

    @classmethod
    def of(cls, cfg: Config) -> "PairSchedule":
        """Return the schedule of a run's options."""
        if not cfg.high_order_degradation:
            return cls(Fraction(1))
        options = cfg.datasets.train_paired
        if options is None:
            return cls(Fraction(0))
        return cls(Fraction(str(options.share)))

    def count(self, number: int) -> int:
        """Return how many of the batches 1 to `number` are given pairs."""
        return floor(number * self.share)

    def is_paired(self, number: int) -> bool:
        """Return whether the batch of this number is given pairs."""
        before = self.count(number - 1)
        return self.count(number) > before


class BatchMaker:
    """Makes the batches of a run one after the other, of one process's part of each.

    Images and given pairs are two streams, each with its own position. All that is
    random depends on the seed and the batch's number, so a run can start anywhere.

    Args:
        cfg: options.
        data: what the run trains on.
        start: the number of batches made before.
        group: the processes that train together.
        bad_images: is told of images that cannot be read.
    """

    def __init__(
        self,
        cfg: Config,
        data: TrainingData,
        start: int,
        group: ProcessGroup,
        bad_images: BadImages,
    ) -> None:
        self._cfg = cfg
        self._group = group
        self._bad_images = bad_images
        self._usm = USM()
        self._slices = own_slices(cfg, group)
        self._schedule = PairSchedule.of(cfg)
        train, paired_before = cfg.datasets.train, self._schedule.count(start)

        self._image_samples: Generator[Sample, None, None] | None = None
        if data.images is not None:
            self._image_samples = self._read(data.images, train, start - paired_before)

        self._pair_samples: Generator[Sample, None, None] | None = None
        if data.pairs is not None:
            options = cfg.datasets.train_paired or train
            self._pair_samples = self._read(data.pairs, options, paired_before)

    def __call__(self, number: int) -> Pairs:
        """Return the batch of this number, which follows that of the last call."""
        if self._schedule.is_paired(number):
            return self._given(number)
        return self._synthesized(number)

    def close(self) -> None:
        """End the processes that read images."""
        for samples in (self._image_samples, self._pair_samples):
            if samples is not None:
                samples.close()

    def _read(
        self, dataset: Dataset, options: ImageOptions, start: int
    ) -> Generator[Sample, None, None]:
        """Return the samples of a dataset batch by batch, without its first `start`."""
        sampler = EndlessSampler(
            length=len(dataset),
            batch_size=self._cfg.datasets.train.batch_size_per_gpu,
            seed=self._cfg.manual_seed,
            shuffle=options.use_shuffle,
            enlarge_ratio=options.dataset_enlarge_ratio,
            start=start,
            rank=self._group.rank,
            world_size=self._group.size,
        )
        workers = options.num_worker_per_gpu
        return endless_batches(dataset, sampler, workers, self._bad_images)

    def _given(self, number: int) -> Pairs:
        assert self._pair_samples is not None
        gt, lq = map(image_tensor, next(self._pair_samples))
        return Pairs(self._target(gt), lq, [])

    def _synthesized(self, number: int) -> Pairs:
        """Read ground truths, degrade them, and cut training patches from both.

        Random values are drawn for each slice of the batch of all processes, from a seed
        that its number is part of: so any number of processes trains on the same.
        """
        assert self._image_samples is not None
        cfg = self._cfg
        samples, *kernel_arrays = next(self._image_samples)
        # Of clips (N, num_frame, 3, H, W) the frames, clip by clip.
        images = samples.reshape(-1, *samples.shape[-3:])
        gt = self._target(image_tensor(images))
        kernels = [paddle.to_tensor(array) for array in kernel_arrays]
        # RealESRGANModel always degrades the sharpened ground truth.
        source = gt if has_one_target(cfg) else self._usm(gt)

        num_frame = cfg.datasets.train.num_frame
        size = len(samples) // len(self._slices)
        rngs, pairs = [], []
        for place, number_of_slice in enumerate(self._slices):
            own = slice(place * size, (place + 1) * size)
            part = slice(own.start * num_frame, own.stop * num_frame)
            rng = generator(cfg.manual_seed, Stream.BATCH, number, number_of_slice)
            params = draw(cfg, rng, size)
            own_kernels = [kernel[own] for kernel in kernels]
            lq = degrade(
                source[part], own_kernels, params, cfg.scale, cfg.jpeg_chroma_upsampling
            )
            pairs.append(paired_random_crop(gt[part], lq, cfg.gt_size, cfg.scale, rng))
            rngs.append(rng)
        gts, lqs = zip(*pairs, strict=True)
        gt = paddle.concat(gts)
        if cfg.train.warmup_frames:
            clips = gt.reshape([-1, num_frame, *gt.shape[1:]])
            gt = clips[:, cfg.train.warmup_frames :].flatten(0, 1)
        return Pairs(gt, paddle.concat(lqs), rngs)

    def _target(self, gt: Tensor) -> Tensor:
        """Return the ground truth, sharpened if it is the only target (`gt_usm`)."""
        sharpen = has_one_target(self._cfg) and self._cfg.gt_usm
        return self._usm(gt) if sharpen else gt


def own_slices(cfg: Config, group: ProcessGroup) -> range:
    """Return the numbers of this process's slices of a batch."""
    if not cfg.high_order_degradation:
        return range(1)
    slices = slice_count(cfg, group)
    return range(slices)[group.local_slice(slices)]


def image_tensor(samples: np.ndarray) -> Tensor:
    """Return images, uint8 or uint16, as float32 in [0, 1].

    uint8 goes to a GPU as it is, in a quarter of the time.
    """
    if paddle.get_device() == "cpu" or samples.dtype != np.uint8:
        return paddle.to_tensor(to_float(samples))
    levels = paddle.to_tensor(samples).astype("float32")
    return levels / paddle.full_like(levels, 255)


def has_one_target(cfg: Config) -> bool:
    """Return whether all losses have the same target, as `gt_usm` says.

    Otherwise each chooses between sharpened and unsharpened by an option of its own.
    """
    return cfg.model_type == "RealESRNetModel"


class Prefetcher:
    """Makes batches in order, ahead of their requests, in a thread on one core.

    Args:
        make: returns the batch of a number; called in the thread only.
    """

    def __init__(self, make: Callable[[int], Pairs]) -> None:
        self._make = make
        self._next: Future[Pairs] | None = None
        shorten_spin_time()
        self._thread = ThreadPoolExecutor(
            1, "prefetch", initializer=compute_on_one_thread
        )

    def __call__(self, number: int) -> Pairs:
        """Return batch `number`, which follows that of the last call; start the next.

        Raises:
            Exception: what `make` raised for this batch.
        """
        current = self._next or self._thread.submit(self._make, number)
        item = current.result()
        self._next = self._thread.submit(self._make, number + 1)
        return item

    def close(self) -> None:
        """End the thread, after the batch that it is at."""
        self._thread.shutdown(cancel_futures=True)


class TrainingBatches:
    """Yields a run's batches after the first `start`.

    On a CPU the next batch is read and degraded in a thread while the step computes. On
    a GPU the step's own operations are still queued when the next batch is requested,
    so a thread would gain nothing. Batches pass the pair pool when they are requested,
    not when they are made: so the pool is always that of the last batch yielded.

    Args:
        cfg: options.
        data: what to train on.
        start: the number of batches that an interrupted run has trained on.
        group: the processes that train together; each gets its part of every batch.
        log: gets a line for each image that cannot be read; else stderr does.

    Attributes:
        number: the number of the last batch; the first is 1.
        pool: what synthesized batches pass through; given pairs do not.
        bad_images: those that could not be read.
        prefetcher: makes the next batch in a thread; None on a GPU.
        remarks: what the log says of a pool that was loaded.
    """

    def __init__(
        self,
        cfg: Config,
        data: TrainingData,
        start: int = 0,
        group: ProcessGroup = ALONE,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.number = start
        self._slices = own_slices(cfg, group)
        self.pool = PairPool(cfg.queue_size, len(self._slices))
        self.remarks: list[str] = []
        self.bad_images = BadImages(
            cfg.datasets.train.max_bad_images,
            log if log and group.writes else _print_to_stderr,
        )
        self._cfg = cfg
        self._group = group
        self._usm = USM()
        self._has_sharpened_target = has_sharpened_target(cfg)
        self._maker = BatchMaker(cfg, data, start, group, self.bad_images)
        self.prefetcher = None
        if paddle.get_device() == "cpu":
            self.prefetcher = Prefetcher(self._maker)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        make = self.prefetcher or self._maker
        gt, lq, rngs = make(self.number + 1)
        # No process takes a batch that another lacks.
        self._group.wait()
        if rngs:
            gt, lq = self.pool.exchange(gt, lq, rngs)
        self.number += 1

        gt_usm = self._usm(gt) if self._has_sharpened_target else gt
        return Batch(lq=lq, gt=gt, gt_usm=gt_usm)

    def state(self) -> dict[str, np.ndarray]:
        """Return the pool as arrays; the rest follows from the number of batches.

        With the pairs of all processes, which must all call this; they are returned in
        the one that writes files.
        """
        return self.pool.state(self._group)

    def own_state(self) -> dict[str, np.ndarray]:
        """As `state`, where other processes may have ended: without their pairs."""
        return self.pool.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state()` returned.

        Raises:
            UserError: it does not fit `queue_size` or `gt_size`.
        """
        own, slices = self._slices, len(self._slices) * self._group.size
        part = slice(own.start, own.stop)
        self.pool.load_state(state, self._cfg.gt_size, part, slices)

        saved = len(counts_of(state))
        if saved not in (0, slices):
            self.remarks = [
                f"the pair pool of the training state, of {saved} slices, is dealt out to "
                f"{slices} (datasets.train.slices)"
            ]

    def close(self) -> None:
        """End the thread and the processes that read images."""
        if self.prefetcher is not None:
            self.prefetcher.close()
        self._maker.close()


def has_sharpened_target(cfg: Config) -> bool:
    """Return whether a loss takes the sharpened ground truth beside the other."""
    if has_one_target(cfg):
        return False
    train = cfg.train
    return (
        (cfg.l1_gt_usm and train.pixel_opt is not None)
        or (cfg.percep_gt_usm and train.perceptual_opt is not None)
        or (cfg.gan_gt_usm and train.gan_opt is not None)
    )


def _print_to_stderr(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
