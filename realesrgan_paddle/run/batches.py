"""The batches of a training run: options in; synthesised pairs, given pairs or both out."""

import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.degradation.pipeline import (
    degrade,
    draw,
    paired_random_crop,
)
from realesrgan_paddle.data.degradation.usm import USM
from realesrgan_paddle.data.loading.datasets import (
    HighQualityDataset,
    PairedDataset,
    Sample,
)
from realesrgan_paddle.data.loading.hold_out import hold_out
from realesrgan_paddle.data.loading.loader import (
    BadImages,
    Dataset,
    EndlessSampler,
    endless_batches,
)
from realesrgan_paddle.data.loading.pair_pool import PairPool
from realesrgan_paddle.models.step.batch import Batch
from realesrgan_paddle.options.schema.config import Config, ImageOptions
from realesrgan_paddle.run.file_checks import open_images, preflight
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.cpu import (
    compute_on_one_thread,
    shorten_spin_time,
)
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup
from realesrgan_paddle.utils.seeds import Stream, generator

ImageFiles = TypeVar("ImageFiles", HighQualityDataset, PairedDataset)


class Pairs(NamedTuple):
    """A batch as it goes into the pool; or, where the pairs were given, past it."""

    gt: Tensor
    lq: Tensor
    rng: np.random.Generator | None
    """Goes on from the draws of the degradation; None for given pairs."""


