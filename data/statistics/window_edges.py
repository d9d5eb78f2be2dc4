"""The profile of edges (blur, halos) and the lines of fields (interlacing)."""

import cv2
import numpy as np

REACH = 5
"""Pixels of a profile on either side of an edge."""
SHOWN = 3
"""Pixels of the profile on either side that are edge_statistics."""
EDGE_SHARE = 0.02
"""Share of a window's pixels that count as edges: those with the steepest slope."""
SMALLEST_STEP = 8.0
"""Profiles with a smaller step are left out [8-bit levels]: they show noise."""
FLOOR = 0.3
"""Added to mean differences before their logarithm [8-bit levels]."""


def edge_statistics(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the edge_statistics of edges, of lines and of flat parts, each float64 (N,).

    Args:
        luma: float32 (N, S, S).
    """
    profiles_across = []
    profiles_down = []
    for plane in luma:
        profiles_across.append(_profile(plane))
        profiles_down.append(_profile(plane.T))
    across = np.array(profiles_across)
    down = np.array(profiles_down)

    mean = (across + down) / 2
    found = {}
    for offset in range(-SHOWN, SHOWN + 1):
        place = REACH + offset
        found[f"edge {offset}"] = mean[:, place]
    found["edge direction"] = _steepness(across) - _steepness(down)
    return found | _lines(luma) | _flatness(luma)


def _steepness(profiles: np.ndarray) -> np.ndarray:
    before = profiles[:, REACH - 1]
    behind = profiles[:, REACH + 1]
    return behind - before


def _profile(plane: np.ndarray) -> np.ndarray:
    """Return the mean profile of the steepest edges across columns, float64 (11,).

    Scaled from 0, five pixels before the edge, to 1, five pixels behind it; 0 where
    there is no edge.
    """
    plane = np.ascontiguousarray(plane)
    rows, columns = _steepest(plane)
    offsets = np.arange(-REACH, REACH + 1)
    places = columns[:, None] + offsets
    profiles = plane[rows[:, None], places]

    before = profiles[:, :2].mean(axis=1)
    behind = profiles[:, -2:].mean(axis=1)
    step = behind - before
    strong = np.abs(step) >= SMALLEST_STEP
    if not strong.any():
        return np.zeros(2 * REACH + 1)

    strong_step = step[strong]
    from_zero = profiles[strong] - before[strong, None]
    signs = np.sign(strong_step)
    rising = from_zero * signs[:, None]
    total = np.abs(strong_step).sum()
    return rising.sum(axis=0) / total


def _steepest(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns of the steepest edges, each int (n,)."""
    smooth = cv2.GaussianBlur(plane, (0, 0), 1)
    before = smooth[:, :-2]
    behind = smooth[:, 2:]
    steep = np.abs(behind - before)
    steep[:, :REACH] = 0
    steep[:, -REACH:] = 0

    middle = steep[:, 1:-1]
    left = steep[:, :-2]
    right = steep[:, 2:]
    is_higher = (middle >= left) & (middle > right)
    is_peak = np.zeros(steep.shape, bool)
    is_peak[:, 1:-1] = is_higher

    peaks = np.where(is_peak, steep, 0)
    strengths = peaks.ravel()
    share = int(EDGE_SHARE * steep.size)
    count = max(8, share)
    order = np.argpartition(strengths, -count)
    strongest = order[-count:]
    chosen = strongest[strengths[strongest] > 0]  # a smooth window has few peaks
    rows, columns = np.unravel_index(chosen, steep.shape)
    return rows, columns + 1  # the slope has one column less on either side


def _lines(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return what tells woven, blended and interpolated fields."""
    next_line = _level(np.diff(luma, axis=1))
    second_line = _level(luma[:, 2:] - luma[:, :-2])
    next_column = _level(np.diff(luma, axis=2))
    second_column = _level(luma[:, :, 2:] - luma[:, :, :-2])
    lines = next_line - second_line
    columns = next_column - second_column
    return {
        "combing": lines - columns,
        "line parity": _line_parity(luma),
        "comb": _comb(luma),
    }


def _line_parity(luma: np.ndarray) -> np.ndarray:
    """Return how much more odd lines differ from the mean of their neighbors than even.

    Bob makes every other line that mean.
    """
    above = luma[:, :-2]
    below = luma[:, 2:]
    mean = (above + below) / 2
    lines = luma[:, 1:-1]
    between = np.abs(lines - mean)

    odd_lines = between[:, 0::2]
    even_lines = between[:, 1::2]
    odd = odd_lines.mean(axis=(1, 2))
    even = even_lines.mean(axis=(1, 2))
    return _log(odd) - _log(even)


def _comb(luma: np.ndarray) -> np.ndarray:
    """Return how much more detail of the highest frequency is vertical: weaving combs."""
    signs = np.array([1, -1, 1, -1])[:, None]
    side = luma.shape[1] - 3
    lines = []
    columns = []
    for start, sign in enumerate(signs):
        end = start + side
        lines.append(sign * luma[:, start:end])
        columns.append(sign * luma[:, :, start:end])
    comb = np.sum(lines, axis=0)
    rake = np.sum(columns, axis=0)
    comb_level = _level(comb)
    rake_level = _level(rake)
    return comb_level - rake_level


def _flatness(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the shares of nearly equal neighbors, and the tails of the detail."""
    levels = np.rint(luma)
    across = np.abs(np.diff(levels, axis=2))
    down = np.abs(np.diff(levels, axis=1))
    detail = across[:, :-1] + down[:, :, :-1]
    square = (detail**2).mean(axis=(1, 2))
    fourth = (detail**4).mean(axis=(1, 2))
    tails = np.log(fourth + 1) - 2 * np.log(square + 1)
    is_flat = detail == 0
    is_nearly_flat = detail <= 2
    return {
        "flat": is_flat.mean(axis=(1, 2)),
        "nearly flat": is_nearly_flat.mean(axis=(1, 2)),
        "tails": tails,
    }


def _level(differences: np.ndarray) -> np.ndarray:
    """Return the logarithm of each window's mean difference."""
    sizes = np.abs(differences)
    means = sizes.mean(axis=(1, 2))
    return _log(means)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(values + FLOOR)
