"""What upscaling an image means, written plainly: the whole image at once, in float32."""

import cv2
import numpy as np
from PIL import Image


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
