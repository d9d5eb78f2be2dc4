"""The grid loss: the part of an error that repeats with the network's enlargement."""

import numpy as np
import paddle
import pytest
from sample_runs import picture, reported, run

from realesrgan_paddle.loss.grid import GridLoss, grid_period
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index

pytestmark = pytest.mark.paddle

SIDE = 96


@pytest.fixture
def gt() -> np.ndarray:
    pictures = [picture(SIDE, SIDE, i).transpose(2, 0, 1) / 255 for i in range(2)]
    return np.float32(pictures)


def loss_of(error: np.ndarray, **arguments) -> float:
    sr = paddle.to_tensor(np.float32(error))
    return float(GridLoss(**arguments)(sr, paddle.zeros_like(sr)))


def plain_grid(error: np.ndarray, period: int) -> float:
    """Return the grid of an error (N, C, H, W) window by window, phase by phase."""
    window = 8 * period
    height, width = error.shape[2:]
    of_images = []
    for image in error.astype(np.float64):
        squares = []
        for channel in image:
            for top in range(0, height - window + 1, window // 2):
                for left in range(0, width - window + 1, window // 2):
                    part = channel[top : top + window, left : left + window]
                    means = np.array(
                        [
                            part[y::period, x::period].mean()
                            for y in range(period)
                            for x in range(period)
                        ]
                    )
                    squares.append((means - means.mean()) ** 2)
        of_images.append(np.sqrt(np.mean(squares)))
    return float(np.mean(of_images))


@pytest.mark.parametrize(("scale", "period"), [(4, 4), (3, 3), (2, 4), (1, 4)])
def test_it_equals_its_formula_at_every_scale(scale, period):
    assert grid_period(scale) == period
    rng = np.random.default_rng(0)
    sr, gt = rng.normal(0.5, 0.1, (2, 2, 3, SIDE, SIDE + 24))
    expected = plain_grid(sr - gt, period)
    for axis in (2, 3):
        of_both = [
            np.abs(np.roll(gray, -1, axis) - gray)
            for gray in (image.mean(1, keepdims=True) for image in (sr, gt))
        ]
        expected += plain_grid(of_both[0] - of_both[1], period)
    loss = GridLoss(2, period)
    found = loss(*(paddle.to_tensor(np.float32(image)) for image in (sr, gt)))
    assert float(found) == pytest.approx(2 * expected, rel=1e-4)


def grid_of(error: np.ndarray) -> float:
    """Return what of an error is brighter at some phases."""
    return float(GridLoss()._grid(paddle.to_tensor(np.float32(error))))


def test_a_grid_counts_fully_and_other_errors_do_not():
    """A shift of color, stripes of another period; noise keeps an eighth."""
    rng = np.random.default_rng(0)
    tile = rng.normal(0, 0.1, (1, 3, 4, 4))
    grid = np.tile(tile, (1, 1, SIDE // 4, SIDE // 4))
    deviation = tile - tile.mean((2, 3), keepdims=True)
    expected = np.sqrt((deviation**2).mean())
    assert grid_of(grid) == pytest.approx(expected, rel=1e-4)
    assert loss_of(grid) > expected

    color = np.broadcast_to([[[[0.1]], [[0.2]], [[-0.1]]]], (1, 3, SIDE, SIDE))
    stripes = np.broadcast_to(0.1 * (np.arange(SIDE) // 4 % 2), (1, 3, SIDE, SIDE))
    assert loss_of(color) < 1e-5
    assert grid_of(stripes) < 1e-5
    noise = rng.normal(0, 0.1, (1, 3, SIDE, SIDE))
    assert 0.1 / 9 < grid_of(noise) < 0.1 / 7


@pytest.mark.parametrize("axis", [2, 3])
def test_stairs_count_though_no_phase_is_brighter(axis):
    """Waves as long as a window, as blocks of an input pixel's size and only too weak."""
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * (np.arange(SIDE) + 0.5) / 32)
    stairs = wave.reshape(-1, 4).mean(1).repeat(4)
    weak = 0.5 + 0.8 * (wave - 0.5)

    def image(row: np.ndarray) -> paddle.Tensor:
        rows = np.broadcast_to(row, (1, 3, SIDE, SIDE))
        return paddle.to_tensor(np.float32(rows if axis == 3 else rows.swapaxes(2, 3)))

    assert grid_of((image(stairs) - image(wave)).numpy()) < 0.01
    assert float(GridLoss()(image(stairs), image(wave))) > 0.03
    assert float(GridLoss()(image(weak), image(wave))) < 0.01


@pytest.mark.parametrize("side", [8, 16, 160])
def test_gradients_are_finite_where_nothing_is_wrong(side):
    """Also of crops that are smaller than a window, as of gt_size 8."""
    gt = paddle.rand([2, 3, side, side])
    for error in (0.0, 0.1):
        sr = (gt + error).detach()
        sr.stop_gradient = False
        GridLoss()(sr, gt).backward()
        assert np.isfinite(sr.grad.numpy()).all()


def test_accumulated_parts_have_the_loss_of_the_whole(gt):
    error = np.random.default_rng(0).normal(0, 0.1, gt.shape)
    parts = [loss_of(error[i : i + 1]) for i in range(2)]
    assert np.mean(parts) == pytest.approx(loss_of(error), rel=1e-5)


def test_gradient_descent_removes_a_grid_and_keeps_texture(gt):
    """The grid index of the image falls to that of the picture without it."""
    rng = np.random.default_rng(0)
    tile = rng.normal(0, 0.05, (1, 3, 4, 4))
    grid = np.tile(tile, (2, 1, SIDE // 4, SIDE // 4))
    texture = rng.normal(0, 0.05, gt.shape)
    sr = paddle.create_parameter(list(gt.shape), "float32")
    sr.set_value(np.float32(gt + texture + grid))
    adam = paddle.optimizer.Adam(1e-3, parameters=[sr])
    for _ in range(200):
        GridLoss()(sr, paddle.to_tensor(gt)).backward()
        adam.step()
        adam.clear_grad()

    def index(images: np.ndarray) -> float:
        pixels = np.uint8(255 * images[0].clip(0, 1)).transpose(1, 2, 0)
        return grid_index(pixels, 4)

    assert index(gt + texture + grid) > 2
    assert index(sr.numpy()) < 1.1 * index(gt + texture)
    left = (sr.numpy() - gt).std()
    assert left > 0.9 * texture.std()


def test_training_reports_the_same_loss_on_fast_and_plain_operators(tmp_path, options):
    options["train"]["grid_opt"] = {"loss_weight": 2}
    fast, plain = (
        reported(
            run(
                tmp_path, options, f"name={ops}", f"cpu_ops={ops}", "train.total_iter=2"
            )
        )
        for ops in ("auto", "plain")
    )
    assert [line["l_g_grid"] for line in fast] == pytest.approx(
        [line["l_g_grid"] for line in plain], rel=1e-3
    )
    assert fast[0]["l_g_grid"] > 0
