"""Windows of real images (pictures, frames of videos) and of ground truth like them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.video import Frame, Sampling, frame_at, frames
from realesrgan_paddle.data.footage.video_names import is_video_name, list_videos
from realesrgan_paddle.data.statistics.window_statistics import content
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.images import list_images, read_rgb8
from realesrgan_paddle.utils.spaced import evenly_spaced

MOST_PICTURES = 32
"""Images, or frames of all videos, that are read."""
UNKNOWN_SECONDS = 60.0
"""Length that is assumed of a video that does not tell its own."""
SEEK_FROM = 5.0
"""Frames further apart than this are sought, not decoded towards [s]: key frames are 10 s
apart at most in most videos."""
MINUTES = 2.0
"""Longest time that one video is decoded for."""

SIDES = (96, 64)
"""Sides of a window [low-quality pixels]: multiples of the largest common block."""
GRID = 16
"""Windows of real images start at multiples of this [pixels], as blocks do."""
REAL_WINDOWS = 64
GT_WINDOWS = 200
GT_IMAGES = 48
"""Ground truth that is read, spread over all of it."""
DARKEST, BRIGHTEST = 0.12, 1.88
"""Windows outside are not used [128 levels]: black bars, clipped skies."""
LEAST_CONTRAST = 1.1
"""Smallest logarithm of contrast + 1 of a window: 2 levels of 255."""
REUSE = 0.5
"""Added to the distance of a window for each time it was matched before."""

CODECS = {"h264": "h264", "hevc": "hevc", "mpeg2video": "mpeg2", "vp9": "vp9"}
"""Our names of the codecs that are searched, by ffmpeg's."""


@dataclass(frozen=True)
class RealImage:
    """One real low-quality image."""

    source: str
    """What it comes from: its own file, or its video and part of it."""
    pixels: np.ndarray
    """uint8 RGB (H, W, 3)."""


