"""What a domain adds to the degradation: each part does what its name says, draws follow the options."""

import sys
from dataclasses import replace

import numpy as np
import paddle
import pytest
import yaml
from sample_runs import assert_states_equal, picture, run

from realesrgan_paddle.data.degradation.codec import (
    ENCODERS,
    FRAMES,
    Video,
    _encode,
    _moving,
    check_installed,
    compress,
    draw_video,
)
from realesrgan_paddle.data.degradation.domain import (
    DomainDraws,
    apply_domain,
    draw_domain,
)
from realesrgan_paddle.data.degradation.halos import Halo, add_halo
from realesrgan_paddle.data.degradation.interlacing import Interlacing, interlace
from realesrgan_paddle.data.degradation.kernels import draw_kernels, motion_kernel
from realesrgan_paddle.data.degradation.pipeline import degrade, draw
from realesrgan_paddle.data.lq.folder import make_lq
from realesrgan_paddle.data.lq.preview import write_preview
from realesrgan_paddle.options.reading.load import load_config, load_lq_config
from realesrgan_paddle.options.schema.config import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)
from realesrgan_paddle.run.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle
ALL_ON = {
    "halo_prob": 0.6,
    "interlace_prob": 0.6,
    "video_prob": 0.7,
    "codec_list": ["mpeg2", "h264"],
}
ALL_ON |= {"codec_prob": [0.5, 0.5], "video_bitrate_prob": 0.4}
QUALITIES = {"h264": (18, 40), "hevc": (18, 40), "mpeg2": (2, 25), "vp9": (20, 60)}


@pytest.fixture
def av():
    return pytest.importorskip("av")


def rms(difference) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


