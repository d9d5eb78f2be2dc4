"""Every draw of the degradation has the distribution that the options define, and none depends on another.

Continuous draws are held to the test of Kolmogorov and Smirnov, discrete ones to
Pearson's chi-square, on fixed seeds. A field that is added to what is drawn, or an
argument to a kernel, fails until it has a row here.
"""

import inspect
from collections import Counter
from dataclasses import fields
from math import log, pi

import numpy as np
import pytest
from scipy import stats

from realesrgan_paddle.data.degradation import kernels
from realesrgan_paddle.data.degradation.codec import Video
from realesrgan_paddle.data.degradation.domain import DomainDraws
from realesrgan_paddle.data.degradation.halos import Halo
from realesrgan_paddle.data.degradation.interlacing import Interlacing
from realesrgan_paddle.data.degradation.pipeline import (
    RESIZE_MODES,
    Draws,
    PassDraws,
    draw,
)
from realesrgan_paddle.options.schema.config import KernelOptions, SynthesisOptions
from realesrgan_paddle.utils.seeds import Stream, generator

pytestmark = pytest.mark.paddle
LEAST_P = 1e-4
"""Of some two hundred tests on one seed, none falls below by chance."""
BATCHES, SAMPLES = 2500, 2

# No two ranges and no two chances are equal, so that none can be taken for another.
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
)
KERNELS = KernelOptions(
    blur_kernel_size=15,
    kernel_list=(
        "plateau_aniso",
        "iso",
        "generalized_iso",
        "aniso",
        "plateau_iso",
        "generalized_aniso",
    ),
    kernel_prob=(0.1, 0.3, 0.1, 0.2, 0.12, 0.18),
    sinc_prob=0.3,
    blur_sigma=(0.3, 2.7),
    betag_range=(0.4, 3.5),
    betap_range=(0.7, 2.2),
    blur_kernel_size2=17,
    kernel_list2=("aniso", "generalized_aniso", "plateau_iso"),
    kernel_prob2=(0.5, 0.2, 0.3),
    sinc_prob2=0.2,
    blur_sigma2=(0.6, 1.4),
    betag_range2=(0.6, 2.5),
    betap_range2=(0.8, 1.6),
    final_sinc_prob=0.66,
    motion_blur_prob=0.44,
    motion_blur_range=(4, 11),
)
KINDS = {
    "gaussian_kernel": "",
    "generalized_gaussian_kernel": "generalized_",
    "plateau_kernel": "plateau_",
}


@pytest.fixture(scope="module")
def drawn() -> list[Draws]:
    """As a training draws them, a generator for each batch."""
    return [
        draw(OPTIONS, generator(5, Stream.BATCH, number), SAMPLES)
        for number in range(BATCHES)
    ]


@pytest.fixture(scope="module")
def called() -> list[list[tuple[str, dict]]]:
    """For each sample, in their order, the kernels that were made: the function's name and its arguments."""
    made: list[list[tuple[str, dict]]] = []
    names = (*KINDS, "sinc_kernel", "motion_kernel")
    signatures = {name: inspect.signature(getattr(kernels, name)) for name in names}

    def recorder(name):
        def record(*args, **kwargs):
            made[-1].append((name, signatures[name].bind(*args, **kwargs).arguments))
            return np.ones((1, 1))

        return record

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(kernels, name, recorder(name))
        for number in range(2 * BATCHES):
            made.append([])
            kernels.draw_kernels(KERNELS, generator(5, Stream.SAMPLE, number))
    return made


def uniform(values, low: float, high: float) -> float:
    """How likely values at least so far from evenly spread are."""
    assert len(values) > 100 and low <= np.min(values) and np.max(values) <= high + 1e-5
    return stats.kstest(values, "uniform", (low, high - low)).pvalue


def shares(values, expected: dict) -> float:
    """How likely counts at least so far from the expected chances are."""
    counts = Counter(values)
    assert counts.keys() <= expected.keys() and len(values) > 100
    assert sum(expected.values()) == pytest.approx(1)
    return stats.chisquare(
        [counts[k] for k in expected], [p * len(values) for p in expected.values()]
    ).pvalue


def chance(values, probability: float) -> float:
    return shares(
        [bool(value) for value in values], {True: probability, False: 1 - probability}
    )


def rounded(low: float, high: float) -> dict[int, float]:
    """The chances of whole numbers to which an even draw is rounded."""
    widths = {
        k: min(k + 0.5, high) - max(k - 0.5, low)
        for k in range(round(low), round(high) + 1)
    }
    return {k: width / (high - low) for k, width in widths.items() if width > 0}


