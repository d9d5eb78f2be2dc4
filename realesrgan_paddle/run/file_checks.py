"""The look at all images of a training run before its first iteration: every problem in one report."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.errors import UserError, one_line
from realesrgan_paddle.utils.images import list_images

SHOWN = 20
"""Problems that are printed; a file lists all, where there are more."""


@dataclass(frozen=True)
class Report:
    """What was found in the headers of image files; a problem is one line, which begins with the file."""

    count: int
    """Files that were looked at."""
    unreadable: list[str]
    """Files to train on that cannot be read."""
    unfit: list[str]
    """Files to validate on that cannot be read, pairs whose sizes do not agree or do not suffice."""
    small: list[str]
    """Images that are continued by reflection, for they are smaller than the crop."""

    @property
    def problems(self) -> list[str]:
        """All but what is small, for that can be trained on."""
        return [*self.unreadable, *self.unfit]


def open_images(cfg: Config) -> tuple[HighQualityDataset | None, PairedDataset | None]:
    """Return the images that a run degrades, and the pairs that it takes as they are; None where it has none."""
    train, geometry = cfg.datasets.train, (cfg.gt_size, cfg.scale, cfg.manual_seed)
    if not cfg.high_order_degradation:
        return None, PairedDataset.open(train, *geometry)
    pairs = cfg.datasets.train_paired
    return HighQualityDataset.open(train, *geometry), PairedDataset.open(
        pairs, *geometry
    ) if pairs else None


def look_at_run(
    cfg: Config,
    images: HighQualityDataset | None,
    pairs: PairedDataset | None,
    *,
    decode: bool = False,
) -> Report:
    """Return what is wrong with the files to train and validate on, by their headers or, with `decode`, wholly."""
    sets = [
        ValidationDataset.open(options, cfg.scale)
        for options in cfg.datasets.validation.values()
    ]
    validated = [pair for set_ in sets for pair in set_.pairs]
    paths = images.paths if images else []
    given = pairs.pairs if pairs else []
    train = dict.fromkeys([*paths, *(path for pair in given for path in pair)])
    trained = check_headers(list(train), decode=decode)
    others = check_headers(
        [path for pair in validated for path in pair if path and path not in train],
        decode=decode,
    )
    unfit = pair_problems(given, trained.sizes, cfg.scale, cfg.gt_size)
    unfit += pair_problems(
        [(gt, lq) for gt, lq in validated if gt],
        trained.sizes | others.sizes,
        cfg.scale,
        0,
    )
    small = (
        too_small(paths, trained.sizes, images.crop, "the crop of") if images else []
    )
    return Report(
        trained.count + others.count,
        trained.problems,
        [*others.problems, *unfit],
        small,
    )


def look_at_folders(
    folders: Sequence[Path],
    lq: Path | None,
    *,
    scale: int = 4,
    min_size: int = 1,
    decode: bool = False,
) -> Report:
    """Return what is wrong with the images below `folders`.

    Args:
        folders: images of high resolution; only one of them if there is `lq`.
        lq: their low-quality versions, if they are pairs: of the same names, `scale`
            times smaller.
        scale: of the pairs.
        min_size: the shorter side that an image must have [pixels].
        decode: decode every image, instead of reading its header.

    Raises:
        UserError: a folder does not exist, or no image or pair is there.
    """
    pairs = paired_paths(str(folders[0]), str(lq), None) if lq else []
    paths = [path for folder in folders for path in list_images(folder, recursive=True)]
    if not paths:
        raise UserError(f"{', '.join(map(str, folders))}: no images in it")
    lone = (
        sorted({*list_images(lq, recursive=True)} - {path for _, path in pairs})
        if lq
        else []
    )
    looked = check_headers([*paths, *(path for _, path in pairs), *lone], decode=decode)
    unfit = pair_problems(pairs, looked.sizes, scale, 0) + [
        f"{path}: has no ground truth in {folders[0]}" for path in lone
    ]
    return Report(
        looked.count,
        looked.problems,
        unfit,
        too_small(paths, looked.sizes, min_size, "--min_size"),
    )


def preflight(
    cfg: Config,
    images: HighQualityDataset | None,
    pairs: PairedDataset | None,
    *,
    resuming: bool,
) -> str:
    """Look at the headers of all files to train and validate on; return what the log says of them.

    A run that is resumed goes on with up to `datasets.train.max_bad_images` training
    files that cannot be read, or are gone: it would pass over them, as it did before.

    Raises:
        UserError: files cannot be read, pairs do not fit or are smaller than a training
            patch. All are listed on stderr, where there are several.
    """
    report = look_at_run(cfg, images, pairs)
    remarks = [f"{report.count:,} image files looked at"]
    if images and report.small:
        remarks.append(
            f"{len(report.small):,} are smaller than the crop of {images.crop} and continued by reflection"
        )
    if (
        resuming
        and not report.unfit
        and len(report.unreadable) <= cfg.datasets.train.max_bad_images
    ):
        return "; ".join([*remarks, *report.unreadable])
    refuse(report.problems, report.count)
    return "; ".join(remarks)


def refuse(problems: Sequence[str], count: int) -> None:
    """Raise UserError if there is a problem with some of `count` files; list them on stderr if there are several."""
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])
    lines = [f"{one_line(problem)}\n" for problem in problems]
    sys.stderr.writelines(lines[:SHOWN])
    more = ""
    if len(lines) > SHOWN:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="problems_",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="surrogateescape",
        ) as file:
            file.writelines(lines)
        more = f"; {len(lines) - SHOWN:,} more are listed in {Path(file.name)}"
    raise UserError(
        f"{len(problems):,} problems with {count:,} image files{more}; mend or remove them, or name the others in a "
        "meta_info (tools/generate_meta_info.py --check leaves out what cannot be read)"
    )
