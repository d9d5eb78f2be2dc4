"""The crops of held-out images, or of clips, that a run validates on; degraded once."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.loading.clips import clip_around, read_frames, runs_of
from realesrgan_paddle.data.loading.datasets import (
    Source,
    ValidationDataset,
    ValidationImage,
    read_pair,
)
from realesrgan_paddle.data.loading.hold_out import path_below
from realesrgan_paddle.data.lq.folder import lq_options, make_lq_clip
from realesrgan_paddle.data.sets.naming import image_name
from realesrgan_paddle.data.sets.sources import read_samples
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.options.schema.validation import HELD_OUT
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.images import eight_bits, to_float

SIDE = 256
"""Of a crop [pixels]."""
SMALLEST_SIDE = 64
"""Smaller images are not validated [pixels]: DISTS halves an image five times."""
CLIP_FRAMES = 8
"""Frames of a clip that is validated, at most: a choice, because each of them is measured."""
SEED = 0
"""Seed of their degradation, whatever the run's: so the metrics of runs compare."""


@dataclass(frozen=True)
class HeldOutSet:
    """The crops to validate on, made once and kept in memory."""

    name: str
    scale: int
    images: list[ValidationImage]

    def __iter__(self) -> Iterator[ValidationImage]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)


ValidationSet = ValidationDataset | HeldOutSet


def open_held_out(
    cfg: Config, files: Sequence[Source], crops: int, excluded: Collection[Path] = ()
) -> HeldOutSet:
    """Return the crops to validate on: the most detailed ones of each image.

    Or of the clip around each, once, in training on clips. Images below `SMALLEST_SIDE`
    are left out.

    Args:
        cfg: options of the run. Its degradation makes missing low-quality images.
        files: ground truth and low-quality image, if any, of each.
        crops: of each, at most.
        excluded: what is not trained on, of which the clips are.

    Raises:
        UserError: an image cannot be read.
    """
    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    root = Path(cfg.datasets.train.dataroot_gt)
    runs = runs_of([*excluded]) if cfg.datasets.train.num_frame > 1 else []
    around: set[Path] = set()
    images = []
    for gt_path, lq_path in files:
        if gt_path in around:
            continue
        clip: list[np.ndarray] = []
        if runs:
            clip_paths = clip_around(gt_path, runs, CLIP_FRAMES)
            clip = read_frames(clip_paths)
            around.update(clip_paths)
        lq = None
        if lq_path is None:
            gt = read_samples(gt_path)
        else:
            gt, lq = read_pair(gt_path, lq_path, cfg.scale)
        if min(gt.shape[:2]) < SMALLEST_SIDE:
            continue

        name = image_name(Path(path_below(root, gt_path)))
        chosen = _chosen_crops(gt, crops, cfg.scale)
        for number, crop in enumerate(chosen, start=1):
            crop_name = f"{name}_s{number:03d}" if len(chosen) > 1 else name
            frames = clip or [gt]
            images.append(_cut(crop_name, frames, lq, crop, options))
    return HeldOutSet(HELD_OUT, cfg.scale, images)


def _chosen_crops(gt: np.ndarray, count: int, scale: int) -> list[Crop]:
    """Return the most detailed crops of `gt` [low-quality pixels]."""
    height, width = (side // scale for side in gt.shape[:2])
    # On the grid of low-quality pixels, over which detail is averaged.
    image = eight_bits(gt[: height * scale, : width * scale])
    found = most_detailed(image, SIDE // scale * scale, count)
    crops = []
    for crop in found:
        corner = crop.x // scale, crop.y // scale
        crops.append(Crop(*corner, crop.width // scale, crop.height // scale))
    return crops


def _cut(
    name: str,
    frames: Sequence[np.ndarray],
    lq: np.ndarray | None,
    crop: Crop,
    options: LQConfig,
) -> ValidationImage:
    """Return a crop of an image, or of the last of the `frames` of a clip.

    And of `lq` or, without one, of the frames degraded as one. All RGB (H, W, 3) as
    `read_samples`.
    """
    gt = np.stack([crop.of(frame, options.scale) for frame in frames])
    if lq is None:
        small = make_lq_clip(to_float(gt), name, options)
    else:
        small = eight_bits(crop.of(lq))[None]
    *before, last = map(partial(ValidationImage, name), small, eight_bits(gt))
    return replace(last, before=tuple(before))
