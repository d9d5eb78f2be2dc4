"""The choice of patches over all frames of a set, spread over time and content."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.sets.manifest import is_kept, read_records
from realesrgan_paddle.data.sets.patch_candidates import (
    ONE_VIEW,
    REPEATED,
    SURPLUS,
    Patch,
    judge_frame,
)
from realesrgan_paddle.data.sets.subimages import Cutting, overlays_by_path
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.jobs import run_each

CHOSEN = "chosen"
"""Title of the chosen patches on the sheet."""

Moments = Mapping[Path, tuple[str, int, float, int]]
"""Source, number of the shot in it, time [s] and view of frames; view -1: not known."""

FEW_FRAMES = 8
"""A source with fewer frames may give as many patches as one with so many.

Eight frames of five clips were as good as 82 (docs/domain_gain/README.md, "Recipes").
"""

VIEW_PATCHES = 64
"""A view may give so many patches, whatever the others give: eight of `FEW_FRAMES`."""

REPEAT_DISTANCE = 5.0
"""Patches are the same place again below this RMS difference of their signatures [levels].

Measured on the soccer frames and the 720p video for setting: a place of the picture in
the next frame of a slow camera 3 to 10, other places of a frame 6 and more, half of them
above 20.
"""

MEMORY = 1024
"""Each patch is compared with so many before it: time and memory stay bounded."""

KINDS = 16
"""Groups of like content, such as grass, crowd, sky and lettering, that take turns."""

MAX_SAMPLE = 4096
"""Patches among which the middles of the groups are looked for."""


@dataclass(frozen=True)
class Example:
    """A patch to be shown."""

    path: Path
    """Its frame."""
    crop: Crop


@dataclass
class PatchChoice:
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


@dataclass(frozen=True)
class Placed:
    """A good patch and where it is from."""

    frame: int
    """Number of its frame."""
    shot: int
    """Number of its shot, in all videos."""
    patch: Patch
    view: int = -1
    """Number of its view, in all videos: what shows the same place; -1: not known."""


def choose_patches(paths: Sequence[Path], cutting: Cutting, taken: int) -> PatchChoice:
    """Return the best patches of images; the same in each run.

    Holds about 4 kB a frame in memory.

    Args:
        paths: the images.
        cutting: where patches may lie, and which are chosen. Without a manifest all
            images are one shot, in the order of their names.
        taken: how many of its `max_patches` were chosen of other images before.
    """
    moments = _moments(cutting.manifest) if cutting.manifest else {}
    in_time = sorted(paths, key=lambda path: (_moment(path, moments), path))
    overlays = overlays_by_path(cutting.manifest)
    most = _most_of_each(paths, cutting.patches_per_frame, moments)
    work = partial(_judge, cutting=cutting, overlays=overlays, most=most)
    judged, failures = run_each(work, in_time, threads=cutting.threads)

    result = PatchChoice(failures=failures)
    good = _placed(judged, moments)
    new, repeats = without_repeats(good)
    new, of_one_view = balanced(new)
    surplus: list[Placed] = []
    if cutting.max_patches:
        left = max(0, cutting.max_patches - taken)
        new, surplus = spread(new, left) if left else ([], new)

    result.chosen = {frame.path: [] for frame in judged}
    for placed in new:
        result.chosen[judged[placed.frame].path].append(placed.patch)
    groups = {
        CHOSEN: new,
        REPEATED: repeats,
        ONE_VIEW: of_one_view,
        SURPLUS: surplus,
    }
    _note(result, judged, groups)
    return result


def _most_of_each(
    paths: Sequence[Path], of_many: int, moments: Moments
) -> dict[Path, int]:
    """Return how many patches each frame may give: `of_many` where a source has many."""
    sources = {path: _moment(path, moments)[0] for path in paths}
    known = (source for source, *_ in moments.values())
    frames = Counter(known if moments else sources.values())
    return {
        path: max(of_many, math.ceil(of_many * FEW_FRAMES / max(1, frames[source])))
        for path, source in sources.items()
    }


def _judge(
    path: Path,
    cutting: Cutting,
    overlays: Mapping[Path, Sequence[Crop]],
    most: Mapping[Path, int],
) -> _Judged:
    """Return the patches of an image."""
    frame = judge_frame(
        read_image(path),
        cutting.grid,
        overlays.get(path.resolve(), []),
        min_detail=cutting.min_detail,
        per_frame=most[path],
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
        source, shot, _, view = _moment(frame.path, moments)
        shot_number = shots.setdefault((source, shot), len(shots))
        for patch in frame.good:
            placed.append(Placed(number, shot_number, patch, view))
    return placed


def _note(
    result: PatchChoice, judged: Sequence[_Judged], groups: Mapping[str, list[Placed]]
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


def _moments(manifest: Path) -> dict[Path, tuple[str, int, float, int]]:
    """Return source, shot, time [s] and view of each kept frame."""
    moments = {}
    for record in filter(is_kept, read_records(manifest)):
        path = manifest.parent / record["file"]
        source = record["source"]
        shot = record.get("shot", 0)
        seconds = record.get("seconds", 0.0)
        view = record.get("view", -1)
        moments[path.resolve()] = (source, shot, seconds, view)
    return moments


def _moment(path: Path, moments: Moments) -> tuple[str, int, float, int]:
    """Return source, shot, time and view of an image."""
    absolute = path.resolve()
    unknown = ("", 0, 0.0, -1)
    return moments.get(absolute, unknown)


def without_repeats(
    patches: Sequence[Placed],
) -> tuple[list[Placed], list[Placed]]:
    """Return the patches that show something new, and those that do not.

    Of the patches of a shot that look alike the best is kept.

    Args:
        patches: in the order of time.
    """
    by_shot: dict[int, list[Placed]] = defaultdict(list)
    for placed in patches:
        by_shot[placed.shot].append(placed)

    memory = _Memory()
    new: list[Placed] = []
    repeats: list[Placed] = []
    for of_shot in by_shot.values():
        for placed in sorted(of_shot, key=_rank):
            (new if memory.is_new(placed.patch.signature) else repeats).append(placed)
    return new, repeats


def balanced(patches: Sequence[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Return patches of which no view gives more than all others, and what is left over.

    But at least `VIEW_PATCHES`; all if there is one view alone. A still camera that ran
    for an hour does not fill the set.
    """
    by_view: dict[int, list[Placed]] = defaultdict(list)
    for placed in patches:
        by_view[placed.view].append(placed)

    kept: list[Placed] = []
    surplus: list[Placed] = []
    for of_view in by_view.values():
        others = len(patches) - len(of_view)
        limit = max(others, VIEW_PATCHES) if others else 0
        some, rest = spread(of_view, limit)
        kept += some
        surplus += rest
    return kept, surplus


