"""Upscale images and videos with a network straight from its weights."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()  # before numpy is imported

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from realesrgan_paddle.commands.upscale import after_videos, upscale
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import find_all_inputs
from realesrgan_paddle.commands.upscale_storage import (
    Stored,
    find_stored,
    upscale_stored,
)
from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.inference.graph.exported_files import require_weights
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.utils.cli import parse_flags, run
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags(UpscaleFlags):
    """The flags of this command."""

    weights: WeightOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    argv = sys.argv[1:] if argv is None else argv
    flags = parse_flags(Flags, __doc__, argv)
    inputs = find_stored(flags) or find_all_inputs(flags)
    require_weights(flags.model_path)

    reopen = partial(
        open_runner,
        flags.model_path,
        engine=flags.engine,
        precision=flags.precision,
        device=flags.device,
        sixteen_bit=inputs.may_have_16_bits(flags.ext),
        weights=flags.weights,
    )
    if isinstance(inputs, Stored):
        return upscale_stored(reopen, inputs, flags)
    runner = reopen()
    code = upscale(runner, reopen, inputs, flags)
    if code == 0:
        line = after_videos("tools/predict.py", argv, inputs, flags, runner.scale)
        if line is None:
            line = after_weights(
                flags.model_path,
                flags.weights.denoise_strength,
                flags.weights.dn_model,
            )
        print_next(line)
    return code


if __name__ == "__main__":
    run(main)