def read_real(path: Path) -> tuple[list[RealImage], list[str]]:
    """Return real images, and a line for each file that cannot be read.

    Args:
        path: a folder of images, of videos or of both, an image, or a video.

    Raises:
        UserError: there is nothing to read, or none of it is readable.
    """
    images, videos = _list(path)
    if not images and not videos:
        raise UserError(
            f"{path}: no images or videos in it; --fit takes a folder of real "
            "low-quality images or videos, an image or a video"
        )

    failures: list[str] = []
    pictures: list[RealImage] = []
    for image in evenly_spaced(images, MOST_PICTURES):
        try:
            pixels = read_rgb8(image)
        except UserError as error:
            failures.append(printable(str(error)))
            continue
        pictures.append(RealImage(str(image), pixels))
    each = max(2, MOST_PICTURES // max(1, len(videos)))
    for video in evenly_spaced(videos, MOST_PICTURES // 2):
        try:
            pictures += _frames(video, each)
        except UserError as error:
            failures.append(printable(str(error)))
    if not pictures:
        reason = failures[0] if failures else "no frame is where its length says"
        raise UserError(f"{path}: none of it can be read; {reason}")
    return pictures, failures


def stream_codec(path: Path) -> str | None:
    """Return the codec of the videos at a path: "h264", "hevc", "mpeg2" or "vp9".

    None for images, for videos of different codecs and for other codecs.
    """
    images, videos = _list(path)
    if images or not videos:
        return None
    found = set()
    for video in evenly_spaced(videos, MOST_PICTURES // 2):
        with suppress(UserError):  # `read_real` says which cannot be read
            found.add(CODECS.get(probe(video).codec))
    return found.pop() if len(found) == 1 else None


def _list(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the images and the videos at a path."""
    if path.is_dir():
        return list_images(path, recursive=True), list_videos(path)
    if not path.exists():
        raise UserError(f"{path}: does not exist; --fit takes a folder or a file")
    if is_video_name(path):
        return [], [path]
    return [path], []


def _frames(video: Path, count: int) -> Iterator[RealImage]:
    """Yield about `count` frames of a video; each quarter of it is a source."""
    info = probe(video)
    seconds = info.seconds or UNKNOWN_SECONDS
    interval = max(0.001, seconds / count)
    found: Iterable[Frame | None]
    if interval > SEEK_FROM:
        found = (frame_at(video, info, interval * number) for number in range(count))
    else:
        sampling = Sampling(select="interval", interval=interval, max_minutes=MINUTES)
        found = islice(frames(video, info, sampling), count)
    for number, frame in enumerate(found):
        quarter = number * 4 // count
        if frame is not None:
            yield RealImage(f"{video}#{quarter}", frame.image)


@dataclass(frozen=True)
class RealWindows:
    """Windows of the real images."""

    pixels: np.ndarray
    """uint8 RGB (N, S, S, 3)."""
    content: np.ndarray
    """What they show, float64 (N, 4)."""
    sources: np.ndarray
    """Number of the source of each, int (N,)."""


@dataclass(frozen=True)
class GtWindows:
    """Windows of the ground truth, larger by the scale."""

    pixels: np.ndarray
    content: np.ndarray
    sources: np.ndarray

    def matched(
        self, wanted: np.ndarray, allowed: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return for each row of `wanted` the window that is most like it: int (n,).

        Args:
            wanted: contents, float64 (n, 4).
            allowed: which windows may be taken, bool (N,).
            rng: draws the order, for a window is taken reluctantly again.
        """
        spread = self.content.std(axis=0) + 0.05
        penalty = np.where(allowed, 0.0, np.inf)
        chosen = np.empty(len(wanted), int)
        for row in rng.permutation(len(wanted)):
            distance = np.abs((self.content - wanted[row]) / spread).mean(axis=1)
            chosen[row] = np.argmin(distance + penalty)
            penalty[chosen[row]] += REUSE
        return chosen


def window_side(pictures: Sequence[RealImage], gt: Sequence[Path], scale: int) -> int:
    """Return the largest side that most real images and ground truth have room for.

    Raises:
        UserError: half of them are smaller than the smallest window.
    """
    room = np.median([min(picture.pixels.shape[:2]) for picture in pictures])
    sizes = []
    for path in gt[:5]:
        with suppress(UserError):  # `gt_windows` says which cannot be read
            sizes.append(min(read_rgb8(path).shape[:2]))
    if sizes:
        room = min(room, np.median(sizes) / scale)
    for side in SIDES:
        if side <= room:
            return side
    least = SIDES[-1]
    raise UserError(
        f"half of the real images, or of the ground truth, are too small; sides must be at "
        f"least {least} pixels, and {least * scale} of the ground truth"
    )


def real_windows(
    pictures: Sequence[RealImage], side: int, rng: np.random.Generator
) -> RealWindows:
    """Return windows of the real images, on the grid of their blocks.

    Raises:
        UserError: nothing is large enough, or all of it is black, white or flat.
    """
    pixels, shown, sources = [], [], []
    names = sorted({picture.source for picture in pictures})
    each = -(-3 * REAL_WINDOWS // len(pictures))
    for picture in pictures:
        windows = _cut(picture.pixels, side, GRID, each, rng)
        if not len(windows):
            continue
        pixels.append(windows)
        shown.append(content(windows))
        sources += [names.index(picture.source)] * len(windows)
    if not pixels:
        raise UserError(f"no real image is larger than {side}x{side} pixels")
    return RealWindows(*_chosen(pixels, shown, sources, REAL_WINDOWS, rng))


def gt_windows(
    paths: Sequence[Path], side: int, scale: int, rng: np.random.Generator
) -> tuple[GtWindows, list[str]]:
    """Return windows of the ground truth, and a line for each unreadable image.

    Raises:
        UserError: nothing is large enough, or all of it is black, white or flat.
    """
    places = np.linspace(0, len(paths) - 1, min(GT_IMAGES, len(paths)))
    chosen = [paths[round(place)] for place in places]
    pixels, shown, sources = [], [], []
    failures: list[str] = []
    for number, path in enumerate(chosen):
        try:
            image = read_rgb8(path)
        except UserError as error:
            failures.append(printable(str(error)))
            continue
        each = -(-2 * GT_WINDOWS // len(chosen))
        windows = _cut(image, side * scale, scale, each, rng)
        if len(windows):
            pixels.append(windows)
            shown.append(content(_smaller(windows, scale)))
            sources += [number] * len(windows)
    if not pixels:
        least = side * scale
        raise UserError(f"no ground truth is larger than {least}x{least} pixels")
    return GtWindows(*_chosen(pixels, shown, sources, GT_WINDOWS, rng)), failures


def _chosen(
    pixels: Sequence[np.ndarray],
    shown: Sequence[np.ndarray],
    sources: Sequence[int],
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return at most `count` of the windows that are neither dark nor flat."""
    contents = np.concatenate(shown)
    brightness = contents[:, 3]
    lit = (brightness > DARKEST) & (brightness < BRIGHTEST)
    useful = np.flatnonzero(lit & (contents[:, 0] > LEAST_CONTRAST))
    if len(useful) < 2:  # halves are compared, too
        raise UserError(
            "the real images, or the ground truth, show nothing but flat, black or white "
            "areas, or one place that is not; give more or larger ones"
        )
    kept = np.sort(rng.permutation(useful)[:count])
    return np.concatenate(pixels)[kept], contents[kept], np.array(sources)[kept]


def _cut(
    image: np.ndarray, side: int, grid: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return up to `count` random windows of an image, at multiples of `grid`."""
    height, width = image.shape[:2]
    rows = (height - side) // grid + 1
    columns = (width - side) // grid + 1
    if rows < 1 or columns < 1:
        return np.empty((0, side, side, 3), np.uint8)
    count = min(count, rows * columns)
    windows = []
    for place in rng.choice(rows * columns, count, replace=False):
        top = place // columns * grid
        left = place % columns * grid
        windows.append(image[top : top + side, left : left + side])
    return np.stack(windows)


def _smaller(windows: np.ndarray, scale: int) -> np.ndarray:
    side = windows.shape[1] // scale
    small = [
        cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
        for window in windows
    ]
    return np.stack(small)
