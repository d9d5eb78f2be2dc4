"""Export a network as a static graph: inference.pdmodel, checked against the network."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence

from realesrgan_paddle.commands.upscale import add_denoise_flags
from realesrgan_paddle.commands.what_follows import after_export
from realesrgan_paddle.models.weights.denoise import read_denoising
from realesrgan_paddle.utils.cli import Parser, int_range, run, say
from realesrgan_paddle.utils.machine.cpu import start_paddle
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--model_dir",
        "--model_path",
        required=True,
        help="weights of any known format, or a released model's name",
    )
    parser.add_argument(
        "--save_inference_dir", default="./infer/", help="folder for the exported model"
    )
    parser.add_argument(
        "--block",
        type=int_range(1),
        help="number of RRDB blocks that the weights must have; not needed",
    )
    parser.add_argument(
        "--onnx",
        action="store_true",
        help="write inference.onnx too, for OpenVINO, onnxruntime and others",
    )
    add_denoise_flags(parser)
    args = parser.parse(argv)

    network, tensors = read_denoising(
        args.model_dir, args.denoise_strength, args.dn_model, args.block
    )
    say(f"{args.model_dir}: {network}")

    start_paddle()
    from realesrgan_paddle.inference.export import export

    done = export(network, tensors, args.save_inference_dir, onnx=args.onnx)
    for shape, difference in done.differences.items():
        say(f"largest difference from dygraph, input {shape}: {difference:.1e}")
    for shape, difference in done.onnx_differences.items():
        say(f"that of inference.onnx in onnxruntime, input {shape}: {difference:.1e}")
    if done.without_json:
        say(f"no inference.json: {done.without_json}")
    if done.without_yml:
        say(f"no inference.yml: {done.without_yml}")
    for file in done.files:
        say(f"{file} ({file.stat().st_size:,} bytes)")

    print_next(after_export(args.model_dir, args.save_inference_dir))
    return 0


if __name__ == "__main__":
    run(main)