def side_of_one(values, low: float, high: float) -> dict[str, float]:
    """Below and above 1 half each, evenly on both sides."""
    values = np.array(values)
    below, above = values[values < 1], values[values >= 1]
    return {
        "side": chance(values < 1, 0.5),
        "below": uniform(below, low, 1),
        "above": uniform(above, 1, high),
    }


def of_pass(
    passes: list[PassDraws], options, low: float, high: float
) -> dict[str, dict[str, float]]:
    factor = np.array([p.factor for p in passes])
    up, down, keep = options.resize_prob
    each = {
        name: np.concatenate([getattr(p, name) for p in passes])
        for name in ("gray", "quality", "field_seeds")
    }
    gaussian, poisson = (
        np.concatenate([p.strength for p in passes if p.gaussian == kind])
        for kind in (True, False)
    )
    return {
        "factor": {
            "kind": shares(np.sign(factor - 1), {1: up, -1: down, 0: keep}),
            "up": uniform(factor[factor > 1], 1, high),
            "down": uniform(factor[factor < 1], low, 1),
        },
        "mode": {
            "": shares([p.mode for p in passes], dict.fromkeys(RESIZE_MODES, 1 / 3))
        },
        "gaussian": {
            "": chance([p.gaussian for p in passes], options.gaussian_noise_prob)
        },
        "strength": {
            "gaussian": uniform(gaussian, *options.noise_range),
            "poisson": uniform(poisson, *options.poisson_scale_range),
        },
        "gray": {"": chance(each["gray"], options.gray_noise_prob)},
        "quality": {"": uniform(each["quality"], *options.jpeg_range)},
        "field_seeds": {"": uniform(each["field_seeds"], 0, 2**31)},
    }


def of_domain(draws: list[DomainDraws]) -> dict[str, dict[str, float]]:
    halos, fielded, videos = (
        [part for each in draws if (part := getattr(each, name))]
        for name in ("halo", "interlacing", "video")
    )
    bits = [video.bits_per_pixel for video in videos]
    low, high = (log(bits) for bits in OPTIONS.video_bits_per_pixel)
    return {
        "DomainDraws.halo": {"": chance([each.halo for each in draws], 0.31)},
        "DomainDraws.interlacing": {
            "": chance([each.interlacing for each in draws], 0.42)
        },
        "DomainDraws.video": {"": chance([each.video for each in draws], 0.83)},
        "Halo.strength": {"": uniform([halo.strength for halo in halos], 0.4, 1.9)},
        "Halo.sigma": {"": uniform([halo.sigma for halo in halos], 0.6, 2.4)},
        "Interlacing.shift": {
            "": shares(
                [f.shift for f in fielded],
                dict.fromkeys((-5, -4, -3, -2, 2, 3, 4, 5), 1 / 8),
            )
        },
        "Interlacing.method": {
            "": shares([f.method for f in fielded], {"blend": 0.5, "weave": 0.5})
        },
        "Video.codec": {
            "": shares(
                [v.codec for v in videos],
                dict(zip(OPTIONS.codec_list, OPTIONS.codec_prob, strict=True)),
            )
        },
        "Video.quality": {
            codec: shares(
                [v.quality for v in videos if v.codec == codec],
                rounded(*OPTIONS.codec_qualities[codec]),
            )
            for codec in OPTIONS.codec_list
        },
        "Video.chroma_420": {"": chance([v.chroma_420 for v in videos], 1 - 0.37)},
        "Video.motion": {
            way: uniform([v.motion[n] for v in videos], -2.5, 2.5)
            for n, way in enumerate(("x", "y"))
        },
        "Video.bits_per_pixel": {
            "there": chance(bits, 0.22),
            "bits": uniform([log(rate) for rate in bits if rate], low, high),
        },
    }


