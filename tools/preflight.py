"""List the images that a run cannot train on: unreadable, too small, unfit pairs.

Checks the images of a run, by its option file, or of folders: headers, or all with --check.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_check
from realesrgan_paddle.recipes.plan import load_training
from realesrgan_paddle.utils.cli import int_range, parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.next_steps import next_line, print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    yml_path: str | None = setting(
        None, "option file: check all images of its run", metavar="FILE"
    )
    input: list[Path] | None = setting(
        None, "check folders of images instead", metavar="FOLDER"
    )
    lq: Path | None = setting(
        None,
        "with one --input: the low-quality images of its pairs",
        metavar="FOLDER",
    )
    scale: int = setting(
        4,
        "how much larger than those of --lq the images of --input are",
        int_range(1, 8),
    )
    min_size: int = setting(
        1,
        "with --input: the shorter side that an image must have, in pixels",
        int_range(1),
    )
    check: bool = setting(
        False, "decode every image, which also finds damage behind the header"
    )
    overrides: list[str] = setting(
        ...,
        "override an option of the file",
        positional=True,
        nargs="*",
        metavar="a.b=c",
    )

    def __post_init__(self) -> None:
        one_source = bool(self.yml_path) != bool(self.input)
        overrides_without_file = self.overrides and not self.yml_path
        lq_without_folder = self.lq and len(self.input or []) != 1
        if not one_source or overrides_without_file or lq_without_folder:
            raise ArgumentTypeError(
                "--yml_path FILE is needed, with or without a.b=c, or --input FOLDER; "
                "--lq goes with one --input"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if there is anything to list."""
    flags = parse_flags(Flags, __doc__, argv)
    start_paddle()
    from realesrgan_paddle.training.training_data import (
        check_folders,
        check_run,
        open_datasets,
    )

    if flags.yml_path:
        cfg, _ = load_training(flags.yml_path, flags.overrides)
        report = check_run(cfg, *open_datasets(cfg), decode=flags.check)
        following = next_line(
            "option file", file=flags.yml_path, overrides=flags.overrides
        )
    else:
        folders = flags.input or []
        report = check_folders(
            folders, flags.lq, flags.scale, flags.min_size, decode=flags.check
        )
        following = after_check(folders, flags.lq, flags.scale)

    findings = [*report.problems, *report.small]
    say(f"{report.count} image files checked; {len(findings)} findings")
    if not report.problems:
        print_next(following)
    return report_failures(findings)


if __name__ == "__main__":
    run(main)
