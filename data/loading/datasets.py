"""Training and validation images, one sample at a time, as arrays.

A training sample has a key (index, position): which file, and the place of the sample
in the endless stream. All of a sample's random values come from a generator seeded by
the run's seed and that position. So the stream is the same for any number of workers
and can be entered anywhere.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from typing_extensions import Self

from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.loading.header_checks import size_mismatch, sizes_agree
from realesrgan_paddle.data.loading.hold_out import path_below
from realesrgan_paddle.data.loading.training_crops import (
    augment,
    channels_first,
    choose_corner,
    crop_at,
    pad_to,
)
from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.data.sets.meta_info import (
    PAIR_SEPARATOR,
    image_paths,
    read_meta_info,
    training_images,
)
from realesrgan_paddle.data.sets.naming import image_name
from realesrgan_paddle.data.sets.sources import is_there, list_source, read_samples
from realesrgan_paddle.options.schema.datasets import (
    ImageOptions,
    TrainDataset,
    TrainPairedDataset,
    ValDataset,
)
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import eight_bits, size_of, size_text
from realesrgan_paddle.utils.seeds import Stream, generator

Sample = tuple[np.ndarray, ...]
Pair = tuple[Path, Path]
"""Files of a ground truth and its low-quality image."""
Source = tuple[Path, Path | None]
"""File of a ground truth, and of its low-quality image where there is one."""


@dataclass(frozen=True)
class HighQualityDataset:
    """High-resolution images and random blur kernels: Real-ESRGAN's training data.

    A sample is (gt, kernel1, kernel2, sinc_kernel). gt: RGB (3, crop, crop), uint8 or
    uint16 as in the file, randomly flipped and rotated, padded by reflection where the
    file is smaller. Kernels: float32 (k, k).
    """

    paths: ImageList
    options: TrainDataset
    crop: int
    seed: int

    @classmethod
    def open(cls, options: TrainDataset, gt_size: int, scale: int, seed: int) -> Self:
        """Return the dataset of `options`; their files must exist."""
        paths = training_images(options.dataroot_gt, options.meta_info)
        return cls(paths, options, crop_size(gt_size, scale), seed)

    @property
    def gt_paths(self) -> ImageList:
        """The files of the ground truths."""
        return self.paths

    def without(self, excluded: Set[Path]) -> Self:
        """Return the dataset without the ground truths `excluded`."""
        return replace(self, paths=self.paths.without(excluded))

    def files(self, gt_paths: Sequence[Path]) -> list[Source]:
        """Return the given ground truths, without low-quality images."""
        return [(path, None) for path in gt_paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        rng = generator(self.seed, Stream.SAMPLE, position)

        path = self.paths[index]
        gt = read_samples(path)
        (gt,) = augment([gt], self.options, rng)
        gt = pad_to(gt, self.crop)

        top, left = choose_corner(gt, self.crop, self.options.crop_candidates, rng)
        gt = crop_at(gt, top, left, self.crop)

        gt = channels_first(gt)
        return gt, *draw_kernels(self.options, rng)


@dataclass(frozen=True)
class PairedDataset:
    """Given pairs of a high-resolution image and its low-quality version.

    A sample is (gt, lq): RGB (3, gt_size, gt_size) and (3, gt_size / scale, gt_size /
    scale), uint8 or uint16 as in the files, with the same crop, flip and rotation.
    """

    pairs: list[Pair]
    options: ImageOptions
    gt_size: int
    scale: int
    seed: int

    @classmethod
    def open(
        cls,
        options: TrainDataset | TrainPairedDataset,
        gt_size: int,
        scale: int,
        seed: int,
    ) -> "PairedDataset":
        """Return the dataset of `options`; their files must exist."""
        if options.dataroot_lq is None:
            raise UserError(
                "datasets.train.dataroot_lq: pairs need a folder of low-quality images"
            )
        pairs = paired_paths(
            options.dataroot_gt, options.dataroot_lq, options.meta_info
        )
        return cls(pairs, options, gt_size, scale, seed)

    @property
    def gt_paths(self) -> list[Path]:
        """The files of the ground truths."""
        return [gt for gt, _ in self.pairs]

    def without(self, excluded: Set[Path]) -> "PairedDataset":
        """Return the dataset without the pairs of the ground truths `excluded`."""
        kept = []
        for gt, lq in self.pairs:
            if gt not in excluded:
                kept.append((gt, lq))
        return replace(self, pairs=kept)

    def files(self, gt_paths: Sequence[Path]) -> list[Source]:
        """Return the given ground truths, each with its low-quality image."""
        lq_paths = dict(self.pairs)
        return [(path, lq_paths[path]) for path in gt_paths]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        rng = generator(self.seed, Stream.SAMPLE, position)

        gt_path, lq_path = self.pairs[index]
        gt, lq = read_pair(gt_path, lq_path, self.scale)
        lq_side = self.gt_size // self.scale
        if min(lq.shape[:2]) < lq_side:
            found = size_text(size_of(lq))
            raise UserError(
                f"{lq_path}: {found} is smaller than gt_size / scale = {lq_side}"
            )

        top, left = choose_corner(
            gt, self.gt_size, self.options.crop_candidates, rng, step=self.scale
        )
        gt = crop_at(gt, top, left, self.gt_size)
        lq = crop_at(lq, top // self.scale, left // self.scale, lq_side)
        gt, lq = augment([gt, lq], self.options, rng)
        return channels_first(gt), channels_first(lq)


@dataclass(frozen=True)
class ValidationImage:
    """One validation image, uint8 RGB (H, W, 3); `gt` is None without ground truth.

    Or the last frame of a clip, with those `before` it, in order.
    """

    name: str
    lq: np.ndarray
    gt: np.ndarray | None
    before: tuple["ValidationImage", ...] = ()

    @property
    def frames(self) -> tuple["ValidationImage", ...]:
        """All frames of the clip; of a picture itself."""
        return *self.before, self

    def cut(self, crop: Crop, scale: int) -> "ValidationImage":
        """Return a crop [low-quality pixels] of the image, and of the frames before it."""
        gt = None if self.gt is None else crop.of(self.gt, scale)
        before = tuple(frame.cut(crop, scale) for frame in self.before)
        return ValidationImage(self.name, crop.of(self.lq), gt, before)


@dataclass(frozen=True)
class ValidationDataset:
    """The whole images of one `datasets.val` entry, sorted by name.

    A ground truth whose sides are no multiples of the scale is cropped, as BasicSR does
    (basicsr/data/paired_image_dataset.py): benchmarks such as Set14 have some.
    """

    name: str
    pairs: list[tuple[Path | None, Path]]
    scale: int
    root: Path
    """Names keep what is below it: frames of REDS4 are 000/00000000.png and so on."""

    @property
    def remainder(self) -> int:
        """The most rows and columns that are cut off a ground truth [pixels]."""
        return self.scale - 1

    @classmethod
    def open(cls, options: ValDataset, scale: int) -> "ValidationDataset":
        """Return the dataset of `options`; no ground truth without `dataroot_gt`."""
        pairs: list[tuple[Path | None, Path]]
        if options.dataroot_gt is None:
            paths = image_paths(options.dataroot_lq, options.meta_info)
            pairs = [(None, path) for path in paths]
        else:
            pairs = [
                *paired_paths(
                    options.dataroot_gt, options.dataroot_lq, options.meta_info
                )
            ]
        return cls(options.name, pairs, scale, Path(options.dataroot_lq))

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[ValidationImage]:
        for gt_path, lq_path in self.pairs:
            name = image_name(Path(path_below(self.root, lq_path)))
            if gt_path is None:
                yield ValidationImage(name, eight_bits(read_samples(lq_path)), None)
            else:
                gt, lq = read_pair(gt_path, lq_path, self.scale, self.remainder)
                yield ValidationImage(name, eight_bits(lq), eight_bits(gt))


def crop_size(gt_size: int, scale: int) -> int:
    """Return the side of the crop that is degraded, larger than the training patch.

    Real-ESRGAN degrades crops of 400 x 400 for patches of 256 (realesrgan_dataset.py).
    Other sizes get the same ratio, rounded up to a multiple of `scale`.
    """
    lq_side = -(-gt_size * 400 // (256 * scale))
    return lq_side * scale


def paired_paths(
    dataroot_gt: str, dataroot_lq: str, meta_info: str | None
) -> list[Pair]:
    """Return the (gt, lq) paths of the lines "gt, lq" of `meta_info`.

    Without `meta_info`, files are paired by their names relative to the folders,
    without suffix. Single files may be missing; reading them reports it.

    Args:
        dataroot_gt: folder of the ground truth, or of tar shards, or a URL; see
            `sources`.
        dataroot_lq: the same of the low-quality images.
        meta_info: file that lists the pairs.

    Raises:
        UserError: a folder or file does not exist, or there is no complete pair.
    """
    gt_root = Path(dataroot_gt)
    lq_root = Path(dataroot_lq)
    if meta_info is None:
        pairs = _pairs_by_name(gt_root, lq_root)
    else:
        lines = read_meta_info(meta_info)
        pairs = [_split_pair(line, gt_root, lq_root, meta_info) for line in lines]

    if not pairs:
        raise UserError(f"{meta_info or gt_root}: no image pairs in it")
    if not any(is_there(gt) and is_there(lq) for gt, lq in pairs):
        missing = next(path for path in pairs[0] if not is_there(path))
        raise UserError(
            f"{missing}: no such file, and none of the {len(pairs):,} pairs is complete"
        )
    return pairs


def _pairs_by_name(gt_root: Path, lq_root: Path) -> list[Pair]:
    """Return each ground truth with the low-quality image of its relative name."""
    lq_paths = {}
    for name in map(Path, list_source(lq_root).names()):
        lq_paths[name.with_suffix("")] = lq_root / name

    pairs = []
    for name in map(Path, training_images(gt_root, None).names()):
        lq_path = lq_paths.get(name.with_suffix(""), lq_root / name)
        pairs.append((gt_root / name, lq_path))
    return pairs


def _split_pair(line: str, gt_root: Path, lq_root: Path, meta_info: str) -> Pair:
    gt, separator, lq = line.partition(PAIR_SEPARATOR)
    if not separator:
        raise UserError(
            f"{meta_info}: the line {line!r} is not of the form 'gt_path, lq_path'"
        )
    return gt_root / gt, lq_root / lq


def read_pair(
    gt_path: Path, lq_path: Path, scale: int, remainder: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ground truth and the low-quality image.

    Both RGB (H, W, 3) as `read_samples`, one `scale` times as large as the other.

    Args:
        gt_path: file of the ground truth.
        lq_path: file of the low-quality image.
        scale: how much larger the ground truth is.
        remainder: how many rows and columns more it may have; they are cut off at the
            bottom and right.

    Raises:
        UserError: a file cannot be read, or the sizes do not agree.
    """
    gt = read_samples(gt_path)
    lq = read_samples(lq_path)
    gt_size, lq_size = size_of(gt), size_of(lq)
    if not sizes_agree(gt_size, lq_size, scale, remainder):
        raise UserError(size_mismatch(gt_path, gt_size, lq_path, lq_size, scale))

    height, width = lq.shape[:2]
    return gt[: height * scale, : width * scale], lq
