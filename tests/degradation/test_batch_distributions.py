"""The random values of a batch have the options' distributions, and are independent.

On fixed seeds. A field that is added to the drawn values fails until it is tested here.
"""

from dataclasses import fields
from math import log

import numpy as np
import pytest
from distributions import SMALLEST_P, Distributions, equal, rounded
from scipy import stats

from realesrgan_paddle.data.degradation.codec import Video
from realesrgan_paddle.data.degradation.domain import DomainParams, Halo, Interlacing
from realesrgan_paddle.data.degradation.pipeline import (
    DegradationParams,
    PassParams,
    draw,
)
from realesrgan_paddle.options.schema.degradation import (
    RESIZE_MODES,
    PassOptions,
    SynthesisOptions,
)
from realesrgan_paddle.utils.seeds import Stream, generator

pytestmark = pytest.mark.paddle
BATCHES, SAMPLES = 2500, 2

# All ranges and probabilities differ, so that none can be mistaken for another.
OPTIONS = SynthesisOptions(
    resize_prob=(0.25, 0.6, 0.15),
    resize_range=(0.2, 1.7),
    gaussian_noise_prob=0.35,
    noise_range=(2, 31),
    poisson_scale_range=(0.1, 2.9),
    gray_noise_prob=0.27,
    jpeg_range=(22, 93),
    second_blur_prob=0.73,
    resize_prob2=(0.4, 0.35, 0.25),
    resize_range2=(0.45, 1.25),
    gaussian_noise_prob2=0.64,
    noise_range2=(3, 19),
    poisson_scale_range2=(0.3, 1.9),
    gray_noise_prob2=0.55,
    jpeg_range2=(41, 88),
    halo_prob=0.31,
    halo_range=(0.4, 1.9),
    halo_sigma=(0.6, 2.4),
    interlace_prob=0.42,
    interlace_shift=(2, 5),
    interlace_list=("blend", "weave"),
    video_prob=0.83,
    codec_list=("vp9", "h264", "mpeg2", "hevc"),
    codec_prob=(0.15, 0.4, 0.2, 0.25),
    h264_crf=(19, 24),
    hevc_crf=(22.5, 27),
    mpeg2_qscale=(3, 7.25),
    vp9_crf=(31, 36),
    chroma_422_prob=0.37,
    video_motion=2.5,
    video_bitrate_prob=0.22,
    video_bits_per_pixel=(0.1, 4),
    jpeg_prob=0.85,
    jpeg_prob2=0.7,
    grain_size=(0.2, 1.1),
    grain_size2=(0.4, 1.6),
)
PASSES = {"first": OPTIONS.first_pass, "second": OPTIONS.second_pass}


@pytest.fixture(scope="module")
def drawn() -> list[DegradationParams]:
    """Batches as a training draws them, each with its own generator."""
    return [draw_batch(OPTIONS, 5, number) for number in range(BATCHES)]


def draw_batch(options: SynthesisOptions, seed: int, number: int) -> DegradationParams:
    return draw(options, generator(seed, Stream.BATCH, number), SAMPLES)


