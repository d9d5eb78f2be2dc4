"""Write a network as a static graph: inference.pdmodel and its weights, checked against the dygraph network."""

import shlex
from collections.abc import Sequence

from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.machine.cpu import start_paddle


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
        help="the RRDB blocks that the weights must have; not needed",
    )
    args = parser.parse(argv)

    network, tensors = read_generator(args.model_dir, args.block)
    print(f"{args.model_dir}: {network}")

    start_paddle()
    from realesrgan_paddle.models.inference.export import export

    done = export(network, tensors, args.save_inference_dir)
    for shape, difference in done.differences.items():
        print(
            f"exported graph against dygraph, {shape}: greatest absolute difference {difference:.1e}"
        )
    if done.without_json:
        print(f"no inference.json: {done.without_json}")
    print("\n".join(f"{file} ({file.stat().st_size:,} bytes)" for file in done.files))
    print(f"next: {_next_command(args.save_inference_dir)}")
    return 0


def _next_command(folder: str) -> str:
    return f"python tools/infer.py --input FOLDER --output results --model_path {shlex.quote(folder)}"


if __name__ == "__main__":
    run(main)
