"""Print what a video costs on the low-quality side: processor milliseconds of one core per image, by codec and size.

    python benchmarks/codecs.py [--rounds 20]

Each figure is the median over the rounds, in which the cases take turns, of the time
the processor worked.
"""

import argparse
import time

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import ENCODERS, Video, compress
from realesrgan_paddle.options.schema.config import CodecName

SIZES = (64, 100, 128, 256)
QUALITIES: dict[CodecName, int] = {"h264": 28, "hevc": 30, "mpeg2": 8, "vp9": 42}


def picture(side: int) -> np.ndarray:
    """Return smoothed noise with edges, uint8 RGB: as much to code as in a photograph."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(
        rng.integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8), (side, side)
    )
    return cv2.add(coarse, rng.integers(0, 12, coarse.shape).astype(np.uint8))


def milliseconds(codec: CodecName, side: int) -> float:
    """Return the processor's time for one image."""
    image, video = picture(side), Video(codec, QUALITIES[codec], True, (1.3, -0.7))
    begin = time.process_time()
    compress(image, video)
    return 1000 * (time.process_time() - begin)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=20, help="how often each is measured"
    )
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    cases = [(codec, side) for codec in ENCODERS for side in SIZES]
    taken = {
        case: [milliseconds(*case) for case in [case]] for case in cases
    }  # the first is not counted
    for _ in range(rounds):
        for case in cases:
            taken[case].append(milliseconds(*case))
    print(f"{'ms':8}" + "".join(f"{f'{side}x{side}':>10}" for side in SIZES))
    for codec in ENCODERS:
        print(
            f"{codec:8}"
            + "".join(f"{np.median(taken[codec, side][1:]):10.2f}" for side in SIZES)
        )


if __name__ == "__main__":
    main()
