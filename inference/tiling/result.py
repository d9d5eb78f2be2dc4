"""The array of a result: which images it can be made for, and how large it is."""

import numpy as np

from realesrgan_paddle.utils.errors import UserError

MAX_SIDE, MAX_PIXELS = 2**20, 2**30
"""OpenCV's limits (CV_IO_MAX_IMAGE_WIDTH, CV_IO_MAX_IMAGE_PIXELS): it reads no more."""


class OutOfMemoryError(UserError):
    """An image does not fit into memory in tiles of this size."""


def check_image(image: np.ndarray) -> None:
    """Raise UserError unless `image` is one that `utils.images.read_image` returns."""
    dtype_fits = image.dtype in (np.uint8, np.uint16)
    shape_fits = image.ndim in (2, 3) and image.shape[2:] in ((), (3,), (4,))
    if not (dtype_fits and shape_fits and image.size):
        raise UserError(
            f"an array of {image.dtype} {image.shape} cannot be upscaled; uint8 or "
            "uint16, (H, W), (H, W, 3) or (H, W, 4) can"
        )


def scaled_size(width: int, height: int, outscale: float) -> tuple[int, int]:
    """Return (width, height) times `outscale`, rounded half up, at least 1."""
    if not 0 < outscale < float("inf"):
        raise UserError(f"outscale {outscale}: must be a number above 0")

    out_width = max(1, int(width * outscale + 0.5))
    out_height = max(1, int(height * outscale + 0.5))
    too_long = max(out_width, out_height) > MAX_SIDE
    if too_long or out_width * out_height > MAX_PIXELS:
        raise UserError(
            f"the result would have {out_width}x{out_height} pixels, more than an image "
            "file here can hold; lower outscale"
        )
    return out_width, out_height


def empty_result(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an array for the result of `size` (width, height)."""
    width, height = size
    try:
        return np.empty((height, width, *image.shape[2:]), image.dtype)
    except MemoryError as error:
        raise OutOfMemoryError(
            f"out of memory: the result would have {width}x{height} pixels; lower "
            "outscale"
        ) from error
