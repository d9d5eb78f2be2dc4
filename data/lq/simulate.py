"""Degrade windows of ground truth in many ways, in processes of their own."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.jobs import end_with_parent
from realesrgan_paddle.utils.machine.devices import core_count, start_paddle

if TYPE_CHECKING:
    from realesrgan_paddle.data.degradation.pipeline import DegradationParams

MOST_PROCESSES = 4


@dataclass(frozen=True)
class Task:
    """A degradation, and the windows that it is applied to."""

    options: Mapping[str, Any]
    """As of the option file, without the ground truth's folder."""
    windows: np.ndarray
    """Numbers of the windows, int (n,)."""
    seed: int


class Simulator:
    """Degrades windows in other processes; to be used as a context."""

    def __init__(self, windows: np.ndarray, scale: int, processes: int = 0) -> None:
        """Start the processes.

        Args:
            windows: uint8 RGB (N, S * scale, S * scale, 3).
            scale: factor by which the results are smaller.
            processes: how many; 0: one per core, at most 4.
        """
        self._folder = TemporaryDirectory(prefix="solve_")
        path = Path(self._folder.name) / "windows.npy"
        np.save(path, windows)
        count = processes or min(MOST_PROCESSES, core_count())
        self._pool = ProcessPoolExecutor(
            count,
            multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(path, scale),
        )

    def degrade(self, tasks: Sequence[Task]) -> Iterator[np.ndarray]:
        """Yield the degraded windows of each task, uint8 RGB (n, S, S, 3)."""
        return self._pool.map(_degrade, tasks)

    def measure(self, tasks: Sequence[Task]) -> Iterator[np.ndarray]:
        """Yield the statistics of the windows of each task, float64 (n, statistics)."""
        return self._pool.map(_measure, tasks, chunksize=2)

    def __enter__(self) -> "Simulator":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes and remove their file."""
        self._pool.shutdown(cancel_futures=True)
        self._folder.cleanup()


_windows: np.ndarray
_scale: int


def _start(path: Path, scale: int) -> None:
    """Prepare a process."""
    global _windows, _scale
    import cv2

    end_with_parent()
    cv2.setNumThreads(1)
    start_paddle()
    _windows = np.load(path, mmap_mode="r")
    _scale = scale


def _measure(task: Task) -> np.ndarray:
    # Imported here: it imports Paddle, after `_start` has set its threads.
    from realesrgan_paddle.data.statistics.window_statistics import statistics_array

    return statistics_array(_degrade(task))


def _degrade(task: Task) -> np.ndarray:
    return degraded(_windows[task.windows], task, _scale)


def degraded(windows: np.ndarray, task: Task, scale: int) -> np.ndarray:
    """Return windows after a degradation, uint8 RGB (n, S, S, 3).

    As `make_lq` does, but all windows in one batch, with one way of resizing, and those
    that a video codec compresses in one video, with one quality.
    """
    import paddle

    from realesrgan_paddle.data.degradation.codec import compress_together
    from realesrgan_paddle.data.degradation.filters import USM
    from realesrgan_paddle.data.degradation.kernels import Kernels, draw_kernels
    from realesrgan_paddle.data.degradation.pipeline import degrade, draw

    given = {"dataroot_gt": ".", "scale": scale, **task.options}
    options = LQConfig.model_validate(given)
    rng = np.random.default_rng(task.seed)
    count = len(windows)
    drawn = [draw_kernels(options, rng) for _ in range(count)]
    kernels = [
        paddle.to_tensor(np.stack([getattr(one, name) for one in drawn]))
        for name in Kernels._fields
    ]
    params = draw(options, rng, count)

    channels_first = windows.transpose(0, 3, 1, 2).astype(np.float32) / 255
    gt = paddle.to_tensor(channels_first)
    if options.gt_usm:
        gt = USM()(gt)
    without = _without_videos(params)
    lq = degrade(gt, kernels, without, scale, options.jpeg_chroma_upsampling).numpy()
    levels = np.rint(lq * 255).astype(np.uint8)
    images = np.ascontiguousarray(levels.transpose(0, 2, 3, 1))

    videos = {}
    for number, sample in enumerate(params.domain):
        if sample.video:
            videos[number] = sample.video
    if videos:
        filmed = list(videos)
        video = videos[filmed[0]]
        images[filmed] = compress_together(images[filmed], video)
    return images


def _without_videos(params: "DegradationParams") -> "DegradationParams":
    """Return parameters whose videos are left out, and the JPEGs that these replace."""
    if not params.domain:
        return params
    has_video = np.array([sample.video is not None for sample in params.domain])
    compressed = params.second.compressed & ~has_video
    domain = [replace(sample, video=None) for sample in params.domain]
    return replace(
        params,
        second=replace(params.second, compressed=compressed),
        domain=tuple(domain),
    )
