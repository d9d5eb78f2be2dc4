"""JPEG compression as arithmetic on tensors: the losses of an encoder and decoder without the file.

Follows DiffJPEG with plain rounding, as Real-ESRGAN uses it (BasicSR,
utils/diffjpeg.py, after mlomnitz/DiffJPEG): ITU-T T.81 Annex K tables, 4:2:0 chroma, a
quality that need not be whole and differs from sample to sample.
"""

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F
from scipy.fft import dct

# T.81 Annex K, by (vertical, horizontal) frequency. DiffJPEG uses the luma table
# transposed, and so does `jpeg`.
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
# JFIF 1.02: full-range YCbCr of ITU-R BT.601.
RGB_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
YCBCR_TO_RGB = ((1, 0, 1.402), (1, -0.344136, -0.714136), (1, 1.772, 0))


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """Return `image` as it looks after JPEG compression: float32 RGB (N, 3, H, W) in [0, 1], not rounded to levels.

    Args:
        image: float32 RGB (N, 3, H, W) of any size; clipped to [0, 1].
        quality: float32 (N,), 1 (worst) to 100.
    """
    height, width = image.shape[2:]
    # Chroma blocks are 16 x 16 pixels; DiffJPEG fills the last ones up with black.
    image = F.pad(
        paddle.clip(image, 0, 1) * 255, [0, 0, 0, 0, 0, -height % 16, 0, -width % 16]
    )
    factor = _table_factor(quality)
    # Levels of Y are shifted to -128..127 for the DCT; Cb and Cr lie around 0 already.
    ycbcr = _mix_channels(image, RGB_TO_YCBCR)
    luma = _quantize_blocks(ycbcr[:, :1] - 128, np.transpose(LUMA_TABLE), factor) + 128
    chroma = _quantize_blocks(
        F.avg_pool2d(ycbcr[:, 1:], 2), np.array(CHROMA_TABLE), factor
    )
    chroma = F.interpolate(chroma, scale_factor=2, mode="nearest")
    image = _mix_channels(paddle.concat([luma, chroma], axis=1), YCBCR_TO_RGB)
    return paddle.clip(image[:, :, :height, :width] / 255, 0, 1)


def _table_factor(quality: Tensor) -> Tensor:
    """Return what the tables are multiplied by, after the Independent JPEG Group's encoder."""
    return paddle.where(quality < 50, 50 / quality, 2 - quality / 50)


def _mix_channels(image: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return (N, 3, H, W) `image` with each pixel's channels multiplied by `matrix`."""
    batch, channels, height, width = image.shape
    flat = image.reshape([batch, channels, height * width])
    return paddle.matmul(paddle.to_tensor(matrix, dtype="float32"), flat).reshape(
        [batch, channels, height, width]
    )


def _quantize_blocks(plane: Tensor, table: np.ndarray, factor: Tensor) -> Tensor:
    """Return `plane` with the DCT coefficients of its 8 x 8 blocks rounded to multiples of `table` * `factor`.

    Args:
        plane: float32 (N, C, H, W), H and W multiples of 8.
        table: (8, 8) by (vertical, horizontal) frequency.
        factor: float32 (N,).
    """
    batch, channels, height, width = plane.shape
    basis = paddle.to_tensor(
        dct(np.eye(8), norm="ortho", axis=0), dtype="float32"
    )  # (frequency, position)
    columns = [batch, channels, height // 8, 8, width]
    blocks = [batch, channels, height // 8, 8, width // 8, 8]
    step = paddle.to_tensor(table.reshape(8, 1, 8), dtype="float32") * factor.reshape(
        [-1, 1, 1, 1, 1, 1]
    )

    coefficients = paddle.matmul(
        paddle.matmul(basis, plane.reshape(columns)).reshape(blocks), basis.T
    )
    step = step.expand(
        coefficients.shape
    )  # on a CPU, Paddle divides by a tensor of equal shape ten times as fast
    coefficients = paddle.round(coefficients / step) * step
    rows = paddle.matmul(coefficients, basis)
    return paddle.matmul(basis.T, rows.reshape(columns)).reshape(
        [batch, channels, height, width]
    )
