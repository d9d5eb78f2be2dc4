"""Blur kernels equal BasicSR's, and are drawn as often and as wide as the options say."""

import numpy as np
import pytest
from places import REFERENCE

from realesrgan_paddle.data.degradation import kernels
from realesrgan_paddle.options.schema.config import KernelOptions

RECORDED = np.load(REFERENCE / "degradation.npz")


@pytest.mark.parametrize("name", [name for name in RECORDED if "_kernel_" in name])
def test_kernel_equals_basicsr(name: str):
    kind, _, values = name.partition("_kernel_")
    size, *parameters = values.split("_")
    kernel = getattr(kernels, f"{kind}_kernel")(int(size), *map(float, parameters))
    assert kernel.shape == RECORDED[name].shape
    np.testing.assert_allclose(kernel, RECORDED[name], rtol=0, atol=1e-12)


def test_sizes_and_sums():
    options = KernelOptions(blur_kernel_size=15, blur_kernel_size2=9)
    rng = np.random.default_rng(0)
    drawn = [kernels.draw_kernels(options, rng) for _ in range(200)]
    for first, second, final in drawn:
        assert (first.shape, second.shape, final.shape) == ((15, 15), (9, 9), (9, 9))
        for kernel in (first, second, final):
            assert kernel.dtype == np.float32
            assert kernel.sum() == pytest.approx(1, abs=1e-5)
    pulse = np.pad([[1.0]], 4)
    untouched = np.mean([np.array_equal(final, pulse) for _, _, final in drawn])
    assert untouched == pytest.approx(0.2, abs=0.1)  # final_sinc_prob is 0.8


def test_kernels_follow_the_generator():
    def draw(seed: int):
        return kernels.draw_kernels(KernelOptions(), np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_kinds_and_parameters_are_drawn_as_the_options_say(
    monkeypatch: pytest.MonkeyPatch,
):
    calls: list[tuple] = []
    for name in (
        "gaussian_kernel",
        "generalized_gaussian_kernel",
        "plateau_kernel",
        "sinc_kernel",
    ):
        monkeypatch.setattr(
            kernels,
            name,
            lambda *args, name=name, **kw: calls.append((name, *args, kw)) or np.eye(7),
        )
    options = KernelOptions(
        blur_kernel_size=21,
        blur_sigma=(0.5, 2),
        betag_range=(0.25, 4),
        betap_range=(0.75, 2),
    )
    rng = np.random.default_rng(1)
    count = 4000
    for _ in range(count):
        kernels.draw_blur_kernel(options.first_blur, rng)

    def share(name: str, isotropic: bool) -> float:
        return (
            sum(
                c[0] == name and (c[2] == c[3] and c[4] == 0) == isotropic
                for c in calls
            )
            / count
        )

    sincs = [call for call in calls if call[0] == "sinc_kernel"]
    calls = [call for call in calls if call[0] != "sinc_kernel"]
    assert len(sincs) / count == pytest.approx(0.1, abs=0.02)
    shares = {
        name: [share(name, True), share(name, False)]
        for name in ("gaussian_kernel", "plateau_kernel")
    }
    assert shares["gaussian_kernel"] == pytest.approx(
        [0.9 * 0.45, 0.9 * 0.25], abs=0.03
    )
    assert shares["plateau_kernel"] == pytest.approx([0.9 * 0.12, 0.9 * 0.03], abs=0.02)

    assert {call[1] for call in calls} == set(range(7, 22, 2))
    sigmas = np.array([call[2:4] for call in calls])
    assert 0.5 <= sigmas.min() < 0.51 and 1.99 < sigmas.max() <= 2
    thetas = np.array([call[4] for call in calls])
    assert -np.pi <= thetas.min() < -3 and 3 < thetas.max() <= np.pi
    for name, low, high in (
        ("generalized_gaussian_kernel", 0.25, 4),
        ("plateau_kernel", 0.75, 2),
    ):
        betas = np.array([call[5] for call in calls if call[0] == name])
        assert low <= betas.min() and betas.max() <= high
        assert np.mean(betas < 1) == pytest.approx(0.5, abs=0.08)

    cutoffs = np.array([(call[1], call[2]["cutoff"]) for call in sincs])
    small = cutoffs[:, 0] < 13
    assert np.pi / 3 <= cutoffs[small, 1].min() and cutoffs[:, 1].max() <= np.pi
    assert np.pi / 5 <= cutoffs[~small, 1].min() < np.pi / 3