class TrainingBatches:
    """The run's endless stream of batches after the first `start`, and the pool they are drawn from.

    On a CPU a thread reads and degrades the next batch while the step computes. The
    pool changes when a batch is given, so a state that is saved after it is one of that
    batch. On a GPU the step's own operations are waiting in line when the next batch is
    asked for: there is nothing to win.

    Attributes:
        number: of the batch that was last given; the first is 1.
        pool: what synthesised batches pass through; given pairs do not.
        sources: what the log says of the data.
        apart: ground truths that are kept back, and never in a batch.
        held_out: those of them to validate on, each with the file of its low-quality
            image if it has one.
        batch_size: of the processes of `group` together; each gets its part of a batch.
    """

    def __init__(
        self,
        cfg: Config,
        start: int,
        group: ProcessGroup = ALONE,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.cfg = cfg
        self.group = group
        self.batch_size = group.size * cfg.datasets.train.batch_size_per_gpu
        self.pool = PairPool(cfg.queue_size)
        self.number = start
        self.usm = USM()
        self.share = paired_share(cfg)
        self.bad = BadImages(
            cfg.datasets.train.max_bad_images,
            log if log and group.writes else _to_stderr,
        )
        train = cfg.datasets.train
        self.samples: dict[
            bool, Generator[Sample, None, None]
        ] = {}  # by whether they are given pairs
        self.apart: frozenset[Path] = frozenset()
        self.held_out: list[tuple[Path, Path | None]] = []
        sources, paired = [], paired_until(start, self.share)
        if self.share < 1:
            check_installed(cfg)
            if 0 < cfg.queue_size < self.batch_size:
                raise UserError(
                    f"queue_size {cfg.queue_size} is less than one batch of {group.size} processes, {self.batch_size} "
                    f"images; set it to {15 * self.batch_size}, for example, or to 0 for no pool"
                )
        images, pairs = open_images(cfg)
        files = preflight(cfg, images, pairs, resuming=start > 0)
        if images is not None:
            images = self._hold_out(images)
            self.samples[False] = self._samples(images, train, start - paired)
            sources.append(f"{train.name}, {len(images):,} images")
        if pairs is not None:
            options = cfg.datasets.train_paired or train
            pairs = (
                pairs.without(self.apart) if self.share < 1 else self._hold_out(pairs)
            )
            self.samples[True] = self._samples(pairs, options, paired)
            sources.append(f"{options.name}, {len(pairs):,} pairs")
        self.sources = (
            f" and, for {float(self.share):.3g} of the batches, ".join(sources)
            + f"; {files}"
        )
        if group.size > 1:
            self.sources += (
                f"; {group.size} processes, {self.batch_size} images in a batch"
            )
        self.beside: ThreadPoolExecutor | None = None
        if paddle.get_device() == "cpu":
            shorten_spin_time()
            self.beside = ThreadPoolExecutor(
                1, "batches", initializer=compute_on_one_thread
            )
        self.coming: Future[Pairs] | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        gt, lq, rng = self._next_pairs()
        self.number += 1
        if rng is not None and self.cfg.queue_size:
            part = self.group.local_slice(self.batch_size)
            gt, lq = self.pool.exchange(
                self.group.gather(gt), self.group.gather(lq), rng, part
            )
        return self._batch(gt, lq)

    def close(self) -> None:
        """End the thread and the processes that read images."""
        if self.beside is not None:
            self.beside.shutdown(cancel_futures=True)
        for samples in self.samples.values():
            samples.close()

    def _next_pairs(self) -> Pairs:
        """Return the pairs of the next batch; on a CPU, begin with those after it."""
        if self.beside is None:
            return self._pairs(self.number + 1)
        coming = self.coming or self.beside.submit(self._pairs, self.number + 1)
        pairs = coming.result()
        self.coming = self.beside.submit(self._pairs, self.number + 2)
        return pairs

    def _pairs(self, number: int) -> Pairs:
        """Return the pairs of the batch of this number."""
        paired = is_paired(number, self.share)
        gt, *others = map(paddle.to_tensor, next(self.samples[paired]))
        gt = self._sharpened_once(gt)
        return (
            Pairs(gt, others[0], None)
            if paired
            else self._synthesise(number, gt, *others)
        )

    def _hold_out(self, dataset: ImageFiles) -> ImageFiles:
        """Return the data set without some images, if there is no other to validate on."""
        held = hold_out(dataset.gt_paths, self.cfg.hold_out)
        self.apart, self.held_out = held.excluded, dataset.files(held.validated)
        return dataset.without(self.apart)

    def _samples(
        self, dataset: Dataset, options: ImageOptions, start: int
    ) -> Generator[Sample, None, None]:
        """Return the samples of one data set by the batch, from its batch number `start` + 1 on."""
        sampler = EndlessSampler(
            length=len(dataset),
            batch_size=self.cfg.datasets.train.batch_size_per_gpu,
            seed=self.cfg.manual_seed,
            shuffle=options.use_shuffle,
            enlarge_ratio=options.dataset_enlarge_ratio,
            start=start,
            rank=self.group.rank,
            world_size=self.group.size,
        )
        return endless_batches(dataset, sampler, options.num_worker_per_gpu, self.bad)

    def _synthesise(self, number: int, gt: Tensor, *kernels: Tensor) -> Pairs:
        """Degrade a batch of ground truths and cut training patches.

        RealESRGANModel always degrades the sharpened ground truth. What is random is
        drawn for the images of all processes, alike in each, and each has the whole
        pool: they train on what one process would.
        """
        cfg = self.cfg
        rng = generator(cfg.manual_seed, Stream.BATCH, number)
        sharp = gt if self._one_target else self.usm(gt)
        part = self.group.local_slice(self.batch_size)
        draws = draw(cfg, rng, self.batch_size).subset(part)
        lq = degrade(sharp, kernels, draws, cfg.scale)
        return Pairs(*paired_random_crop(gt, lq, cfg.gt_size, cfg.scale, rng), rng)

    @property
    def _one_target(self) -> bool:
        """Whether all losses have one target, by gt_usm; else each chooses its sharpness by a switch of its own."""
        return self.cfg.model_type == "RealESRNetModel"

    def _sharpened_once(self, gt: Tensor) -> Tensor:
        return self.usm(gt) if self._one_target and self.cfg.gt_usm else gt

    def _batch(self, gt: Tensor, lq: Tensor) -> Batch:
        return Batch(lq=lq, gt=gt, gt_usm=gt if self._one_target else self.usm(gt))


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def paired_share(cfg: Config) -> Fraction:
    """Return the share of batches that are given pairs, exactly as its digits say (0.1 is no binary fraction)."""
    if not cfg.high_order_degradation:
        return Fraction(1)
    options = cfg.datasets.train_paired
    return Fraction(str(options.share)) if options else Fraction(0)


def paired_until(number: int, share: Fraction) -> int:
    """Return how many of the batches 1 to `number` are given pairs."""
    return floor(number * share)


def is_paired(number: int, share: Fraction) -> bool:
    """Return whether the batch of this number is given pairs: they lie as evenly among the others as can be."""
    return paired_until(number, share) > paired_until(number - 1, share)
