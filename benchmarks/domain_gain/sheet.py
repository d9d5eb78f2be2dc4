"""Draw what networks make of frames that nobody trained on, side by side.

python -m benchmarks.domain_gain.sheet --frames FRAME ... --at X,Y ... --networks
"released=FILE" "placebo=FILE" ... --output docs/images/domain_gain.png

A frame's input is made as the experiment's "H.264, CRF 28": averaged over 4 x 4 pixels and
encoded by x264. X and Y are the middle of what is shown of it, in pixels of the frame.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.inputs import degradations
from benchmarks.domain_gain.judge import SCALE
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.cli import named_value
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import enlarge, read_rgb8, write_image
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet

KIND = "H.264, CRF 28"
SIDE = 208
"""Of a panel [pixels]."""


def main() -> None:
    """Write the sheet."""
    args = _arguments()
    start_paddle()
    upscalers = {
        label: Upscaler.load(path, precision="fp32") for label, path in args.networks
    }
    degrade = degradations()[KIND]

    rows = []
    for path, place in zip(args.frames, args.at, strict=True):
        x, y = (int(number) for number in place.split(","))
        shown = Crop(x - SIDE // 2, y - SIDE // 2, SIDE, SIDE)
        frame = read_rgb8(path)
        height, width = (side // (2 * SCALE) * (2 * SCALE) for side in frame.shape[:2])
        gt = np.ascontiguousarray(frame[:height, :width])
        lq = degrade(gt, path.name)

        results = {"input": enlarge(lq, SCALE)}
        for label, upscaler in upscalers.items():
            results[label] = upscaler(lq, outscale=SCALE)
        results["ground truth"] = gt
        panels = [Panel(label, shown.of(each)) for label, each in results.items()]
        rows.append(SheetRow(path.name, panels))
    write_image(args.output, contact_sheet(rows, [], args.headline))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, nargs="+", required=True)
    parser.add_argument("--at", nargs="+", required=True)
    parser.add_argument("--networks", type=named_value, nargs="+", required=True)
    parser.add_argument("--headline", default=f"Input: {KIND}")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
