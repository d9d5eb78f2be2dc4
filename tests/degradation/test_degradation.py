"""Each stage of the degradation, and the whole, equals Real-ESRGAN's given the same draws; draws follow the options."""

import json
from functools import partial

import numpy as np
import paddle
import pytest
from places import REFERENCE
from scipy.stats import chi2, poisson

from realesrgan_paddle.data.degradation import pipeline as degradation
from realesrgan_paddle.data.degradation.blur import blur
from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
)
from realesrgan_paddle.data.degradation.pipeline import (
    Draws,
    PassDraws,
    degrade,
    draw,
    draw_pass,
    paired_random_crop,
)
from realesrgan_paddle.data.degradation.resize import resize_by, resize_to
from realesrgan_paddle.data.degradation.usm import USM
from realesrgan_paddle.options.schema.config import KernelOptions, SynthesisOptions

pytestmark = pytest.mark.paddle
RECORDED = np.load(REFERENCE / "degradation.npz")
RESIZES = [name.split("_")[1:] for name in RECORDED if name.startswith("resize_")]


def image(name: str) -> paddle.Tensor:
    return paddle.to_tensor(RECORDED[name].astype(np.float32) / 255)


def per_sample(*values: float | bool) -> paddle.Tensor:
    return paddle.to_tensor(values).reshape([-1, 1, 1, 1])


def close(result: paddle.Tensor, name: str, atol: float = 1e-5) -> None:
    assert tuple(result.shape) == RECORDED[name].shape
    np.testing.assert_allclose(result.numpy(), RECORDED[name], rtol=0, atol=atol)


def test_blur_equals_filter2d():
    close(
        blur(image("image"), paddle.to_tensor(RECORDED["blur_kernel"]))[:, :1], "blur"
    )


def test_blur_with_one_kernel_for_all_and_tiny_images():
    kernel = paddle.to_tensor(RECORDED["blur_kernel"][1:])
    both = image("image")
    np.testing.assert_allclose(
        blur(both, kernel)[1:].numpy(), blur(both[1:], kernel).numpy(), atol=1e-6
    )
    flat = blur(paddle.full([1, 3, 1, 2], 0.25), kernel)
    np.testing.assert_allclose(flat.numpy(), np.full((1, 3, 1, 2), 0.25), atol=1e-6)


def test_usm_equals_usmsharp():
    close(USM()(image("usm_image"))[:, :1], "usm", atol=1e-4)


@pytest.mark.parametrize(("mode", "to"), RESIZES)
def test_resize_equals_torch(mode: str, to: str):
    red = image("image")[:1, :1]
    size = [int(n) for n in to.split("x")] if "x" in to else None
    result = resize_to(red, size, mode) if size else resize_by(red, float(to), mode)
    close(result, f"resize_{mode}_{to}")


def test_a_factor_that_changes_no_size_is_as_in_torch():
    """Its bilinear then copies; its bicubic samples at steps of 1 / factor."""
    image = paddle.to_tensor(np.random.default_rng(0).random((1, 1, 3, 9), np.float32))
    assert resize_by(image, 1.07, "bilinear").equal_all(image)
    assert not resize_by(image, 1.07, "bicubic").equal_all(image)


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic"])
def test_resize_keeps_at_least_one_pixel(mode: str):
    assert resize_by(paddle.ones([1, 3, 3, 9]), 0.2, mode).shape == [1, 3, 1, 1]


def test_gaussian_noise_equals_basicsr():
    field = paddle.to_tensor(RECORDED["gaussian_field"].astype(np.float32))
    result = add_gaussian_noise(
        image("noise_image"), field, per_sample(7.5, 24.0), per_sample(False, True)
    )
    close(result, "gaussian", atol=1e-6)


def test_poisson_noise_equals_basicsr():
    counts = paddle.to_tensor(RECORDED["poisson_counts"].astype(np.float32))
    expected = []
    result = add_poisson_noise(
        image("noise_image"),
        per_sample(0.4, 2.2),
        per_sample(False, True),
        lambda level, brightest: expected.append(level / 255 * brightest) or counts,
    )
    close(result, "poisson", atol=1e-6)
    # The counts were drawn around the same means: sqrt(mean) is their standard
    # deviation.
    mean = expected[0].numpy()[1, 0]
    deviation = (RECORDED["poisson_counts"][1, 0] - mean) / np.sqrt(mean)
    assert deviation.mean() == pytest.approx(0, abs=0.1)
    assert deviation.std() == pytest.approx(1, abs=0.1)


