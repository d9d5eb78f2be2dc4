"""The benchmark sets that are measured on: which images are a pair, and their pixels.

Where a set has no low-quality images, they are made of the ground truth.
"""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.sets.made_folders import validation_of_set
from realesrgan_paddle.inference.pictures.files import find_inputs
from realesrgan_paddle.metrics.matlab_bicubic import resize_bicubic
from realesrgan_paddle.metrics.table import BICUBIC
from realesrgan_paddle.options.reading.read_yaml import find_options
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.images import read_rgb, read_rgb8, to_uint8

if TYPE_CHECKING:
    from realesrgan_paddle.options.schema.degradation import LQConfig

HUANGS_PAIR = re.compile(r"(.+_SRF_\d+)_(HR|LR)")
"""Names in Huang's copies of Set5, Set14, BSD100 and Urban100 (SelfExSR): both kinds in
one folder, as img_001_SRF_4_HR.png and img_001_SRF_4_LR.png."""

NOT_A_NAME = ("hr", "gt", "lr", "lq")
"""Folders whose images are known by the name of the folder above."""

Degrade = Callable[[np.ndarray, str], np.ndarray]
"""Returns uint8 RGB (H / scale, W / scale, 3) of a ground truth, float32 RGB (H, W, 3)
in [0, 1] whose sides are multiples of the scale, and of its name."""


class NamedFolder(NamedTuple):
    """A folder of images, and its column in the table."""

    name: str
    path: Path


class Pair(NamedTuple):
    """One image of a set."""

    name: str
    """The ground truth relative to its folder."""
    gt: Path
    lq: Path | None
    """None: made of the ground truth."""


@dataclass
class DataSet:
    """One column of the table."""

    name: str
    gt: Path
    input: Path | None
    """None: the ground truth is degraded."""
    pairs: list[Pair] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """A line for each image without a partner."""

    def has_same_names(self) -> bool:
        """Return whether all pairs have the names that tools/compare.py knows."""
        names = [(pair.gt.stem, pair.lq and pair.lq.stem) for pair in self.pairs]
        return all(gt == lq for gt, lq in names)


def parse_folder(text: str) -> NamedFolder:
    """Return the folder of "NAME=FOLDER" or FOLDER, for argparse.

    Without a name it is that of the folder, or of the one above for HR, GT, LR and LQ.
    """
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        if name and path:
            return NamedFolder(name, Path(path))
        raise ArgumentTypeError(f"{text!r} is not NAME=FOLDER, such as Set5=sets/Set5")
    if not text:
        raise ArgumentTypeError("'' is no folder")

    folder = Path(text).absolute()
    if folder.name.lower() in NOT_A_NAME:
        folder = folder.parent
    return NamedFolder(folder.name or text, Path(text))


def open_sets(
    gts: Sequence[NamedFolder], inputs: Sequence[NamedFolder], *, degraded: bool
) -> list[DataSet]:
    """Return the sets of ground truths, each with the inputs at the same place.

    Args:
        gts: folders of ground truths, single images, or sets of
            tools/build_domain_set.py.
        inputs: as many of low-quality images; none if `degraded`.
        degraded: the low-quality images are made of the ground truth.

    Raises:
        UserError: a folder is missing or empty, or no image has a partner.
    """
    sets = []
    for number, (name, root) in enumerate(gts):
        lq_root = inputs[number].path if inputs else None
        validation = validation_of_set(root)
        if validation is not None:
            root, of_set = validation
            if not degraded and lq_root is None:
                lq_root = of_set
        if lq_root is None and not degraded:
            raise UserError(
                f"{root}: its low-quality images are not known; give --input FOLDER, or "
                "--degrade bicubic"
            )
        sets.append(_open_set(name, root, lq_root))
    return sets


def _open_set(name: str, root: Path, lq_root: Path | None) -> DataSet:
    paths = _find(root, "HR")
    folder = root if root.is_dir() else root.parent
    data = DataSet(name, root, lq_root)
    if lq_root is None:
        for path in paths:
            data.pairs.append(Pair(_name(path, folder), path, None))
        return data

    lq_paths = _find(lq_root, "LR")
    if root.is_file() and lq_root.is_file():
        data.pairs.append(Pair(root.name, root, lq_root))
        return data
    partners: dict[str, Path] = {}
    for path in lq_paths:
        if partners.setdefault(_key(path), path) != path:
            data.failures.append(f"{path}: {partners[_key(path)]} has the same name")
    for path in paths:
        partner = partners.pop(_key(path), None) or _with_scale(path, partners)
        if partner is None:
            data.failures.append(f"{path}: no image in {lq_root} is named like it")
        else:
            data.pairs.append(Pair(_name(path, folder), path, partner))
    for path in partners.values():
        data.failures.append(f"{path}: no image in {root} is named like it")

    if not data.pairs:
        raise UserError(
            f"{root}: no image is named like one of {lq_root}, such as "
            f"{lq_paths[0].name}; pairs have the same name, or baby.png and babyx4.png"
        )
    return data


