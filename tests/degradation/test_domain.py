"""Halos, interlacing and video codecs: what each does, and that all are reproducible.

How often each is drawn: test_batch_distributions.py.
"""

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
    _moving_frames,
    check_installed,
    compress,
    draw_video,
)
from realesrgan_paddle.data.degradation.domain import (
    DomainParams,
    Halo,
    Interlacing,
    add_halo,
    apply_domain,
    draw_domain,
    interlace,
)
from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.degradation.pipeline import degrade, draw
from realesrgan_paddle.data.lq.folder import make_lq, write_preview
from realesrgan_paddle.options.reading.load import load_config, load_lq_config
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle
ALL_ON = {
    "halo_prob": 0.6,
    "interlace_prob": 0.6,
    "video_prob": 0.7,
    "codec_list": ["mpeg2", "h264"],
    "codec_prob": [0.5, 0.5],
    "video_bitrate_prob": 0.4,
}
QUALITIES = {"h264": (18, 40), "hevc": (18, 40), "mpeg2": (2, 25), "vp9": (20, 60)}
"""A good and a bad quality of each codec."""


@pytest.fixture
def av():
    return pytest.importorskip("av")


def rms_error(result: np.ndarray, image: np.ndarray) -> float:
    difference = result.astype(np.float64) - image
    return float(np.sqrt(np.mean(difference**2)))


def assert_equal(result: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(result, expected)


def degraded(
    options: SynthesisOptions, part: slice = slice(0, 3), seed: int = 0
) -> np.ndarray:
    """Return part of a batch of three after the degradation of the whole batch."""
    rng = np.random.default_rng(seed)
    gt = paddle.to_tensor(np.random.default_rng(9).random((3, 3, 72, 88), np.float32))
    kernel_options = KernelOptions(motion_blur_prob=0.5)
    samples = [draw_kernels(kernel_options, rng) for _ in range(3)]
    stacked = [np.stack(kernels) for kernels in zip(*samples, strict=True)]
    kernels = [paddle.to_tensor(kernel[part]) for kernel in stacked]
    params = draw(options, rng, 3).subset(part)
    return degrade(gt[part], kernels, params, 4).numpy()


def test_a_halo_overshoots_at_an_edge_by_its_strength_and_keeps_the_hue():
    edge = np.full((9, 40, 3), (90, 60, 30), np.uint8)
    edge[:, 20:] = (170, 140, 110)
    sharp = add_halo(edge, Halo(1.0, 1.5)).astype(int)
    assert sharp[4, 19, 0] < 85 and sharp[4, 20, 0] > 175
    assert_equal(sharp[:, :8], edge[:, :8])
    assert np.ptp(sharp - edge, axis=2).max() <= 1

    none, weak = (add_halo(edge, Halo(strength, 1.5)) for strength in (0.0, 0.5))
    assert_equal(none, edge)
    assert 0 < rms_error(weak, edge) < rms_error(sharp, edge)


@pytest.mark.parametrize("height", [1, 2, 7, 8])
def test_the_top_field_stays_and_the_bottom_one_is_moved_made_or_blended(height):
    image = noise_image(height)
    woven = interlace(image, Interlacing(-3, "weave"))
    bob = interlace(image, Interlacing(3, "bob"))
    blend = interlace(image, Interlacing(-3, "blend"))
    assert_equal(woven[::2], image[::2])
    assert_equal(bob[::2], image[::2])
    if height < 3:
        return

    assert_equal(woven[1::2, :-3], image[1::2, 3:])
    mean = (image[0].astype(float) + image[2]) / 2
    assert np.abs(bob[1] - mean).max() <= 0.5
    lines = woven.astype(float)
    mean = (lines[:-2] + 2 * lines[1:-1] + lines[2:]) / 4
    assert np.abs(blend[1:-1] - mean).max() <= 1


def noise_image(height: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, 12, 3)).astype(np.uint8)


