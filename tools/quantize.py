"""Make an exported model ready for int8, unless it would lose too much."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.inference.engine.calibrate import LEAST_PSNR, calibrate, split
from realesrgan_paddle.inference.engine.ranges import write_ranges
from realesrgan_paddle.utils.cli import (
    float_range,
    int_range,
    parse_flags,
    run,
    say,
    setting,
)
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.next_steps import next_line, print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    calibration: str = setting(..., "folder of low-resolution images")
    model_path: Path = setting(
        Path("infer"), "folder with inference.pdmodel, or a .pdmodel file"
    )
    held_out: float = setting(
        0.2,
        "share of the images on which the loss is measured, and nothing else",
        float_range(0, 1),
    )
    threads: int | None = setting(
        None, "CPU threads; all cores if not given", int_range(1, 1024)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    calibrating, held_out = split(list_images(flags.calibration), flags.held_out)
    found = calibrate(flags.model_path, calibrating, held_out, flags.threads)
    say(
        f"int8 differs from float32 by {found.psnr_db:.1f} dB on {len(held_out)} held-out "
        f"images, {LEAST_PSNR} or more are allowed; ranges are of {len(calibrating)} "
        "others"
    )
    found.check(flags.model_path)
    path = write_ranges(flags.model_path, found.ranges)
    say(f"wrote {path}")
    print_next(next_line("int8 ranges", graph=flags.model_path))
    return 0


if __name__ == "__main__":
    run(main)
