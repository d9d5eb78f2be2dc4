"""The images and pairs of a run: opened, checked, without those held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.loading.datasets import HighQualityDataset, PairedDataset
from realesrgan_paddle.data.loading.hold_out import hold_out
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.training.file_checks import check_files, open_datasets
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup

Dataset = TypeVar("Dataset", HighQualityDataset, PairedDataset)

POOL_BATCHES = 15
"""Size of the pair pool to suggest: Real-ESRGAN has 180 pairs, 12 in a batch."""


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on, and which images are kept out of it.

    Attributes:
        images: ground truths to degrade, if any.
        pairs: given pairs, if any.
        excluded: ground truths that are never in a batch.
        held_out: those of them to validate on, each with the file of its low-quality
            image if it has one.
        file_report: what the log says of the files' headers.
    """

    images: HighQualityDataset | None
    pairs: PairedDataset | None
    excluded: frozenset[Path]
    held_out: Sequence[tuple[Path, Path | None]]
    file_report: str


def open_training_data(
    cfg: Config, group: ProcessGroup = ALONE, *, resuming: bool = False
) -> TrainingData:
    """Open the data of a run, check the headers of all files, and hold images out.

    Args:
        cfg: options.
        group: the processes that train together: the pool holds all of their pairs.
        resuming: whether the run has begun before; see `check_files`.

    Raises:
        UserError: files are missing, unreadable or do not fit, the pool is smaller than
            a batch, or a video codec is not installed.
    """
    if cfg.high_order_degradation:
        check_installed(cfg)
        check_pool_size(cfg, group)

    images, pairs = open_datasets(cfg)
    report = check_files(cfg, images, pairs, resuming=resuming)

    # The pairs beside images may show the same scenes, so they leave those out, too.
    if images is not None:
        images, excluded, held_out = without_held_out(images, cfg.hold_out)
        if pairs is not None:
            pairs = pairs.without(excluded)
    else:
        assert pairs is not None
        pairs, excluded, held_out = without_held_out(pairs, cfg.hold_out)
    return TrainingData(images, pairs, excluded, held_out, report)


def without_held_out(
    dataset: Dataset, count: int
) -> tuple[Dataset, frozenset[Path], list[tuple[Path, Path | None]]]:
    """Return the dataset to train on, what is excluded, and `count` to validate on."""
    held = hold_out(dataset.gt_paths, count)
    remaining = dataset.without(held.excluded)
    held_out = dataset.files(held.validated)
    return remaining, held.excluded, held_out


def check_pool_size(cfg: Config, group: ProcessGroup) -> None:
    """Raise UserError if the pair pool is smaller than the batch of all processes."""
    batch_size = group.size * cfg.datasets.train.batch_size_per_gpu
    if 0 < cfg.queue_size < batch_size:
        raise UserError(
            f"queue_size {cfg.queue_size} is less than one batch of {group.size} "
            f"processes, {batch_size} images; set it to {POOL_BATCHES * batch_size}, for "
            "example, or to 0 for no pool"
        )


def describe_data(cfg: Config, data: TrainingData, group: ProcessGroup) -> str:
    """Return what the log says of the data: datasets, files, processes."""
    train, pairs = cfg.datasets.train, cfg.datasets.train_paired

    datasets = []
    if data.images is not None:
        datasets.append(f"{train.name}, {len(data.images):,} images")
    if data.pairs is not None:
        name = pairs.name if pairs else train.name
        datasets.append(f"{name}, {len(data.pairs):,} pairs")
    joint = f" and, for {pairs.share:.3g} of the batches, " if pairs else ""

    remarks = [joint.join(datasets), data.file_report]
    if group.size > 1:
        batch_size = group.size * train.batch_size_per_gpu
        remarks.append(f"{group.size} processes, {batch_size} images in a batch")
    return "; ".join(remarks)
