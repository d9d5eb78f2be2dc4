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
