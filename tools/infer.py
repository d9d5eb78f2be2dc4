"""Upscale images and videos with an exported model: with oneDNN on a CPU, or on a GPU."""

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
from realesrgan_paddle.commands.what_follows import after_inference
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.weights.weight_options import DenoiseOptions
from realesrgan_paddle.utils.cli import int_range, parse_flags, run, setting
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags(UpscaleFlags):
    """The flags of this command."""

    model_path: str = setting(
        "./infer/",
        "folder with inference.pdmodel, or a .pdmodel or .onnx file",
        also=("--model", "-m"),
    )
    threads: int | None = setting(
        None,
        "most CPU threads; all cores if not given; the onednn engine leaves busy cores to "
        "other programs",
        int_range(1, 1024),
    )
    trt: bool = setting(
        False, "run with TensorRT on a GPU; the first run of a size takes minutes"
    )
    mixed: DenoiseOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    argv = sys.argv[1:] if argv is None else argv
    flags = parse_flags(Flags, __doc__, argv)
    flags.mixed.check_exported()
    inputs = find_stored(flags) or find_all_inputs(flags)

    reopen = partial(
        open_runner,
        flags.model_path,
        engine=flags.engine,
        precision=flags.precision,
        device=flags.device,
        threads=flags.threads,
        sixteen_bit=inputs.may_have_16_bits(flags.ext),
        trt=flags.trt,
        exported=True,
    )
    if isinstance(inputs, Stored):
        return upscale_stored(reopen, inputs, flags)
    runner = reopen()
    code = upscale(runner, reopen, inputs, flags)
    if code == 0:
        line = after_videos("tools/infer.py", argv, inputs, flags, runner.scale)
        if line is None:
            folder = inputs.pictures[0].parent if flags.recursive else flags.input[0]
            line = after_inference(str(folder), flags.model_path)
        print_next(line)
    return code


if __name__ == "__main__":
    run(main)
