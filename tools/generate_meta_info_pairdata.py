"""Write a meta-info file of image pairs: ground truth, low quality."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_pairs
from realesrgan_paddle.data.sets.meta_info import write_pair_meta_info
from realesrgan_paddle.utils.cli import parse_flags, run, say, setting
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: list[Path] = setting(
        ..., "folder of ground truth, folder of low-quality images", nargs=2
    )
    root: list[Path] | None = setting(
        None,
        "what the names are relative to: one, or one per input; without it: the folders "
        "that the inputs are in",
    )
    meta_info: Path = setting(..., "text file to write, one pair per line")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    roots = flags.root or [folder.absolute().parent for folder in flags.input]
    count = write_pair_meta_info(flags.input, roots, flags.meta_info)
    say(f"{flags.meta_info}: {count} pairs")
    print_next(after_pairs(roots[0], roots[-1], flags.meta_info))
    return 0


if __name__ == "__main__":
    run(main)
