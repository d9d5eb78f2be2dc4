"""What tools/compare.py does with images."""

import argparse

from realesrgan_paddle.data.sets.made_folders import images_to_compare
from realesrgan_paddle.inference.pictures.files import find_inputs
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.next_steps import command_line, filled

CROP_SIZE = 96
"""Width and height of the crops, in input pixels, unless --crop_size says another."""

AGAIN = (
    "tools/compare.py --input {input} --models {models} --output {output} --gt {gt} "
    "--run {run} --crop {crop} --crop_size {crop_size} --metrics {metrics}"
)


def compare_image_flags(args: argparse.Namespace) -> str:
    """Compare networks on images as the flags say; return what to print."""
    folders, gt = images_to_compare(args.input, args.gt)
    inputs = [path for folder in folders for path in find_inputs(folder)]

    start_paddle()
    from realesrgan_paddle.commands.compare import compare, load_upscalers
    from realesrgan_paddle.metrics.comparison_metrics import metrics_to_measure

    upscalers = load_upscalers(
        args.models, tile=args.tile, tile_pad=args.tile_pad, device=args.device
    )
    metrics, remarks = metrics_to_measure(args.metrics, gt)
    done = compare(
        inputs,
        upscalers,
        args.output,
        gt=gt,
        crop=args.crop,
        crop_size=args.crop_size or CROP_SIZE,
        metrics=metrics,
        run=args.run,
        commands=[repeated(args)],
    )
    return "\n".join([str(done), *remarks])


def repeated(args: argparse.Namespace) -> str:
    """Return the line that compares the same networks on the same images again."""
    flags = vars(args) | {"models": [f"{name}={model}" for name, model in args.models]}
    return command_line(*filled(AGAIN, **flags))
