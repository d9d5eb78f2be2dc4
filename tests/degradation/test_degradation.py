"""Each stage of the degradation, and the whole, equals Real-ESRGAN's on equal random values.

How they are distributed: test_batch_distributions.py.
"""

import json
from functools import partial

import numpy as np
import paddle
import pytest
from places import REFERENCE
from scipy.stats import chi2, poisson

from realesrgan_paddle.data.degradation import noise, pipeline
from realesrgan_paddle.data.degradation.filters import USM, blur, resize_by, resize_to
from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
)
from realesrgan_paddle.data.degradation.pipeline import (
    DegradationParams,
    PassParams,
    degrade,
    draw,
    draw_pass,
    paired_random_crop,
)
from realesrgan_paddle.options.schema.degradation import KernelOptions, SynthesisOptions

pytestmark = pytest.mark.paddle
RECORDED = np.load(REFERENCE / "degradation.npz")
NO_GRAIN = np.zeros(2, np.float32)
RESIZES = [name.split("_")[1:] for name in RECORDED if name.startswith("resize_")]


def image(name: str) -> paddle.Tensor:
    return paddle.to_tensor(RECORDED[name].astype(np.float32) / 255)


def per_sample(*values: float | bool) -> paddle.Tensor:
    return paddle.to_tensor(values).reshape([-1, 1, 1, 1])


def assert_equals_recorded(
    result: paddle.Tensor, name: str, atol: float = 1e-5
) -> None:
    assert tuple(result.shape) == RECORDED[name].shape
    np.testing.assert_allclose(result.numpy(), RECORDED[name], rtol=0, atol=atol)


def test_blur_equals_basicsr():
    blurred = blur(image("image"), paddle.to_tensor(RECORDED["blur_kernel"]))
    assert_equals_recorded(blurred[:, :1], "blur")


def test_one_blur_kernel_serves_all_samples():
    kernel = paddle.to_tensor(RECORDED["blur_kernel"][1:])
    both = image("image")
    together = blur(both, kernel)[1:].numpy()
    alone = blur(both[1:], kernel).numpy()
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_blur_keeps_a_flat_image_smaller_than_its_kernel():
    kernel = paddle.to_tensor(RECORDED["blur_kernel"][1:])
    blurred = blur(paddle.full([1, 3, 1, 2], 0.25), kernel)
    np.testing.assert_allclose(blurred.numpy(), np.full((1, 3, 1, 2), 0.25), atol=1e-6)


def test_usm_equals_basicsr():
    assert_equals_recorded(USM()(image("usm_image"))[:, :1], "usm", atol=1e-4)


def test_resize_equals_torch():
    for mode, to in RESIZES:
        red = image("image")[:1, :1]
        size = [int(n) for n in to.split("x")] if "x" in to else None
        result = resize_to(red, size, mode) if size else resize_by(red, float(to), mode)
        assert_equals_recorded(result, f"resize_{mode}_{to}")


def test_a_factor_that_keeps_the_size_copies_if_bilinear_as_in_torch():
    image = paddle.to_tensor(np.random.default_rng(0).random((1, 1, 3, 9), np.float32))
    assert resize_by(image, 1.07, "bilinear").equal_all(image)
    assert not resize_by(image, 1.07, "bicubic").equal_all(image)


def test_resize_keeps_at_least_one_pixel():
    for mode in ["area", "bilinear", "bicubic"]:
        assert resize_by(paddle.ones([1, 3, 3, 9]), 0.2, mode).shape == [1, 3, 1, 1]


def test_gaussian_noise_equals_basicsr():
    field = paddle.to_tensor(RECORDED["gaussian_field"].astype(np.float32))
    result = add_gaussian_noise(
        image("noise_image"), field, per_sample(7.5, 24.0), per_sample(False, True)
    )
    assert_equals_recorded(result, "gaussian", atol=1e-6)


def test_poisson_noise_equals_basicsr():
    counts = paddle.to_tensor(RECORDED["poisson_counts"].astype(np.float32))
    result = add_poisson_noise(
        image("noise_image"),
        per_sample(0.4, 2.2),
        per_sample(False, True),
        lambda level, brightest: counts,
        NO_GRAIN,
    )
    assert_equals_recorded(result, "poisson", atol=1e-6)


