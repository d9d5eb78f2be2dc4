"""The JPEG on tensors equals DiffJPEG, sample by sample, and is near a real encoder."""

import cv2
import numpy as np
import paddle
import pytest
from places import REFERENCE

from realesrgan_paddle.data.degradation.jpeg import jpeg

pytestmark = pytest.mark.paddle
RECORDED = np.load(REFERENCE / "degradation.npz")


def picture() -> np.ndarray:
    return RECORDED["jpeg_image"].astype(np.float32) / 255


def compress(image: np.ndarray, quality: list[float]) -> np.ndarray:
    qualities = paddle.to_tensor(quality, dtype="float32")
    return jpeg(paddle.to_tensor(image), qualities).numpy()


def test_jpeg_equals_diffjpeg():
    # 24 x 41: neither side is a multiple of 16. No coefficient of this image lies
    # half-way between two steps.
    result = compress(picture(), RECORDED["jpeg_quality"].tolist())
    np.testing.assert_allclose(result, RECORDED["jpeg"], rtol=0, atol=2e-5)


def test_each_sample_has_its_own_quality():
    image = picture()
    qualities = [12.5, 50, 93.7]
    together = compress(image, qualities)
    for number, quality in enumerate(qualities):
        alone = compress(image[number : number + 1], [quality])
        np.testing.assert_allclose(together[number], alone[0], rtol=0, atol=1e-6)
    errors = np.abs(together - image).mean(axis=(1, 2, 3))
    assert errors.argsort().tolist() == [2, 1, 0], "a better quality loses less"


def test_jpeg_is_near_a_real_encoder():
    y, x = np.mgrid[:64, :96]
    image = np.stack([x / 96, y / 64, (x + y) / 160]).astype(np.float32)
    bgr = np.rint(image[::-1].transpose(1, 2, 0) * 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 60])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    real = decoded[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255
    assert np.abs(compress(image[None], [60])[0] - real).mean() < 1.5 / 255


def test_values_outside_the_range_are_clipped_first():
    image = picture()
    wild = np.where(image > 0.8, image + 1, image).astype(np.float32)
    clipped = np.clip(wild, 0, 1)
    qualities = [50, 50, 50]
    np.testing.assert_array_equal(
        compress(wild, qualities), compress(clipped, qualities)
    )


def libjpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return (3, H, W) RGB in [0, 1] after libjpeg's encoder and decoder, with 4:2:0."""
    bgr = np.rint(image[::-1].transpose(1, 2, 0) * 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    _, encoded = cv2.imencode(".jpg", bgr, options)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return decoded[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255


def colorful(height: int, width: int) -> np.ndarray:
    """Return (3, H, W) in [0, 1]: colored squares of 5 pixels, with noise."""
    rng = np.random.default_rng(height)
    squares = rng.random((3, -(-height // 5), -(-width // 5)), np.float32)
    image = squares.repeat(5, axis=1).repeat(5, axis=2)[:, :height, :width]
    noise = rng.normal(0, 0.02, image.shape)
    return np.clip(image + noise, 0.05, 0.95).astype(np.float32)


def test_linear_chroma_upsampling_equals_libjpegs():
    """At the border, too: 50 x 36 and 24 x 8 end within a block of 16 x 16."""
    for size in [(48, 80), (50, 36), (24, 8)]:
        image = colorful(*size)
        levels = np.rint(image * 255) / np.float32(255)
        quality = paddle.to_tensor([100.0])
        batch = paddle.to_tensor(levels[None])
        real = libjpeg(image, 100)
        linear = jpeg(batch, quality, "linear").numpy()[0]
        nearest = jpeg(batch, quality, "nearest").numpy()[0]

        # libjpeg rounds to whole levels five times on the way.
        assert np.abs(linear - real).max() < 4 / 255
        assert np.abs(nearest - real).max() > 40 / 255


def test_the_best_qualities_lose_as_much_as_libjpegs():
    for quality in [96, 98, 99, 99.9, 100]:
        image = colorful(64, 96)
        levels = np.rint(image * 255) / np.float32(255)
        qualities = paddle.to_tensor([float(quality)])
        ours = jpeg(paddle.to_tensor(levels[None]), qualities, "linear").numpy()[0]
        assert np.isfinite(ours).all()

        # libjpeg rounds to whole levels, too.
        lost = luma_deviation(ours - levels)
        assert 0.7 < lost / luma_deviation(libjpeg(image, round(quality)) - levels) < 1


def luma_deviation(difference: np.ndarray) -> float:
    """Return the standard deviation of the luma of a difference (3, H, W)."""
    return float(np.tensordot([0.299, 0.587, 0.114], difference, 1).std())