def test_noise_fields_have_the_moments_of_their_distributions():
    normal = normal_fields([3, 64, 64], [5, 6], [False, False]).numpy()
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("level", "brightest"),
    [(255, 1), (3, 16), (40, 64), (1, 256), (77, 256), (255, 256)],
)
def test_counts_follow_poisson(level: int, brightest: int):
    """Of 200,000 counts no more are off than chance would have it (chi squared; seeds are fixed)."""
    levels, peaks = (
        paddle.full([2, 1, 250, 400], float(level)),
        per_sample(brightest, brightest).astype("float32"),
    )
    first, second = (
        poisson_counts(levels, peaks, [5, 6], [False, False]).numpy().astype(int)
    )
    assert (first != second).any()
    seen = np.bincount(np.concatenate([first.ravel(), second.ravel()]))
    expected = 200_000 * poisson.pmf(np.arange(len(seen)), level / 255 * brightest)
    likely = expected > 10
    terms = (seen - expected)[likely] ** 2 / expected[likely]
    assert 0.001 < chi2.sf(terms.sum(), likely.sum() - 1) < 0.999
    assert seen[~likely].sum() < 200
    assert not poisson_counts(
        paddle.zeros_like(levels), peaks, [5, 6], [False, False]
    ).any()


def test_gray_noise_is_gray():
    gray = paddle.full([2, 3, 16, 16], 0.5)
    flags = per_sample(True, False)
    for noisy in (
        add_gaussian_noise(
            gray,
            normal_fields([3, 16, 16], [0, 1], [True, False]),
            per_sample(20.0, 20.0),
            flags,
        ),
        add_poisson_noise(
            gray,
            per_sample(2.0, 2.0),
            flags,
            partial(poisson_counts, seeds=[0, 1], gray=[True, False]),
        ),
    ):
        spread = noisy.numpy().std(axis=1).max(axis=(1, 2))
        assert spread[0] < 1e-6 < 1e-2 < spread[1]


@pytest.mark.parametrize("chain", [0, 1])
def test_whole_chain_equals_real_esrgan(chain: int, monkeypatch: pytest.MonkeyPatch):
    recorded = json.loads(str(RECORDED[f"chain{chain}_draws"]))
    passes = {}
    for name in ("first", "second"):
        values = recorded.pop(name)
        arrays = {
            key: np.array(values.pop(key), np.float32)
            for key in ("strength", "quality")
        }
        passes[name] = PassDraws(
            **values
            | arrays
            | {"gray": np.array(values["gray"]), "field_seeds": np.arange(2)}
        )
        field = paddle.to_tensor(
            RECORDED[f"chain{chain}_{name}_field"].astype(np.float32)
        )
        drawn_by = "normal_fields" if values["gaussian"] else "poisson_counts"
        monkeypatch.setattr(degradation, drawn_by, lambda *_, field=field, **_k: field)
    kernels = [paddle.to_tensor(k) for k in RECORDED[f"chain{chain}_kernels"]]
    lq = degrade(
        image(f"chain{chain}_gt"), kernels, Draws(**recorded, **passes), scale=2
    )
    levels = np.rint(lq.numpy() * 255).astype(int)
    np.testing.assert_array_equal(levels, RECORDED[f"chain{chain}_lq"])