def test_poisson_counts_have_the_mean_that_basicsr_draws_them_with():
    means = []

    def sample(level, brightest):
        means.append(level / 255 * brightest)
        return level

    gray = per_sample(False, True)
    levels = per_sample(0.4, 2.2)
    add_poisson_noise(image("noise_image"), levels, gray, sample, NO_GRAIN)
    mean = means[0].numpy()[1, 0]
    counts = RECORDED["poisson_counts"][1, 0]
    deviation = (counts - mean) / np.sqrt(mean)  # in standard deviations
    assert deviation.mean() == pytest.approx(0, abs=0.1)
    assert deviation.std() == pytest.approx(1, abs=0.1)


def test_normal_fields_have_mean_0_and_variance_1():
    normal = normal_fields([3, 64, 64], [5, 6], [False, False]).numpy()
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, abs=0.02)


def test_a_gpu_finds_the_levels_that_numpy_finds(monkeypatch):
    levels = np.random.default_rng(0).integers(0, 256, (3, 3, 9, 7))
    levels[1] = levels[1] // 100
    levels[2] = 255
    level = paddle.to_tensor(levels.astype(np.float32))
    on_cpu = noise._count_levels(level)
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    assert noise._count_levels(level).flatten().tolist() == on_cpu.flatten().tolist()
    assert on_cpu.flatten().tolist() == [256, 4, 1]


def test_counts_follow_the_poisson_distribution():
    """A chi-squared test of 200,000 counts, on fixed seeds."""
    for level, brightest in [
        (255, 1),
        (3, 16),
        (40, 64),
        (1, 256),
        (77, 256),
        (255, 256),
    ]:
        levels = paddle.full([2, 1, 250, 400], float(level))
        peaks = per_sample(brightest, brightest).astype("float32")
        counts = poisson_counts(levels, peaks, [5, 6], [False, False])
        counts = counts.numpy().astype(int)
        assert (counts[0] != counts[1]).any(), "other seeds, other counts"

        found = np.bincount(counts.ravel())
        expected = poisson.pmf(np.arange(len(found)), level / 255 * brightest) * 200_000
        likely = expected > 10
        terms = (found - expected)[likely] ** 2 / expected[likely]
        assert 0.001 < chi2.sf(terms.sum(), likely.sum() - 1) < 0.999
        assert found[~likely].sum() < 200


def test_black_has_no_photons():
    black = paddle.zeros([2, 1, 25, 40])
    peaks = per_sample(1, 256).astype("float32")
    assert not poisson_counts(black, peaks, [5, 6], [False, False]).any()


def assert_first_sample_is_gray_only(noisy: paddle.Tensor) -> None:
    """Assert that the channels of the first sample are equal, not of the second."""
    deviation = noisy.numpy().std(axis=1).max(axis=(1, 2))
    assert deviation[0] < 1e-6 < 1e-2 < deviation[1]


def test_gray_noise_is_equal_in_all_channels():
    flat = paddle.full([2, 3, 16, 16], 0.5)
    gray = [True, False]
    flags = per_sample(*gray)
    field = normal_fields([3, 16, 16], [0, 1], gray)
    noisy = add_gaussian_noise(flat, field, per_sample(20.0, 20.0), flags)
    assert_first_sample_is_gray_only(noisy)

    sample = partial(poisson_counts, seeds=[0, 1], gray=gray)
    noisy = add_poisson_noise(flat, per_sample(2.0, 2.0), flags, sample, NO_GRAIN)
    assert_first_sample_is_gray_only(noisy)


@pytest.mark.parametrize("chain", [0, 1])
def test_whole_chain_equals_real_esrgan(chain: int, monkeypatch: pytest.MonkeyPatch):
    recorded = json.loads(str(RECORDED[f"chain{chain}_draws"]))
    for name in ("first", "second"):
        values = recorded[name]
        recorded[name] = PassParams(
            factor=values["factor"],
            mode=values["mode"],
            gaussian=values["gaussian"],
            strength=np.array(values["strength"], np.float32),
            gray=np.array(values["gray"]),
            quality=np.array(values["quality"], np.float32),
            field_seeds=np.arange(2),
            compressed=np.ones(2, bool),
            grain=NO_GRAIN,
        )
        # The recorded noise, in place of what would be drawn.
        noise = RECORDED[f"chain{chain}_{name}_field"].astype(np.float32)
        field = paddle.to_tensor(noise)
        drawn_by = "normal_fields" if values["gaussian"] else "poisson_counts"
        monkeypatch.setattr(pipeline, drawn_by, lambda *_, field=field, **_k: field)

    kernels = [paddle.to_tensor(k) for k in RECORDED[f"chain{chain}_kernels"]]
    gt = image(f"chain{chain}_gt")
    lq = degrade(gt, kernels, DegradationParams(**recorded), scale=2)
    levels = np.rint(lq.numpy() * 255).astype(int)
    np.testing.assert_array_equal(levels, RECORDED[f"chain{chain}_lq"])


