"""Grain makes neighboring pixels of the noise alike and keeps its level."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from realesrgan_paddle.data.degradation.noise import (
    GRAIN_KERNEL_SIZE,
    normal_fields,
    with_grain,
)
from realesrgan_paddle.data.degradation.pipeline import add_noise, draw_pass
from realesrgan_paddle.options.schema.degradation import PassOptions
from realesrgan_paddle.utils.field_types import LARGEST_GRAIN

pytestmark = pytest.mark.paddle


def neighbors_alike(noise: np.ndarray) -> float:
    """Return the correlation of each pixel of (H, W) with the next one."""
    here = noise[:, :-1] - noise.mean()
    there = noise[:, 1:] - noise.mean()
    return float((here * there).mean() / noise.var())


def test_the_level_stays_and_neighbors_become_alike():
    field = normal_fields([3, 160, 160], range(4), [False] * 4)
    sizes = np.array([0, 0.5, 1, LARGEST_GRAIN], np.float32)
    found = with_grain(field, sizes).numpy()
    np.testing.assert_allclose(found[0], field.numpy()[0], atol=1e-5)
    assert found.std(axis=(1, 2, 3)) == pytest.approx(np.ones(4), abs=0.08)

    alike = [neighbors_alike(sample[0]) for sample in found]
    assert alike[0] == pytest.approx(0, abs=0.03)
    weight = np.exp(-2)  # of a neighbor: exp(-1 / (2 * 0.5**2))
    assert alike[1] == pytest.approx(2 * weight / (1 + 2 * weight**2), abs=0.03)
    # Of a gaussian of sigma s that is sampled finely: exp(-1 / (4 s**2)).
    assert alike[2] == pytest.approx(np.exp(-0.25), abs=0.03)
    assert alike[3] > 0.97
    channels = np.corrcoef(found[2].reshape(3, -1))
    assert abs(channels[0, 1]) < 0.1


def test_without_grain_the_noise_is_the_same_object():
    field = normal_fields([3, 8, 8], [0], [False])
    assert with_grain(field, np.zeros(1, np.float32)) is field


def test_an_image_smaller_than_the_kernel_is_taken():
    field = normal_fields([3, 1, GRAIN_KERNEL_SIZE // 2], [0], [False])
    found = with_grain(field, np.array([LARGEST_GRAIN], np.float32))
    assert np.isfinite(found.numpy()).all()


@pytest.mark.parametrize("gaussian", [1.0, 0.0])
def test_both_kinds_of_noise_get_the_grain_that_was_drawn(gaussian):
    options = PassOptions(
        gaussian_noise_prob=gaussian,
        noise_range=(12, 12),
        poisson_scale_range=(1, 1),
        grain_size=(0.8, 1.2),
        gray_noise_prob=0.5,
    )
    params = draw_pass(options, np.random.default_rng(0), batch_size=4)
    assert ((params.grain >= 0.8) & (params.grain <= 1.2)).all()
    levels = np.random.default_rng(1).uniform(0.4, 0.6, (4, 3, 96, 96))
    image = paddle.to_tensor(levels.astype(np.float32))
    coarse = (add_noise(image, params) - image).numpy()
    without = replace(params, grain=np.zeros(4, np.float32))
    fine = (add_noise(image, without) - image).numpy()
    for sample, other in zip(coarse, fine, strict=True):
        assert neighbors_alike(sample[0]) > 0.5 > 0.1 > neighbors_alike(other[0])
        assert sample.std() == pytest.approx(other.std(), rel=0.12)

    part = (add_noise(image[1:2], params.subset(slice(1, 2))) - image[1:2]).numpy()
    np.testing.assert_allclose(part[0], coarse[1], atol=2e-6)


def test_no_grain_changes_no_other_draw():
    def draw(**grain):
        rng = np.random.default_rng(0)
        return draw_pass(PassOptions(**grain), rng, batch_size=3)

    plain = draw()
    assert not plain.grain.any()
    coarse = draw(grain_size=(1, 2))
    assert np.array_equal(plain.field_seeds, coarse.field_seeds)
    assert np.array_equal(plain.quality, coarse.quality)
