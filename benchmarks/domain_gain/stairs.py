"""How uneven are the steps from pixel to pixel that a network draws?

python -m benchmarks.domain_gain.stairs --data DATA --domain drone
--models released=general.pdparams mine=net_g_latest.pdparams

DATA as of benchmarks.domain_gain. Of the judged crops, encoded by H.264 at CRF 28: the mean
step across and down, |x_i+1 - x_i| in levels of 255, at each place of the 4 pixels that a
network makes of an input pixel (the last leads to the next input pixel's), and their standard
deviation relative to their mean: 0 where no place is another, as in pictures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.domains import read_domains
from benchmarks.domain_gain.inputs import kinds_of
from benchmarks.domain_gain.judge import SCALE
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.similarity import luma

GROUND_TRUTH = "ground truth"


def main() -> None:
    """Print a line for the ground truth and one for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--models", nargs="+", default=[], metavar="NAME=WEIGHTS")
    args = parser.parse_args()
    start_paddle()
    domain = read_domains(args.data)[args.domain]
    (pairs,) = kinds_of(domain, ["H.264, CRF 28"]).values()

    made = {GROUND_TRUTH: [pair.gt for pair in pairs]}
    for name, _, weights in (model.partition("=") for model in args.models):
        upscale = Upscaler(weights)
        made[name] = [upscale(pair.lq) for pair in pairs]
    print(f"{'':16}{'grid index':>11}{'across':>10}{'down':>8}   steps across, down")
    for name, images in made.items():
        report(name, images)


def report(name: str, images: Sequence[np.ndarray]) -> None:
    """Print a line on images, uint8 RGB (H, W, 3)."""
    index = np.mean([grid_index(image, SCALE) for image in images])
    steps = np.mean([steps_of(image) for image in images], axis=0)
    across, down = steps.std(axis=1) / steps.mean(axis=1)
    shown = ", ".join(" ".join(f"{step:.2f}" for step in row) for row in steps)
    print(f"{name:16}{index:11.2f}{across:10.3f}{down:8.3f}   {shown}")


def steps_of(image: np.ndarray) -> np.ndarray:
    """Return the mean step at each place across and down, float64 (2, SCALE)."""
    y = luma(image).astype(np.float64)
    rows = []
    for axis in (1, 0):
        steps = np.abs(np.diff(y, axis=axis))
        rows.append(
            [
                np.take(steps, range(k, steps.shape[axis], SCALE), axis).mean()
                for k in range(SCALE)
            ]
        )
    return np.array(rows)


if __name__ == "__main__":
    main()
