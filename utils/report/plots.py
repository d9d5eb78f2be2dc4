"""Figures of matplotlib, which is imported only when one is drawn."""

from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.errors import UserError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank_figure(width: int, height: int) -> "Figure":
    """Return an empty figure of `width` x `height` pixels whose texts do not overlap.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "plots are drawn by matplotlib, which is not installed: "
            "pip install matplotlib"
        ) from None
    return Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")


def plot_text(text: str) -> str:
    """Return a name as matplotlib shows it: as it is, without a dollar's formulas."""
    return printable(text).replace("$", r"\$")


def render(figure: "Figure") -> np.ndarray:
    """Return a figure as uint8 RGB (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
