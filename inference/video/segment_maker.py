"""The segments of a video's result: decoded, upscaled and encoded at the same time.

Decoding goes on in a thread of its own at a low priority, a few frames ahead. On a GPU the
encoder has a thread too. On a CPU network and encoder take turns: the network's threads
wait for each other many times a frame, so an encoder that takes a core from one of them
costs more than it hides.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.video.frame_upscaler import (
    COMPARED_PAIRS,
    FrameUpscaler,
    Repeats,
    choose_tiles,
    tile_plan_from,
)
from realesrgan_paddle.inference.video.plan import VideoPlan, estimate
from realesrgan_paddle.inference.video.prefetch import Stream, prefetch
from realesrgan_paddle.inference.video.progress import FrameProgress
from realesrgan_paddle.inference.video.reading.frames import FrameReader, RGBFrame
from realesrgan_paddle.inference.video.recurrent import (
    carries_state,
    kept_with_state,
    open_frame_upscaler,
    whole_frame,
    with_next,
    with_those_before,
)
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.writing.encoding import encoder
from realesrgan_paddle.inference.video.writing.segments import (
    Segment,
    SegmentFolder,
    check_space,
)
from realesrgan_paddle.utils.files import atomic_path

FEW_FRAMES = 24
"""For fewer frames an estimate would take as long as the work."""

QUEUED = 3
"""Frames that wait between two stages."""

LONG_SEGMENT = 60.0
"""Frames are kept one by one where those of a segment take longer [s]."""


@dataclass
class StageSeconds:
    """How long each stage worked; those of the first three overlap."""

    decode: float = 0.0
    network: float = 0.0
    encode: float = 0.0
    mux: float = 0.0
    total: float = 0.0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            setattr(self, stage, getattr(self, stage) + taken)


@dataclass
class UpscaledVideo:
    """What became of a video.

    Attributes:
        plan: what was made of it.
        frames: of the result.
        resumed: of these, done by earlier runs.
        bad: of those decoded now, repeated because they cannot be decoded.
        repeats: what was not computed again.
        seconds: of this run.
        bytes: of the result's file.
        remarks: what a user should know.
    """

    plan: VideoPlan
    frames: int
    resumed: int = 0
    bad: int = 0
    repeats: Repeats = field(default_factory=Repeats)
    seconds: StageSeconds = field(default_factory=StageSeconds)
    bytes: int = 0
    remarks: list[str] = field(default_factory=list)


class SegmentMaker:
    """Makes the segments of a video's result.

    Args:
        upscaler: upscales the frames.
        plan: what is made.
        settings: what was asked for.
        say: gets lines on what is done; None: nothing is told.
        on_progress: gets the frames that are done, and all; None: nothing is told.

    Attributes:
        outcome: what became of the video so far.
    """

    def __init__(
        self,
        upscaler: ArrayUpscaler,
        plan: VideoPlan,
        settings: VideoSettings,
        say: Callable[[str], None] | None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        frames = len(plan.part.timeline.times)
        self.outcome = UpscaledVideo(plan, frames, remarks=plan.remarks)
        self._upscaler = upscaler
        self._plan = plan
        self._size = (plan.encoding.width, plan.encoding.height)
        self._reuse = not settings.no_reuse
        self._keeps_frames = True
        self._say = say
        self._on_progress = on_progress
        self._on_gpu = getattr(upscaler.run, "device", "").startswith("gpu")
        self._carries_state = carries_state(upscaler.run)
        self._reader = FrameReader(
            plan.source,
            plan.part,
            plan.encoding.pixel_format,
            settings.bad_frames,
            self.remark,
        )
        if self._carries_state and upscaler.tile not in (0, "auto"):
            self.remark(
                f"not cut into tiles of {upscaler.tile} pixels: the network carries a "
                "state, for which frames stay whole"
            )

    def remark(self, line: str) -> None:
        """Take note of what a user should know, once."""
        if line not in self.outcome.remarks:
            self.outcome.remarks.append(line)

    def decide_tiles(self) -> dict[str, Any]:
        """Return how frames are cut into tiles, for all runs of this job.

        A later run has other memory free, and one with `no_reuse` repeats nothing, but a
        network's last bits depend on its window, and the result must not differ.
        """
        first = next(self._images(0, 1))
        tiles = self._upscaler.plan(first, self._size)
        if self._carries_state:
            tiles = whole_frame(first)
        elif self.outcome.frames > FEW_FRAMES:
            pairs = self._samples(COMPARED_PAIRS, 2)
            repeating = choose_tiles(self._upscaler, pairs, self._size)
            tiles = repeating or tiles
        return asdict(tiles)

    @contextmanager
    def tiles_fixed(
        self, tiles: dict[str, Any], parts: SegmentFolder
    ) -> Iterator[None]:
        """Cut frames as `decide_tiles` said, within the block.

        Raises:
            UserError: somebody has changed what it said.
        """
        try:
            plan = tile_plan_from(tiles)
        except ValueError as error:
            raise parts.damaged(error) from None
        self._upscaler.fix_tiles(plan)
        try:
            yield
        finally:
            self._upscaler.fix_tiles(None)

    def make(self, parts: SegmentFolder) -> None:
        """Make the segments that are missing."""
        missing, damaged = parts.missing()
        for name in damaged:
            self.remark(f"{name} in {parts.folder} is damaged, so it is made again")
        kept = parts.kept()
        if self._carries_state:
            kept = kept_with_state(missing, kept, parts)
        left = sum(segment.frames for segment in missing) - len(kept)
        self.outcome.resumed = self.outcome.frames - left
        if self.outcome.resumed and left and self._say is not None:
            left_out = (n for n in _frames_of(missing) if n not in kept)
            first = next(left_out, self.outcome.frames)
            self._say(
                f"going on from frame {first + 1:,} of {self.outcome.frames:,}; an earlier "
                f"run did {self.outcome.resumed:,}"
            )
        if left:
            self._tell_estimate(left, parts)

        written = prefetch(self._written(missing, parts, kept))
        name = self._plan.source.path.name
        bar = FrameProgress(self.outcome.frames, self.outcome.resumed, name, self._say)
        with bar, closing(written):
            for frame in written:
                if frame.index in kept:
                    continue
                bar.update(frame.seconds)
                if self._on_progress is not None:
                    self._on_progress(bar.done, self.outcome.frames)

    def make_one(self, segment: Segment, parts: SegmentFolder) -> None:
        """Write the file of one segment, for the process that holds the folder.

        Nothing else: what is noted there is noted by that process alone.
        """
        self._keeps_frames = False
        with closing(self._upscaled([segment], parts, {})) as upscaled:
            for _ in self._encoded(segment, upscaled, parts.path(segment)):
                pass

    def _tell_estimate(self, left: int, parts: SegmentFolder) -> None:
        """Say how long the rest takes and how large it is, where it is long."""
        if self._say is None or left < FEW_FRAMES:
            return
        upscale = open_frame_upscaler(self._upscaler, self._size, reuse=False)
        found = estimate(self._samples, upscale, self._plan, left)
        self._say(str(found))

        # The segments, and then the result beside them.
        what = f"{self._plan.target}, with its segments,"
        warning = check_space(parts.folder, 2 * found.bytes, what)
        if warning is not None:
            self._say(f"warning: {warning}")

    def _written(
        self, segments: list[Segment], parts: SegmentFolder, kept: dict[int, Path]
    ) -> Stream[RGBFrame]:
        """Write the segments; yield each frame when it is encoded."""
        upscaled = self._upscaled(segments, parts, kept)
        if self._on_gpu:
            upscaled = prefetch(upscaled, size=QUEUED)
        with closing(upscaled):
            for segment in segments:
                yield from self._encoded(segment, upscaled, parts.path(segment))
                parts.add(segment)

    def _encoded(
        self, segment: Segment, frames: Stream[RGBFrame], path: Path
    ) -> Stream[RGBFrame]:
        """Write one segment."""
        plan, seconds = self._plan, self.outcome.seconds
        with (
            atomic_path(path) as temporary,
            encoder(temporary, plan.encoding, plan.part.timeline) as encode,
        ):
            for frame in islice(frames, segment.frames):
                with seconds.timed("encode"):
                    encode(frame.image, frame.time)
                yield frame

    def _upscaled(
        self, missing: list[Segment], parts: SegmentFolder, kept: dict[int, Path]
    ) -> Stream[RGBFrame]:
        """Yield the frames of the segments, upscaled; those that were kept are read."""
        upscale = open_frame_upscaler(self._upscaler, self._size, reuse=self._reuse)
        self.outcome.repeats = upscale.repeats
        wanted, segments = set(missing), missing
        if self._carries_state:
            segments = with_those_before(missing, self._plan.segments, kept, parts)
        again = sum(segment.frames for segment in segments if segment not in wanted)
        if again:
            self.remark(
                f"{again:,} frames are computed again: the state that the network has after "
                "them is needed, and is not there"
            )
        for run in _runs(segments):
            with closing(self._upscaled_run(run, wanted, upscale, parts, kept)) as made:
                yield from made

    def _upscaled_run(
        self,
        run: list[Segment],
        wanted: set[Segment],
        upscale: FrameUpscaler,
        parts: SegmentFolder,
        kept: dict[int, Path],
    ) -> Stream[RGBFrame]:
        """Yield the wanted frames of segments that follow each other."""
        first, last = run[0].first, run[-1].last
        begin = max(0, first - upscale.reach)
        end = min(last + upscale.reach, self.outcome.frames)
        read = prefetch(self._read(begin, end), size=QUEUED, in_background=True)
        with closing(read):
            frames = with_next(read)
            upscale.begin(None, None)
            if begin < first:
                before, _ = next(frames)
                state = None if first in kept else parts.state(first - 1)
                upscale.begin(before.image, state, parts.result(first - 1))

            for segment in run:
                is_long, is_wanted = False, segment in wanted
                for frame, after in islice(frames, segment.frames):
                    if frame.index in kept:
                        image = np.load(kept[frame.index], allow_pickle=False)
                        upscale.known(frame.image, image)
                        is_long = self._carries_state
                        if is_long and frame.index + 1 not in kept:
                            upscale.state = parts.state(frame.index)
                    else:
                        image, seconds = self._timed_upscaling(upscale, frame, after)
                        # A state is of use if no frame before it is missing.
                        goes_on = is_long and self._carries_state
                        is_long = goes_on or seconds * segment.frames > LONG_SEGMENT
                        if is_long and is_wanted and self._keeps_frames:
                            parts.keep(frame.index, image, segment, upscale.state)
                    ends = frame.index + 1 == segment.last < self.outcome.frames
                    if ends and upscale.state is not None:
                        replaced = None if is_wanted else segment.first - 1
                        # A run that goes on here has this result, too, if it is copied.
                        is_copied = after and upscale.is_repeated(after.image)
                        result = image if is_copied else None
                        parts.keep_state(frame.index, upscale.state, replaced, result)
                    if is_wanted:
                        yield replace(frame, image=image)

    def _timed_upscaling(
        self, upscale: FrameUpscaler, frame: RGBFrame, after: RGBFrame | None
    ) -> tuple[np.ndarray, float]:
        """Return a frame upscaled, and the seconds that this took."""
        seconds = self.outcome.seconds
        before = seconds.network
        with seconds.timed("network"):
            image = upscale(frame.image, None if after is None else after.image)
        return image, seconds.network - before

    def _read(self, first: int, last: int) -> Stream[RGBFrame]:
        """Yield the frames [first, last), as decoded."""
        with closing(self._reader.frames(first, last)) as frames:
            yield from self._timed_reading(frames)

    def _timed_reading(self, frames: Stream[RGBFrame]) -> Stream[RGBFrame]:
        seconds = self.outcome.seconds
        while True:
            with seconds.timed("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            self.outcome.bad += frame.repeated
            yield frame

    def _images(self, first: int, last: int) -> Stream[np.ndarray]:
        with closing(self._reader.frames(first, last)) as frames:
            for frame in frames:
                yield frame.image

    def _samples(self, count: int, length: int) -> Iterator[list[np.ndarray]]:
        """Yield `length` frames that follow each other, of `count` samples, spread out."""
        frames = self.outcome.frames
        spread = np.linspace(0, max(0, frames - length), count)
        for first in np.unique(spread.astype(int)).tolist():
            last = min(first + length, frames)
            yield list(self._images(first, last))


def _frames_of(segments: list[Segment]) -> Iterator[int]:
    """Yield the numbers of the frames of segments."""
    for segment in segments:
        yield from range(segment.first, segment.last)


def _runs(segments: list[Segment]) -> list[list[Segment]]:
    """Return the segments in lists of those that follow each other without a gap."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if runs and runs[-1][-1].last == segment.first:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs
