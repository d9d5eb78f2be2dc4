"""What the other metrics change by where PSNR changes by half a decibel.

    python -m benchmarks.verdicts.noticeable --frames FOLDER

Crops of the frames are encoded by x264 at neighboring rates, which differ by about half
a decibel, the difference that MPEG's committee took for visible. Prints the change of
each metric for 0.5 dB of PSNR-Y. Measured: "A change that can be seen" in
docs/measurements.md.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.video.flicker import compressed
from realesrgan_paddle.metrics.table import METRICS, measure_image, open_metric
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.images import list_images, read_rgb8
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.spaced import evenly_spaced

RATES = range(23, 36, 3)
SIDE = 256
FRAMES, STEP = 8, 3
"""A crop becomes a clip that pans onto it, this many pixels a frame."""
MEASURED = ("psnr_y", "ssim_y", "lpips")
VISIBLE = 0.5
"""Decibels."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    args = parser.parse_args()
    start_paddle()
    metrics = {name: open_metric(name, 4) for name in MEASURED}

    slopes = []
    for path in evenly_spaced(list_images(args.frames), args.count):
        frame = read_rgb8(path)
        (crop,) = most_detailed(frame, SIDE, 1)
        gt = np.ascontiguousarray(crop.of(frame))
        found = [measure_image(at_rate(gt, rate), gt, metrics) for rate in RATES]
        table = np.array([[each[name] for name in MEASURED] for each in found])
        steps = np.diff(table, axis=0)
        slopes.append(VISIBLE * steps[:, 1:] / steps[:, :1])

    changes = np.concatenate(slopes)
    print(f"per +{VISIBLE} dB PSNR-Y, {args.count} frames, CRF {list(RATES)}")
    for name, values in zip(MEASURED[1:], changes.T, strict=True):
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        label = METRICS[name].label
        print(f"{label:<8}{middle:+.4f}  (quartiles {low:+.4f} to {high:+.4f})")


def at_rate(gt: np.ndarray, rate: int) -> np.ndarray:
    """Return the last frame of a clip that pans onto `gt`, encoded."""
    frames = []
    for number in range(FRAMES):
        shift = STEP * (FRAMES - 1 - number)
        frames.append(np.pad(gt[:, shift:], ((0, 0), (0, shift), (0, 0)), "reflect"))
    return compressed(frames, "libx264", {"crf": str(rate), "threads": "1"})[-1]


if __name__ == "__main__":
    main()
