"""Cut large images into overlapping sub-images, which load faster in training."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realesrgan_paddle.commands.what_follows import after_sub_images
from realesrgan_paddle.data.sets.best_patches import extract_best_patches
from realesrgan_paddle.data.sets.subimages import CropGrid, Cutting, extract_subimages
from realesrgan_paddle.utils.cli import (
    float_range,
    int_range,
    parse_flags,
    run,
    say,
    setting,
)
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: Path = setting(..., "folder of images", takes_words=True)
    output: Path = setting(..., "folder; existing files stay")
    crop_size: int = setting(480, "side of a sub-image", int_range(1))
    step: int = setting(240, "pixels to the next sub-image", int_range(1))
    thresh_size: int = setting(
        0,
        "leave out a remainder at the border that is not wider than this",
        int_range(0),
    )
    manifest: Path | None = setting(
        None, "of extract_keyframes.py: leave out sub-images with logos, scoreboards"
    )
    min_detail: float = setting(
        0.0,
        "leave out sub-images with detail in less than this share; try 0.05",
        float_range(0, 1),
    )
    patches: Literal["grid", "best"] = setting(
        "grid",
        "best: detailed ones in focus that do not repeat; with --min_detail 0.05",
    )
    patches_per_frame: int = setting(
        Cutting.patches_per_frame,
        "with --patches best: the most of one image; fewer than 8 images give as many "
        "as 8 would",
        int_range(1),
    )
    max_patches: int = setting(
        0,
        "with --patches best: the most of all, of all kinds and shots; 0: no limit",
        int_range(0),
    )
    n_thread: int | None = setting(
        None, "images at a time; without it: one per CPU", int_range(1)
    )
    compression_level: int = setting(3, "PNG: 0 fast, 9 small", int_range(0, 9))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    flags = parse_flags(Flags, __doc__, argv)
    cutting = Cutting(
        grid=CropGrid(flags.crop_size, flags.step, flags.thresh_size),
        min_detail=flags.min_detail,
        patches_per_frame=flags.patches_per_frame,
        max_patches=flags.max_patches,
        manifest=flags.manifest,
        threads=flags.n_thread,
        png_compression=flags.compression_level,
    )
    if flags.patches == "best":
        sheet = flags.output.with_name(f"{flags.output.name}_sheet")
        cut = extract_best_patches(flags.input, flags.output, cutting, sheet)
    else:
        cut = extract_subimages(flags.input, flags.output, cutting)

    flat = f", {cut.flat} flat ones dropped" if flags.min_detail > 0 else ""
    others = f" ({reasons})" if (reasons := cut.other_reasons()) else ""
    counts = f"{cut.count} sub-images{flat}{others}; {len(cut.failures)} images failed"
    say(f"{flags.output}: {counts}")
    for line in cutting.grid.gap_lines():
        say(line)
    if cut.count:
        print_next(after_sub_images(flags.input, flags.output))
    return report_failures(cut.failures)


if __name__ == "__main__":
    run(main)