def _find(path: Path, kind: str) -> list[Path]:
    """Return the images of a folder; of Huang's pairs those of the kind, HR or LR."""
    if path.is_file() and is_video_name(path):
        raise UserError(
            f"{path}: a video; this command measures images, also frames in a folder, "
            "and tools/compare.py --video measures how steady videos are"
        )
    paths = sorted(find_inputs(path), key=_frame_order)
    kept = []
    for each in paths:
        found = HUANGS_PAIR.fullmatch(each.stem)
        if found is None or found[2] == kind or path.is_file():
            kept.append(each)
    if not kept:
        raise UserError(
            f"{path}: no image here is named ..._{kind}, as {paths[0].name}"
        )
    return kept


def _frame_order(path: Path) -> list[tuple[str, int]]:
    """Return a key that sorts names by their numbers: frame 9 before frame 10."""
    parts = re.findall(r"(\D*)(\d*)", path.name)
    return [(text, int(number or -1)) for text, number in parts]


def _key(path: Path) -> str:
    """Return what the names of a pair have in common."""
    found = HUANGS_PAIR.fullmatch(path.stem)
    return found[1] if found else path.stem


def _with_scale(gt: Path, partners: dict[str, Path]) -> Path | None:
    """Return the partner of baby.png that is named babyx4.png, as of BasicSR."""
    for key in partners:
        if re.fullmatch(rf"{re.escape(gt.stem)}x\d", key):
            return partners.pop(key)
    return None


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def read_pair(
    pair: Pair, scale: int, degrade: Degrade | None = None, size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the low-quality image and the ground truth, uint8 RGB (H, W, 3).

    The ground truth is cut to a multiple of the scale at its bottom and right, as
    BasicSR's `mod_crop` does.

    Args:
        pair: which.
        scale: how much larger the ground truth is.
        degrade: makes the low-quality image where the pair has none.
        size: the center of both, of at most this side in the low-quality image.

    Raises:
        UserError: one cannot be read, or their sizes do not fit.
    """
    rgb = read_rgb(pair.gt)
    height, width = rgb.shape[:2]
    if min(height, width) < scale:
        raise UserError(
            f"{pair.gt}: {width}x{height} pixels are too few for a scale of {scale}"
        )
    rgb = rgb[: height - height % scale, : width - width % scale]
    gt = to_uint8(rgb)

    if pair.lq is not None:
        lq = read_rgb8(pair.lq)
    else:
        assert degrade is not None
        lq = degrade(rgb, pair.name)
    if gt.shape[:2] != (lq.shape[0] * scale, lq.shape[1] * scale):
        raise UserError(
            f"{pair.gt}: {width}x{height} pixels are not {scale} times the "
            f"{lq.shape[1]}x{lq.shape[0]} of {pair.lq}"
        )
    return _centers(lq, gt, scale, size)


def _centers(
    lq: np.ndarray, gt: np.ndarray, scale: int, size: int | None
) -> tuple[np.ndarray, np.ndarray]:
    if size is None:
        return lq, gt
    height, width = lq.shape[:2]
    top = max(0, height - size) // 2
    left = max(0, width - size) // 2
    small = lq[top : top + size, left : left + size]

    part = Crop(left, top, small.shape[1], small.shape[0])
    large = part.of(gt, scale)
    return np.ascontiguousarray(small), np.ascontiguousarray(large)


def open_degradation(way: str, scale: int, seed: int | None) -> Degrade:
    """Return what makes low-quality images.

    Args:
        way: "bicubic", or the option file of make_lq_data.py or of a training: then the
            images are those that `make_lq_data.py --yml_path` writes.
        scale: how much smaller they are.
        seed: of all draws; None: the file's. Bicubic draws nothing.

    Raises:
        UserError: the file cannot be read, or has another scale.
    """
    if way == BICUBIC:
        return _bicubic_by(scale)

    # Imports Paddle.
    from realesrgan_paddle.data.degradation.codec import check_installed
    from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options

    overrides = [] if seed is None else [f"manual_seed={seed}"]
    options: LQConfig = read_lq_options(way, overrides)
    if options.scale != scale:
        raise UserError(
            f"{way}: degrades to a scale of {options.scale}, and {scale} is measured; "
            "name another file, or give --scale"
        )
    check_installed(options)

    def degrade(gt: np.ndarray, name: str) -> np.ndarray:
        """See `Degrade`."""
        return make_lq(gt, name, options)

    return degrade


def check_way(way: str) -> None:
    """Raise UserError if there is no such way to degrade: before networks are loaded."""
    if way == BICUBIC:
        return
    try:
        find_options(Path(way))
    except UserError as error:
        hint = did_you_mean(way, [BICUBIC])
        raise UserError(
            f"--degrade {way}: no such file; bicubic, or an option file such as "
            f"options/generate_lq_data.yml{hint}"
        ) from error


def _bicubic_by(scale: int) -> Degrade:
    def degrade(gt: np.ndarray, name: str) -> np.ndarray:
        """See `Degrade`."""
        levels = to_uint8(gt)
        return resize_bicubic(levels, 1 / scale)

    return degrade