def test_every_draw_of_a_batch_has_its_distribution(drawn):
    found = of_domain([sample for each in drawn for sample in each.domain])
    for which, limits in (("first", (0.2, 1.7)), ("second", (0.45, 1.25))):
        rows = of_pass(
            [getattr(each, which) for each in drawn],
            getattr(OPTIONS, f"{which}_pass"),
            *limits,
        )
        found |= {f"PassDraws.{name} {which}": tests for name, tests in rows.items()}
    found["Draws.second_blur"] = {
        "": chance([each.second_blur for each in drawn], 0.73)
    }
    found["Draws.jpeg_last"] = {"": chance([each.jpeg_last for each in drawn], 0.5)}
    found["Draws.final_mode"] = {
        "": shares(
            [each.final_mode for each in drawn], dict.fromkeys(RESIZE_MODES, 1 / 3)
        )
    }
    classes = (Draws, PassDraws, DomainDraws, Halo, Interlacing, Video)
    everything = {
        f"{each.__name__}.{field.name}" for each in classes for field in fields(each)
    }
    groups = {"Draws.first", "Draws.second", "Draws.domain"}
    assert {name.split()[0] for name in found} == everything - groups, (
        "each draw has a row"
    )
    assert not unlikely(found)


def unlikely(found: dict[str, dict[str, float]]) -> dict[str, float]:
    return {
        f"{name} {part}": p
        for name, tests in found.items()
        for part, p in tests.items()
        if not p > LEAST_P
    }


def of_blur(calls: list[tuple[str, dict]], options) -> dict[str, dict[str, float]]:
    """The draws of the first or second blur; each argument by the function's name and its own."""
    sizes = range(7, options.blur_kernel_size + 1, 2)
    sinc = [arguments for name, arguments in calls if name == "sinc_kernel"]
    kinds = [
        f"{KINDS[name]}{'iso' if a['theta'] == 0 else 'aniso'}"
        for name, a in calls
        if name in KINDS
    ]
    small, large = (
        [a["cutoff"] for a in sinc if (a["size"] < 13) == small]
        for small in (True, False)
    )
    found = {
        "kind": {
            "sinc": chance(
                [name == "sinc_kernel" for name, _ in calls], options.sinc_prob
            ),
            "others": shares(
                kinds, dict(zip(options.kernel_list, options.kernel_prob, strict=True))
            ),
        },
        "sinc_kernel.size": {
            "": shares([a["size"] for a in sinc], dict.fromkeys(sizes, 1 / len(sizes)))
        },
        "sinc_kernel.cutoff": {
            "small": uniform(small, pi / 3, pi),
            "large": uniform(large, pi / 5, pi),
        },
    }
    ranges = {
        "generalized_gaussian_kernel": options.betag_range,
        "plateau_kernel": options.betap_range,
    }
    for kernel in KINDS:
        made = [arguments for name, arguments in calls if name == kernel]
        turned = [a for a in made if a["theta"] != 0]
        assert all(a["sigma_x"] == a["sigma_y"] for a in made if a["theta"] == 0)
        found[f"{kernel}.size"] = {
            "": shares([a["size"] for a in made], dict.fromkeys(sizes, 1 / len(sizes)))
        }
        found[f"{kernel}.sigma_x"] = {
            "": uniform([a["sigma_x"] for a in made], *options.blur_sigma)
        }
        if turned:
            found[f"{kernel}.sigma_y"] = {
                "": uniform([a["sigma_y"] for a in turned], *options.blur_sigma)
            }
            found[f"{kernel}.theta"] = {
                "": uniform([a["theta"] for a in turned], -pi, pi)
            }
        if kernel in ranges:
            found[f"{kernel}.beta"] = side_of_one(
                [a["beta"] for a in made], *ranges[kernel]
            )
    return found


def test_every_draw_of_the_kernels_has_its_distribution(called):
    found = {
        f"{name} first": tests
        for name, tests in of_blur(
            [each[0] for each in called], KERNELS.first_blur
        ).items()
    }
    found |= {
        f"{name} second": p
        for name, p in of_blur(
            [each[1] for each in called], KERNELS.second_blur
        ).items()
    }
    final = [dict(each[2:]).get("sinc_kernel") for each in called]
    made = [arguments for arguments in final if arguments]
    moves = [dict(each[2:])["motion_kernel"] for each in called]
    moved = [arguments for arguments in moves if arguments["length"]]
    found["final"] = {
        "there": chance(final, 0.66),
        "size": shares(
            [a["size"] for a in made], dict.fromkeys((7, 9, 11, 13, 15, 17), 1 / 6)
        ),
        "cutoff": uniform([a["cutoff"] for a in made], pi / 3, pi),
    }
    found["motion_kernel.length"] = {
        "there": chance([a["length"] for a in moves], 0.44),
        "length": uniform([a["length"] for a in moved], 4, 11),
    }
    found["motion_kernel.theta"] = {"": uniform([a["theta"] for a in moved], 0, pi)}
    assert {a["size"] for a in moves} == {13}, (
        "all of one size, for samples are stacked"
    )
    names = (*KINDS, "sinc_kernel", "motion_kernel")
    everything = {
        f"{name}.{argument}"
        for name in names
        for argument in inspect.signature(getattr(kernels, name)).parameters
    }
    rows = {name.split()[0] for name in found} - {"kind", "final"} | {
        "motion_kernel.size"
    }
    assert rows == everything, "each argument has a row"
    assert not unlikely(found)


