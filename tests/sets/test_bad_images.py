"""Images that cannot be read during training are replaced, logged once, and limited.

Without Paddle, so that the workers start quickly.
"""

import os
import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.data.loading.loader import (
    BadImages,
    EndlessSampler,
    endless_batches,
)
from realesrgan_paddle.utils.errors import UserError


@dataclass(frozen=True)
class Numbers:
    """A dataset of numbers, of which some cannot be read."""

    count: int
    bad: frozenset[int]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
        index, position = key
        if index in self.bad:
            raise UserError(f"{index}.png: bad")
        return np.array(index), np.array(position)


@dataclass(frozen=True)
class Deadly(Numbers):
    """A dataset that kills the process that reads the position 5, so many times."""

    marks: Path
    times: int

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
        deaths = len(list(self.marks.iterdir()))
        if key[1] == 5 and deaths < self.times:
            (self.marks / str(deaths)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(key)


def batches(
    dataset: Numbers, count: int, *, workers: int = 0, start: int = 0, log=print
) -> list:
    """Return (indices, positions) of batches of two; at most two images may be bad."""
    sampler = EndlessSampler(len(dataset), batch_size=2, seed=0, start=start)
    stream = endless_batches(dataset, sampler, workers, BadImages(2, log))
    with closing(stream):
        return [np.stack(batch).tolist() for batch in islice(stream, count)]


def test_a_bad_image_is_replaced_by_the_next_one():
    logged: list[str] = []
    dataset = Numbers(3, frozenset({1}))
    for indices, positions in batches(dataset, 6, log=logged.append):
        for index, position in zip(indices, positions, strict=True):
            wanted = expected_index(position)
            assert index == (2 if wanted == 1 else wanted)
    assert logged == ["skipped, 1 of at most 2: 1.png: bad"]


def expected_index(position: int) -> int:
    """Return the index at a position of the stream of three images."""
    for keys in EndlessSampler(3, 2, seed=0):
        for index, place in keys:
            if place == position:
                return index
    raise AssertionError("the stream is endless")


def test_the_replacement_is_the_same_for_workers_and_after_a_resume():
    dataset = Numbers(5, frozenset({1, 3}))
    whole = batches(dataset, 6)
    assert batches(dataset, 6, workers=2) == whole
    assert batches(dataset, 4, start=2) == whole[2:]


@dataclass(frozen=True)
class Clips(Numbers):
    """A dataset of clips of three numbers each."""

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
        for number in range(key[0], key[0] + 3):
            super().__getitem__((number % self.count, key[1]))
        return np.array(key[0]), np.array(key[1])


def test_a_bad_frame_counts_once_for_all_clips_that_it_is_in():
    """Three clips in a row have the frame 4, and two may be bad."""
    logged: list[str] = []
    read = batches(Clips(9, frozenset({4})), 9, log=logged.append)
    assert {index for indices, _ in read for index in indices}.isdisjoint({2, 3, 4})
    assert logged == ["skipped, 1 of at most 2: 4.png: bad"]
    with pytest.raises(UserError, match="max_bad_images"):
        batches(Clips(9, frozenset({1, 4, 7})), 9)


@pytest.mark.parametrize("workers", [0, 1])
def test_more_bad_images_than_allowed_are_an_error_that_names_the_option(workers):
    message = r"\.png: bad; more than datasets\.train\.max_bad_images: 2 images"
    with pytest.raises(UserError, match=message):
        batches(Numbers(4, frozenset({0, 1, 2})), 6, workers=workers)


linux = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")


@linux
def test_a_worker_that_is_killed_is_replaced_and_no_batch_is_lost(tmp_path):
    logged: list[str] = []
    dataset = Deadly(5, frozenset(), tmp_path, times=1)
    found = batches(dataset, 6, workers=1, log=logged.append)
    assert found == batches(Numbers(5, frozenset()), 6)
    assert len(list(tmp_path.iterdir())) == 1, "no process was killed"
    assert logged == [
        "a process that reads training images died, perhaps for lack of memory; all are "
        "started again"
    ]


@linux
def test_workers_that_die_again_at_the_same_batch_are_an_error(tmp_path):
    dataset = Deadly(5, frozenset(), tmp_path, times=99)
    with pytest.raises(
        UserError, match=r"died, .*, and again at the same batch; try a"
    ):
        batches(dataset, 6, workers=1)
    assert len(list(tmp_path.iterdir())) < 6, "started again and again"
