"""How far tiles differ from the whole image, in levels of 8 bits, with the oneDNN engine.

    python benchmarks/tile_seams.py --images FOLDER [FOLDER ...] --models EXPORT [EXPORT ...]

Narrow crops of the first images of each folder, upright and lying, are upscaled whole and
in tiles with the padding that the upscaler chooses.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.open_runner import Runner, open_runner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.images import read_image

WIDTH = 96
IMAGES = 5
"""Of each folder."""
SMALL_TILE, LARGE_TILE = 64, 256
"""For networks whose radius is known, and for others, whose padding is 80."""


def crops(folders: list[Path], tile: int) -> Iterator[np.ndarray]:
    """Yield crops whose long side is between one and two tiles and one pixel."""
    lengths = (2 * tile + 1, tile + tile // 2 + 1, 2 * tile, 2 * tile - 3)
    for folder in folders:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        for number, path in enumerate(paths[:IMAGES]):
            image = read_image(path)
            if image.ndim == 2 or image.dtype != np.uint8:
                continue
            image = image[..., :3]
            length = lengths[number % len(lengths)]
            size = (length, WIDTH) if number % 2 else (WIDTH, length)
            top = max(image.shape[0] - size[0], 0) // 2
            left = max(image.shape[1] - size[1], 0) // 2
            yield image[top : top + size[0], left : left + size[1]]


def compare(runner: Runner, folders: list[Path]) -> tuple[int, int, float]:
    """Return how many crops there are, the most levels, and the share that differs."""
    tile = SMALL_TILE if hasattr(runner, "radius") else LARGE_TILE
    tiled = Upscaler(runner, runner.scale, tile=tile)
    whole = Upscaler(runner, runner.scale)

    levels, differing, values, count = 0, 0, 0, 0
    for image in crops(folders, tile):
        parts = tiled(image)
        if tiled.counts.computed < 2:
            continue
        difference = np.abs(whole(image).astype(int) - parts)
        levels = max(levels, int(difference.max()))
        differing += np.count_nonzero(difference)
        values += difference.size
        count += 1
    return count, levels, differing / values


def main() -> None:
    """Print a row for each model and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", type=Path, required=True)
    parser.add_argument("--models", nargs="+", type=Path, required=True)
    arguments = parser.parse_args()
    for model in arguments.models:
        for precision in ("fp32", "bf16"):
            runner = open_runner(model, engine="onednn", precision=precision)
            count, levels, share = compare(runner, arguments.images)
            print(
                f"{model.name} {precision}: {count} crops, at most {levels} levels, "
                f"{share:.3%} of the values differ",
                flush=True,
            )


if __name__ == "__main__":
    main()