def synthesise(
    seed: int, height: int = 48, width: int = 80, scale: int = 4
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gt = paddle.to_tensor(
        np.random.default_rng(99).random((2, 3, height, width), np.float32)
    )
    kernels = zip(*(draw_kernels(KernelOptions(), rng) for _ in range(2)), strict=True)
    stacked = [paddle.to_tensor(np.stack(k)) for k in kernels]
    return degrade(USM()(gt), stacked, draw(SynthesisOptions(), rng, 2), scale).numpy()


def test_a_sample_does_not_depend_on_the_others():
    """So that processes which share a batch make of it what one process would."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gt = paddle.to_tensor(
            np.random.default_rng(99).random((3, 3, 40, 56), np.float32)
        )
        stacked = zip(
            *(draw_kernels(KernelOptions(), rng) for _ in range(3)), strict=True
        )
        kernels = [paddle.to_tensor(np.stack(k)) for k in stacked]
        draws = draw(SynthesisOptions(), rng, 3)
        whole = degrade(gt, kernels, draws, 4).numpy()
        some = degrade(
            gt[1:], [kernel[1:] for kernel in kernels], draws.subset(slice(1, 3)), 4
        ).numpy()
        np.testing.assert_array_equal(some, whole[1:])


def test_same_seed_same_pixels():
    for seed in range(6):
        first = synthesise(seed)
        paddle.randn([3])  # what happened to Paddle's generator before must not matter
        np.testing.assert_array_equal(synthesise(seed), first)
    assert not np.array_equal(synthesise(0), synthesise(1))


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(48, 80, 4), (30, 14, 2), (4, 4, 4), (1, 3, 1)]
)
def test_any_size(height: int, width: int, scale: int):
    for seed in range(4):
        lq = synthesise(seed, height, width, scale)
        assert lq.shape == (2, 3, height // scale, width // scale)
        assert lq.min() >= 0 and lq.max() <= 1
        np.testing.assert_allclose(lq * 255, np.rint(lq * 255), atol=1e-4)


def test_red_stays_red():
    shade = paddle.linspace(-0.1, 0.1, 32)
    red = (
        paddle.to_tensor([0.8, 0.2, 0.1]).reshape([1, 3, 1, 1])
        + shade.reshape([1, 1, 32, 1])
        + shade
    )
    red = paddle.clip(red, 0, 1)
    for seed in range(8):
        kernels = [
            paddle.to_tensor(k[None])
            for k in draw_kernels(KernelOptions(), np.random.default_rng(seed))
        ]
        lq = degrade(
            red, kernels, draw(SynthesisOptions(), np.random.default_rng(seed), 1), 4
        )
        means = lq.mean(
            axis=[0, 2, 3]
        ).numpy()  # clipped noise moves them, but not past one another
        assert means == pytest.approx([0.8, 0.2, 0.1], abs=0.25)
        assert means[0] > means[1] + 0.3


def test_draws_follow_the_options():
    options = SynthesisOptions()
    rng = np.random.default_rng(0)
    draws = [draw(options, rng, 2) for _ in range(3000)]
    for which, factors in (("first", (0.15, 1.5)), ("second", (0.3, 1.2))):
        passes = [getattr(d, which) for d in draws]
        wanted = getattr(options, f"{which}_pass")
        factor = np.array([p.factor for p in passes])
        shares = [np.mean(factor > 1), np.mean(factor < 1), np.mean(factor == 1)]
        assert shares == pytest.approx(wanted.resize_prob, abs=0.03)
        assert (
            factors[0] <= factor.min() < factors[0] + 0.02
            and factors[1] - 0.02 < factor.max() <= factors[1]
        )
        modes = [p.mode for p in passes]
        assert [
            modes.count(m) / 3000 for m in ("area", "bilinear", "bicubic")
        ] == pytest.approx([1 / 3] * 3, abs=0.03)
        assert np.mean([p.gaussian for p in passes]) == pytest.approx(0.5, abs=0.03)
        assert np.mean([p.gray for p in passes]) == pytest.approx(0.4, abs=0.03)
        quality = np.concatenate([p.quality for p in passes])
        assert 30 <= quality.min() < 31 and 94 < quality.max() <= 95
        for gaussian, limits in (
            (True, wanted.noise_range),
            (False, wanted.poisson_scale_range),
        ):
            strength = np.concatenate(
                [p.strength for p in passes if p.gaussian == gaussian]
            )
            assert [strength.min(), strength.max()] == pytest.approx(
                limits, abs=0.02 * limits[1]
            )
    assert np.mean([d.second_blur for d in draws]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([d.jpeg_last for d in draws]) == pytest.approx(0.5, abs=0.03)


def test_samples_differ_within_a_batch():
    draws = draw_pass(SynthesisOptions().first_pass, np.random.default_rng(0), 64)
    assert len(set(draws.quality.tolist())) == len(set(draws.strength.tolist())) == 64
    assert 0 < draws.gray.sum() < 64


def test_second_pass_reads_its_own_options():
    options = SynthesisOptions(
        jpeg_range=(90, 95),
        jpeg_range2=(30, 35),
        resize_prob=(0, 1, 0),
        resize_prob2=(1, 0, 0),
    )
    draws = draw(options, np.random.default_rng(0), 4)
    assert draws.first.quality.min() >= 90 and draws.second.quality.max() <= 35
    assert draws.first.factor < 1 < draws.second.factor


def test_crops_lie_on_each_other():
    scale, gt_size = 4, 16
    lq = paddle.arange(12 * 20, dtype="float32").reshape([1, 1, 12, 20])
    gt = paddle.nn.functional.interpolate(lq, scale_factor=scale, mode="nearest")
    places = set()
    for seed in range(300):
        gt_crop, lq_crop = paired_random_crop(
            gt, lq, gt_size, scale, np.random.default_rng(seed)
        )
        assert gt_crop.shape == [1, 1, 16, 16] and lq_crop.shape == [1, 1, 4, 4]
        np.testing.assert_array_equal(
            gt_crop[:, :, ::scale, ::scale].numpy(), lq_crop.numpy()
        )
        places.add(lq_crop[0, 0, 0, 0].item())
    assert {0.0, 8 * 20.0 + 16} <= places and len(places) > 60
