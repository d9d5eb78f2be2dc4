"""Downscale images to 0.75, 0.5 and 1/3 of their size, and to a shortest edge of 400."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_multiscale
from realesrgan_paddle.data.sets.made_folders import MANIFEST
from realesrgan_paddle.data.sets.multiscale import generate_multiscale
from realesrgan_paddle.utils.cli import int_range, parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: Path = setting(..., "folder of images", takes_words=True)
    output: Path = setting(..., "folder; existing files stay")
    manifest: Path | None = setting(
        None,
        "of extract_keyframes.py: write one with logos and scoreboards to OUTPUT",
    )
    n_thread: int | None = setting(
        None, "images at a time; without it: one per CPU", int_range(1)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    flags = parse_flags(Flags, __doc__, argv)
    count, failures = generate_multiscale(
        flags.input, flags.output, manifest=flags.manifest, threads=flags.n_thread
    )
    say(f"{flags.output}: {count} smaller versions; {len(failures)} images failed")
    if count:
        manifest = flags.output / MANIFEST if flags.manifest else None
        print_next(after_multiscale(flags.input, flags.output, manifest))
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
