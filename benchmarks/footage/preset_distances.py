"""Print how far what the preset option files make is from real low-quality images.

python benchmarks/footage/preset_distances.py --hr HR --scale 4 --presets A.yml B.yml
--real FOLDER_OR_VIDEO ...
"""

import argparse
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.lq.compare import Comparer, Sets, degradation
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.data.lq.windows import (
    gt_windows,
    read_real,
    real_windows,
    window_side,
)
from realesrgan_paddle.data.statistics.window_statistics import window_statistics
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.machine.devices import start_paddle


def main() -> None:
    """Print a row for each real input, and the mean of each preset."""
    args = _arguments()
    start_paddle()
    from realesrgan_paddle.data.lq.folder import read_lq_options

    presets = {path.stem: read_lq_options(path) for path in args.presets}
    gt_paths = list_images(args.hr, recursive=True)
    print(f"{'':34}" + "".join(f"{name[:17]:>18}" for name in presets))
    rows = []
    for real in args.real:
        row = _distances(real, gt_paths, presets, args.scale)
        rows.append(row)
        print(f"{real.name[:33]:34}" + "".join(f"{value:18.3f}" for value in row))
    mean = np.mean(rows, axis=0)
    print(f"{'mean':34}" + "".join(f"{value:18.3f}" for value in mean))


def _distances(
    real: Path, gt_paths: list[Path], presets: dict[str, LQConfig], scale: int
) -> list[float]:
    """Return the distance of each preset from one real input."""
    rng = np.random.default_rng(0)
    pictures, _ = read_real(real)
    side = window_side(pictures, gt_paths, scale)
    shown = real_windows(pictures, side, rng)
    gt, _ = gt_windows(gt_paths, side, scale, rng)
    by_name = window_statistics(shown.pixels)
    measured = np.stack(list(by_name.values()), axis=1)
    with Simulator(gt.pixels, scale, processes=1) as simulator:
        compare = Comparer(Sets(shown, measured, list(by_name), gt), simulator)
        found = [compare(degradation(preset))[0] for preset in presets.values()]
    return [one["all"] for one in found]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hr", type=Path, required=True)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--presets", type=Path, nargs="+", required=True)
    parser.add_argument("--real", type=Path, nargs="+", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
