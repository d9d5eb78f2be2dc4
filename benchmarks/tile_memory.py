"""Peak memory of upscaling without a network: pixels are repeated, in tiles of 256.

    python benchmarks/tile_memory.py [KIND]     rgb, rgba, gray or resized (to half)

Each size runs in a process of its own. The memory is besides the picture itself, which is
in memory before; the result is part of it.
"""

import subprocess
import sys
import time

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.machine.memory import host_peak_bytes

SIZES = ("1280x720", "3840x2160", "7680x4320")
CHANNELS = {"rgb": (3,), "rgba": (4,), "gray": (), "resized": (3,)}
SCALE, TILE = 4, 256


def nearest(images: np.ndarray) -> np.ndarray:
    """Return `images` with each pixel repeated."""
    return images.repeat(SCALE, axis=2).repeat(SCALE, axis=3)


def measure(size: str, kind: str) -> None:
    """Print one row."""
    width, height = map(int, size.split("x"))
    shape = (height, width, *CHANNELS[kind])
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    upscaler = Upscaler(nearest, SCALE, tile=TILE)

    before = host_peak_bytes()
    start = time.perf_counter()
    result = upscaler(image, outscale=SCALE / 2 if kind == "resized" else None)
    seconds = time.perf_counter() - start
    peak = host_peak_bytes()
    assert before is not None and peak is not None

    print(
        f"{size} {kind}: {(peak - before) / 1e6:.0f} MB, of which the result is "
        f"{result.nbytes / 1e6:.0f} MB; {seconds:.1f} s"
    )


def main() -> None:
    """Measure one size, or each in its own process."""
    if len(sys.argv) == 3:
        measure(sys.argv[1], sys.argv[2])
        return
    kind = sys.argv[1] if len(sys.argv) > 1 else "rgb"
    for size in SIZES:
        subprocess.run([sys.executable, __file__, size, kind], check=True)


if __name__ == "__main__":
    main()
