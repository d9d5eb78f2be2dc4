"""How often enlarged frames are told from true ones, and their factor named.

    python benchmarks/footage/true_size.py FOLDER --clips 538438 54745b --frames 8

FOLDER holds true frames that are named after their clip, "CLIP_anything.jpg". Each case
enlarges them, treats and encodes them; a row is a case, and names what it got wrong.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.data.footage.passport.true_size import TrueSize, TrueSizeFinder
from realesrgan_paddle.data.footage.screen.borders import content_box
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg
from realesrgan_paddle.utils.images import read_image

Images = list[np.ndarray]
After = Callable[[Images], Images]

KERNELS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
FACTORS = (4 / 3, 1.5, 2.0, 2.25, 3.0, 4.0)
TOLERANCE = 0.03


class Case(NamedTuple):
    """One way to make footage."""

    name: str
    across: float
    down: float
    make: After


def enlarged(kernel: str, across: float, down: float, images: Images) -> Images:
    """Return images that were downscaled without aliasing, then enlarged again."""
    made = []
    for image in images:
        height, width = image.shape[:2]
        size = round(width / across), round(height / down)
        small = np.asarray(
            Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
        )
        big = cv2.resize(small, (width, height), interpolation=KERNELS[kernel])
        made.append(big)
    return made


def jpeg(quality: int) -> After:
    """Return the way through JPEG."""

    def code(image: np.ndarray) -> np.ndarray:
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return lambda images: [code(image) for image in images]


def codec(*options: str) -> After:
    """Return the way through a video, all of whose frames are key frames."""

    def run(images: Images) -> Images:
        height, width = images[0].shape[:2]
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24")
        size = ("-s", f"{width}x{height}", "-r", "25")
        ffmpeg = [find_ffmpeg(), "-v", "error", "-y"]
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/clip.mkv"
            write = [*ffmpeg, *raw, *size, "-i", "-", "-threads", "1", "-g", "1"]
            write += [*options, "-pix_fmt", "yuv420p", file]
            data = b"".join(image.tobytes() for image in images)
            subprocess.run(write, input=data, check=True)
            read = [*ffmpeg, "-i", file, *raw, "-"]
            data = subprocess.run(read, capture_output=True, check=True).stdout
        return list(np.frombuffer(data, np.uint8).reshape(-1, height, width, 3))

    return run


def h264(crf: int, *more: str) -> After:
    """Return the way through H.264."""
    return codec("-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), *more)


def hevc(crf: int) -> After:
    """Return the way through HEVC."""
    quiet = ("-x265-params", "log-level=error", "-preset", "ultrafast")
    return codec("-c:v", "libx265", "-crf", str(crf), *quiet)


def sharpened(images: Images) -> Images:
    """Return images after an unsharp mask of 1 and grain of 5 levels."""
    made = []
    for seed, image in enumerate(images):
        blurred = cv2.GaussianBlur(image, (0, 0), 1.2)
        sharp = cv2.addWeighted(image, 2, blurred, -1, 0)
        grain = np.random.default_rng(seed).normal(0.5, 5, image.shape[:2])
        made.append((sharp + grain[..., None]).clip(0, 255).astype(np.uint8))
    return made


def blurred(images: Images) -> Images:
    """Return images out of focus."""
    return [cv2.GaussianBlur(image, (0, 0), 2) for image in images]


def downscaled(rows: int, kernel: int) -> After:
    """Return the way to fewer rows, without antialiasing."""

    def smaller(image: np.ndarray) -> np.ndarray:
        columns = round(image.shape[1] * rows / image.shape[0])
        return cv2.resize(image, (columns, rows), interpolation=kernel)

    return lambda images: [smaller(image) for image in images]


def cases(every: int) -> list[Case]:
    """Return the true cases, then each so many of kernels, factors and codecs."""
    true: dict[str, After] = {
        "as it is": list,
        "JPEG 75": jpeg(75),
        "JPEG 50": jpeg(50),
        "H.264 18": h264(18),
        "H.264 24": h264(24),
        "H.264 30": h264(30),
        "H.264 38": h264(38),
        "H.264 30 baseline": h264(30, "-profile:v", "baseline"),
        "H.264 38 baseline": h264(38, "-profile:v", "baseline"),
        "HEVC 28": hevc(28),
        "MPEG-2": codec("-c:v", "mpeg2video", "-q:v", "6"),
        "downscaled linear": downscaled(720, cv2.INTER_LINEAR),
        "downscaled cubic": downscaled(810, cv2.INTER_CUBIC),
        "downscaled area": downscaled(900, cv2.INTER_AREA),
        "defocus, H.264 24": lambda images: h264(24)(blurred(images)),
        "sharpened, grain, 24": lambda images: h264(24)(sharpened(images)),
    }
    after: dict[str, After] = {
        "": list,
        "JPEG 75": jpeg(75),
        "JPEG 92": jpeg(92),
        "H.264 18": h264(18),
        "H.264 24": h264(24),
        "H.264 30": h264(30),
        "HEVC 26": hevc(26),
        "sharpened, grain, 24": lambda images: h264(24)(sharpened(images)),
    }
    made = [Case(f"true, {name}", 1, 1, way) for name, way in true.items()]
    kinds = [(kernel, f, f) for f in FACTORS for kernel in KERNELS]
    kinds += [("bicubic", 4 / 3, 1.0), ("bicubic", 1.5, 1.0), ("lanczos", 2.0, 1.0)]
    for number, (kernel, across, down) in enumerate(kinds):
        for step, (name, way) in enumerate(after.items()):
            if (number + step) % every:
                continue
            title = f"{kernel} x{across:.3g}, x{down:.3g} {name}"
            made.append(Case(title, across, down, _chain(kernel, across, down, way)))
    return made


def _chain(kernel: str, across: float, down: float, way: After) -> After:
    return lambda images: way(enlarged(kernel, across, down, images))


def judged(images: Images) -> TrueSize | None:
    """Return the answer for the frames of one source."""
    finder = TrueSizeFinder(every_frame=True)
    for image in images:
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        finder.add(luma, content_box(luma))
    return finder.find()


def is_right(found: TrueSize | None, case: Case) -> bool:
    """Return whether the factors are named, or none for a true source."""
    if found is None:
        return case.across == case.down == 1
    errors = found.factor_x / case.across - 1, found.factor_y / case.down - 1
    return max(map(abs, errors)) < TOLERANCE


def main() -> None:
    """Print a row for each case, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", nargs="+", required=True)
    parser.add_argument("--frames", type=int, nargs="+", default=[8])
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--every", type=int, default=4, help="each so many fake cases")
    args = parser.parse_args()
    cv2.setNumThreads(1)

    sums = {count: np.zeros((2, 3), int) for count in args.frames}
    for case in cases(args.every):
        if args.only in case.name:
            _measure(case, args, sums)
    for count, (true, fake) in sums.items():
        print(f"{count} frames: {true[1]}/{true[0]} true sources called enlarged")
        print(f"  {fake[1]}/{fake[0]} enlarged found, {fake[2]} with the right factor")


def _measure(case: Case, args: argparse.Namespace, sums: dict[int, np.ndarray]) -> None:
    row = []
    for clip in args.clips:
        paths = sorted(args.folder.glob(f"{clip}_*"))
        chosen = paths[:: max(1, len(paths) // max(args.frames))][: max(args.frames)]
        images = case.make([read_image(path) for path in chosen])
        for count in args.frames:
            found = judged(images[:count])
            is_fake = case.across * case.down > 1
            right = is_right(found, case)
            sums[count][int(is_fake)] += (1, found is not None, right)
            if not right:
                row.append(f"{clip}, {count}: {found}")
    print(f"{case.name:45s} {'; '.join(row) or 'right'}", flush=True)


if __name__ == "__main__":
    main()
