"""Upscale images and videos, with a network that suits them and this machine or one of yours.

    upscale match.mp4 photos
    upscale match.mp4 --preview 5
    upscale stream.mp4 -m tuned/match -o large.mp4
    upscale https://example.org/old.jpg --scale 2

Results lie beside the inputs: match_x4.mp4, photos_x4. Addresses are fetched into the
current folder; - is standard input, and -o - standard output.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()  # before numpy is imported

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from realesrgan_paddle.commands.choose_network import open_network
from realesrgan_paddle.commands.upscale import after_videos, upscale
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Inputs, find_all_inputs
from realesrgan_paddle.commands.upscale_storage import (
    Stored,
    find_stored,
    upscale_stored,
)
from realesrgan_paddle.commands.upscale_streams import PIPE, only_files
from realesrgan_paddle.commands.what_follows import after_upscale
from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.utils.cli import int_range, parse_flags, run, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags(UpscaleFlags):
    """The flags of this command."""

    how_anew: ClassVar[str] = "--overwrite makes {} anew"

    output: str | None = setting(
        None,
        "folder for the results, or the result of a single image or video; beside the "
        "inputs if not given",
        also=("-o",),
    )
    model_path: str = setting(
        "",
        "a released model's name, weights of any known format, or an exported model; "
        "chosen by inputs and machine if not given",
        also=("--model", "--model_name", "-m", "-n"),
    )
    threads: int | None = setting(
        None,
        "CPU threads; all cores if not given",
        int_range(1, 1024),
        rare=True,
        heading="what computes",
    )
    weights: WeightOptions
    overwrite: bool = setting(
        False,
        "make results anew that are there; they are left as they are otherwise",
        heading="files",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    argv = sys.argv[1:] if argv is None else argv
    given = parse_flags(Flags, __doc__, argv)
    flags = replace(given, skip_existing=not given.overwrite)
    if flags.model_path and is_exported(flags.model_path):
        flags.weights.check_exported()
    if stored := find_stored(given):
        return _upscale_stored(given, stored)
    with only_files(flags) as flags:
        return _upscale(flags, argv, by_pipe=PIPE in (*given.input, given.output))


def _opening(flags: Flags, inputs: Inputs | Stored) -> "partial[Runner]":
    """Return what opens a network, by its name."""
    return partial(
        open_runner,
        engine=flags.engine,
        precision=flags.precision,
        device=flags.device,
        threads=flags.threads,
        sixteen_bit=inputs.may_have_16_bits(flags.ext),
        weights=flags.weights,
    )


def _upscale_stored(flags: Flags, stored: Stored) -> int:
    if not flags.model_path:
        raise UserError(
            "--model_path: name a network, such as realesr-general-x4v3; for object "
            "storage none is chosen, for that would read all files before"
        )
    reopen = partial(_opening(flags, stored), flags.model_path)
    return upscale_stored(reopen, stored, flags)


def _upscale(flags: Flags, argv: Sequence[str], *, by_pipe: bool) -> int:
    """Upscale files; return the exit code. What follows `by_pipe` has no files to name."""
    inputs = find_all_inputs(flags)
    open_model = _opening(flags, inputs)
    runner, model = open_network(flags, inputs, open_model)
    flags = replace(flags, model_path=model)
    code = upscale(runner, partial(open_model, model), inputs, flags)
    if code == 0 and not by_pipe:
        line = after_videos("tools/upscale.py", argv, inputs, flags, runner.scale)
        print_next(line or after_upscale(inputs.pictures[0], model))
    return code


if __name__ == "__main__":
    run(main)
