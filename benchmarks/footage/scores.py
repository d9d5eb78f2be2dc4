"""How well `image_scores` tells sharp frames from blurred and fake ones, with grain.

    python benchmarks/footage/scores.py --frames FOLDER [--clips a b ...] [--videos ...]

Prints, for each alteration, how many frames `min_sharpness` drops and the least and the
largest sharpness and total score. What begins with "good" should not be dropped, what
begins with "blur" should be, and "fake" should rank below "good true".
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.statistics.image_scores import Scores, measure

LEAST = Selection().min_sharpness


def grained(image: np.ndarray, sigma: float, size: float = 0.0) -> np.ndarray:
    """Add noise of a standard deviation; `size` is the sigma of a blur of it."""
    noise = np.random.default_rng(0).normal(0, 1, image.shape).astype(np.float32)
    if size:
        noise = cv2.GaussianBlur(noise, (0, 0), size)
    noisy = image + sigma * noise / noise.std()
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Compress and decompress an image."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imdecode(cv2.imencode(".jpg", image, flags)[1], cv2.IMREAD_GRAYSCALE)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def moved(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Blur along a line of a length [pixels] and an angle [degrees]."""
    kernel = np.zeros((2 * length + 1,) * 2, np.float32)
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    ends = [
        np.rint(length + sign * direction * length / 2).astype(int) for sign in (-1, 1)
    ]
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def defocused(image: np.ndarray, radius: int) -> np.ndarray:
    """Blur by a disc."""
    size = (2 * radius + 1,) * 2
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size).astype(np.float32)
    return cv2.filter2D(image, -1, disc / disc.sum())


def enlarged(image: np.ndarray, factor: float, sharpening: float) -> np.ndarray:
    """Downscale, enlarge again, and sharpen by an unsharp mask of sigma 1.5."""
    height, width = image.shape
    size = (round(width / factor), round(height / factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(large, 1 + sharpening, blurred(large, 1.5), -sharpening, 0)


def alterations(image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and image."""
    yield "good true", image
    for sigma in (2, 4, 8):
        yield f"good grain {sigma}", grained(image, sigma)
    yield "good grain 6, jpeg 75", jpeg(grained(image, 6), 75)
    yield "good grain 6 of size 0.7", grained(image, 6, 0.7)

    soft = blurred(image, 2.5)
    yield "blur 2.5", soft
    for sigma in (2, 6, 12):
        yield f"blur 2.5, grain {sigma}", grained(soft, sigma)
    for quality in (90, 60):
        yield f"blur 2.5, grain 8, jpeg {quality}", jpeg(grained(soft, 8), quality)
    yield "blur 2.5, grain 6 of size 0.7", grained(soft, 6, 0.7)
    for length, angle in ((15, 0), (15, 20), (15, 115), (25, 45), (25, 70), (25, 90)):
        moving = moved(image, length, angle)
        yield f"blur moved {length} at {angle}", moving
        yield f"blur moved {length} at {angle}, grain 5", grained(moving, 5)
    for radius in (4, 6):
        yield f"blur defocused {radius}", defocused(image, radius)
        yield f"blur defocused {radius}, grain 5", grained(defocused(image, radius), 5)

    for factor in (3, 4):
        for sharpening in (1.0, 2.5):
            fake = enlarged(image, factor, sharpening)
            name = f"fake x{factor}, sharpened {sharpening}"
            yield name, fake
            yield f"{name}, grain 4", grained(fake, 4)
            yield f"{name}, grain 6, jpeg 80", jpeg(grained(fake, 6), 80)


def images(args: argparse.Namespace) -> Iterator[np.ndarray]:
    """Yield luma of some frames of each clip and video."""
    for clip in args.clips:
        paths = sorted(args.frames.glob(f"{clip}*"))
        for place in np.linspace(0, len(paths) - 1, args.count).astype(int):
            yield cv2.imread(str(paths[place]), cv2.IMREAD_GRAYSCALE)
    for path in args.videos:
        video = cv2.VideoCapture(path)
        last = video.get(cv2.CAP_PROP_FRAME_COUNT) - 1
        for place in np.linspace(0.05 * last, 0.95 * last, args.count).astype(int):
            video.set(cv2.CAP_PROP_POS_FRAMES, int(place))
            found, frame = video.read()
            if found:
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)


def print_table(by_name: dict[str, list[Scores]]) -> None:
    """Print a line for each alteration, and the shares dropped of each kind."""
    true = [scores.total for scores in by_name["good true"]]
    dropped = {"good": [0, 0], "blur": [0, 0]}
    for name, all_scores in by_name.items():
        sharpness = np.array([scores.sharpness for scores in all_scores])
        total = np.array([scores.total for scores in all_scores])
        count = int((sharpness < LEAST).sum())
        kind = name.split()[0]
        if kind in dropped:
            dropped[kind][0] += count
            dropped[kind][1] += len(sharpness)
        better = int((total >= np.array(true)).sum())
        print(
            f"{name:36} dropped {count:3} of {len(sharpness):3}   sharpness "
            f"{sharpness.min():.2f} {np.median(sharpness):.2f} {sharpness.max():.2f}   "
            f"total {total.min():.2f} {np.median(total):.2f} {total.max():.2f}   "
            f"better than true: {better}"
        )
    for kind, (count, of) in dropped.items():
        print(f"{kind}: {count} of {of} dropped ({count / of:.1%})")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, default=Path())
    parser.add_argument("--clips", nargs="*", default=[], help="starts of file names")
    parser.add_argument("--videos", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=3, help="frames of each")
    args = parser.parse_args(argv)

    by_name: dict[str, list[Scores]] = {}
    for image in images(args):
        for name, altered in alterations(image):
            by_name.setdefault(name, []).append(measure(altered))
    print_table(by_name)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
