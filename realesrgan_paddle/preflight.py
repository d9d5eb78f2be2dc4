"""The look at all images of a training run before its first iteration: every problem in one report."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.datasets import HighQualityDataset, PairedDataset, ValidationDataset
from realesrgan_paddle.data.preflight import look_at, unfit_pairs
from realesrgan_paddle.options.config import Config
from realesrgan_paddle.utils.errors import UserError, one_line

SHOWN = 20
"""Problems that are printed; a file lists all, where there are more."""


def preflight(cfg: Config, images: HighQualityDataset | None, pairs: PairedDataset | None, *, resuming: bool) -> str:
    """Look at the headers of all files to train and validate on; return what the log says of them.

    A run that is resumed goes on with up to `datasets.train.max_bad_images` files that cannot be read: it would pass
    over them, as it did before.

    Raises:
        UserError: files cannot be read, pairs do not fit or are smaller than a training patch. All are listed
            on stderr, where there are several.
    """
    sets = [ValidationDataset.open(options, cfg.scale) for options in cfg.datasets.validation.values()]
    validated = [pair for set_ in sets for pair in set_.pairs]
    trained = [*(images.paths if images else []), *(path for pair in (pairs.pairs if pairs else []) for path in pair)]
    looked = look_at([*trained, *(path for pair in validated for path in pair if path is not None)])
    unfit = unfit_pairs(pairs.pairs, looked.sizes, cfg.scale, cfg.gt_size) if pairs else []
    unfit += unfit_pairs([(gt, lq) for gt, lq in validated if gt is not None], looked.sizes, cfg.scale, 0)
    small = sum(min(looked.sizes.get(p, (images.crop,))) < images.crop for p in images.paths) if images else 0
    remarks = [f"{len(looked.sizes):,} image files looked at"]
    if images and small:
        remarks.append(f"{small:,} are smaller than the crop of {images.crop} and continued by reflection")
    if resuming and not unfit and len(looked.problems) <= cfg.datasets.train.max_bad_images:
        return "; ".join([*remarks, *looked.problems])
    refuse([*looked.problems, *unfit], len(looked.sizes) + len(looked.problems))
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
            "w", prefix="problems_", suffix=".txt", delete=False, encoding="utf-8", errors="surrogateescape"
        ) as file:
            file.writelines(lines)
        more = f"; {len(lines) - SHOWN:,} more are listed in {Path(file.name)}"
    raise UserError(
        f"{len(problems):,} problems with {count:,} image files{more}; mend or remove them, or name the others in a "
        "meta_info (tools/generate_meta_info.py --check leaves out what cannot be read)"
    )
