"""Upscale images and videos with a network straight from its weights."""

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
    upscale,
)
from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.inference.graph.exported_files import require_weights
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(__doc__)
    add_flags(parser)
    parser.add_argument(
        "--model_path",
        required=True,
        help="weights of any known format, or a released model's name",
    )
    parser.add_argument(
        "--block",
        type=int_range(1),
        help="number of RRDB blocks that the weights must have; not needed",
    )
    add_denoise_flags(parser)
    args = parser.parse(argv)
    inputs = inputs_of(args)
    require_weights(args.model_path)

    runner = open_runner(
        args.model_path,
        engine=args.engine,
        precision=args.precision,
        device=args.device,
        sixteen_bit=inputs.may_have_16_bits(args.ext),
        weights=WeightOptions(args.denoise_strength, args.dn_model, args.block),
    )
    code = upscale(runner, inputs, args)
    if code == 0:
        line = after_videos("tools/predict.py", argv, inputs, args)
        if line is None:
            line = after_weights(args.model_path, args.denoise_strength, args.dn_model)
        print_next(line)
    return code


if __name__ == "__main__":
    run(main)
