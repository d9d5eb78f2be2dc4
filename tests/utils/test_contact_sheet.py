"""The sheet of panels: each panel's text stays below it."""

import numpy as np

from realesrgan_paddle.utils.report.contact_sheet import (
    MARGIN,
    Panel,
    SheetRow,
    contact_sheet,
)

SIDE = 150
FIGURES = "24.59 dB PSNR-Y, 0.8016 SSIM-Y, 0.3479 LPIPS, 0.1508 DISTS, 0.767 sharpness"


def test_a_long_note_does_not_run_into_its_neighbor():
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)

    def sheet(note: str) -> np.ndarray:
        panels = [Panel("released", image, note), Panel("tuned", image, FIGURES)]
        return contact_sheet([SheetRow("", panels)], [], "")

    long, empty = sheet(FIGURES), sheet("")
    assert long.shape == empty.shape
    second = MARGIN + SIDE + MARGIN // 2
    assert np.array_equal(long[:, second:], empty[:, second:])
    assert not np.array_equal(long[:, :second], empty[:, :second])
    assert (long[-MARGIN:] == 255).all(), "all of its lines are on the sheet"
