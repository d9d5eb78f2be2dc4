"""Export a network as a static graph: inference.pdmodel, checked against the network.

For example:

    export experiments/NAME/models/net_g_latest.pdparams --output infer
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass

from realesrgan_paddle.commands.what_follows import after_export
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.utils.cli import parse_flags, run, say, setting
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of this command."""

    model_dir: str = setting(
        ...,
        "weights of any known format, or a released model's name",
        also=["--model_path"],
        takes_words=True,
        metavar="MODEL",
    )
    save_inference_dir: str = setting(
        "./infer/", "folder for the exported model", also=["--output"], heading="result"
    )
    onnx: bool = setting(
        False, "write inference.onnx too, for OpenVINO, onnxruntime and others"
    )
    weights: WeightOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    network, tensors = flags.weights.read(flags.model_dir)
    say(f"{flags.model_dir}: {network}")

    start_paddle()
    from realesrgan_paddle.inference.export import export

    done = export(network, tensors, flags.save_inference_dir, onnx=flags.onnx)
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

    print_next(after_export(network, flags.model_dir, flags.save_inference_dir))
    return 0


if __name__ == "__main__":
    run(main)
