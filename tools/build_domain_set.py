"""Build a training set from videos or frames: frames, sub-images, meta info in one go."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

if __name__ == "__main__":  # before numpy is imported
    from realesrgan_paddle.utils.machine.blas import use_one_blas_thread

    use_one_blas_thread()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.domain_set import DomainOptions, build_domain_set
from realesrgan_paddle.commands.what_follows import after_set
from realesrgan_paddle.data.footage.keyframes import Settings
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.split import SplitOptions
from realesrgan_paddle.utils.cli import Parser, group_of, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video or image failed."""
    parser = Parser(__doc__)
    flag = parser.add_argument
    flag("--input", nargs="+", required=True, help="videos, or one folder of images")
    flag("--output", required=True, type=Path, help="folder of the set, new or resumed")
    for group in (DomainOptions, Sampling, Selection, SplitOptions):
        parser.add_group(group)
    args = parser.parse(argv)

    settings = Settings(
        group_of(args, Sampling),
        group_of(args, Selection),
        group_of(args, SplitOptions),
    )
    options = group_of(args, DomainOptions)
    done = build_domain_set(args.input, args.output, options, settings)

    for line in done.remarks():
        say(line)
    say(f"{done.meta_info}: {done.listed} images; {len(done.failures)} failures")
    print_next(after_set(args.output))
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
