"""The endless stream of a run's training batches, and the pair pool that they pass."""

import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.usm import USM
from realesrgan_paddle.data.loading.loader import BadImages
from realesrgan_paddle.data.loading.pair_pool import PairPool
from realesrgan_paddle.models.step.batch import Batch
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.training.batch_maker import BatchMaker, has_one_target
from realesrgan_paddle.training.prefetch import Prefetcher
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup


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
        self.pool = PairPool(cfg.queue_size)
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
        gt, lq, rng = make(self.number + 1)
        if rng is not None and self._cfg.queue_size:
            gt, lq = self._pass_pool(gt, lq, rng)
        else:
            # As the pool's exchange does: no process takes a batch that another lacks.
            self._group.wait()
        self.number += 1

        gt_usm = self._usm(gt) if self._has_sharpened_target else gt
        return Batch(lq=lq, gt=gt, gt_usm=gt_usm)

    def _pass_pool(
        self, gt: Tensor, lq: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Exchange the pairs of all processes; return this process's part of them.

        Every process has the whole pool, in the same state.
        """
        gt, lq = self._group.gather(gt), self._group.gather(lq)
        own_part = self._group.local_slice(gt.shape[0])
        return self.pool.exchange(gt, lq, rng, own_part)

    def state(self) -> dict[str, np.ndarray]:
        """Return the pool as arrays; the rest follows from the number of batches."""
        return self.pool.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state()` returned.

        Raises:
            UserError: it does not fit `queue_size` or `gt_size`.
        """
        gt_size = self._cfg.gt_size
        self.pool.load_state(state, gt_size)

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
