"""Build a training set from videos or frames: frames, sub-images, meta info in one go.

For example:

    set match1.mp4 match2.mp4 --output datasets/Domain
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()  # before numpy is imported

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.domain_set import DomainOptions, build_domain_set
from realesrgan_paddle.commands.shared_work import Sharing
from realesrgan_paddle.commands.what_follows import after_set
from realesrgan_paddle.data.footage.keyframes import Settings
from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.judging.comparison import units_of_set
from realesrgan_paddle.utils.cli import parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of this command."""

    input: list[str] = setting(..., "videos, or one folder of images", takes_words=True)
    output: Path = setting(..., "folder of the set, new or resumed")
    options: DomainOptions
    frames: Settings
    sharing: Sharing


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video or image failed."""
    flags = parse_flags(Flags, __doc__, argv)
    done = build_domain_set(
        flags.input, flags.output, flags.options, flags.frames, flags.sharing
    )

    grid = CropGrid(flags.options.crop_size, flags.options.step)
    for line in [*done.remarks(), *grid.gap_lines()]:
        say(line)
    say(f"{done.meta_info}: {done.listed} images; {len(done.failures)} failures")
    if not done.val:
        say(f"training will hold out, for its verdict: {units_of_set(flags.output)}")
    print_next(after_set(flags.output))
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
