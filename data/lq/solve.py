"""Solve for the degradation of real images: read, search, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.compare import Comparer, Sets, degradation, read_sets
from realesrgan_paddle.data.lq.parameters import Region
from realesrgan_paddle.data.lq.pick import pick
from realesrgan_paddle.data.lq.search import ROUNDS, Round, search
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.data.lq.solution import (
    Finding,
    Solution,
    findings,
    solution_options,
)
from realesrgan_paddle.data.lq.windows import stream_codec
from realesrgan_paddle.options.schema.degradation import LQConfig, SynthesisOptions
from realesrgan_paddle.utils.errors import printable

FAR = 2.0
"""`Solution.outlying` above which the real images are out of range."""
FINDING_TITLES = f"{'parameter':13}{'value':26}{'interval':44}evidence"
DISTANCE_TITLES = f"{'distance':13}{'before':>8}{'after':>8}{'real halves':>13}"


@dataclass(frozen=True)
class Solved:
    """The degradation of real images, and how well it fits."""

    solution: Solution
    options: Mapping[str, Any]
    """As of an option file, flat: ranges and probabilities."""
    findings: Sequence[Finding]
    before: Mapping[str, float]
    """Distances of what the given options make, by group of statistics."""
    after: Mapping[str, float]
    null: Mapping[str, float]
    """Between halves of the real images."""
    real: np.ndarray
    """Some windows, uint8 RGB (N, S, S, 3)."""
    synthetic: np.ndarray
    """The windows of ground truth that are most like `real`, degraded."""
    notes: Sequence[str]
    warnings: Sequence[str]
    failures: Sequence[str]

    @property
    def headline(self) -> str:
        """The first line of the sheet of windows."""
        before, after = self.before["all"], self.after["all"]
        return (
            "Real windows, and ground truth that shows the most alike: distance "
            f"{after:.2f} (before: {before:.2f}; real halves: {self.null['all']:.2f})"
        )

    def __str__(self) -> str:
        """Return the notes, the findings, the distances and the warnings."""
        rows = [DISTANCE_TITLES]
        for group, after in self.after.items():
            before = self.before[group]
            null = self.null[group]
            distances = f"{before:8.2f}{after:8.2f}{null:13.2f}"
            rows.append(f"{group:13}{distances}")

        notes = [printable(note) for note in self.notes]
        found = [str(finding) for finding in self.findings]
        warnings = [f"warning: {warning}" for warning in self.warnings]
        lines = [*notes, FINDING_TITLES, *found, *rows, *warnings]
        return "\n".join(lines)


def solve_for(
    options: LQConfig,
    real: Path,
    rounds: Sequence[Round] = ROUNDS,
    processes: int = 0,
) -> Solved:
    """Return the degradation that makes the ground truth look like real images.

    Args:
        options: the ground truth, the scale and the seed; what they make is compared.
        real: a folder of images or videos, an image or a video.
        rounds: how much is tried.
        processes: that degrade; 0: one per core, at most 4.

    Raises:
        UserError: images are missing or too small, or a video is given and PyAV is not
            installed.
    """
    sets = read_sets(options, real)
    codec = stream_codec(real)
    scale, seed = options.scale, options.manual_seed
    with Simulator(sets.gt.pixels, scale, processes) as simulator:
        solution = search(sets, simulator, scale, seed, rounds, _region(codec))
        compare = Comparer(sets, simulator)
        written = solution_options(pick(solution, compare.apart(), scale), scale)
        before, _ = compare(degradation(options))
        after, synthetic = compare(written)

    return Solved(
        solution=solution,
        options=written,
        findings=findings(solution, scale),
        before=before,
        after=after,
        null=sets.null,
        real=sets.real.pixels,
        synthetic=synthetic,
        notes=_notes(sets, solution.tried, codec),
        warnings=_warnings(solution),
        failures=sets.failures,
    )


def _region(codec: str | None) -> Region:
    """Return what is searched, given the codec of the real videos if there is one."""
    if codec:
        check_installed(SynthesisOptions(video_prob=1))
        return Region().with_codecs(codec)
    if find_spec("av") is None:
        return Region().with_codecs("none", "jpeg")
    return Region()


def _notes(sets: Sets, tried: int, codec: str | None) -> list[str]:
    """Return what was measured, one line each."""
    of_real, of_gt = sets.notes
    notes = [of_real, f"{of_gt}; {tried} degradations tried"]
    if codec:
        notes.append(f"codec: {codec}, as the stream says")
    elif find_spec("av") is None:
        notes.append("codec: JPEG or none, because PyAV is missing: pip install av")
    return notes


def _warnings(solution: Solution) -> list[str]:
    if solution.outlying <= FAR:
        return []
    return [
        f"the real images are out of range: they are {solution.outlying:.1f} times as "
        "far from the nearest tried degradation as those are from one another; the "
        "values below are the nearest, so look at the sheet before you train on them"
    ]
