"""Upscale images with a network in dygraph mode, straight from its weights."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence

from realesrgan_paddle.next_command import export, print_next
from realesrgan_paddle.upscale_command import (
    add_denoise_flags,
    add_flags,
    inputs_of,
    upscale,
)
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.machine.cpu import start_paddle


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
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

    start_paddle()
    from realesrgan_paddle.models.inference.predictors import load_dygraph

    runner = load_dygraph(
        args.model_path,
        block=args.block,
        device=args.device,
        denoise_strength=args.denoise_strength,
        dn_model=args.dn_model,
    )
    code = upscale(runner, inputs, args)
    if code == 0:
        print_next(export(args.model_path, args.denoise_strength, args.dn_model))
    return code


if __name__ == "__main__":
    run(main)
