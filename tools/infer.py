"""Upscale images and videos with an exported model: with oneDNN on a CPU, or on a GPU."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

import sys
from collections.abc import Sequence

from realesrgan_paddle.commands.upscale import (
    add_denoise_flags,
    add_flags,
    after_videos,
    inputs_of,
    refuse_denoising,
    upscale,
)
from realesrgan_paddle.commands.what_follows import after_inference
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(__doc__)
    add_flags(parser)
    parser.add_argument(
        "--model_path",
        default="./infer/",
        help="folder with inference.pdmodel, or a .pdmodel or .onnx file",
    )
    parser.add_argument(
        "--threads", type=int_range(1, 1024), help="CPU threads; all cores if not given"
    )
    parser.add_argument(
        "--trt",
        action="store_true",
        help="run with TensorRT on a GPU; the first run of a size takes minutes",
    )
    add_denoise_flags(parser)
    args = parser.parse(argv)
    refuse_denoising(args)
    inputs = inputs_of(args)

    runner = open_runner(
        args.model_path,
        engine=args.engine,
        precision=args.precision,
        device=args.device,
        threads=args.threads,
        sixteen_bit=inputs.may_have_16_bits(args.ext),
        trt=args.trt,
        exported=True,
    )
    code = upscale(runner, inputs, args)
    if code == 0:
        line = after_videos("tools/infer.py", argv, inputs, args)
        if line is None:
            folder = inputs.pictures[0].parent if args.recursive else args.input
            line = after_inference(str(folder), args.model_path)
        print_next(line)
    return code


if __name__ == "__main__":
    run(main)
