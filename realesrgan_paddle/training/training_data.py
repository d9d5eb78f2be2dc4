"""The images and pairs of a run: opened, checked, without those held out."""

import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.loading.clips import ClipDataset
from realesrgan_paddle.data.loading.datasets import (
    HighQualityDataset,
    PairedDataset,
    ValidationDataset,
    paired_paths,
)
from realesrgan_paddle.data.loading.header_checks import (
    check_headers,
    pair_problems,
    too_small,
)
from realesrgan_paddle.data.loading.hold_out import (
    HeldOutNames,
    choose_held_out,
    clips_of_names,
    path_below,
)
from realesrgan_paddle.data.sets.image_list import name_below
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.data.sets.naming import source_and_frame
from realesrgan_paddle.data.sets.sources import list_source
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.errors import UserError, error_line
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup

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
        names: both by name, for a training state.
        file_report: what the log says of the files' headers; empty in other processes
            than the first.
        remarks: what it says of images that were held out before and are not now.
    """

    images: HighQualityDataset | None
    pairs: PairedDataset | None
    excluded: frozenset[Path]
    held_out: Sequence[tuple[Path, Path | None]]
    names: HeldOutNames
    file_report: str
    remarks: list[str]

    def clips(self, root: Path) -> frozenset[str]:
        """Return the clips that are trained on, as the verdict names them.

        Args:
            root: `datasets.train.dataroot_gt`.
        """
        names: Iterable[str] = ()
        if self.images is not None:
            names = self.images.paths.names()
        if self.pairs is not None:
            of_pairs = (path_below(root, path) for path in self.pairs.gt_paths)
            names = chain(names, of_pairs)
        return clips_of_names(names, root)


def open_training_data(
    cfg: Config,
    group: ProcessGroup = ALONE,
    *,
    resuming: bool = False,
    before: HeldOutNames | None = None,
) -> TrainingData:
    """Open the data of a run, let one process check all headers, and hold images out.

    Args:
        cfg: options.
        group: the processes that train together.
        resuming: whether the run has begun before; see `check_files`.
        before: what the run that is resumed has held out.

    Raises:
        UserError: files are missing, unreadable or do not fit, the options are no
            `slice_count`, or a video codec is not installed.
    """
    if cfg.high_order_degradation:
        check_installed(cfg)
        slice_count(cfg, group)

    images, pairs = open_datasets(cfg)
    # The first process for all: the others wait for it in `check_same_start`, and end
    # where it has found a problem.
    report = ""
    if group.writes:
        report = check_files(cfg, images, pairs, resuming=resuming)

    # The pairs beside images may show the same scenes, so they leave those out, too.
    dataset = pairs if images is None else images
    assert dataset is not None
    root = Path(cfg.datasets.train.dataroot_gt)
    held, remarks = choose_held_out(
        dataset.gt_paths, cfg.hold_out, root, before, cfg.datasets.train.num_frame
    )
    held_out = dataset.files(held.validated)
    if images is not None:
        images = images.without(held.excluded)
    if isinstance(images, ClipDataset):
        remarks = [*remarks, *images.remarks()]
    if pairs is not None:
        pairs = pairs.without(_same_frames(pairs.gt_paths, held.excluded))
    for left in (images, pairs):
        if left is not None and not left.gt_paths:
            raise UserError(
                f"{root}: all {len(held.excluded)} images are held out for validation, so "
                "none is left to train on; add others, or set val.hold_out=0 in a new run"
            )

    names = HeldOutNames(
        cfg.hold_out,
        sorted(name_below(root, path) for path in held.excluded),
        [name_below(root, path) for path in held.validated],
        held.crops,
    )
    return TrainingData(images, pairs, held.excluded, held_out, names, report, remarks)


def _same_frames(paths: Sequence[Path], others: Collection[Path]) -> set[Path]:
    """Return those of the paths that show frames of the others, however they are spelled."""
    frames = {_frame_of(path) for path in others}
    return {path for path in paths if _frame_of(path) in frames}


def _frame_of(path: Path) -> str:
    return source_and_frame(path.resolve())[1]


def slice_count(cfg: Config, group: ProcessGroup) -> int:
    """Return how many slices, with a degradation and a pool each, a batch has.

    Raises:
        UserError: the processes cannot share them, or the images of a batch are not as
            many in each of them, or more than a pool holds.
    """
    train = cfg.datasets.train
    batch_size = group.size * train.batch_size_per_gpu
    slices = train.slices or group.size
    if slices % group.size or batch_size % slices:
        raise UserError(
            f"datasets.train.slices: {slices}, but it must be a multiple of the number of "
            f"processes, {group.size}, that divides their batch, {batch_size} images"
        )
    size = batch_size // slices
    if 0 < cfg.queue_size < size:
        raise UserError(
            f"queue_size {cfg.queue_size} is less than the {size} images of one of the "
            f"batch's {slices} slices; set it to {POOL_BATCHES * size}, for example, or to "
            "0 for no pool"
        )
    return slices


def describe_data(cfg: Config, data: TrainingData, group: ProcessGroup) -> str:
    """Return what the log says of the data: datasets, files, processes."""
    train, pairs = cfg.datasets.train, cfg.datasets.train_paired

    datasets = []
    if data.images is not None:
        images = f"{train.name}, {len(data.images):,} images"
        if isinstance(data.images, ClipDataset):
            clips = len(data.images.runs)
            images += f" of {clips:,} clips, {train.num_frame} frames at a time"
        datasets.append(images)
    if data.pairs is not None:
        name = pairs.name if pairs else train.name
        datasets.append(f"{name}, {len(data.pairs):,} pairs")
    joint = f" and, for {pairs.share:.3g} of the batches, " if pairs else ""

    remarks = [joint.join(datasets), data.file_report]
    if group.size > 1:
        batch_size = group.size * train.batch_size_per_gpu
        remarks.append(f"{group.size} processes, {batch_size} images in a batch")
    if train.slices is not None:
        remarks.append(f"{train.slices} slices, each degraded on its own")
    return "; ".join(remarks)


SHOWN = 20
"""Problems that are printed; where there are more, a file lists all."""


@dataclass(frozen=True)
class Report:
    """What was found in image files; a problem is a line that starts with the file."""

    count: int
    """Files that were checked."""
    unreadable: list[str]
    """Training files that cannot be read."""
    unfit: list[str]
    """Validation files that cannot be read, and pairs whose sizes do not fit."""
    small: list[str]
    """Images smaller than the crop; they are padded by reflection."""

    @property
    def problems(self) -> list[str]:
        """Everything but small images, which can be trained on."""
        return [*self.unreadable, *self.unfit]


def open_datasets(
    cfg: Config,
) -> tuple[HighQualityDataset | None, PairedDataset | None]:
    """Return the images that a run degrades, and its given pairs; None for neither."""
    train = cfg.datasets.train
    geometry = cfg.gt_size, cfg.scale, cfg.manual_seed
    if not cfg.high_order_degradation:
        return None, PairedDataset.open(train, *geometry)

    kind = ClipDataset if train.num_frame > 1 else HighQualityDataset
    images = kind.open(train, *geometry)
    if cfg.datasets.train_paired is None:
        return images, None
    return images, PairedDataset.open(cfg.datasets.train_paired, *geometry)


def check_run(
    cfg: Config,
    images: HighQualityDataset | None,
    pairs: PairedDataset | None,
    *,
    decode: bool = False,
) -> Report:
    """Return what is wrong with the training and validation files of a run.

    Args:
        cfg: options.
        images: the images that the run degrades.
        pairs: its given pairs.
        decode: decode every file instead of reading its header.
    """
    given_pairs = pairs.pairs if pairs else []
    val_pairs = [
        pair
        for options in cfg.datasets.validation.values()
        for pair in ValidationDataset.open(options, cfg.scale).pairs
    ]

    # Files that are in both sets are named once.
    of_pairs = dict.fromkeys(chain.from_iterable(given_pairs))
    val_paths = dict.fromkeys(
        path for pair in val_pairs for path in pair if path is not None
    )
    others = [*of_pairs, *val_paths]
    listed: set[Path] = set()
    count, small, unreadable = 0, [], []
    if images is not None:
        found = check_headers(images.paths, decode=decode)
        count, unreadable = found.count, found.problems
        small = too_small(found, images.crop, "the crop of")
        if others:
            listed = set(others).intersection(images.paths)
    train = check_headers([*of_pairs], decode=decode)
    val = check_headers([p for p in val_paths if p not in of_pairs], decode=decode)

    sizes = train.sizes | val.sizes
    known_pairs = [(gt, lq) for gt, lq in val_pairs if gt]
    unreadable = [*dict.fromkeys([*unreadable, *train.problems])]
    unfit = [
        *(problem for problem in val.problems if problem not in unreadable),
        *pair_problems(given_pairs, train.sizes, cfg.scale, cfg.gt_size),
        *pair_problems(known_pairs, sizes, cfg.scale, 0, remainder=cfg.scale - 1),
    ]
    count += train.count + val.count - len(listed)
    return Report(count, unreadable, unfit, small)


def check_folders(
    folders: Sequence[Path],
    lq: Path | None,
    scale: int,
    min_size: int,
    *,
    decode: bool,
) -> Report:
    """Return what is wrong with the images below `folders`.

    Args:
        folders: high-resolution images; one folder only if there is `lq`.
        lq: their low-quality versions, of the same names, if they are pairs.
        scale: how much larger the high-resolution images of pairs are.
        min_size: the shorter side that an image must have [pixels].
        decode: decode every file instead of reading its header.

    Raises:
        UserError: a folder does not exist, or has no image or pair.
    """
    pairs, unpaired = [], []
    if lq is not None:
        pairs = paired_paths(str(folders[0]), str(lq), None)
        unpaired = sorted({*list_source(lq)} - {p for _, p in pairs})
    paths = [path for folder in folders for path in training_images(folder, None)]

    lq_paths = [path for _, path in pairs]
    found = check_headers([*paths, *lq_paths, *unpaired], decode=decode)

    unfit = pair_problems(pairs, found.sizes, scale, 0)
    unfit += [f"{path}: has no ground truth in {folders[0]}" for path in unpaired]
    small = too_small(found, min_size, "--min_size")
    return Report(found.count, found.problems, unfit, small)


def check_files(
    cfg: Config,
    images: HighQualityDataset | None,
    pairs: PairedDataset | None,
    *,
    resuming: bool,
) -> str:
    """Check the headers of all files of a run; return a remark for the log.

    A resumed run continues although up to `datasets.train.max_bad_images` training
    files cannot be read or are missing: it skips them as it did before.

    Raises:
        UserError: files cannot be read, pairs do not fit or are smaller than a training
            patch. If there are several, all are listed on stderr.
    """
    report = check_run(cfg, images, pairs)

    remarks = [f"{report.count:,} image files checked"]
    if images and report.small:
        remarks.append(
            f"{len(report.small):,} are smaller than the crop of {images.crop} and "
            "padded by reflection"
        )

    few = len(report.unreadable) <= cfg.datasets.train.max_bad_images
    if resuming and few and not report.unfit:
        return "; ".join([*remarks, *report.unreadable])
    refuse(report.problems, report.count)
    return "; ".join(remarks)


def refuse(problems: Sequence[str], count: int) -> None:
    """Raise UserError if there are problems; several are listed on stderr."""
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])

    lines = [f"{error_line(problem)}\n" for problem in problems]
    sys.stderr.writelines(lines[:SHOWN])
    more = ""
    if len(lines) > SHOWN:
        file = _write_list(lines)
        more = f"; {len(lines) - SHOWN:,} more are listed in {file}"
    raise UserError(
        f"{len(problems):,} problems with {count:,} image files{more}; repair or remove "
        "them, or list the others in a meta_info (tools/generate_meta_info.py --check "
        "leaves out what cannot be read)"
    )


def _write_list(lines: Sequence[str]) -> Path:
    """Write the lines to a new temporary file and return its path."""
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="problems_",
        suffix=".txt",
        delete=False,
        encoding="utf-8",
        errors="surrogateescape",
    ) as file:
        file.writelines(lines)
    return Path(file.name)
