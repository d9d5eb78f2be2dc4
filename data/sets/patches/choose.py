"""The choice of patches over all frames of a set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from realesrgan_paddle.data.sets.manifest import is_kept, read_records
from realesrgan_paddle.data.sets.patches.candidates import (
    REPEATED,
    SURPLUS,
    Patch,
    judge_frame,
)
from realesrgan_paddle.data.sets.patches.spread import (
    Placed,
    spread,
    without_repeats,
)
from realesrgan_paddle.data.sets.subimages import CropGrid, overlays_by_path
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.jobs import run_each

CHOSEN = "chosen"
"""Title of the chosen patches on the sheet."""

Moments = Mapping[Path, tuple[str, int, float]]
"""Source, number of the shot in it and time [s] of frames."""


@dataclass(frozen=True)
class PatchChoice:
    """Which patches are chosen."""

    min_detail: float = 0.05
    """Share of a patch's tiles that must have detail above the noise."""
    patches_per_frame: int = 8
    """The most of one frame."""
    max_patches: int = 0
    """The most of all; 0: all that are good and new."""


@dataclass(frozen=True)
class Example:
    """A patch to be shown."""

    path: Path
    """Its frame."""
    crop: Crop


@dataclass
class Choice:
    """The patches of a set of frames."""

    chosen: dict[Path, list[Patch]] = field(default_factory=dict)
    """By frame; frames that could not be read are missing."""
    rejected: Counter[str] = field(default_factory=Counter)
    """How many were left out, by reason."""
    examples: dict[str, list[Example]] = field(default_factory=dict)
    """Some of the patches, by reason, in the order of time."""
    failures: list[str] = field(default_factory=list)
    """One line for each image that failed."""


@dataclass(frozen=True)
class _Judged:
    """What is kept in memory of a frame: its good patches, and counts of the others."""

    path: Path
    good: list[Patch]
    counts: dict[str, int]
    examples: dict[str, Example]


def choose_patches(
    paths: Sequence[Path],
    grid: CropGrid,
    choice: PatchChoice,
    *,
    manifest: Path | None,
    taken: int = 0,
    threads: int | None = None,
) -> Choice:
    """Return the best patches of images; the same in each run.

    Holds about 4 kB a frame in memory.

    Args:
        paths: the images.
        grid: where patches may lie.
        choice: which are chosen.
        manifest: that of tools/extract_keyframes.py: overlays, shots and times; None:
            all images are one shot, in the order of their names.
        taken: how many of `choice.max_patches` were chosen of other images before.
        threads: how many images at a time; None: one per CPU.
    """
    moments = _moments(manifest) if manifest else {}
    in_time = sorted(paths, key=lambda path: (_moment(path, moments), path))
    overlays = overlays_by_path(manifest) if manifest else {}
    work = partial(_judge, grid=grid, choice=choice, overlays=overlays)
    judged, failures = run_each(work, in_time, threads=threads)

    result = Choice(failures=failures)
    good = _placed(judged, moments)
    new, repeats = without_repeats(good)
    surplus: list[Placed] = []
    if choice.max_patches:
        left = max(0, choice.max_patches - taken)
        new, surplus = spread(new, left) if left else ([], new)

    result.chosen = {frame.path: [] for frame in judged}
    for placed in new:
        result.chosen[judged[placed.frame].path].append(placed.patch)
    _note(result, judged, {CHOSEN: new, REPEATED: repeats, SURPLUS: surplus})
    return result


def _judge(
    path: Path,
    grid: CropGrid,
    choice: PatchChoice,
    overlays: Mapping[Path, Sequence[Crop]],
) -> _Judged:
    """Return the patches of an image."""
    frame = judge_frame(
        read_image(path),
        grid,
        overlays.get(path.resolve(), []),
        min_detail=choice.min_detail,
        per_frame=choice.patches_per_frame,
    )
    counts = {reason: len(patches) for reason, patches in frame.rejected.items()}
    examples = {}
    for reason, patches in frame.rejected.items():
        middle = patches[len(patches) // 2]
        examples[reason] = Example(path, middle.crop)
    return _Judged(path, frame.chosen, counts, examples)


def _placed(judged: Sequence[_Judged], moments: Moments) -> list[Placed]:
    """Return the good patches of all frames, with the numbers of frame and shot."""
    shots: dict[tuple[str, int], int] = {}
    placed = []
    for number, frame in enumerate(judged):
        source, shot, _ = _moment(frame.path, moments)
        shot_number = shots.setdefault((source, shot), len(shots))
        for patch in frame.good:
            placed.append(Placed(number, shot_number, patch))
    return placed


def _note(
    result: Choice, judged: Sequence[_Judged], groups: Mapping[str, list[Placed]]
) -> None:
    """Add counts and examples of all that was decided."""
    for title, group in groups.items():
        group.sort(key=lambda placed: (placed.frame, placed.patch.number))
        shown = [Example(judged[one.frame].path, one.patch.crop) for one in group]
        result.examples[title] = shown
        if title != CHOSEN:
            result.rejected[title] += len(group)
    for frame in judged:
        result.rejected.update(frame.counts)
        for reason, example in frame.examples.items():
            result.examples.setdefault(reason, []).append(example)


def _moments(manifest: Path) -> dict[Path, tuple[str, int, float]]:
    """Return source, shot and time [s] of each kept frame."""
    moments = {}
    for record in filter(is_kept, read_records(manifest)):
        path = manifest.parent / record["file"]
        source = record["source"]
        shot = record.get("shot", 0)
        seconds = record.get("seconds", 0.0)
        moments[path.resolve()] = (source, shot, seconds)
    return moments


def _moment(path: Path, moments: Moments) -> tuple[str, int, float]:
    """Return source, shot and time of an image."""
    absolute = path.resolve()
    unknown = ("", 0, 0.0)
    return moments.get(absolute, unknown)
