"""Training and validation images, one sample at a time, as arrays.

A sample is asked for by (index, position): which file, and where in the endless stream
of samples the request stands. All of a sample's random draws come from a generator
keyed by the run's seed and that position, so the stream is the same for any number of
workers and can be entered anywhere.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.sets.meta_info import (
    PAIR_SEPARATOR,
    image_paths,
    read_meta_info,
)
from realesrgan_paddle.options.schema.config import (
    ImageOptions,
    TrainDataset,
    TrainPairedDataset,
    ValDataset,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8
from realesrgan_paddle.utils.seeds import Stream, generator

Sample = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class HighQualityDataset:
    """High-resolution images and the blur kernels that will degrade them (Real-ESRGAN's training data).

    A sample is (gt, kernel1, kernel2, sinc_kernel): gt float32 RGB (3, crop, crop) in
    [0, 1], flipped and rotated at random, reflected at the border where the file is
    smaller; kernels float32 (k, k).
    """

    paths: list[Path]
    options: TrainDataset
    crop: int
    seed: int

    @classmethod
    def open(
        cls, options: TrainDataset, gt_size: int, scale: int, seed: int
    ) -> "HighQualityDataset":
        """Return the dataset that `options` name; their files must exist."""
        return cls(
            image_paths(options.dataroot_gt, options.meta_info),
            options,
            crop_size(gt_size, scale),
            seed,
        )

    @property
    def gt_paths(self) -> list[Path]:
        """The files of the ground truths."""
        return self.paths

    def without(self, apart: Set[Path]) -> "HighQualityDataset":
        """Return the dataset without the ground truths `apart`."""
        return replace(self, paths=[path for path in self.paths if path not in apart])

    def files(self, chosen: Sequence[Path]) -> list[tuple[Path, Path | None]]:
        """Return the ground truths `chosen`, each with the file of its low-quality image: none."""
        return [(path, None) for path in chosen]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        rng = generator(self.seed, Stream.SAMPLE, position)
        (gt,) = _augment([read_rgb(self.paths[index])], self.options, rng)
        gt = _random_crop(_reflect_to(gt, self.crop), self.crop, rng)
        return _channels_first(gt), *draw_kernels(self.options, rng)


@dataclass(frozen=True)
class PairedDataset:
    """Given pairs of a high-resolution image and its low-quality version.

    A sample is (gt, lq): float32 RGB (3, gt_size, gt_size) and (3, gt_size / scale,
    gt_size / scale) in [0, 1], the same crop, flip and rotation of both.
    """

    pairs: list[tuple[Path, Path]]
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
        """Return the dataset that `options` name; their files must exist."""
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

    def without(self, apart: Set[Path]) -> "PairedDataset":
        """Return the dataset without the pairs of the ground truths `apart`."""
        return replace(
            self, pairs=[pair for pair in self.pairs if pair[0] not in apart]
        )

    def files(self, chosen: Sequence[Path]) -> list[tuple[Path, Path | None]]:
        """Return the ground truths `chosen`, each with the file of its low-quality image."""
        lq_paths = dict(self.pairs)
        return [(path, lq_paths[path]) for path in chosen]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        rng = generator(self.seed, Stream.SAMPLE, position)
        gt, lq = read_pair(*self.pairs[index], self.scale)
        lq_size = self.gt_size // self.scale
        if min(lq.shape[:2]) < lq_size:
            raise UserError(
                f"{self.pairs[index][1]}: {_size(lq)} is smaller than gt_size / scale = {lq_size}"
            )
        top, left = (int(rng.integers(0, side - lq_size + 1)) for side in lq.shape[:2])
        lq = lq[top : top + lq_size, left : left + lq_size]
        top, left = top * self.scale, left * self.scale
        gt = gt[top : top + self.gt_size, left : left + self.gt_size]
        gt, lq = _augment([gt, lq], self.options, rng)
        return _channels_first(gt), _channels_first(lq)


@dataclass(frozen=True)
class ValidationImage:
    """One validation image; uint8 RGB (H, W, 3), and `gt` None where there is no ground truth."""

    name: str
    lq: np.ndarray
    gt: np.ndarray | None


@dataclass(frozen=True)
class ValidationDataset:
    """The images of one `datasets.val` entry, read whole, in order of their names."""

    name: str
    pairs: list[tuple[Path | None, Path]]
    scale: int

    @classmethod
    def open(cls, options: ValDataset, scale: int) -> "ValidationDataset":
        """Return the set that `options` name; without `dataroot_gt` it has no ground truth."""
        if options.dataroot_gt is None:
            return cls(
                options.name,
                [
                    (None, lq)
                    for lq in image_paths(options.dataroot_lq, options.meta_info)
                ],
                scale,
            )
        pairs = paired_paths(
            options.dataroot_gt, options.dataroot_lq, options.meta_info
        )
        return cls(options.name, list(pairs), scale)

    def __iter__(self) -> Iterator[ValidationImage]:
        for gt_path, lq_path in self.pairs:
            if gt_path is None:
                yield ValidationImage(lq_path.stem, to_uint8(read_rgb(lq_path)), None)
            else:
                gt, lq = read_pair(gt_path, lq_path, self.scale)
                yield ValidationImage(lq_path.stem, to_uint8(lq), to_uint8(gt))


def crop_size(gt_size: int, scale: int) -> int:
    """Return the side of the crop that is degraded before the training patch is cut from it.

    Real-ESRGAN cuts 400 x 400 for patches of 256; this keeps that ratio for other
    sizes, rounded up to a multiple of `scale`.
    """
    return -(-gt_size * 400 // (256 * scale)) * scale


def paired_paths(
    dataroot_gt: str, dataroot_lq: str, meta_info: str | None
) -> list[tuple[Path, Path]]:
    """Return (gt, lq) paths from the lines "gt, lq" of `meta_info`, or by equal relative names without one.

    A file that is named, or that a ground truth wants, need not be there: who reads it
    will say so.

    Raises:
        UserError: a folder or file does not exist, or no pair is there.
    """
    gt_root, lq_root = Path(dataroot_gt), Path(dataroot_lq)
    if meta_info is None:
        lq_by_name = {
            p.relative_to(lq_root).with_suffix(""): p
            for p in list_images(lq_root, recursive=True)
        }
        names = [
            path.relative_to(gt_root) for path in list_images(gt_root, recursive=True)
        ]
        pairs = [
            (gt_root / name, lq_by_name.get(name.with_suffix(""), lq_root / name))
            for name in names
        ]
    else:
        pairs = [
            _split_pair(line, gt_root, lq_root, meta_info)
            for line in read_meta_info(meta_info)
        ]
    if not pairs:
        raise UserError(f"{meta_info or gt_root}: no image pairs in it")
    if not any(gt.is_file() and lq.is_file() for gt, lq in pairs):
        gone = next(path for path in pairs[0] if not path.is_file())
        raise UserError(
            f"{gone}: no such file, and none of the {len(pairs):,} pairs is there"
        )
    return pairs


def _split_pair(
    line: str, gt_root: Path, lq_root: Path, meta_info: str
) -> tuple[Path, Path]:
    gt, separator, lq = line.partition(PAIR_SEPARATOR)
    if not separator:
        raise UserError(
            f"{meta_info}: the line {line!r} is not of the form 'gt_path, lq_path'"
        )
    return gt_root / gt, lq_root / lq


def read_pair(
    gt_path: Path, lq_path: Path, scale: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ground truth and the low-quality image, float32 RGB (H, W, 3) in [0, 1].

    Raises:
        UserError: one cannot be read, or the sizes do not agree.
    """
    gt, lq = read_rgb(gt_path), read_rgb(lq_path)
    if gt.shape[0] != lq.shape[0] * scale or gt.shape[1] != lq.shape[1] * scale:
        raise UserError(
            f"{gt_path} is {_size(gt)} but {lq_path} is {_size(lq)}: not {scale} times as large"
        )
    return gt, lq


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _augment(
    images: list[np.ndarray], options: ImageOptions, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the images flipped left-right, and flipped top-bottom and transposed, each at random and alike.

    As BasicSR's `augment`: `use_hflip` allows the first, `use_rot` the other two.
    """
    hflip, vflip, transpose = rng.random(3) < 0.5
    if hflip and options.use_hflip:
        images = [image[:, ::-1] for image in images]
    if vflip and options.use_rot:
        images = [image[::-1] for image in images]
    if transpose and options.use_rot:
        images = [image.transpose(1, 0, 2) for image in images]
    return images


def _reflect_to(image: np.ndarray, side: int) -> np.ndarray:
    """Return the image, continued by reflection at the bottom and right to at least `side` pixels each way."""
    bottom, right = (max(0, side - length) for length in image.shape[:2])
    if bottom == right == 0:
        return image
    return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)


def _random_crop(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def _channels_first(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(2, 0, 1))
