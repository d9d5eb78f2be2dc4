"""Clips among the images of a set: files that are consecutive frames of a video.

As in REDS and other sets for BasicSR's recurrent networks, a clip is a folder of frames
in the order of their names. Crops of one clip (`_s001`, `_s002`, ...) may share its
folder. Frames are of one clip only where none is missing between them, as the times in
their names (tools/extract_keyframes.py) or their numbers tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.data.loading.datasets import HighQualityDataset, Sample
from realesrgan_paddle.data.loading.training_crops import (
    augment,
    channels_first,
    choose_corner,
    crop_at,
    pad_to,
)
from realesrgan_paddle.data.sets.naming import LONGEST_STEP, seconds_of_frame
from realesrgan_paddle.data.sets.sources import read_samples
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.likeness import is_cut
from realesrgan_paddle.utils.seeds import Stream, generator

_PARTS = re.compile(
    r"^(?P<series>.*?)(?P<number>\d+(\.\d+)?)(?P<tail>\D*?)(?P<crop>(_s\d{3,})*)$"
)

Run = list[Path]
"""Files of frames that follow each other."""


@dataclass(frozen=True)
class ClipDataset(HighQualityDataset):
    """Clips of consecutive frames, each with the kernels of one image.

    Each file is the first frame of a clip, so a sample's index is that of its file. A
    sample is (gt, kernel1, kernel2, sinc_kernel), as `HighQualityDataset`'s, but gt is RGB
    (num_frame, 3, crop, crop): one crop, flip and rotation for all frames. A clip that
    reaches the last frame, or a cut, goes back from there; a single image stands still.
    """

    @cached_property
    def runs(self) -> list[Run]:
        """The files as runs of consecutive frames."""
        return runs_of(self.paths)

    @cached_property
    def _places(self) -> list[tuple[Run, int]]:
        """The run of each file, and which of its frames it is."""
        places = {}
        for run in self.runs:
            places.update({path: (run, number) for number, path in enumerate(run)})
        return [places[path] for path in self.paths]

    def remarks(self) -> list[str]:
        """Return a warning if most clips have one frame: other pictures, or odd names."""
        single = sum(len(run) == 1 for run in self.runs)
        if single <= len(self.runs) / 2:
            return []
        return [
            f"warning: {single:,} of {len(self.runs):,} clips have one frame, and stand "
            "still; frames of a clip lie in one folder, and their names differ in the last "
            f"number: {self.runs[0][0].name} has none like it"
        ]

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, position = key
        options = self.options
        rng = generator(self.seed, Stream.SAMPLE, position)

        run, first = self._places[index]
        interval = options.interval_list[rng.integers(len(options.interval_list))]
        numbers = forth_and_back(first, len(run), options.num_frame, interval)
        if options.random_reverse and rng.random() < 0.5:
            numbers.reverse()

        frames = of_one_shot(read_frames([run[number] for number in numbers]))
        frames = augment(frames, options, rng)
        frames = [pad_to(frame, self.crop) for frame in frames]
        top, left = choose_corner(frames[0], self.crop, options.crop_candidates, rng)
        crops = [crop_at(frame, top, left, self.crop) for frame in frames]
        gt = np.stack([channels_first(crop) for crop in crops])
        return gt, *draw_kernels(options, rng)


def runs_of(paths: Sequence[Path]) -> list[Run]:
    """Return the files as runs of consecutive frames; an image alone is a run of one."""
    by_series: dict[tuple[Path | str, ...], Run] = {}
    for path in sorted(paths, key=_order):
        found = _PARTS.match(path.stem)
        parts = found.group("series", "tail", "crop") if found else (path.stem,)
        by_series.setdefault((path.parent, *parts), []).append(path)

    runs: list[Run] = []
    for files in by_series.values():
        times = [seconds_of_frame(path.stem) for path in files]
        numbers = [_order(path)[2] for path in files]
        steps = [after - before for before, after in pairwise(numbers)]
        # A number may be there twice, as PNG and JPEG.
        usual = min((step for step in steps if step > 0), default=0.0)
        runs.append(files[:1])
        for place, step in enumerate(steps):
            before, after = times[place : place + 2]
            if before is None or after is None:
                follows = step <= usual
            else:
                follows = after - before <= LONGEST_STEP
            if not follows:
                runs.append([])
            runs[-1].append(files[place + 1])
    return runs


def _order(path: Path) -> tuple[Path, str, float, str]:
    """Return what files are sorted by: numbers count as such, however many digits."""
    found = _PARTS.match(path.stem)
    if found is None:
        return path.parent, path.stem, 0.0, ""
    return path.parent, found["series"], float(found["number"]), path.name


def forth_and_back(first: int, count: int, length: int, interval: int) -> list[int]:
    """Return `length` of the numbers 0 to count - 1, from `first` on, turning at the ends."""
    period = max(1, 2 * (count - 1))
    numbers = []
    for step in range(length):
        place = (first + step * interval) % period
        numbers.append(min(place, period - place) if count > 1 else 0)
    return numbers


def of_one_shot(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Return as many frames, which go back before the first cut, if there is one."""
    for number, (before, now) in enumerate(pairwise(frames), start=1):
        if is_cut(before, now):
            turned = forth_and_back(0, number, len(frames), 1)
            return [frames[place] for place in turned]
    return frames


def clip_around(path: Path, runs: Sequence[Run], most: int) -> Run:
    """Return up to `most` consecutive frames, those nearest to that of `path`.

    Args:
        path: one of the files of `runs`.
        runs: as of `runs_of`.
        most: how many.
    """
    run = next(run for run in runs if path in run)
    first = max(0, min(run.index(path) - most // 2, len(run) - most))
    return run[first : first + most]


def read_frames(paths: Sequence[Path]) -> list[np.ndarray]:
    """Return the images, RGB (H, W, 3) as `read_samples`, each file read once.

    Raises:
        UserError: one cannot be read, or has another size than the first.
    """
    by_path = {path: read_samples(path) for path in dict.fromkeys(paths)}
    height, width = by_path[paths[0]].shape[:2]
    for path, frame in by_path.items():
        if frame.shape[:2] != (height, width):
            raise UserError(
                f"{path}: {frame.shape[1]}x{frame.shape[0]}, but the frame {paths[0].name} "
                f"of this clip has {width}x{height}"
            )
    deepest = np.result_type(*by_path.values())
    if deepest == np.uint16:
        by_path = {path: _sixteen_bits(frame) for path, frame in by_path.items()}
    return [by_path[path] for path in paths]


def _sixteen_bits(frame: np.ndarray) -> np.ndarray:
    return frame if frame.dtype == np.uint16 else frame * np.uint16(257)
