"""Blur kernels equal BasicSR's and have fixed sizes; motion is a line of its length.

How often each is drawn: test_kernel_distributions.py.
"""

import numpy as np
import pytest
from places import REFERENCE

from realesrgan_paddle.data.degradation import kernels
from realesrgan_paddle.options.schema.degradation import KernelOptions

RECORDED = np.load(REFERENCE / "degradation.npz")


def test_kernel_equals_basicsr():
    for name in [name for name in RECORDED if "_kernel_" in name]:
        kind, _, values = name.partition("_kernel_")
        size, *parameters = values.split("_")
        kernel = getattr(kernels, f"{kind}_kernel")(int(size), *map(float, parameters))
        assert kernel.shape == RECORDED[name].shape
        np.testing.assert_allclose(kernel, RECORDED[name], rtol=0, atol=1e-12)


def test_kernels_have_the_sizes_of_the_options_and_sum_to_one():
    options = KernelOptions(blur_kernel_size=15, blur_kernel_size2=9)
    rng = np.random.default_rng(0)
    drawn = [kernels.draw_kernels(options, rng) for _ in range(200)]
    for first, second, final in drawn:
        assert (first.shape, second.shape, final.shape) == ((15, 15), (9, 9), (9, 9))
        for kernel in (first, second, final):
            assert kernel.dtype == np.float32
            assert kernel.sum() == pytest.approx(1, abs=1e-5)
    pulse = np.pad([[1.0]], 4)
    pulses = [np.array_equal(final, pulse) for _, _, final in drawn]
    assert np.mean(pulses) == pytest.approx(0.2, abs=0.1)  # final_sinc_prob is 0.8


def test_equal_seeds_give_equal_kernels():
    def draw(seed: int):
        return kernels.draw_kernels(KernelOptions(), np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_a_motion_kernel_is_a_centered_line_of_its_length():
    for length, theta in [(15, 0), (9.5, 0.7), (12, np.pi / 2)]:
        kernel = kernels.motion_kernel(17, length, theta)
        y, x = np.mgrid[:17, :17] - 8
        along = x * np.cos(theta) + y * np.sin(theta)
        across = y * np.cos(theta) - x * np.sin(theta)
        assert kernel.sum() == pytest.approx(1)
        assert (kernel * x).sum() == pytest.approx(0, abs=1e-9)
        assert (kernel * y).sum() == pytest.approx(0, abs=1e-9)
        variance_of_a_line = length**2 / 12
        assert (kernel * along**2).sum() == pytest.approx(variance_of_a_line, rel=0.06)
        assert (kernel * across**2).sum() < 0.3


def test_a_motion_kernel_without_motion_is_a_pulse():
    kernel = kernels.motion_kernel(7, 0, 1.0)
    assert kernel[3, 3] == 1 == kernel.sum()


def test_motion_blur_widens_the_first_kernel_and_changes_no_other():
    still = kernels.draw_kernels(KernelOptions(), np.random.default_rng(4))
    motions = (1e-9, 1.0)  # the option is on; this sample does not move, or does
    resting, moving = (
        kernels.draw_kernels(
            KernelOptions(motion_blur_prob=motion, motion_blur_range=(8, 12.5)),
            np.random.default_rng(4),
        )
        for motion in motions
    )
    for drawn in (resting, moving):
        assert drawn.first.shape == (35, 35), "samples of one size can be stacked"
        assert drawn.first.sum() == pytest.approx(still.first.sum(), abs=1e-4)
        np.testing.assert_array_equal(drawn.second, still.second)
        np.testing.assert_array_equal(drawn.final, still.final)
    padded = np.pad(still.first, 7)
    np.testing.assert_allclose(resting.first, padded, rtol=0, atol=1e-7)
    assert not np.allclose(moving.first, padded, rtol=0, atol=1e-7)


def test_the_aspect_lies_along_the_axes_and_keeps_the_geometric_mean():
    options = KernelOptions(
        kernel_list=("aniso",),
        kernel_prob=(1,),
        sinc_prob=0,
        blur_kernel_size=41,
        blur_sigma=(1.5, 1.5),
        blur_aspect=(4, 4),
    )
    rng = np.random.default_rng(0)
    drawn = [kernels.draw_blur_kernel(options.first_blur, rng) for _ in range(30)]
    kernel = max(drawn, key=lambda one: np.count_nonzero(one))  # not cut off
    y, x = np.mgrid[:41, :41] - 20
    assert (kernel * x**2).sum() == pytest.approx(3.0**2, rel=0.02)
    assert (kernel * y**2).sum() == pytest.approx(0.75**2, rel=0.02)
    assert (kernel * x * y).sum() == pytest.approx(0, abs=1e-5)


def test_an_aspect_changes_nothing_of_round_kernels():
    def draw(**aspect):
        options = KernelOptions(kernel_list=("iso",), kernel_prob=(1,), **aspect)
        return kernels.draw_kernels(options, np.random.default_rng(3))

    np.testing.assert_array_equal(draw().first, draw(blur_aspect=(2, 3)).first)
