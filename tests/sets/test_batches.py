"""The stream of training samples: which image when, and how samples are cut."""

import tracemalloc
from itertools import islice

import numpy as np
import paddle
import pytest

from realesrgan_paddle.data.loading.datasets import (
    HighQualityDataset,
    PairedDataset,
    crop_size,
    paired_paths,
)
from realesrgan_paddle.data.loading.loader import (
    BadImages,
    EndlessSampler,
    endless_batches,
)
from realesrgan_paddle.options.schema.datasets import TrainDataset
from realesrgan_paddle.training.batches import image_tensor
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import to_float, write_image

pytestmark = pytest.mark.paddle


def take(count: int, **arguments) -> list:
    """Return the first batches of a sampler, each a list of (index, position)."""
    return list(islice(EndlessSampler(**arguments), count))


def indices(batches: list) -> list[int]:
    return [index for batch in batches for index, _ in batch]


def test_an_epoch_shows_every_image_once():
    shown = indices(take(7, length=7, batch_size=2, seed=0))
    first, second = shown[:7], shown[7:]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_the_enlarge_ratio_repeats_images_within_an_epoch():
    batches = take(2, length=3, batch_size=3, seed=0, enlarge_ratio=2)
    assert sorted(indices(batches)) == [0, 0, 1, 1, 2, 2]


def test_a_later_start_continues_the_same_stream():
    sampler = {"length": 5, "batch_size": 2, "seed": 1}
    assert take(5, **sampler, start=4) == take(9, **sampler)[4:]


def test_ranks_share_the_global_batch():
    whole = take(5, length=9, batch_size=4, seed=2)
    first, second = (
        take(5, length=9, batch_size=2, seed=2, rank=rank, world_size=2)
        for rank in (0, 1)
    )
    assert whole == [a + b for a, b in zip(first, second, strict=True)]


def test_without_shuffling_the_order_is_that_of_the_files():
    batches = take(3, length=3, batch_size=2, seed=0, shuffle=False)
    assert indices(batches) == [0, 1, 2, 0, 1, 2]


def test_crop_size_keeps_the_ratio_of_real_esrgan():
    for gt_size, scale, crop in [
        (256, 4, 400),
        (256, 2, 400),
        (64, 4, 100),
        (72, 4, 116),
    ]:
        assert crop_size(gt_size, scale) == crop


def options(tmp_path, **changes) -> TrainDataset:
    return TrainDataset(type="RealESRGANDataset", dataroot_gt=str(tmp_path), **changes)


@pytest.fixture
def red(tmp_path) -> HighQualityDataset:
    image = np.zeros((48, 80, 3), np.uint8)
    image[..., 0] = 200
    write_image(tmp_path / "red.png", image)
    return HighQualityDataset.open(options(tmp_path), gt_size=64, scale=4, seed=0)


def test_a_sample_is_a_crop_and_three_kernels(red):
    gt, *kernels = red[0, 5]
    assert gt.shape == (3, 100, 100), "padded: the image is smaller than the crop"
    assert gt.dtype == np.uint8, "a quarter of the bytes, from a worker's process"
    assert (gt[0] == 200).all()
    assert not gt[1:].any()
    assert [kernel.shape for kernel in kernels] == [(21, 21)] * 3


def test_a_sample_depends_on_its_position(red):
    first, again, other = red[0, 5], red[0, 5], red[0, 6]
    for field, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(field, same)
    for kernel, different in zip(first[1:], other[1:], strict=True):
        assert not np.array_equal(kernel, different)


def paired(tmp_path, gt_size: int, scale: int) -> PairedDataset:
    train = options(tmp_path / "gt", use_rot=True).model_copy(
        update={"dataroot_lq": str(tmp_path / "lq")}
    )
    return PairedDataset.open(train, gt_size, scale, seed=0)


def test_both_images_of_a_pair_get_the_same_crop_and_rotation(tmp_path):
    lq = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    write_image(tmp_path / "lq" / "a.png", lq)
    write_image(tmp_path / "gt" / "a.png", lq.repeat(2, axis=0).repeat(2, axis=1))
    dataset = paired(tmp_path, gt_size=16, scale=2)
    seen = set()
    for position in range(16):
        gt, small = dataset[0, position]
        assert gt.shape == (3, 16, 16)
        np.testing.assert_array_equal(gt[:, ::2, ::2], small)
        seen.add(small.tobytes())
    assert len(seen) > 8