def check_pass(
    found: Distributions, which: str, passes: list[PassParams], options: PassOptions
) -> None:
    factor = np.array([each.factor for each in passes])
    low, high = options.resize_range
    up, down, keep = options.resize_prob
    directions = np.sign(factor - 1).tolist()
    found.choice(f"PassParams.factor {which}", directions, {1: up, -1: down, 0: keep})
    found.uniform(f"PassParams.factor {which} up", factor[factor > 1], 1, high)
    found.uniform(f"PassParams.factor {which} down", factor[factor < 1], low, 1)

    modes = [each.mode for each in passes]
    found.choice(f"PassParams.mode {which}", modes, equal(RESIZE_MODES))

    gaussian = [each.gaussian for each in passes]
    found.event(f"PassParams.gaussian {which}", gaussian, options.gaussian_noise_prob)
    for kind, limits in (
        (True, options.noise_range),
        (False, options.poisson_scale_range),
    ):
        strength = [each.strength for each in passes if each.gaussian == kind]
        name = f"PassParams.strength {which} {'gaussian' if kind else 'poisson'}"
        found.uniform(name, np.concatenate(strength), *limits)

    gray = np.concatenate([each.gray for each in passes])
    found.event(f"PassParams.gray {which}", gray, options.gray_noise_prob)
    grain = np.concatenate([each.grain for each in passes])
    found.uniform(f"PassParams.grain {which}", grain, *options.grain_size)
    compressed = np.concatenate([each.compressed for each in passes])
    found.event(f"PassParams.compressed {which}", compressed, options.jpeg_prob)
    quality = np.concatenate([each.quality for each in passes])
    found.uniform(f"PassParams.quality {which}", quality, *options.jpeg_range)
    seeds = np.concatenate([each.field_seeds for each in passes])
    found.uniform(f"PassParams.field_seeds {which}", seeds, 0, 2**31)


def check_domain(found: Distributions, samples: list[DomainParams]) -> None:
    for name, probability in (("halo", 0.31), ("interlacing", 0.42), ("video", 0.83)):
        parts = [getattr(sample, name) for sample in samples]
        found.event(f"DomainParams.{name}", parts, probability)

    halos = [sample.halo for sample in samples if sample.halo]
    found.uniform("Halo.strength", [halo.strength for halo in halos], 0.4, 1.9)
    found.uniform("Halo.sigma", [halo.sigma for halo in halos], 0.6, 2.4)

    interlaced = [sample.interlacing for sample in samples if sample.interlacing]
    shifts = [each.shift for each in interlaced]
    found.choice("Interlacing.shift", shifts, equal((-5, -4, -3, -2, 2, 3, 4, 5)))
    methods = [each.method for each in interlaced]
    found.choice("Interlacing.method", methods, equal(("blend", "weave")))
    check_videos(found, [sample.video for sample in samples if sample.video])


def check_videos(found: Distributions, videos: list[Video]) -> None:
    codecs = dict(zip(OPTIONS.codec_list, OPTIONS.codec_prob, strict=True))
    found.choice("Video.codec", [video.codec for video in videos], codecs)
    for codec, limits in OPTIONS.codec_qualities.items():
        qualities = [video.quality for video in videos if video.codec == codec]
        found.choice(f"Video.quality {codec}", qualities, rounded(*limits))

    found.event("Video.chroma_420", [video.chroma_420 for video in videos], 1 - 0.37)
    right, down = zip(*(video.motion for video in videos), strict=True)
    found.uniform("Video.motion right", right, -2.5, 2.5)
    found.uniform("Video.motion down", down, -2.5, 2.5)

    bits = [video.bits_per_pixel for video in videos]
    found.event("Video.bits_per_pixel limited", bits, 0.22)
    logarithms = [log(each) for each in bits if each]
    found.uniform("Video.bits_per_pixel", logarithms, log(0.1), log(4))


def test_all_values_of_a_batch_have_their_distributions(drawn):
    found = Distributions()
    for which, options in PASSES.items():
        check_pass(found, which, [getattr(each, which) for each in drawn], options)
    found.event(
        "DegradationParams.second_blur", [each.second_blur for each in drawn], 0.73
    )
    found.event("DegradationParams.jpeg_last", [each.jpeg_last for each in drawn], 0.5)
    modes = [each.final_mode for each in drawn]
    found.choice("DegradationParams.final_mode", modes, equal(RESIZE_MODES))
    check_domain(found, [sample for each in drawn for sample in each.domain])
    found.assert_likely()

    classes = (DegradationParams, PassParams, DomainParams, Halo, Interlacing, Video)
    names = {f"{cls.__name__}.{field.name}" for cls in classes for field in fields(cls)}
    groups = {
        "DegradationParams.first",
        "DegradationParams.second",
        "DegradationParams.domain",
    }
    assert found.tested == names - groups, "every field is tested"


def as_numbers(params: DegradationParams) -> dict[str, float]:
    """Return all values of a batch as numbers, none of which determines another."""
    numbers = {
        "second_blur": params.second_blur,
        "jpeg_last": params.jpeg_last,
        "final_mode": RESIZE_MODES.index(params.final_mode),
    }
    for which, options in PASSES.items():
        one = getattr(params, which)
        limits = options.noise_range if one.gaussian else options.poisson_scale_range
        numbers[f"{which} factor"] = one.factor
        numbers[f"{which} mode"] = RESIZE_MODES.index(one.mode)
        numbers[f"{which} gaussian"] = one.gaussian
        for n in range(SAMPLES):
            numbers[f"{which} strength {n}"] = relative(one.strength[n], limits)
            for name in ("gray", "quality", "field_seeds"):
                numbers[f"{which} {name} {n}"] = getattr(one, name)[n]
    for n, sample in enumerate(params.domain):
        for name, number in domain_as_numbers(sample).items():
            numbers[f"{name} {n}"] = number
    return numbers


def domain_as_numbers(sample: DomainParams) -> dict[str, float]:
    video = sample.video
    right, down = video.motion
    return {
        "halo strength": sample.halo.strength,
        "halo sigma": sample.halo.sigma,
        "shift": sample.interlacing.shift,
        "method": sample.interlacing.method == "weave",
        "codec": OPTIONS.codec_list.index(video.codec),
        "quality": relative(video.quality, OPTIONS.codec_qualities[video.codec]),
        "chroma": video.chroma_420,
        "right": right,
        "down": down,
        "bits": video.bits_per_pixel,
    }


def relative(value: float, limits: tuple[float, float]) -> float:
    """Return where a value lies between its limits, 0 to 1."""
    low, high = limits
    return (value - low) / (high - low)


def test_values_are_independent_of_each_other_and_of_the_batch_before():
    every = ("halo_prob", "interlace_prob", "video_prob", "video_bitrate_prob")
    options = OPTIONS.model_copy(update=dict.fromkeys(every, 1.0))
    batches = [as_numbers(draw_batch(options, 6, n)) for n in range(BATCHES)]
    names = list(batches[0])
    ranks = stats.rankdata([list(batch.values()) for batch in batches], axis=0)

    count = len(names)
    within = np.corrcoef(ranks.T) - np.eye(count)
    with_previous = np.corrcoef(ranks[1:].T, ranks[:-1].T)[:count, count:]
    # Five standard deviations of Spearman's coefficient, for some 2,000 pairs of each.
    limit = 5 / np.sqrt(BATCHES)
    for correlations in (within, with_previous):
        pairs = np.argwhere(np.abs(correlations) > limit)
        assert not [(names[i], names[j]) for i, j in pairs]


def test_halos_interlacing_and_videos_are_applied_independently(drawn):
    samples = [sample for each in drawn for sample in each.domain]
    parts = [(s.halo, s.interlacing, s.video) for s in samples]
    applied = np.array([[part is not None for part in sample] for sample in parts])
    correlations = np.corrcoef(applied.T) - np.eye(3)
    assert np.abs(correlations).max() < 4 / np.sqrt(len(samples))


def test_wrong_distributions_are_detected():
    rng = np.random.default_rng(0)
    found = Distributions()
    found.uniform("skewed", rng.uniform(0, 1, 5000) ** 1.15, 0, 1)
    found.event("more often", rng.random(5000) < 0.54, 0.5)
    numbers = rng.integers(0, 3, 5000).tolist()
    found.choice("other chances", numbers, {0: 0.3, 1: 0.37, 2: 0.33})
    assert max(found.p_values.values()) < SMALLEST_P
    with pytest.raises(AssertionError):
        found.assert_likely()


def test_ends_of_a_rounded_range_are_less_likely():
    middle = dict.fromkeys((23, 24, 25, 26), 1 / 4.5)
    assert rounded(22.5, 27) == pytest.approx(middle | {27: 0.5 / 4.5})
