"""Make a folder of low-quality images, with the degradation that training uses; sheets of them."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import paddle

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.degradation.filters import USM
from realesrgan_paddle.data.degradation.kernels import Kernels, draw_kernels
from realesrgan_paddle.data.degradation.pipeline import DegradationParams, degrade, draw
from realesrgan_paddle.data.sets.made_folders import LQ_FILE
from realesrgan_paddle.data.sets.meta_info import PAIR_SEPARATOR, training_images
from realesrgan_paddle.data.sets.naming import check_outside
from realesrgan_paddle.options.reading.load import load_config, load_lq_config
from realesrgan_paddle.options.reading.read_yaml import read_yaml
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, check_target, make_folder
from realesrgan_paddle.utils.images import read_rgb, to_uint8, write_image
from realesrgan_paddle.utils.jobs import run_each
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet
from realesrgan_paddle.utils.spaced import evenly_spaced

SHEET_IMAGES = 8
"""Images on the sheet, at most."""
SHEET_SIDE = 384
"""Side of the crops that are shown [ground-truth pixels]."""
SHEET_WINDOWS = 8
"""Windows of each kind on the sheet of a comparison."""
ENLARGED = 2
"""Each of their pixels is shown this many times each way."""


@dataclass(frozen=True)
class LQFolder:
    """The low-quality images that `write_lq_folder` wrote or found."""

    pairs: Mapping[str, str]
    """Low-quality image by ground truth, as names relative to their folders."""
    skipped: int
    """How many of them existed before and were kept."""
    failures: Sequence[str]
    """One line for each ground truth that could not be used."""


def read_lq_options(path: str | Path, overrides: Sequence[str] = ()) -> LQConfig:
    """Return the options of make_lq_data.py from a yml file and `a.b=c` overrides.

    The file may also be a training's: its ground truth is then degraded as by that
    training.

    Raises:
        UserError: as `load_lq_config` and `load_config`.
    """
    if "datasets" not in read_yaml(path):
        return load_lq_config(path, overrides)
    return lq_options(load_config(path, overrides))


def lq_options(config: Config) -> LQConfig:
    """Return the degradation of a training as options of make_lq_data.py."""
    train = config.datasets.train
    synthesis = config.model_dump(include={*SynthesisOptions.model_fields})
    kernels = train.model_dump(include={*KernelOptions.model_fields})
    # RealESRGANModel always degrades the sharpened ground truth; gt_usm is a switch of
    # RealESRNetModel.
    gt_usm = config.gt_usm or config.model_type == "RealESRGANModel"
    return LQConfig(
        **synthesis,
        **kernels,
        scale=config.scale,
        gt_usm=gt_usm,
        manual_seed=config.manual_seed,
        dataroot_gt=train.dataroot_gt,
        meta_info=train.meta_info,
        ignored=config.ignored,
    )


def write_lq_folder(
    options: LQConfig, save_dir: Path, *, overwrite: bool = False
) -> LQFolder:
    """Write a low-quality PNG into `save_dir` for each ground-truth image of `options`.

    Sub-folders are kept. An image that cannot be read fails alone.

    Args:
        options: where the ground truth is and how it is degraded.
        save_dir: folder of the low-quality images.
        overwrite: make existing ones again; else they are kept.

    Raises:
        UserError: there are no images, two of them would get the same name, `save_dir`
            is among them or not a folder, or a video codec is used without PyAV.
    """
    targets = begin_lq_folder(options, save_dir)
    todo = [
        path for path, target in targets.items() if overwrite or not target.exists()
    ]
    # One at a time: Paddle has one random generator for all threads.
    write = partial(_write, targets=targets, options=options)
    written, failures = run_each(write, todo, threads=1)
    missing = set(todo) - set(written)
    return lq_folder(options, save_dir, targets, missing, len(todo), failures)


def begin_lq_folder(options: LQConfig, save_dir: Path) -> dict[Path, Path]:
    """Make `save_dir`; return the PNG that each ground truth of `options` becomes.

    Raises:
        UserError: as `write_lq_folder`.
    """
    check_installed(options)
    root = Path(options.dataroot_gt)
    if options.meta_info is None:
        check_outside(save_dir, root)
    paths = training_images(root, options.meta_info)
    targets = _targets(paths, root, save_dir)
    make_folder(save_dir)
    _mark(save_dir, options.scale)
    return targets


def lq_folder(
    options: LQConfig,
    save_dir: Path,
    targets: Mapping[Path, Path],
    missing: Set[Path],
    todo: int,
    failures: Sequence[str],
) -> LQFolder:
    """Return what became of a folder.

    Args:
        options: where the ground truth is.
        save_dir: folder of the low-quality images.
        targets: see `begin_lq_folder`.
        missing: ground truths whose images could not be made.
        todo: how many were to be made; the others existed.
        failures: see `LQFolder`.
    """
    pairs = {
        source_name(path, Path(options.dataroot_gt)): source_name(target, save_dir)
        for path, target in targets.items()
        if path not in missing
    }
    return LQFolder(pairs, len(targets) - todo, failures)


def _mark(save_dir: Path, scale: int) -> None:
    """Mark a folder as low-quality images, so that none is taken for ground truth."""
    marker = save_dir / LQ_FILE
    if marker.exists():
        return
    with atomic_path(marker) as temporary:
        temporary.write_text(json.dumps({"scale": scale}))


def write_pairs(pairs: Mapping[str, str], path: Path) -> None:
    """Write `LQFolder.pairs` as a meta-info file for training: lines "gt, lq".

    Raises:
        UserError: a name contains the separator or a line break.
    """
    for name in pairs:
        if PAIR_SEPARATOR in name or "\n" in name:
            raise UserError(
                f"{path}: cannot hold the name {name!r}; rename it, or train on the "
                "folders without the file"
            )
    lines = [f"{gt}{PAIR_SEPARATOR}{lq}\n" for gt, lq in pairs.items()]
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), "utf-8", "surrogateescape")


def make_lq(gt: np.ndarray, name: str, options: LQConfig) -> np.ndarray:
    """Return the low-quality version of one image.

    uint8 RGB (H // scale, W // scale, 3). All random values depend on the seed and the
    name only, so a single image can be made again.

    Args:
        gt: float32 RGB (H, W, 3) in [0, 1]; as `make_lq_clip`.
        name: name relative to the ground-truth folder, with forward slashes.
        options: how it is degraded.
    """
    (lq,) = make_lq_clip(gt[None], name, options)
    return lq


def make_lq_clip(gt: np.ndarray, name: str, options: LQConfig) -> np.ndarray:
    """Return the low-quality frames of a clip, with the draws of one image, as training's.

    uint8 RGB (T, H // scale, W // scale, 3).

    Args:
        gt: float32 RGB (T, H, W, 3) in [0, 1]; rows and columns beyond a multiple of the
            scale are cut off at the bottom and right.
        name: name relative to the ground-truth folder, with forward slashes.
        options: how it is degraded.
    """
    scale = options.scale
    height, width = (side - side % scale for side in gt.shape[1:3])
    cropped = gt[:, :height, :width]
    image = paddle.to_tensor(np.ascontiguousarray(cropped.transpose(0, 3, 1, 2)))
    if options.gt_usm:
        image = USM()(image)

    kernels, params = lq_params(name, options)
    batched = [paddle.to_tensor(kernel[None]) for kernel in kernels]
    lq = degrade(image, batched, params, scale, options.jpeg_chroma_upsampling)
    return to_uint8(lq.numpy().transpose(0, 2, 3, 1))


def lq_params(name: str, options: LQConfig) -> tuple[Kernels, DegradationParams]:
    """Return the random values of the low-quality version of the image `name`."""
    encoded = name.encode("utf-8", "surrogateescape")
    rng = np.random.default_rng([options.manual_seed, *encoded])
    kernels = draw_kernels(options, rng)
    params = draw(options, rng, batch_size=1)
    return kernels, params


def read_gt(path: Path, scale: int) -> np.ndarray:
    """Return a ground-truth image, float32 RGB (H, W, 3) in [0, 1].

    Raises:
        UserError: it cannot be read, or is smaller than one low-quality pixel.
    """
    gt = read_rgb(path)
    height, width = gt.shape[:2]
    if min(height, width) < scale:
        raise UserError(
            f"{path}: {width}x{height} is too small to downscale by {scale}"
        )
    return gt


def source_name(path: Path, root: Path) -> str:
    """Return the name of an image relative to its folder, with forward slashes."""
    return path.relative_to(root).as_posix()


def write_lq(path: Path, target: Path, options: LQConfig) -> None:
    """Write the low-quality version of a ground truth.

    Raises:
        UserError: as `read_gt`.
    """
    name = source_name(path, Path(options.dataroot_gt))
    gt = read_gt(path, options.scale)
    write_image(target, make_lq(gt, name, options))


def _write(path: Path, targets: Mapping[Path, Path], options: LQConfig) -> Path:
    write_lq(path, targets[path], options)
    return path


def _targets(paths: Sequence[Path], root: Path, save_dir: Path) -> dict[Path, Path]:
    """Return the PNG to write for each image.

    Raises:
        UserError: an image is not in `root`, two would get the same PNG, or a PNG would
            overwrite a ground truth.
    """
    for path in paths:
        if not path.is_relative_to(root) or ".." in path.relative_to(root).parts:
            raise UserError(
                f"{path}: not in {root}; meta_info must name images inside dataroot_gt"
            )

    targets: dict[Path, Path] = {}
    sources: dict[Path, Path] = {}
    for path in paths:
        target = (save_dir / source_name(path, root)).with_suffix(".png")
        targets[path] = target
        first = sources.setdefault(target, path)
        if first != path:
            raise UserError(
                f"{path} and {first} would both become {target}; rename one"
            )

    originals = {path.resolve() for path in paths}
    for target in sources:
        if target.resolve() in originals:
            raise UserError(
                f"{target}: is a ground truth that would be overwritten; "
                "choose another --save_dir"
            )
    return targets


def write_preview(options: LQConfig, path: Path) -> int:
    """Write a sheet of some images before and after degradation; return how many.

    The low-quality images are those that `write_lq_folder` writes, upscaled by
    repetition; their random values are printed beside them.

    Args:
        options: where the ground truth is and how it is degraded.
        path: the PNG to write.

    Raises:
        UserError: there are no images, one is unreadable or tiny, or PyAV is missing.
    """
    check_installed(options)
    check_target(path)
    images = training_images(options.dataroot_gt, options.meta_info)
    rows = [_row(image, options) for image in evenly_spaced(images, SHEET_IMAGES)]
    title = f"{options.dataroot_gt}: degraded with seed {options.manual_seed}"
    write_image(path, contact_sheet(rows, [], title))
    return len(rows)


def write_windows(
    real: np.ndarray,
    synthetic: np.ndarray,
    path: Path,
    headline: str,
    lines: Sequence[str],
) -> None:
    """Write a PNG: real windows above the synthetic ones that are most like them.

    Args:
        real: uint8 RGB (N, S, S, 3).
        synthetic: as `real`, in its order.
        path: the PNG.
        headline: its first line.
        lines: below that.
    """
    places = evenly_spaced(range(len(real)), SHEET_WINDOWS)
    rows = []
    for title, windows in (("real", real), ("synthetic", synthetic)):
        panels = [Panel("", _enlarged(windows[place], ENLARGED)) for place in places]
        rows.append(SheetRow(title, panels))
    write_image(path, contact_sheet(rows, [], headline, list(lines)))


def _row(path: Path, options: LQConfig) -> SheetRow:
    scale = options.scale
    name = source_name(path, Path(options.dataroot_gt))
    gt = read_gt(path, scale)
    lq = make_lq(gt, name, options)

    (crop,) = most_detailed(lq, SHEET_SIDE // scale, 1)
    small = crop.of(lq)
    large = _enlarged(small, scale)
    panels = [
        Panel("HR", to_uint8(crop.of(gt, scale))),
        Panel(f"LQ, each pixel {scale}x{scale}", large),
        Panel("LQ", _in_top_left(small, large.shape)),
    ]
    _, params = lq_params(name, options)
    return SheetRow(f"{name}: {params}", panels)


def _in_top_left(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return `image` on white, of this shape: all panels of a row have one size."""
    panel = np.full(shape, 255, np.uint8)
    height, width, _ = image.shape
    panel[:height, :width] = image
    return panel


def _enlarged(image: np.ndarray, times: int) -> np.ndarray:
    """Return `image` with each pixel repeated."""
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
