"""Made clips rank as they should: what flickers, what is blurred, what only moves.

tOF and tLP equal TecoGAN's (recorded by record_temporal_consistency.py).
"""

import weakref
from functools import partial
from math import hypot, isnan

import cv2
import numpy as np
import pytest
import sample_perceptual_metrics
import sample_temporal as sample
from places import REFERENCE
from scenes import scene

from realesrgan_paddle.metrics import clips as module
from realesrgan_paddle.metrics.clips import consistency_lines, measure_clip
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.temporal_consistency import measure_consistency

RECORDED = np.load(REFERENCE / "temporal_consistency.npz")
COUNTED = slice(sample.CUT, -sample.CUT)
GT = sample.ground_truth()[COUNTED]
SR = sample.result()[COUNTED]

SCALE = 4
WIDTH, HEIGHT = 192, 128
INNER = (96, 160, 3)
"""The part of such frames that is measured: (128 - 16) // 32 * 32 rows, and so on."""
MOVING = [scene(1, step) for step in range(4)]
STILL = [scene(1)] * 4


def noisy(frames, sigma=6.0, *, again=True):
    """Return the frames with noise: new in each frame, or the same in all."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, sigma, frames[0].shape)
    result = []
    for frame in frames:
        if again:
            noise = rng.normal(0, sigma, frame.shape)
        result.append(np.clip(frame + noise, 0, 255).astype(np.uint8))
    return result


def blurred(frames):
    return [cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames]


def small(frames):
    size = (WIDTH // SCALE, HEIGHT // SCALE)
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]


def means(clips, **given):
    measured = measure_consistency(clips, **given)
    return {name: clip.mean for name, clip in measured.items()}


def test_new_noise_in_each_frame_is_unsteady():
    found = means({"sr": noisy(MOVING)}, gt=MOVING, lq=small(MOVING))["sr"]
    assert found.tof > 0.05
    assert found.change > 5

    still = means({"sr": noisy(STILL)}, gt=STILL, lq=small(STILL))["sr"]
    assert still.flicker > 5


def test_the_same_noise_in_all_frames_is_steady():
    found = means({"sr": noisy(STILL, again=False)}, gt=STILL, lq=small(STILL))["sr"]
    assert found.flicker == found.change == 0
    assert found.tof < 1e-3


def test_more_noise_is_less_steady():
    found = means({str(n): noisy(MOVING, n) for n in (2, 6, 18)}, gt=MOVING)
    for field in ("tof", "change"):
        little, medium, much = (
            getattr(found[name], field) for name in ("2", "6", "18")
        )
        assert 0 < little < medium < much, field


def test_blur_wins_flicker_and_loses_sharpness():
    flickering = noisy(STILL)
    clips = {"sharp": flickering, "blurred": blurred(flickering)}
    found = means(clips, gt=STILL, lq=small(STILL))

    assert found["blurred"].flicker < found["sharp"].flicker / 2
    assert found["blurred"].sharpness < 0.7 < 0.95 < found["sharp"].sharpness


def test_a_shift_of_the_whole_clip_is_steady_to_tof():
    shifted = [np.roll(frame, (2, 3), (0, 1)) for frame in MOVING]
    jumping = [*MOVING[:2], *shifted[2:]]
    found = means({"shifted": shifted, "jumping": jumping}, gt=MOVING)

    assert found["shifted"].tof < 0.1
    assert found["jumping"].tof > 5 * found["shifted"].tof


def test_tof_is_in_pixels():
    frozen = [MOVING[0]] * len(MOVING)
    found = means({"frozen": frozen}, gt=MOVING)
    assert found["frozen"].tof == pytest.approx(hypot(3, 1), rel=0.1)


def test_differences_are_in_levels():
    gray = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    gt = [gray] * 4
    blinking = [gray, gray + 6, gray, gray + 6]
    found = means({"blinking": blinking}, gt=gt, lq=small(gt))

    assert found["blinking"].change == 6
    assert found["blinking"].flicker == 6
    assert found["ground truth"].flicker == 0
    assert found["blinking"].sharpness == 1  # as flat as the ground truth


def test_tlp_compares_distances_of_the_inner_parts_times_100():
    shapes = []

    def mean_change(first, second):
        shapes.append(first.shape)
        return float(np.abs(first.astype(float) - second).mean()) / 255

    brighter = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (0, 51, 255)]
    black = [brighter[0]] * 3
    measured = measure_consistency({"b": brighter}, gt=black, distance=mean_change)
    assert [step.tlp for step in measured["b"].steps] == pytest.approx([20, 80])
    assert set(shapes) == {INNER}


def test_flicker_counts_only_where_the_input_stands_still():
    left_moves = [frame.copy() for frame in STILL]
    for number, frame in enumerate(left_moves):
        frame[:, : WIDTH // 2] = MOVING[number][:, : WIDTH // 2]
    found = means({"sr": left_moves}, lq=small(left_moves))["sr"]

    assert 0.3 < found.still < 0.7
    assert found.flicker < 0.5
    assert isnan(found.tof)
    assert isnan(found.change)


def test_where_nothing_stands_still_there_is_no_flicker():
    rng = np.random.default_rng(0)
    lq = rng.integers(0, 256, (4, HEIGHT // SCALE, WIDTH // SCALE, 3), np.uint8)
    lq[:, 10:15, 10:15] = 0  # one window that stands still says nothing
    measured = measure_consistency({"sr": MOVING}, lq=lq)["sr"]
    assert isnan(measured.mean.flicker)
    assert "flicker" not in consistency_lines({"sr": measured})[0]


def test_steps_without_a_figure_do_not_count_in_its_mean():
    bright = [frame // 2 + 100 for frame in STILL]
    lq = small([*STILL[:2], *bright[:2]])
    flickering = noisy(STILL)
    measured = measure_consistency({"sr": flickering}, lq=lq)["sr"]
    first, second, third = (step.flicker for step in measured.steps)
    assert isnan(second)
    assert measured.mean.flicker == pytest.approx((first + third) / 2)


def test_sharpness_is_relative_to_the_ground_truth_if_there_is_one():
    lq = small(MOVING)
    bicubic = [enlarge(frame, SCALE) for frame in lq]
    found = means({"bicubic": bicubic}, gt=MOVING, lq=lq)
    assert found["bicubic"].sharpness < 0.8
    assert found["ground truth"].sharpness == 1


def test_without_ground_truth_sharpness_is_relative_to_bicubic():
    lq = small(MOVING)
    bicubic = [enlarge(frame, SCALE) for frame in lq]
    found = means({"bicubic": bicubic, "sharp": MOVING}, lq=lq)
    assert found["bicubic"].sharpness == 1
    assert found["sharp"].sharpness > 1.3


def test_two_frames_of_each_clip_are_in_memory():
    frames = []

    def clip():
        for step in range(8):
            frame = scene(1, step)
            frames.append(weakref.ref(frame))
            yield frame
            del frame
            alive = sum(each() is not None for each in frames)
            assert alive <= 3  # a pair, and the one that was just left

    measured = measure_consistency({"sr": clip()}, gt=map(scene, [1] * 8, range(8)))
    assert len(measured["sr"].steps) == 7
    assert measured["sr"].mean.tof == 0


def test_the_table_is_aligned_and_leaves_out_what_nothing_has():
    measured = measure_consistency({"a\nb": MOVING}, gt=MOVING)
    header, *rows = consistency_lines(measured)[:3]
    assert header.split() == ["tOF", "change", "sharpness"]
    assert rows[0].split() == [r"a\nb", "0.000", "0.00", "1.000"]
    assert len({len(line) for line in (header, *rows)}) == 1


SMALL = [frame[:40] for frame in MOVING]
UNEVEN = [*MOVING[:2], MOVING[2][:100], MOVING[3]]


@pytest.mark.parametrize(
    ("clip", "gt", "message"),
    [
        (MOVING[:1], MOVING[:1], "sr: has fewer than two frames"),
        ([], [], "sr: has fewer than two frames"),
        (MOVING[:3], MOVING, "sr: ends after 3 frames, but ground truth goes on"),
        (MOVING, MOVING[:3], "ground truth: ends after 3 frames, but sr goes on"),
        (MOVING, SMALL, "ground truth: has 192x40 pixels, but sr has 192x128"),
        (UNEVEN, MOVING, "sr: has frames of 192x128 and of 192x100 pixels"),
        (SMALL, SMALL, "at least 48x48"),
        ([np.zeros((64, 64), np.uint8)] * 2, MOVING, "8-bit RGB frames, not on uint8"),
        (MOVING, None, "needs the ground truth, the input, or both"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(clip, gt, message):
    with pytest.raises(UserError, match=message) as caught:
        measure_consistency({"sr": clip}, gt=gt)
    assert "\n" not in str(caught.value)


def test_tof_equals_tecogans():
    measured = measure_consistency({"sr": SR}, gt=GT)["sr"]
    found = [step.tof for step in measured.steps]
    assert found == pytest.approx(RECORDED["tOF"], abs=5e-4)


@pytest.mark.paddle
def test_tlp_equals_tecogans():
    from realesrgan_paddle.loss.lpips_dists import LPIPS
    from realesrgan_paddle.metrics.perceptual import perceptual_distance

    network = sample_perceptual_metrics.network("alex")
    lpips = LPIPS({**network, **sample_perceptual_metrics.linear("alex")}, "alex")
    distance = partial(perceptual_distance, lpips)

    measured = measure_consistency({"sr": SR}, gt=GT, distance=distance)["sr"]
    found = [step.tlp for step in measured.steps]
    assert found == pytest.approx(RECORDED["tLP100"], abs=5e-3)


def test_lpips_is_used_where_it_has_weights_and_there_is_ground_truth(monkeypatch):
    clips = {"sr": [255 - frame for frame in MOVING]}
    opened = []

    def open_metric(name):
        opened.append(name)
        return lambda first, second: float(np.mean(first)) / 255

    monkeypatch.setattr(module, "open_metric", open_metric)
    monkeypatch.setattr(module, "missing_weights", lambda name: None)
    assert measure_clip(clips, gt=MOVING)["sr"].mean.tlp > 1
    measure_clip(clips, lq=MOVING)
    assert opened == ["lpips"]

    remarks = []
    monkeypatch.setattr(module, "missing_weights", lambda name: "no file")
    measured = measure_clip(clips, gt=MOVING, remark=remarks.append)
    assert remarks == ["tLP is left out: no file"]
    assert isnan(measured["sr"].mean.tlp)
