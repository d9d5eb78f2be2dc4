"""A folder of ground truth -> a folder of low-quality images, by the very degradation that training uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import paddle

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.degradation.kernels import Kernels, draw_kernels
from realesrgan_paddle.data.degradation.pipeline import Draws, degrade, draw
from realesrgan_paddle.data.degradation.usm import USM
from realesrgan_paddle.data.sets.meta_info import PAIR_SEPARATOR, image_paths
from realesrgan_paddle.data.sets.naming import check_outside
from realesrgan_paddle.options.reading.load import load_config, load_lq_config
from realesrgan_paddle.options.reading.read_yaml import read_yaml
from realesrgan_paddle.options.schema.config import Config, LQConfig
from realesrgan_paddle.utils.atomic import atomic_path, make_folder
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, to_uint8, write_image
from realesrgan_paddle.utils.jobs import run_each


@dataclass(frozen=True)
class Written:
    """What `write_lq_folder` did."""

    pairs: Mapping[str, str]
    """Low-quality image by ground truth, of all pairs that are there now; names relative to their folders."""
    skipped: int
    """How many of them were there before and were left alone."""
    failures: Sequence[str]
    """One line for each ground truth that could not be used."""


def read_lq_options(path: str | Path, overrides: Sequence[str] = ()) -> LQConfig:
    """Return the options of make_lq_data.py from their own yml file, or from a training's, and `a.b=c` overrides.

    A training's ground truth is degraded as that training would degrade it.

    Raises:
        UserError: as `load_lq_config` and `load_config`.
    """
    if "datasets" not in read_yaml(path):
        return load_lq_config(path, overrides)
    return lq_options(load_config(path, overrides))


def lq_options(config: Config) -> LQConfig:
    """Return the degradation of a training, as options of one image."""
    sources = (config, config.datasets.train)
    shared = {
        name: getattr(s, name)
        for s in sources
        for name in LQConfig.model_fields
        if hasattr(s, name)
    }
    # RealESRGANModel always degrades the sharpened ground truth; gt_usm is
    # RealESRNetModel's switch.
    shared["gt_usm"] = config.gt_usm or config.model_type == "RealESRGANModel"
    return LQConfig(**shared)


def write_lq_folder(
    options: LQConfig, save_dir: Path, *, overwrite: bool = False
) -> Written:
    """Write a PNG into `save_dir` for each image that `options` name, in the same sub-folders, and say what was done.

    Args:
        options: where the images are and how they are degraded.
        save_dir: folder of the low-quality images.
        overwrite: make those again that are there; else they are left alone.

    Raises:
        UserError: there are no images, two of them would get one name, `save_dir` is
            among them or no folder, or a video codec is asked for without PyAV.
    """
    check_installed(options)
    root = Path(options.dataroot_gt)
    if options.meta_info is None:
        check_outside(save_dir, root)
    targets = _targets(image_paths(root, options.meta_info), root, save_dir)
    make_folder(save_dir)
    todo = [
        path for path, target in targets.items() if overwrite or not target.exists()
    ]
    # One at a time: Paddle has one random generator for all threads.
    written, failures = run_each(
        partial(_write_lq, targets=targets, options=options), todo, threads=1
    )
    there = targets.keys() - (set(todo) - set(written))
    pairs = {
        source_name(path, root): source_name(targets[path], save_dir)
        for path in targets
        if path in there
    }
    return Written(pairs, len(targets) - len(todo), failures)


def write_pairs(pairs: Mapping[str, str], path: Path) -> None:
    """Write `Written.pairs` as a meta-info file, one "gt, lq" a line, for training on pairs.

    Raises:
        UserError: a name holds what separates names there.
    """
    unfit = [name for name in pairs if PAIR_SEPARATOR in name or "\n" in name]
    if unfit:
        raise UserError(
            f"{path}: cannot hold the name {unfit[0]!r}; rename it, or train on the folders without the file"
        )
    with atomic_path(path) as temporary:
        temporary.write_text(
            "".join(f"{gt}{PAIR_SEPARATOR}{lq}\n" for gt, lq in pairs.items()),
            "utf-8",
            "surrogateescape",
        )


def make_lq(gt: np.ndarray, name: str, options: LQConfig) -> np.ndarray:
    """Return the low-quality version of one image: uint8 RGB (H // scale, W // scale, 3).

    All draws are keyed by the seed and the name, so an image can be made again alone.

    Args:
        gt: float32 RGB (H, W, 3) in [0, 1]; what exceeds a multiple of the scale is cut
            off at the right and bottom.
        name: name relative to the folder of ground truth, with forward slashes.
        options: how it is degraded.
    """
    height, width = (side - side % options.scale for side in gt.shape[:2])
    image = paddle.to_tensor(
        np.ascontiguousarray(gt[:height, :width].transpose(2, 0, 1))
    )[None]
    if options.gt_usm:
        image = USM()(image)
    kernels, draws = lq_draws(name, options)
    lq = degrade(
        image,
        [paddle.to_tensor(kernel[None]) for kernel in kernels],
        draws,
        options.scale,
    )
    return to_uint8(lq[0].numpy().transpose(1, 2, 0))


def lq_draws(name: str, options: LQConfig) -> tuple[Kernels, Draws]:
    """Return what is random in the low-quality version of the image of this name."""
    rng = np.random.default_rng(
        [options.manual_seed, *name.encode("utf-8", "surrogateescape")]
    )
    return draw_kernels(options, rng), draw(options, rng, 1)


def _write_lq(path: Path, targets: Mapping[Path, Path], options: LQConfig) -> Path:
    gt = read_rgb(path)
    if min(gt.shape[:2]) < options.scale:
        raise UserError(
            f"{path}: {gt.shape[1]}x{gt.shape[0]} pixels are too few to be made {options.scale} times smaller"
        )
    write_image(
        targets[path],
        make_lq(gt, source_name(path, Path(options.dataroot_gt)), options),
    )
    return path


def _targets(paths: Sequence[Path], root: Path, save_dir: Path) -> dict[Path, Path]:
    """Return the PNG to write for each image."""
    outside = [
        path
        for path in paths
        if not path.is_relative_to(root) or ".." in path.relative_to(root).parts
    ]
    if outside:
        raise UserError(
            f"{outside[0]}: not in {root}; meta_info must name images inside dataroot_gt"
        )
    targets = {
        path: (save_dir / source_name(path, root)).with_suffix(".png") for path in paths
    }
    sources: dict[Path, Path] = {}
    for path, target in targets.items():
        if sources.setdefault(target, path) != path:
            raise UserError(
                f"{path} and {sources[target]} would both become {target}; rename one"
            )
    originals = {path.resolve() for path in paths}
    overwritten = [target for target in sources if target.resolve() in originals]
    if overwritten:
        raise UserError(
            f"{overwritten[0]}: is a ground truth that would be overwritten; choose another --save_dir"
        )
    return targets


def source_name(path: Path, root: Path) -> str:
    """Return the name of an image relative to its folder, with forward slashes."""
    return path.relative_to(root).as_posix()