def degraded(
    options: SynthesisOptions, part: slice = slice(0, 3), seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gt = paddle.to_tensor(np.random.default_rng(9).random((3, 3, 72, 88), np.float32))
    stacked = zip(
        *(draw_kernels(KernelOptions(motion_blur_prob=0.5), rng) for _ in range(3)),
        strict=True,
    )
    kernels = [paddle.to_tensor(np.stack(kernel)[part]) for kernel in stacked]
    return degrade(gt[part], kernels, draw(options, rng, 3).of(part), 4).numpy()


def test_a_motion_kernel_is_a_line_of_its_length():
    for length, theta in ((15, 0), (9.5, 0.7), (12, np.pi / 2)):
        kernel = motion_kernel(17, length, theta)
        y, x = np.mgrid[:17, :17] - 8
        assert kernel.sum() == pytest.approx(1)
        assert (kernel * x).sum() == pytest.approx(0, abs=1e-9) == (kernel * y).sum()
        along, across = (
            x * np.cos(theta) + y * np.sin(theta),
            y * np.cos(theta) - x * np.sin(theta),
        )
        assert (kernel * along**2).sum() == pytest.approx(
            length**2 / 12, rel=0.06
        )  # the variance of a line
        assert (kernel * across**2).sum() < 0.3
    pulse = motion_kernel(7, 0, 1.0)
    assert pulse[3, 3] == 1 == pulse.sum()


def test_motion_is_joined_into_the_first_kernel_and_moves_no_other_draw():
    still = draw_kernels(KernelOptions(), np.random.default_rng(4))
    sizes = set()
    for probability, same in ((1e-9, True), (1.0, False)):
        options = KernelOptions(
            motion_blur_prob=probability, motion_blur_range=(8, 12.5)
        )
        moved = draw_kernels(options, np.random.default_rng(4))
        sizes.add(moved.first.shape)
        assert moved.first.sum() == pytest.approx(still.first.sum(), abs=1e-4)
        margin = (len(moved.first) - len(still.first)) // 2
        assert (
            np.allclose(
                moved.first[margin:-margin, margin:-margin], still.first, atol=1e-7
            )
            == same
        )
        np.testing.assert_array_equal(moved.second, still.second)
        np.testing.assert_array_equal(moved.final, still.final)
    assert sizes == {(35, 35)}  # all samples of a batch are stacked


def test_a_halo_drives_luma_past_an_edge_and_keeps_the_hue():
    edge = np.full((9, 40, 3), (90, 60, 30), np.uint8)
    edge[:, 20:] = (170, 140, 110)
    sharp = add_halo(edge, Halo(1.0, 1.5)).astype(int)
    assert sharp[4, 19, 0] < 85 and sharp[4, 20, 0] > 175
    np.testing.assert_array_equal(sharp[:, :8], edge[:, :8])
    assert np.ptp(sharp - edge, axis=2).max() <= 1
    assert rms(add_halo(edge, Halo(0.5, 1.5)) - edge.astype(int)) < rms(sharp - edge)
    np.testing.assert_array_equal(add_halo(edge, Halo(0.0, 1.5)), edge)


@pytest.mark.parametrize("height", [1, 2, 7, 8])
def test_interlacing_keeps_the_first_field_and_moves_the_other(height):
    image = np.random.default_rng(0).integers(0, 256, (height, 12, 3)).astype(np.uint8)
    for method in ("weave", "bob"):
        np.testing.assert_array_equal(
            interlace(image, Interlacing(3, method))[::2], image[::2]
        )
    if height > 2:
        woven = interlace(image, Interlacing(-3, "weave"))
        np.testing.assert_array_equal(woven[1::2, :-3], image[1::2, 3:])
        bob = interlace(image, Interlacing(3, "bob")).astype(int)
        assert np.abs(bob[1] - (image[0].astype(int) + image[2]) / 2).max() <= 0.5
        blend = interlace(image, Interlacing(-3, "blend")).astype(float)
        mean = (woven[:-2].astype(float) + 2.0 * woven[1:-1] + woven[2:]) / 4
        assert np.abs(blend[1:-1] - mean).max() <= 1


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_video_is_worse_with_a_worse_quality_and_keeps_colours(av, codec):
    image = picture(50, 71, 1)
    image[8:30, 10:40] = np.random.default_rng(0).integers(60, 200, (22, 30, 1))
    good, bad = (
        compress(image, Video(codec, quality, True, (1.3, -0.4)))
        for quality in QUALITIES[codec]
    )
    errors = [rms(result - image.astype(float)) for result in (good, bad)]
    assert good.shape == image.shape and good.dtype == np.uint8
    assert 0.5 < errors[0] < 12 and errors[1] > 1.5 * errors[0]
    red = compress(
        np.full((50, 71, 3), (200, 20, 10), np.uint8),
        Video(codec, QUALITIES[codec][0], True, (1, 1)),
    )
    assert np.abs(red.astype(int) - (200, 20, 10)).max() <= 3
    smooth = picture(64, 64, 2)
    bias = compress(smooth, Video(codec, QUALITIES[codec][0], True, (0, 0))).mean(
        (0, 1)
    ) - smooth.mean((0, 1))
    assert np.abs(bias).max() < 0.7, "a level would be learnt as a drift of colours"


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_video_is_the_same_each_time_and_of_any_size(av, codec):
    for height, width in ((1, 3), (31, 18), (33, 70)):
        image = picture(height, width, 3)
        video = Video(codec, 25, False, (-1.5, 0.7))
        first = compress(image, video)
        assert first.shape == image.shape
        np.testing.assert_array_equal(compress(image, video), first)
        if height > 30:
            assert not np.array_equal(
                compress(image, replace(video, motion=(3.0, 3.0))), first
            )


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_bitrate_is_kept_and_more_bits_are_better(av, codec):
    grain = np.random.default_rng(0).normal(0, 12, (128, 128, 1))
    image = np.uint8(np.clip(picture(128, 128, 4) + grain, 0, 255))
    sizes, errors = [], []
    for bits in (0.3, 0.8, 2):
        video = Video(codec, 1, True, (1.3, -0.4), bits)  # the quality is not asked for
        packets = _encode(_moving(image, video.motion), video)
        sizes.append(
            sum(packet.size for packet in packets) * 8 / image[..., 0].size / FRAMES
        )
        errors.append(rms(compress(image, video) - image.astype(float)))
        np.testing.assert_array_equal(
            compress(image, video), compress(image, replace(video, quality=30))
        )
    # Encoders keep to it roughly; x265 adds its settings as text.
    assert np.all(np.array(sizes) < 2 * np.array([0.3, 0.8, 2]) + 0.3)
    assert sizes[0] < sizes[1] and errors[0] > 1.1 * errors[1] > 1.1 * errors[2]


def test_a_bitrate_is_drawn_only_where_it_may_be():
    off, never, always = (
        [
            draw_video(SynthesisOptions(video_bitrate_prob=p), np.random.default_rng(n))
            for n in range(200)
        ]
        for p in (0, 1e-12, 1)
    )
    assert off == never
    assert [replace(video, bits_per_pixel=None) for video in always] == off
    assert all(0.3 <= video.bits_per_pixel <= 2 for video in always)
    assert (
        str(replace(always[0], codec="vp9", half_height=False, bits_per_pixel=0.517))
        == "vp9 0.52 bits/px 4:2:2"
    )


def test_chroma_of_half_the_height_loses_more_colour(av):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[::2], stripes[1::2] = (180, 60, 60), (60, 110, 60)
    errors = [
        rms(compress(stripes, Video("mpeg2", 1, half, (0, 0))) - stripes.astype(int))
        for half in (True, False)
    ]
    assert errors[0] > 3 * errors[1]


def test_nothing_is_drawn_or_done_while_all_is_off():
    rng = np.random.default_rng(0)
    assert draw_domain(SynthesisOptions(), rng, 4) == ()
    assert rng.random() == np.random.default_rng(0).random()
    off, on = (
        draw(SynthesisOptions(halo_prob=p), np.random.default_rng(1), 4) for p in (0, 1)
    )
    for name in ("first", "second"):
        np.testing.assert_equal(vars(getattr(on, name)), vars(getattr(off, name)))
    assert (on.second_blur, on.final_mode, on.jpeg_last) == (
        off.second_blur,
        off.final_mode,
        off.jpeg_last,
    )


def test_draws_follow_the_options():
    options = SynthesisOptions(
        halo_prob=0.3,
        interlace_prob=0.2,
        video_prob=0.6,
        interlace_list=("weave", "blend"),
        interlace_shift=(2, 3),
    )
    draws = draw_domain(options, np.random.default_rng(0), 6000)
    for part, probability in (("halo", 0.3), ("interlacing", 0.2), ("video", 0.6)):
        assert np.mean([getattr(d, part) is not None for d in draws]) == pytest.approx(
            probability, abs=0.025
        )
    halos = [d.halo for d in draws if d.halo]
    for values, limits in (
        ([h.strength for h in halos], options.halo_range),
        ([h.sigma for h in halos], (0.7, 2)),
    ):
        assert [min(values), max(values)] == pytest.approx(limits, abs=0.01)
    fields = [d.interlacing for d in draws if d.interlacing]
    assert {(f.shift, f.method) for f in fields} == {
        (s, m) for s in (-3, -2, 2, 3) for m in ("weave", "blend")
    }
    videos = [d.video for d in draws if d.video]
    for codec, chance in zip(options.codec_list, options.codec_prob, strict=True):
        qualities = [v.quality for v in videos if v.codec == codec]
        assert len(qualities) / len(videos) == pytest.approx(chance, abs=0.03)
        assert (min(qualities), max(qualities)) == options.codec_qualities[codec]
    assert np.mean([v.half_height for v in videos]) == pytest.approx(0.9, abs=0.02)
    assert [
        np.min([v.motion for v in videos]),
        np.max([v.motion for v in videos]),
    ] == pytest.approx([-2, 2], abs=0.01)


def test_each_part_is_done_to_its_sample_alone(av):
    images = np.stack([picture(40, 48, seed) for seed in range(4)])
    nothing = DomainDraws(halo=None, interlacing=None, video=None)
    halo, comb = Halo(1.0, 1.0), Interlacing(3, "weave")
    video = draw_video(SynthesisOptions(), np.random.default_rng(0))
    draws = [nothing, replace(nothing, halo=halo), replace(nothing, interlacing=comb), DomainDraws(
        halo=halo, interlacing=comb, video=video
    )]  # fmt: skip
    plain, sharp, combed, everything = apply_domain(images, draws)
    np.testing.assert_array_equal(plain, images[0])
    np.testing.assert_array_equal(sharp, add_halo(images[1], halo))
    np.testing.assert_array_equal(combed, interlace(images[2], comb))
    np.testing.assert_array_equal(
        everything, compress(interlace(add_halo(images[3], halo), comb), video)
    )
    assert [str(d) for d in draws] == [
        "",
        "halo 1.0",
        "weave 3 px",
        f"halo 1.0, weave 3 px, {video}",
    ]


def test_a_sample_of_a_batch_does_not_depend_on_the_others(av):
    options = SynthesisOptions(**ALL_ON)
    for seed in range(6):
        whole = degraded(options, seed=seed)
        np.testing.assert_array_equal(degraded(options, seed=seed), whole)
        np.testing.assert_array_equal(degraded(options, slice(1, 3), seed), whole[1:])
        np.testing.assert_allclose(whole * 255, np.rint(whole * 255), atol=1e-4)


def test_a_video_takes_the_place_of_the_last_jpeg(av):
    """So with a video the last JPEG's quality is all one, and without it is not."""
    kwargs = {
        "second_blur_prob": 0.0,
        "noise_range2": (0, 0),
        "gaussian_noise_prob2": 1.0,
    }
    for probability, alike in ((1.0, True), (0.0, False)):
        results = [
            degraded(
                SynthesisOptions(
                    **kwargs, video_prob=probability, jpeg_range2=(quality, quality)
                )
            )
            for quality in (10, 90)
        ]
        assert np.array_equal(*results) == alike


def test_make_lq_is_what_training_does(av):
    options = LQConfig(dataroot_gt="hr", motion_blur_prob=1, gt_usm=False, **ALL_ON)
    gt = picture(64, 96, 5).astype(np.float32) / 255
    rng = np.random.default_rng([options.manual_seed, *b"a.png"])
    kernels = [paddle.to_tensor(kernel[None]) for kernel in draw_kernels(options, rng)]
    lq = degrade(
        paddle.to_tensor(gt.transpose(2, 0, 1)[None]), kernels, draw(options, rng, 1), 4
    )
    np.testing.assert_array_equal(
        make_lq(gt, "a.png", options), np.rint(lq[0].numpy().transpose(1, 2, 0) * 255)
    )


def test_resuming_and_workers_change_nothing(av, tmp_path, options):
    options |= ALL_ON
    options["datasets"]["train"]["motion_blur_prob"] = 0.5
    workers = "datasets.train.num_worker_per_gpu=2"
    straight = run(tmp_path, options, "name=straight", "train.total_iter=4")
    run(tmp_path, options, "name=stopped", "train.total_iter=2")
    resumed = run(
        tmp_path,
        options,
        "name=stopped",
        "auto_resume=true",
        "train.total_iter=4",
        workers,
    )
    assert_states_equal(
        straight / "training_states/4.state", resumed / "training_states/4.state"
    )


def test_without_pyav_the_error_says_how_to_get_it_before_anything_is_read(
    tmp_path, options, monkeypatch
):
    monkeypatch.setitem(sys.modules, "av", None)
    check_installed(SynthesisOptions())
    options["video_prob"] = 0.5
    (tmp_path / "run.yml").write_text(yaml.safe_dump(options))
    with pytest.raises(UserError, match=r"video_prob 0.5: .*pip install av$"):
        open_training_data(load_config(tmp_path / "run.yml"))
    with pytest.raises(UserError, match=r"pip install av$"):
        write_preview(
            LQConfig(dataroot_gt=str(tmp_path), video_prob=0.5), tmp_path / "sheet.png"
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("video_prob: 1.5", "video_prob"),
        ("halo_range: [2, 1]", "halo_range"),
        ("codec_list: [h264, av1]", "codec_list"),
        (
            "codec_list: [h264]",
            "codec_list has 1 entries and codec_prob has 4; give one chance for each kind",
        ),
        ("codec_prob: [0.5, 0.2, 0.2, 0.2]", "probabilities that sum to 1"),
        ("h264_crf: [20, 52]", "h264_crf"),
        ("mpeg2_qscale: [0, 8]", "mpeg2_qscale"),
        ("interlace_list: []", "interlace_list"),
        ("interlace_shift: [0.5, 2]", "interlace_shift"),
        ("video_bits_per_pixel: [0, 1]", "video_bits_per_pixel"),
        ("motion_blur_range: [3, 300]", "motion_blur_range"),
    ],
)
def test_bad_values_are_one_line(tmp_path, line, message):
    (tmp_path / "lq.yml").write_text(f"dataroot_gt: hr\n{line}\n")
    with pytest.raises(UserError) as error:
        load_lq_config(tmp_path / "lq.yml")
    assert message in str(error.value) and "\n" not in str(error.value)
