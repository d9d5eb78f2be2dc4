"""Rows of the inference benchmark: what was measured, compared with the peers."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from engines.cases import SHIPPED

GOAL_PEER, GOAL_SHIPPED, GOAL_BEFORE = 0.9, 0.4, 0.5
"""The highest ratios of our time that are wanted: to the fastest peer's, to that of
Real-ESRGAN as shipped, and of a whole command to the same command before."""
SMALLEST_ERROR = 1e-20
"""Mean square error of what counts as equal; its PSNR is 200 dB."""
COLUMNS = (
    *("case", "precision", "engine", "ours_s", "best_peer", "peer_s"),
    *("ratio", "median_ratio", "goal", "shipped_s", "shipped_ratio"),
    *("psnr_db", "peak_mb"),
)

Row = dict[str, object]


class Taken(NamedTuple):
    """What an engine took, and how close it came."""

    seconds: Sequence[float]
    """Of each round."""
    peak_mb: float
    psnr_db: float | None = None
    """Against torch in float32; None for torch itself, and without it."""


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the PSNR in dB of two float images after clipping them to [0, 1]."""
    difference = np.clip(image, 0, 1) - np.clip(reference, 0, 1)
    error = float(np.mean(np.square(difference, dtype=np.float64)))
    return -10 * math.log10(max(error, SMALLEST_ERROR))


def compare(
    case: str,
    precision: str,
    engine: str,
    ours: Taken,
    peers: Mapping[str, Taken],
    goal: float = GOAL_PEER,
) -> Row:
    """Return a row: ours against the fastest of the peers, and against the shipped one.

    Times are minima over the rounds, and `ratio` is of these. `median_ratio` is the
    median of the rounds' ratios to the same peer, which depends less on other load.
    Without peers, what compares is None.

    Args:
        case: what was run.
        precision: of ours.
        engine: the name of ours.
        ours: what it took.
        peers: the others, by name.
        goal: the highest ratio to the fastest peer that is wanted.
    """
    best = min(peers, key=lambda name: min(peers[name].seconds), default=None)
    peer = peers[best] if best else None
    shipped = peers.get(SHIPPED)
    ratio, median_ratio = _ratios(ours, peer)
    shipped_ratio, shipped_median_ratio = _ratios(ours, shipped)
    own = describe(ours)

    return {
        "case": case,
        "precision": precision,
        "engine": engine,
        "ours_s": own["s"],
        "best_peer": best,
        "peer_s": describe(peer)["s"] if peer else None,
        "ratio": ratio,
        "median_ratio": median_ratio,
        "goal": goal if peer else None,
        "shipped_s": describe(shipped)["s"] if shipped else None,
        "shipped_ratio": shipped_ratio,
        "shipped_median_ratio": shipped_median_ratio,
        "ours_median_s": own["median_s"],
        "psnr_db": own["psnr_db"],
        "peak_mb": own["peak_mb"],
        "peers": {name: describe(taken) for name, taken in peers.items()},
    }


def describe(taken: Taken) -> dict[str, float | None]:
    """Return the figures of one engine: fastest and median round, PSNR, memory."""
    return {
        "s": round(min(taken.seconds), 4),
        "median_s": round(statistics.median(taken.seconds), 4),
        "psnr_db": None if taken.psnr_db is None else round(taken.psnr_db, 1),
        "peak_mb": round(taken.peak_mb),
    }


def _ratios(ours: Taken, other: Taken | None) -> tuple[float | None, float | None]:
    """Return the ratio of the fastest rounds, and the median of the rounds' ratios."""
    if other is None:
        return None, None
    ratio = min(ours.seconds) / min(other.seconds)
    pairs = zip(ours.seconds, other.seconds, strict=True)
    median = statistics.median(mine / theirs for mine, theirs in pairs)
    return round(ratio, 3), round(median, 3)


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table; a ratio above its goal is marked with `!`."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    goals = {"ratio": GOAL_PEER, "shipped_ratio": GOAL_SHIPPED}
    for row in rows:
        cells = []
        for column in COLUMNS:
            value = row[column]
            goal = row["goal"] if column == "ratio" else goals.get(column)
            text = "" if value is None else str(value)
            missed = goal is not None and value is not None and value > goal
            cells.append(f"{text} !" if missed else text)
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