def test_both_ends_of_each_quality_compress(av):
    for chroma_420 in [True, False]:
        for codec, best, worst in [
            ("h264", 0, 51),
            ("hevc", 0, 51),
            ("mpeg2", 1, 31),
            ("vp9", 0, 63),
        ]:
            image = picture(64, 64, 2)
            good, bad = (
                compress(image, Video(codec, quality, chroma_420, (1.0, 0.5)))
                for quality in (best, worst)
            )
            assert rms_error(good, image) < 6 < 10 < rms_error(bad, image)


def test_a_worse_quality_loses_more(av):
    for codec in ENCODERS:
        image = picture(50, 71, 1)
        image[8:30, 10:40] = np.random.default_rng(0).integers(60, 200, (22, 30, 1))
        good, bad = (
            compress(image, Video(codec, quality, True, (1.3, -0.4)))
            for quality in QUALITIES[codec]
        )
        assert good.shape == image.shape and good.dtype == np.uint8
        assert 0.5 < rms_error(good, image) < 12
        assert rms_error(bad, image) > 1.5 * rms_error(good, image)


def test_a_video_keeps_colors_and_brightness(av):
    for codec in ENCODERS:
        good, _ = QUALITIES[codec]
        red = np.full((50, 71, 3), (200, 20, 10), np.uint8)
        result = compress(red, Video(codec, good, True, (1, 1)))
        assert np.abs(result.astype(int) - red).max() <= 3

        smooth = picture(64, 64, 2)
        result = compress(smooth, Video(codec, good, True, (0, 0)))
        bias = result.mean((0, 1)) - smooth.mean((0, 1))
        assert np.abs(bias).max() < 0.7, "a network would learn this as a color shift"


def test_videos_are_deterministic_at_any_size(av):
    for codec in ENCODERS:
        for height, width in [(1, 3), (31, 18), (33, 70)]:
            image = picture(height, width, 3)
            video = Video(codec, 25, False, (-1.5, 0.7))
            first = compress(image, video)
            assert first.shape == image.shape
            assert_equal(compress(image, video), first)


def test_motion_changes_what_a_codec_predicts(av):
    for codec in ENCODERS:
        image = picture(33, 70, 3)
        video = Video(codec, 25, False, (-1.5, 0.7))
        moved = replace(video, motion=(3.0, 3.0))
        assert not np.array_equal(compress(image, moved), compress(image, video))


def test_a_bitrate_is_kept_and_more_bits_are_better(av):
    for codec in ENCODERS:
        grain = np.random.default_rng(0).normal(0, 12, (128, 128, 1))
        image = np.uint8(np.clip(picture(128, 128, 4) + grain, 0, 255))
        limits = np.array([0.3, 0.8, 2])
        sizes, errors = [], []
        for bits in limits:
            video = Video(codec, 1, True, (1.3, -0.4), bits)
            packets = _encode(_moving_frames(image, video.motion), video)
            bytes_per_frame = sum(packet.size for packet in packets) / FRAMES
            sizes.append(8 * bytes_per_frame / image[..., 0].size)
            errors.append(rms_error(compress(image, video), image))
        # Encoders keep to it roughly; x265 adds its settings as text.
        assert np.all(np.array(sizes) < 2 * limits + 0.3)
        assert sizes[0] < sizes[1]
        assert errors[0] > 1.1 * errors[1] > 1.1 * errors[2]


def test_a_bitrate_replaces_the_quality(av):
    for codec in ENCODERS:
        image = picture(64, 64, 4)
        video = Video(codec, 1, True, (1.3, -0.4), 0.8)
        other_quality = replace(video, quality=30)
        assert_equal(compress(image, video), compress(image, other_quality))


def test_a_bitrate_changes_no_other_value_of_a_video():
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


def test_a_video_is_described_by_its_codec_amount_and_chroma():
    video = Video("vp9", 31, True, (0, 0))
    assert str(video) == "vp9 31"
    limited = replace(video, chroma_420=False, bits_per_pixel=0.517)
    assert str(limited) == "vp9 0.52 bits/px 4:2:2"


def test_420_chroma_loses_more_color_than_422(av):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[::2], stripes[1::2] = (180, 60, 60), (60, 110, 60)
    with_420, with_422 = (
        rms_error(compress(stripes, Video("mpeg2", 1, chroma_420, (0, 0))), stripes)
        for chroma_420 in (True, False)
    )
    assert with_420 > 3 * with_422