def half_textured(height: int, width: int) -> np.ndarray:
    """Return a picture, uint16 (height, width, 3), flat in its left half."""
    noise = np.random.default_rng(0).integers(0, 65536, (height, width, 3))
    noise[:, : width // 2] = 30000
    return np.uint16(noise)


@pytest.mark.parametrize("gray", [False, True], ids=["color", "gray"])
def test_of_several_crops_that_with_most_detail_is_taken(tmp_path, gray):
    image = half_textured(80, 400)
    write_image(tmp_path / "a.png", image[..., 0] if gray else image)
    deviations = {}
    for candidates in (1, 4):
        bare = options(tmp_path, use_rot=True, crop_candidates=candidates)
        data = HighQualityDataset.open(bare, gt_size=32, scale=4, seed=0)
        deviations[candidates] = [data[0, i][0].std() for i in range(40)]
    assert np.mean(np.equal(deviations[1], 0)) > 0.3, "any crop is taken"
    # All four are flat one time in thirty.
    assert np.mean(np.equal(deviations[4], 0)) < 0.15


def test_of_several_crops_of_a_pair_that_with_most_detail_is_taken(tmp_path):
    lq = half_textured(20, 100)
    write_image(tmp_path / "lq" / "a.png", lq)
    write_image(tmp_path / "gt" / "a.png", lq.repeat(2, axis=0).repeat(2, axis=1))
    train = paired(tmp_path, gt_size=16, scale=2).options
    chosen = train.model_copy(update={"crop_candidates": 8})
    dataset = PairedDataset.open(chosen, gt_size=16, scale=2, seed=0)
    for position in range(20):
        gt, small = dataset[0, position]
        np.testing.assert_array_equal(gt[:, ::2, ::2], small)
        assert small.std() > 0


def test_8_and_16_bits_share_a_batch(tmp_path):
    """And become the numbers that each would be alone, on every device."""
    levels = np.arange(64 * 64 * 3).reshape(64, 64, 3) % 256
    for name, image in (("a", np.uint8(levels)), ("b", np.uint16(levels * 257 + 3))):
        write_image(tmp_path / f"{name}.png", image)
    bare = options(tmp_path, use_hflip=False)
    data = HighQualityDataset.open(bare, gt_size=40, scale=4, seed=0)
    alone = [to_float(data[i, i][0]) for i in range(2)]
    keys = EndlessSampler(length=2, batch_size=2, seed=0, shuffle=False)
    batches = endless_batches(data, keys, 0, BadImages(0, print))
    (mixed, *_) = next(batches)
    assert mixed.dtype == np.uint16
    assert np.array_equal(image_tensor(mixed).numpy(), np.stack(alone))


@pytest.mark.parametrize("device", ["cpu", "gpu:0"])
def test_levels_become_the_same_numbers_on_every_device(device, monkeypatch):
    monkeypatch.setattr(paddle, "get_device", lambda: device)
    levels = np.arange(256, dtype=np.uint8)
    expected = levels.astype(np.float32) / np.float32(255)
    assert image_tensor(levels).numpy().tobytes() == expected.tobytes()


def test_a_pair_whose_sizes_disagree_is_refused_when_read(tmp_path):
    write_image(tmp_path / "lq" / "a.png", np.zeros((10, 10), np.uint8))
    write_image(tmp_path / "gt" / "a.png", np.zeros((40, 44), np.uint8))
    message = r"a\.png is 44x40 but .*a\.png is 10x10: not 4 times as large"
    with pytest.raises(UserError, match=message):
        paired(tmp_path, gt_size=16, scale=4)[0, 0]


def test_ground_truth_without_any_low_quality_image_is_refused(tmp_path):
    (tmp_path / "lq").mkdir()
    write_image(tmp_path / "gt" / "a.png", np.zeros((40, 44), np.uint8))
    message = r"lq/a\.png: no such file, and none of the 1 pairs is complete"
    with pytest.raises(UserError, match=message):
        paired_paths(str(tmp_path / "gt"), str(tmp_path / "lq"), None)


def test_a_crop_of_a_large_image_takes_little_more_than_its_samples(tmp_path):
    write_image(tmp_path / "gray.png", np.zeros((3000, 2000), np.uint8))
    data = HighQualityDataset.open(options(tmp_path), gt_size=64, scale=4, seed=0)
    data[0, 0]  # imports what it needs
    tracemalloc.start()
    data[0, 1]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * 3000 * 2000, "a copy as float32 RGB takes 12 times as much"
