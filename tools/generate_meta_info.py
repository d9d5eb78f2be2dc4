"""Write a meta-info file: the images of one or more folders, relative to a root."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_list
from realesrgan_paddle.data.sets.meta_info import write_meta_info
from realesrgan_paddle.utils.cli import parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: list[Path] = setting(..., "folders of images", takes_words=True)
    root: list[Path] = setting(
        ..., "what the names are relative to: one, or one per input"
    )
    meta_info: Path = setting(..., "text file to write, one image per line")
    check: bool = setting(False, "decode every image and leave the unreadable ones out")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image was left out."""
    flags = parse_flags(Flags, __doc__, argv)
    count, failures = write_meta_info(
        flags.input, flags.root, flags.meta_info, check=flags.check
    )
    unreadable = f"; {len(failures)} unreadable ones left out" if flags.check else ""
    say(f"{flags.meta_info}: {count} images{unreadable}")
    if len(set(flags.root)) == 1:  # the one folder that training looks for them in
        print_next(after_list(flags.root[0], flags.meta_info))
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