def random_kernels(rng: np.random.Generator, count: int) -> list[paddle.Tensor]:
    """Return the batches of the three kernels of `count` samples."""
    samples = [draw_kernels(KernelOptions(), rng) for _ in range(count)]
    return [paddle.to_tensor(np.stack(k)) for k in zip(*samples, strict=True)]


def random_gt(count: int, height: int, width: int) -> paddle.Tensor:
    rng = np.random.default_rng(99)
    return paddle.to_tensor(rng.random((count, 3, height, width), np.float32))


def synthesize(
    seed: int, height: int = 48, width: int = 80, scale: int = 4
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gt = USM()(random_gt(2, height, width))
    kernels = random_kernels(rng, 2)
    return degrade(gt, kernels, draw(SynthesisOptions(), rng, 2), scale).numpy()


def test_a_sample_does_not_depend_on_the_rest_of_its_batch():
    """So processes that share a batch get what a single process would."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gt = random_gt(3, 40, 56)
        kernels = random_kernels(rng, 3)
        params = draw(SynthesisOptions(), rng, 3)
        whole = degrade(gt, kernels, params, 4).numpy()

        of_part = [kernel[1:] for kernel in kernels]
        part = degrade(gt[1:], of_part, params.subset(slice(1, 3)), 4).numpy()
        np.testing.assert_array_equal(part, whole[1:])


def test_equal_seeds_give_equal_pixels():
    for seed in range(6):
        first = synthesize(seed)
        paddle.randn([3])  # the state of Paddle's generator must not matter
        np.testing.assert_array_equal(synthesize(seed), first)
    assert not np.array_equal(synthesize(0), synthesize(1))


def test_images_of_any_size_become_8_bit_levels():
    for height, width, scale in [(48, 80, 4), (30, 14, 2), (4, 4, 4), (1, 3, 1)]:
        for seed in range(4):
            lq = synthesize(seed, height, width, scale)
            assert lq.shape == (2, 3, height // scale, width // scale)
            assert lq.min() >= 0 and lq.max() <= 1
            np.testing.assert_allclose(lq * 255, np.rint(lq * 255), atol=1e-4)


def test_red_stays_red():
    for seed in range(8):
        shade = paddle.linspace(-0.1, 0.1, 32)
        color = paddle.to_tensor([0.8, 0.2, 0.1]).reshape([1, 3, 1, 1])
        red = paddle.clip(color + shade.reshape([1, 1, 32, 1]) + shade, 0, 1)
        kernels = random_kernels(np.random.default_rng(seed), 1)
        params = draw(SynthesisOptions(), np.random.default_rng(seed), 1)
        means = degrade(red, kernels, params, 4).mean(axis=[0, 2, 3]).numpy()
        # Clipped noise moves the channels, but not past one another.
        assert means == pytest.approx([0.8, 0.2, 0.1], abs=0.25)
        assert means[0] > means[1] + 0.3


def test_samples_of_a_batch_have_different_values():
    params = draw_pass(SynthesisOptions().first_pass, np.random.default_rng(0), 64)
    assert len(set(params.quality.tolist())) == 64
    assert len(set(params.strength.tolist())) == 64
    assert 0 < params.gray.sum() < 64


def test_the_second_pass_has_its_own_options():
    options = SynthesisOptions(
        jpeg_range=(90, 95),
        jpeg_range2=(30, 35),
        resize_prob=(0, 1, 0),
        resize_prob2=(1, 0, 0),
    )
    params = draw(options, np.random.default_rng(0), 4)
    assert params.first.quality.min() >= 90 and params.second.quality.max() <= 35
    assert params.first.factor < 1 < params.second.factor


def test_paired_crops_show_the_same_place():
    scale, gt_size = 4, 16
    lq = paddle.arange(12 * 20, dtype="float32").reshape([1, 1, 12, 20])
    gt = paddle.nn.functional.interpolate(lq, scale_factor=scale, mode="nearest")
    places = set()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        gt_crop, lq_crop = paired_random_crop(gt, lq, gt_size, scale, rng)
        assert gt_crop.shape == [1, 1, 16, 16] and lq_crop.shape == [1, 1, 4, 4]
        shrunk = gt_crop[:, :, ::scale, ::scale]
        np.testing.assert_array_equal(shrunk.numpy(), lq_crop.numpy())
        places.add(lq_crop[0, 0, 0, 0].item())
    first, last = 0, 8 * 20 + 16
    assert {first, last} <= places and len(places) > 60
