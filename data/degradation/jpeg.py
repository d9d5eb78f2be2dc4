"""JPEG compression as arithmetic on tensors: the loss of quality without a file.

Follows DiffJPEG with plain rounding, as Real-ESRGAN uses it (BasicSR,
utils/diffjpeg.py, after mlomnitz/DiffJPEG): the tables of ITU-T T.81 Annex K, 4:2:0
chroma, and a quality that may be fractional and differ between samples. Two things
follow libjpeg instead: no coefficient is quantized in steps below 1, and chroma may be
interpolated.
"""

from functools import cache

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F
from scipy.fft import dct

from realesrgan_paddle.data.degradation.filters import resize_to
from realesrgan_paddle.options.schema.degradation import ChromaUpsampling

# T.81 Annex K, by (vertical, horizontal) frequency. DiffJPEG transposes the luma table,
# and so does `jpeg`.
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
Matrix = tuple[tuple[float, ...], ...]
# JFIF 1.02: full-range YCbCr of ITU-R BT.601.
RGB_TO_YCBCR: Matrix = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
YCBCR_TO_RGB: Matrix = (
    (1, 0, 1.402),
    (1, -0.344136, -0.714136),
    (1, 1.772, 0),
)
SMALLEST_STEP = 1.0
"""Of a quantized coefficient: libjpeg's (jcparam.c, `jpeg_add_quant_table`).

DiffJPEG has none, so that it loses almost nothing near quality 100, and divides by zero
there. Up to quality 95 no step is smaller.
"""


def jpeg(
    image: Tensor, quality: Tensor, chroma_upsampling: ChromaUpsampling = "nearest"
) -> Tensor:
    """Return `image` after JPEG compression, not rounded to levels.

    Args:
        image: float32 RGB (N, 3, H, W) of any size; clipped to [0, 1], like the result.
        quality: float32 (N,), 1 (worst) to 100.
        chroma_upsampling: "nearest" (DiffJPEG's) or "linear": libjpeg's default, which
            it calls fancy upsampling (jdsample.c, `h2v2_fancy_upsample`).
    """
    height, width = image.shape[2:]
    levels = paddle.clip(image, 0, 1) * 255
    # Chroma blocks cover 16 x 16 pixels; DiffJPEG pads the last ones with black.
    bottom = -height % 16
    right = -width % 16
    padded = F.pad(levels, [0, 0, 0, 0, 0, bottom, 0, right])

    ycbcr = _mix_channels(padded, RGB_TO_YCBCR)
    luma = ycbcr[:, :1]
    chroma = F.avg_pool2d(ycbcr[:, 1:], 2)

    factor = _table_factor(quality)
    # Y is shifted to -128..127 for the DCT; Cb and Cr are centered on 0 already.
    luma_table = tuple(zip(*LUMA_TABLE, strict=True))
    luma = _quantize_blocks(luma - 128, luma_table, factor) + 128
    chroma = _quantize_blocks(chroma, CHROMA_TABLE, factor)

    # Without the padding, so that no pixel is interpolated with it.
    rows = (height + 1) // 2
    columns = (width + 1) // 2
    luma = luma[:, :, : 2 * rows, : 2 * columns]
    chroma = chroma[:, :, :rows, :columns]
    if chroma_upsampling == "nearest":
        chroma = F.interpolate(chroma, scale_factor=2, mode="nearest")
    else:
        # Weights 3/4 and 1/4 in each direction; at the border a pixel is repeated.
        chroma = resize_to(chroma, luma.shape[2:], "bilinear")

    ycbcr = paddle.concat([luma, chroma], axis=1)
    rgb = _mix_channels(ycbcr, YCBCR_TO_RGB)
    unpadded = rgb[:, :, :height, :width]
    return paddle.clip(unpadded / 255, 0, 1)


def _table_factor(quality: Tensor) -> Tensor:
    """Return the factor on the tables, as the Independent JPEG Group's encoder."""
    below_50 = 50 / quality
    from_50 = 2 - quality / 50
    return paddle.where(quality < 50, below_50, from_50)


def _mix_channels(image: Tensor, matrix: Matrix) -> Tensor:
    """Return (N, 3, H, W) `image` with each pixel's channels multiplied by `matrix`."""
    batch, channels, height, width = image.shape
    flat = image.reshape([batch, channels, height * width])
    weights = _constant(matrix, paddle.get_device())
    mixed = paddle.matmul(weights, flat)
    return mixed.reshape(image.shape)


def _quantize_blocks(plane: Tensor, table: Matrix, factor: Tensor) -> Tensor:
    """Return `plane` with the DCT of its 8 x 8 blocks quantized by `table` * `factor`.

    Args:
        plane: float32 (N, C, H, W), H and W multiples of 8.
        table: (8, 8) by (vertical, horizontal) frequency.
        factor: float32 (N,).
    """
    batch, channels, height, width = plane.shape
    rows = height // 8
    columns = width // 8
    row_blocks = [batch, channels, rows, 8, width]
    blocks = [batch, channels, rows, 8, columns, 8]

    device = paddle.get_device()
    basis = _dct_basis(device)
    plane = plane.reshape(row_blocks)
    plane = paddle.matmul(basis, plane).reshape(blocks)
    coefficients = paddle.matmul(plane, basis.T)

    factor = factor.reshape([-1, 1, 1, 1, 1, 1])
    step = _constant(table, device).reshape([8, 1, 8]) * factor
    step = paddle.clip(step, min=SMALLEST_STEP)
    # On a CPU, Paddle divides by a tensor of equal shape ten times as fast.
    step = step.expand(coefficients.shape)
    quantized = paddle.round(coefficients / step)
    coefficients = quantized * step

    plane = paddle.matmul(coefficients, basis).reshape(row_blocks)
    plane = paddle.matmul(basis.T, plane)
    return plane.reshape([batch, channels, height, width])


@cache
def _constant(matrix: Matrix, device: str) -> Tensor:
    """Return a matrix as float32 on the current `device`, where it is kept."""
    return paddle.to_tensor(matrix, dtype="float32")


@cache
def _dct_basis(device: str) -> Tensor:
    """Return the DCT of 8 samples on the current `device`: float32 (8, 8).

    By frequency and position.
    """
    basis = dct(np.eye(8), norm="ortho", axis=0)
    return paddle.to_tensor(basis, dtype="float32")