def spread(patches: Sequence[Placed], count: int) -> tuple[list[Placed], list[Placed]]:
    """Return `count` patches of all kinds and shots, and those that are left over.

    Kinds of content take turns, in each kind the shots, and of each shot the best come
    first.

    Args:
        patches: any.
        count: how many; 0: all.
    """
    if not count or len(patches) <= count:
        return list(patches), []

    by_kind = _by_kind(patches)
    queues = []
    for kind in sorted(by_kind):
        queue = _shots_in_turn(by_kind[kind])
        queues.append(queue)

    in_turn: list[Placed] = []
    for row in zip_longest(*queues):
        in_turn += filter(None, row)
    chosen = in_turn[:count]
    return chosen, in_turn[count:]


def _by_kind(patches: Sequence[Placed]) -> dict[int, list[Placed]]:
    """Return the patches of each kind of content."""
    signatures = [placed.patch.signature for placed in patches]
    kinds = _kinds(signatures)
    by_kind = defaultdict(list)
    for kind, placed in zip(kinds, patches, strict=True):
        by_kind[kind].append(placed)
    return by_kind


def _shots_in_turn(patches: Sequence[Placed]) -> list[Placed]:
    """Return the best patch of each shot, then the second best of each, and so on."""
    seen: Counter[int] = Counter()
    turns = []
    for placed in sorted(patches, key=_rank):
        turn = seen[placed.shot]
        seen[placed.shot] += 1
        turns.append((turn, placed))
    turns.sort(key=itemgetter(0))  # stable: the best first in each turn
    return [placed for _, placed in turns]


def _rank(placed: Placed) -> tuple[float, int, int]:
    """Return what patches are sorted by: the best first, and the same in each run."""
    patch = placed.patch
    descending = -patch.score
    return descending, placed.frame, patch.number


class _Memory:
    """The signatures of the last patches that were new."""

    def __init__(self) -> None:
        self._signatures: np.ndarray | None = None
        self._count = 0

    def is_new(self, signature: np.ndarray) -> bool:
        """Return whether no patch looked like this, and remember it if so."""
        if self._signatures is None:
            self._signatures = np.empty((MEMORY, signature.size), np.float32)
        known = self._signatures[: min(self._count, MEMORY)]
        squares = np.square(known - signature).mean(axis=1)
        if squares.size and squares.min() < REPEAT_DISTANCE**2:
            return False
        self._signatures[self._count % MEMORY] = signature
        self._count += 1
        return True


def _kinds(signatures: Sequence[np.ndarray]) -> list[int]:
    """Return the number of the group of like content that each patch belongs to.

    The middles are patches that are far from one another (farthest-point traversal,
    Gonzalez 1985); each patch belongs to the nearest.
    """
    contents = [_content(signature) for signature in signatures]
    content = np.stack(contents)
    step = -(-len(content) // MAX_SAMPLE)
    sample = content[::step]

    middles = [sample[0]]
    distance = np.full(len(sample), np.inf)
    while len(middles) < KINDS:
        to_last = np.square(sample - middles[-1]).sum(axis=1)
        distance = np.minimum(distance, to_last)
        farthest = int(np.argmax(distance))
        middles.append(sample[farthest])

    nearest = np.full(len(content), np.inf)
    kinds = np.zeros(len(content), int)
    for number, middle in enumerate(middles):
        to_middle = np.square(content - middle).sum(axis=1)
        is_nearer = to_middle < nearest
        kinds[is_nearer] = number
        nearest = np.minimum(nearest, to_middle)
    return kinds.tolist()


def _content(signature: np.ndarray) -> np.ndarray:
    """Return mean and scatter of brightness, color and detail, wherever they are."""
    levels = signature.astype(np.float64)
    brightness, color, detail = np.split(levels, [64, 112])
    by_channel = color.reshape(-1, 3)
    mean_color = by_channel.mean(axis=0)
    color_scatter = by_channel.std(axis=0)
    means = [brightness.mean(), *mean_color, detail.mean()]
    scatter = [brightness.std(), *color_scatter, detail.std()]
    content = means + scatter
    return np.array(content)