def ranks_of_batch(draws: Draws) -> dict[str, float]:
    """Numbers for all that is drawn, of both samples, such that none of them follows from the others."""
    numbers = {"second_blur": draws.second_blur, "jpeg_last": draws.jpeg_last}
    numbers["final_mode"] = RESIZE_MODES.index(draws.final_mode)
    for which in ("first", "second"):
        one, options = getattr(draws, which), getattr(OPTIONS, f"{which}_pass")
        low, high = options.noise_range if one.gaussian else options.poisson_scale_range
        numbers |= {
            f"{which} factor": one.factor,
            f"{which} mode": RESIZE_MODES.index(one.mode),
        }
        numbers[f"{which} gaussian"] = one.gaussian
        for n in range(SAMPLES):
            numbers[f"{which} strength {n}"] = (one.strength[n] - low) / (high - low)
            numbers |= {
                f"{which} {name} {n}": getattr(one, name)[n]
                for name in ("gray", "quality", "field_seeds")
            }
    for n, sample in enumerate(draws.domain):
        halo, fielded, video = sample.halo, sample.interlacing, sample.video
        low, high = OPTIONS.codec_qualities[video.codec]
        parts = {
            "halo": halo.strength,
            "sigma": halo.sigma,
            "shift": fielded.shift,
            "method": fielded.method == "weave",
        }
        parts |= {
            "codec": OPTIONS.codec_list.index(video.codec),
            "quality": (video.quality - low) / (high - low),
        }
        parts |= {
            "half": video.chroma_420,
            "x": video.motion[0],
            "y": video.motion[1],
            "bits": video.bits_per_pixel,
        }
        numbers |= {f"{name} {n}": value for name, value in parts.items()}
    return numbers


def test_no_draw_depends_on_another_nor_on_another_sample_or_batch():
    always = dict.fromkeys(
        ("halo_prob", "interlace_prob", "video_prob", "video_bitrate_prob"), 1.0
    )
    options = OPTIONS.model_copy(update=always)
    drawn = [
        ranks_of_batch(draw(options, generator(6, Stream.BATCH, number), SAMPLES))
        for number in range(BATCHES)
    ]
    names = list(drawn[0])
    table = stats.rankdata([list(each.values()) for each in drawn], axis=0)
    # Five standard deviations of Spearman's coefficient: some 2,000 pairs, and each
    # with the batch before.
    limit = 5 / np.sqrt(BATCHES)
    same = np.corrcoef(table.T) - np.eye(len(names))
    before = np.corrcoef(table[1:].T, table[:-1].T)[: len(names), len(names) :]
    for correlations in (same, before):
        found = [
            (names[i], names[j]) for i, j in np.argwhere(np.abs(correlations) > limit)
        ]
        assert not found


def test_what_is_done_to_a_sample_says_nothing_of_what_else_is(drawn):
    samples = [sample for each in drawn for sample in each.domain]
    parts = np.array(
        [
            [each is not None for each in (s.halo, s.interlacing, s.video)]
            for s in samples
        ]
    )
    bits = [s.video is not None and s.video.bits_per_pixel is not None for s in samples]
    correlations = np.corrcoef(parts.T) - np.eye(3)
    assert np.abs(correlations).max() < 4 / np.sqrt(len(samples))
    assert not any(bits[n] for n in np.flatnonzero(~parts[:, 2]))


def test_the_tests_find_what_is_wrong():
    rng = np.random.default_rng(0)
    assert uniform(rng.uniform(0, 1, 5000) ** 1.15, 0, 1) < LEAST_P
    assert chance(rng.random(5000) < 0.54, 0.5) < LEAST_P
    assert (
        shares(rng.integers(0, 3, 5000).tolist(), {0: 0.3, 1: 0.37, 2: 0.33}) < LEAST_P
    )
    assert rounded(22.5, 27) == pytest.approx(
        dict.fromkeys((23, 24, 25, 26), 1 / 4.5) | {27: 0.5 / 4.5}
    )
