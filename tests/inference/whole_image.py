"""What upscaling an image means, written plainly: the whole image at once, in float32."""

import cv2
import numpy as np
from PIL import Image

RADIUS = 3
KERNELS = np.random.default_rng(1).normal(0.1, 0.2, (RADIUS, 3, 3)).astype(np.float32)


def nearest(images, scale):
    """A network that repeats pixels."""
    return images.repeat(scale, axis=2).repeat(scale, axis=3)


class Convolutions:
    """Three convolutions of 3x3, zero-padded, and a repetition of the pixels.

    Its sums are made in one order whatever the image's size, so its bits depend on what
    an output pixel sees and on nothing else; but for `multiple`, if a window begins
    elsewhere, and `memory`, the most input pixels that fit.
    """

    radius = RADIUS

    def __init__(self, scale=2, multiple=1, memory=None):
        self.scale = scale
        self.multiple = multiple
        self.memory = memory or 10**9
        self.windows = []

    def __call__(self, images):
        self.windows.append(images.shape[2:])
        if images.shape[2] * images.shape[3] > self.memory:
            raise MemoryError("ResourceExhausted: 1 GB")
        for kernel in KERNELS:
            padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
            height, width = images.shape[2:]
            images = np.zeros_like(images)
            for (y, x), weight in np.ndenumerate(kernel):
                images = images + padded[..., y : y + height, x : x + width] * weight
        position = np.indices(images.shape[2:]).sum(0) % self.multiple
        return nearest(images + position.astype(np.float32) / 32, self.scale)


def picture(*shape, dtype=np.uint8):
    """Noise of all levels."""
    draw = np.random.default_rng(0)
    return draw.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def resized(image, size, method):
    """Return float32 (H, W, C) at `size` (width, height), as Pillow resizes it."""
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, method))
        for plane in image.transpose(2, 0, 1)
    ]
    return np.dstack(planes)


def upscaled(
    network, scale, image, outscale=None, *, pre_pad=0, multiple=1, bicubic_alpha=False
):
    """Return `image` upscaled, as an `Upscaler` without tiles does."""

    def rgb(levels):
        height, width = levels.shape[:2]
        bottom = pre_pad + -(height + 2 * pre_pad) % multiple
        right = pre_pad + -(width + 2 * pre_pad) % multiple
        margins = ((pre_pad, bottom), (pre_pad, right), (0, 0))
        padded = np.pad(levels, margins, "reflect").transpose(2, 0, 1)
        out = network(np.ascontiguousarray(padded)[None])[0].transpose(1, 2, 0)
        first = pre_pad * scale
        kept = out[first : first + height * scale, first : first + width * scale]
        return np.clip(np.ascontiguousarray(kept), 0, 1)

    def gray(levels):
        return cv2.cvtColor(rgb(np.repeat(levels[..., None], 3, axis=2)), 7)[..., None]

    peak = np.iinfo(image.dtype).max
    levels = image.astype(np.float32) / np.float32(peak)
    height, width = image.shape[:2]
    if image.ndim == 2:
        out = gray(levels)
    elif image.shape[2] == 3:
        out = rgb(levels)
    elif bicubic_alpha:
        size = (width * scale, height * scale)
        alpha = resized(levels[..., 3:], size, Image.Resampling.BICUBIC)
        out = np.dstack([rgb(levels[..., :3]), alpha])
    else:
        out = np.dstack([rgb(levels[..., :3]), gray(levels[..., 3])])

    outscale = outscale or scale
    size = int(width * outscale + 0.5), int(height * outscale + 0.5)
    if size != (width * scale, height * scale):
        out = resized(out, size, Image.Resampling.LANCZOS)
    rounded = np.rint(np.clip(out, 0, 1) * np.float32(peak)).astype(image.dtype)
    return rounded[..., 0] if image.ndim == 2 else rounded
