"""JPEG in tensors equals DiffJPEG, sample by sample."""

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
    return jpeg(
        paddle.to_tensor(image), paddle.to_tensor(quality, dtype="float32")
    ).numpy()


def test_equals_diffjpeg():
    # 24 x 41: neither side is a multiple of 16. No coefficient of this picture lies
    # half-way between two steps.
    result = compress(picture(), RECORDED["jpeg_quality"].tolist())
    np.testing.assert_allclose(result, RECORDED["jpeg"], rtol=0, atol=2e-5)


def test_quality_belongs_to_its_sample():
    image = picture()
    together = compress(image, [12.5, 50, 93.7])
    alone = [compress(image[i : i + 1], [q])[0] for i, q in enumerate((12.5, 50, 93.7))]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    assert np.abs(together - image).mean(axis=(1, 2, 3)).argsort().tolist() == [2, 1, 0]


def test_is_near_a_real_encoder():
    y, x = np.mgrid[:64, :96]
    image = np.stack([x / 96, y / 64, (x + y) / 160]).astype(np.float32)
    bgr = np.rint(image[::-1].transpose(1, 2, 0) * 255).astype(np.uint8)
    encoded = cv2.imdecode(
        cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR
    )
    real = encoded[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255
    assert np.abs(compress(image[None], [60])[0] - real).mean() < 1.5 / 255


def test_clips_what_lies_outside():
    image = picture()
    wild = np.where(image > 0.8, image + 1, image).astype(np.float32)
    np.testing.assert_array_equal(
        compress(wild, [50, 50, 50]), compress(np.clip(wild, 0, 1), [50, 50, 50])
    )
