"""The sheets of a validation: which crops they show, beside what, and after a resume."""

import numpy as np
import pytest

from realesrgan_paddle.data.loading.datasets import ValidationImage
from realesrgan_paddle.data.loading.held_out_crops import HeldOutSet
from realesrgan_paddle.judging.images import most_detailed_crops
from realesrgan_paddle.training.validation import draw_sheet

pytestmark = pytest.mark.paddle


def held_out(count, *, known=True) -> HeldOutSet:
    images = []
    for number in range(count):
        gt = np.full((400, 300, 3), (0, 0, 255), np.uint8)
        gt[number::7] = 250
        images.append(
            ValidationImage(f"frame{number}", gt[::4, ::4], gt if known else None)
        )
    return HeldOutSet("held_out", 4, images)


def area(sheet, color) -> int:
    """Pixels of a color."""
    return int((sheet == color).all(axis=2).sum())


def draw(count, *, known=True, pretrained=True) -> np.ndarray:
    """A sheet on which the start network paints red and the network green."""
    crops = most_detailed_crops(held_out(count, known=known))
    painted = {
        label: [np.full((256, 256, 3), color, np.uint8) for _ in crops]
        for label, color in (("start network", (255, 0, 0)), ("iter 30", (0, 255, 0)))
    }
    if not pretrained:
        del painted["start network"]
    return draw_sheet(crops, painted, "held_out/psnr 20.5")


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (5, 5), (20, 6)])
def test_a_sheet_shows_start_network_and_network_beside_input_and_truth(count, rows):
    sheet = draw(count)
    piece = 256 * 256
    assert (area(sheet, (255, 0, 0)), area(sheet, (0, 255, 0))) == (
        rows * piece,
        rows * piece,
    )
    assert area(sheet, (0, 0, 255)) > rows * piece * 0.7, (
        "the ground truth is not there"
    )
    assert (
        4 * 256 < sheet.shape[1] < 1200
        and rows * 256 < sheet.shape[0] < rows * 360 + 100
    )


def test_the_output_of_random_weights_is_not_shown():
    sheet = draw(2, pretrained=False)
    assert area(sheet, (255, 0, 0)) == 0 < area(sheet, (0, 255, 0))


def test_without_ground_truth_there_is_a_sheet_too():
    sheet = draw(2, known=False)
    assert area(sheet, (0, 255, 0)) == area(sheet, (255, 0, 0)) == 2 * 256 * 256
    assert sheet.shape[1] < 4 * 256