def test_options_that_are_off_draw_nothing():
    rng = np.random.default_rng(0)
    assert draw_domain(SynthesisOptions(), rng, 4) == ()
    assert rng.random() == np.random.default_rng(0).random()


def test_switching_a_part_on_changes_no_other_draw():
    off, on = (
        draw(SynthesisOptions(halo_prob=p), np.random.default_rng(1), 4) for p in (0, 1)
    )
    assert off.domain == () and all(sample.halo for sample in on.domain)
    np.testing.assert_equal(vars(on.first), vars(off.first))
    np.testing.assert_equal(vars(on.second), vars(off.second))
    for name in ("second_blur", "final_mode", "jpeg_last"):
        assert getattr(on, name) == getattr(off, name)


def test_each_sample_gets_what_its_draws_name(av):
    images = np.stack([picture(40, 48, seed) for seed in range(4)])
    halo = Halo(1.0, 1.0)
    weave = Interlacing(3, "weave")
    video = draw_video(SynthesisOptions(), np.random.default_rng(0))
    nothing = DomainParams(halo=None, interlacing=None, video=None)
    everything = DomainParams(halo=halo, interlacing=weave, video=video)
    params = [
        nothing,
        replace(nothing, halo=halo),
        replace(nothing, interlacing=weave),
        everything,
    ]
    results = apply_domain(images, params)
    assert_equal(results[0], images[0])
    assert_equal(results[1], add_halo(images[1], halo))
    assert_equal(results[2], interlace(images[2], weave))
    in_order = compress(interlace(add_halo(images[3], halo), weave), video)
    assert_equal(results[3], in_order)

    texts = ["", "halo 1.0", "weave 3 px", f"halo 1.0, weave 3 px, {video}"]
    assert [str(sample) for sample in params] == texts


def test_a_sample_does_not_depend_on_the_rest_of_its_batch(av):
    for seed in range(6):
        options = SynthesisOptions(**ALL_ON)
        whole = degraded(options, seed=seed)
        assert_equal(degraded(options, seed=seed), whole)
        assert_equal(degraded(options, slice(1, 3), seed), whole[1:])
        np.testing.assert_allclose(whole * 255, np.rint(whole * 255), atol=1e-4)


def test_a_video_replaces_the_last_jpeg(av):
    """With a video, the quality of the last JPEG makes no difference."""
    for video_prob, equal in [(1.0, True), (0.0, False)]:
        results = [
            degraded(
                SynthesisOptions(
                    second_blur_prob=0,
                    noise_range2=(0, 0),
                    gaussian_noise_prob2=1,
                    video_prob=video_prob,
                    jpeg_range2=(quality, quality),
                )
            )
            for quality in (10, 90)
        ]
        assert np.array_equal(*results) == equal


def test_make_lq_equals_the_degradation_of_a_training(av):
    options = LQConfig(dataroot_gt="hr", motion_blur_prob=1, gt_usm=False, **ALL_ON)
    gt = picture(64, 96, 5).astype(np.float32) / 255
    rng = np.random.default_rng([options.manual_seed, *b"a.png"])
    kernels = [paddle.to_tensor(kernel[None]) for kernel in draw_kernels(options, rng)]
    batch = paddle.to_tensor(gt.transpose(2, 0, 1)[None])
    lq = degrade(batch, kernels, draw(options, rng, 1), 4)
    expected = np.rint(lq[0].numpy().transpose(1, 2, 0) * 255)
    assert_equal(make_lq(gt, "a.png", options), expected)


def test_resuming_and_workers_do_not_change_the_degradation(av, tmp_path, options):
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


def test_without_pyav_the_error_says_how_to_install_it(tmp_path, options, monkeypatch):
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


def test_invalid_options_are_refused_in_one_line(tmp_path):
    for line, message in [
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
    ]:
        (tmp_path / "lq.yml").write_text(f"dataroot_gt: hr\n{line}\n")
        with pytest.raises(UserError) as error:
            load_lq_config(tmp_path / "lq.yml")
        assert message in str(error.value) and "\n" not in str(error.value)
