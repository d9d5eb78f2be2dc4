"""Synthetic images and camera motion with the statistics of photographs, from seeds."""

import functools

import cv2
import numpy as np


@functools.cache
def world(seed: int, size: int = 640) -> np.ndarray:
    """Return a sharp square image, uint8 RGB (size, size, 3).

    Noise with a 1/f spectrum, as in photographs, and objects on it.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    frequency[0, 0] = 1
    gray, red, blue = (
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) / frequency**1.2)
        for _ in range(3)
    )
    base = rng.uniform(60, 190, 3)
    parts = (gray + 0.4 * red, gray, gray + 0.4 * blue)
    picture = np.stack(
        [mean + 40 * part / part.std() for mean, part in zip(base, parts, strict=True)],
        axis=2,
    )
    picture = picture.clip(0, 255).astype(np.uint8)
    scatter(picture, rng, 60, radii=(6, size // 16), colors=(0, 256))
    return picture


def scatter(
    picture: np.ndarray,
    rng: np.random.Generator,
    count: int,
    radii: tuple[int, int],
    colors: tuple[int, int],
) -> None:
    """Draw discs and rotated boxes of one color each onto a square image, uint8 RGB."""
    for _ in range(count):
        center, radius = (
            rng.integers(0, len(picture), 2).tolist(),
            int(rng.integers(*radii)),
        )
        color = rng.integers(*colors, 3).tolist()
        if rng.random() < 0.5:
            cv2.circle(picture, center, radius, color, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints(
                (center, (2 * radius, radius), float(rng.uniform(0, 180)))
            )
            cv2.fillPoly(picture, [box.astype(np.int32)], color, cv2.LINE_AA)


def scene(
    seed: int, step: float = 0.0, *, width: int = 192, height: int = 128
) -> np.ndarray:
    """Return the view of a camera after `step` steps of 3 pixels right and 1 down."""
    shift = np.float32([[1, 0, -20 - 3 * step], [0, 1, -20 - step]])
    return cv2.warpAffine(world(seed), shift, (width, height), flags=cv2.INTER_CUBIC)


def drive(seed: int, step: float) -> np.ndarray:
    """Return the view of a camera that moves forward, 640x360.

    In the middle, far ahead, hardly anything moves.
    """
    zoom = cv2.getRotationMatrix2D((320, 320), 0, 0.6 * 1.03**step)
    zoom[1, 2] += 180 - 320  # the middle of the view
    return cv2.warpAffine(
        world(seed),
        zoom,
        (640, 360),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def letterboxed(
    picture: np.ndarray, rows: int, columns: int = 0, level: int = 0
) -> np.ndarray:
    """Return an image of the same size, downscaled to fit inside bars of that size."""
    height, width = picture.shape[:2]
    inner = cv2.resize(
        picture, (width - 2 * columns, height - 2 * rows), interpolation=cv2.INTER_AREA
    )
    return cv2.copyMakeBorder(
        inner, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=(level,) * 3
    )


def woven(first: np.ndarray, second: np.ndarray, order: str) -> np.ndarray:
    """Return an interlaced frame of the images at the times of its two fields.

    `order` is "tff" (top field first) or "bff".
    """
    frame = first.copy()
    frame[1 if order == "tff" else 0 :: 2] = second[1 if order == "tff" else 0 :: 2]
    return frame
