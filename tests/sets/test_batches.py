"""The stream of training samples: which image when, for any start, rank and number of workers."""

from itertools import islice

import numpy as np
import pytest

from realesrgan_paddle.data.loading.datasets import (
    HighQualityDataset,
    PairedDataset,
    crop_size,
    paired_paths,
)
from realesrgan_paddle.data.loading.loader import EndlessSampler
from realesrgan_paddle.options.schema.config import TrainDataset
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle


def take(sampler: EndlessSampler, count: int) -> list:
    return list(islice(sampler, count))


def test_an_epoch_shows_every_image_once():
    keys = [
        key
        for batch in take(EndlessSampler(length=7, batch_size=2, seed=0), 7)
        for key in batch
    ]
    epochs = [
        [index for index, position in keys if position // 7 == epoch]
        for epoch in (0, 1)
    ]
    assert [sorted(epoch) for epoch in epochs] == [list(range(7))] * 2
    assert epochs[0] != epochs[1]


def test_enlarging_repeats_images_within_an_epoch():
    keys = [
        key
        for batch in take(
            EndlessSampler(length=3, batch_size=3, seed=0, enlarge_ratio=2), 2
        )
        for key in batch
    ]
    assert sorted(index for index, _ in keys) == [0, 0, 1, 1, 2, 2]


def test_starting_later_joins_the_same_stream():
    assert take(EndlessSampler(5, 2, seed=1), 9)[4:] == take(
        EndlessSampler(5, 2, seed=1, start=4), 5
    )


def test_ranks_share_the_global_batch():
    whole = take(EndlessSampler(9, 4, seed=2), 5)
    parts = [
        take(EndlessSampler(9, 2, seed=2, rank=rank, world_size=2), 5)
        for rank in (0, 1)
    ]
    assert whole == [a + b for a, b in zip(*parts, strict=True)]


def test_without_shuffling_the_order_is_the_files():
    assert [index for batch in take(EndlessSampler(3, 2, seed=0, shuffle=False), 3) for index, _ in batch] == [
        0, 1, 2, 0, 1, 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gt_size", "scale", "crop"),
    [(256, 4, 400), (256, 2, 400), (64, 4, 100), (72, 4, 116)],
)
def test_crop_size_keeps_the_ratio_of_real_esrgan(gt_size, scale, crop):
    assert crop_size(gt_size, scale) == crop


def options(tmp_path, **changes) -> TrainDataset:
    return TrainDataset(type="RealESRGANDataset", dataroot_gt=str(tmp_path), **changes)


def test_red_stays_red_and_samples_are_repeatable(tmp_path):
    red = np.zeros((48, 80, 3), np.uint8)
    red[..., 0] = 200
    write_image(tmp_path / "red.png", red)
    dataset = HighQualityDataset.open(options(tmp_path), gt_size=64, scale=4, seed=0)
    gt, *kernels = dataset[0, 5]
    assert gt.shape == (3, 100, 100)
    assert gt.dtype == np.float32
    np.testing.assert_allclose(gt[0], 200 / 255, atol=1e-6)
    assert not gt[1:].any()
    assert [kernel.shape for kernel in kernels] == [(21, 21)] * 3
    for again, other, first in zip(
        dataset[0, 5], dataset[0, 6], (gt, *kernels), strict=True
    ):
        assert np.array_equal(again, first)
        assert first is gt or not np.array_equal(other, first)


def test_pairs_are_cut_and_turned_alike(tmp_path):
    lq = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    write_image(tmp_path / "lq" / "a.png", lq)
    write_image(tmp_path / "gt" / "a.png", lq.repeat(2, axis=0).repeat(2, axis=1))
    train = options(tmp_path / "gt", use_rot=True).model_copy(
        update={"dataroot_lq": str(tmp_path / "lq")}
    )
    dataset = PairedDataset.open(train, gt_size=16, scale=2, seed=0)
    seen = set()
    for position in range(16):
        gt, small = dataset[0, position]
        assert gt.shape == (3, 16, 16)
        assert np.array_equal(gt[:, ::2, ::2], small)
        seen.add(small.tobytes())
    assert len(seen) > 8


def test_pairs_that_do_not_fit_are_named(tmp_path):
    write_image(tmp_path / "lq" / "a.png", np.zeros((10, 10), np.uint8))
    write_image(tmp_path / "gt" / "a.png", np.zeros((40, 44), np.uint8))
    train = options(tmp_path / "gt").model_copy(
        update={"dataroot_lq": str(tmp_path / "lq")}
    )
    with pytest.raises(
        UserError, match=r"a\.png is 44x40 but .*a\.png is 10x10: not 4 times as large"
    ):
        PairedDataset.open(train, gt_size=16, scale=4, seed=0)[0, 0]
    (tmp_path / "lq" / "a.png").unlink()
    with pytest.raises(
        UserError, match=r"lq/a\.png: no such file, and none of the 1 pairs is complete"
    ):
        paired_paths(str(tmp_path / "gt"), str(tmp_path / "lq"), None)
