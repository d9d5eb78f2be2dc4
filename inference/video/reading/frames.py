"""A range of a video's frames, as decoded or as arrays: each comes exactly once."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, Literal

import av
import numpy as np

from realesrgan_paddle.inference.video.reading.colors import ToRGB, has_alpha
from realesrgan_paddle.inference.video.reading.decoders import decodable_frames
from realesrgan_paddle.inference.video.reading.source import Timeline, VideoSource
from realesrgan_paddle.utils.errors import UserError

Deinterlace = Literal["no", "frame", "field"]
"""What becomes of the two fields of a frame: nothing, one frame, or one frame each."""

BadFrames = Literal["stop", "repeat"]
"""What is done about a frame that cannot be decoded."""


@dataclass(frozen=True)
class VideoPart:
    """Frames of a source that follow each other.

    Attributes:
        deinterlace: "no", or "frame" or "field" for interlaced sources.
        whole: when all frames of the source are shown, after that.
        first: the first one wanted.
        last: the one after the last.
    """

    deinterlace: Deinterlace
    whole: Timeline
    first: int
    last: int

    @cached_property
    def timeline(self) -> Timeline:
        """When the frames of this part are shown."""
        whole = self.whole
        times = whole.times[self.first : self.last]
        end = whole.times[self.last] if self.last < len(whole.times) else whole.end
        return replace(whole, times=times, end=end)

    def cut(self, first: int, last: int) -> "VideoPart":
        """Return the frames [first, last), counted from the first of this part."""
        return replace(self, first=self.first + first, last=self.first + last)


@dataclass(frozen=True)
class DecodedFrame:
    """A frame of a video.

    Attributes:
        index: its number in the whole video.
        time: when it is shown [ticks of the part's time base].
        frame: PyAV's VideoFrame, as decoded; not to be changed.
        repeated: it stands for one that cannot be decoded.
    """

    index: int
    time: int
    frame: Any
    repeated: bool


def deinterlaced(source: VideoSource, how: Deinterlace) -> Timeline:
    """Return when the frames are shown after deinterlacing.

    With "field" twice as many, the second of each pair halfway to the next pair, in
    ticks half as long.
    """
    coded = source.timeline
    if how != "field":
        return coded

    times = []
    for time, after in pairwise([*coded.times, coded.end]):
        times += [2 * time, time + after]
    return Timeline(coded.time_base / 2, times, 2 * coded.end, 2 * coded.rate)


def decode(
    source: VideoSource,
    part: VideoPart,
    *,
    bad_frames: BadFrames = "stop",
    remark: Callable[[str], None] = lambda text: None,
) -> Generator[DecodedFrame, None, None]:
    """Yield the frames of a part, in order, each once.

    They are the same whichever part is asked for. Few are in memory at a time. Closing
    the iterator closes the file.

    A frame that cannot be decoded is one with damage of its own. Frames that refer to
    it are not, and come as the decoder makes them, with traces of the damage.

    Args:
        source: what `open_video` returned.
        part: which frames.
        bad_frames: "repeat" yields the frame before one that cannot be decoded, or the
            one after it if there is none before.
        remark: called with a line for each run of frames that cannot be decoded.

    Raises:
        UserError: a frame cannot be decoded, with "stop"; frames change their size; the
            file is not the one that was opened.
    """
    first, last = part.first, part.last
    if first >= last:
        return

    deinterlace = part.deinterlace
    per_frame = 2 if deinterlace == "field" else 1
    coded_first, coded_last = first // per_frame, -(-last // per_frame)
    # The deinterlacer looks at the frames before and after.
    beside = 0 if deinterlace == "no" else 1
    start = max(coded_first - beside, 0)
    stop = min(coded_last + beside, len(source.timeline.times))

    frames = _without_gaps(_CodedRange(source, start, stop, bad_frames, remark))
    if deinterlace != "no":
        frames = _deinterlaced(source, frames, deinterlace)

    for index, (frame, repeated) in enumerate(frames, start * per_frame):
        if index >= last:
            return
        if index >= first:
            yield DecodedFrame(index, part.whole.times[index], frame, repeated)


@dataclass(frozen=True)
class _CodedRange:
    """Coded frames `start` to `stop` - 1 of a source, and what is done about bad ones."""

    source: VideoSource
    start: int
    stop: int
    bad_frames: BadFrames
    remark: Callable[[str], None]

    def report(self, first: int, last: int) -> None:
        """Tell that the frames `first` to `last` cannot be decoded, or stop."""
        where = f"frame {first} ({self.source.time_code(first)})"
        if self.bad_frames == "stop":
            raise UserError(
                f"{self.source.path}: {where} cannot be decoded; with --bad_frames "
                "repeat the frame before is shown in its place"
            )

        if last > first:
            where = f"frames {first} to {last} (from {self.source.time_code(first)})"
        self.remark(f"{where} cannot be decoded; another is shown in the place")

    def check_size(self, number: int, frame: Any) -> None:
        """Raise UserError for a frame of another size than the first."""
        source = self.source
        found = f"{frame.width}x{frame.height} {frame.format.name}"
        usual = f"{source.width}x{source.height} {source.pixel_format}"
        if found != usual:
            raise UserError(
                f"{source.path}: frame {number} ({source.time_code(number)}) is "
                f"{found}, those before {usual}; cut the video there and upscale the "
                "parts"
            )


def _without_gaps(coded: _CodedRange) -> Iterator[tuple[Any, bool]]:
    """Yield a frame for each one in the range, and whether it is a repeated one."""
    previous = None
    due = coded.start
    end = (len(coded.source.timeline.times), None)

    for number, frame in chain(decodable_frames(coded.source, coded.start), [end]):
        if number < due:
            previous = frame
            continue

        bad = range(due, min(number, coded.stop))
        if bad:
            coded.report(bad[0], bad[-1])
            stand_in = previous or _last_before(coded) or frame
            yield from ((stand_in, True) for _ in bad)
        if number >= coded.stop:
            return

        coded.check_size(number, frame)
        yield frame, False
        previous = frame
        due = number + 1
        if due == coded.stop:
            return


def _last_before(coded: _CodedRange) -> Any:
    """Return the last frame before the range that can be decoded; None: there is none.

    For a range that is entered among frames that cannot be decoded.
    """
    last = None
    for number, frame in decodable_frames(coded.source, 0):
        if number >= coded.start:
            return last
        last = frame
    return last


def _deinterlaced(
    source: VideoSource, frames: Iterator[tuple[Any, bool]], how: Deinterlace
) -> Iterator[tuple[Any, bool]]:
    """Yield the deinterlaced frames: one for each, or one for each field."""
    graph = av.filter.Graph()
    entry = graph.add_buffer(
        width=source.width,
        height=source.height,
        format=source.pixel_format,
        time_base=source.timeline.time_base,
    )
    parity = "auto" if source.field_order == "progressive" else source.field_order
    bwdif = graph.add("bwdif", f"mode=send_{how}:parity={parity}:deint=all")
    graph.link_nodes(entry, bwdif, graph.add("buffersink")).configure()

    per_frame = 2 if how == "field" else 1
    repeats: list[bool] = []
    for number, (frame, repeated) in enumerate(frames):
        repeats += [repeated] * per_frame
        frame.pts = number
        graph.vpush(frame)
        yield from _pull(graph, repeats)
    graph.vpush(None)
    yield from _pull(graph, repeats)


def _pull(graph: Any, repeats: list[bool]) -> Iterator[tuple[Any, bool]]:
    """Yield the frames that a graph has ready, and take their entries off `repeats`."""
    while True:
        try:
            frame = graph.vpull()
        except (BlockingIOError, EOFError):
            return
        yield frame, repeats.pop(0)


@dataclass(frozen=True)
class RGBFrame:
    """A frame of a video.

    Attributes:
        index: its number, counted from the first one wanted.
        time: when it is shown [ticks of the part's time base].
        seconds: the same, from the beginning of the file on.
        image: uint8 or uint16 RGB(A), (H, W, 3 or 4), as coded: neither turned nor
            stretched.
        repeated: it stands for one that cannot be decoded.
    """

    index: int
    time: int
    seconds: Fraction
    image: np.ndarray
    repeated: bool


class FrameReader:
    """Reads the wanted frames of a source.

    Args:
        source: the video.
        part: which frames.
        pixel_format: of the result; only if it has alpha, images have it.
        bad_frames: "stop" or "repeat".
        remark: gets a line on what cannot be decoded.

    Attributes:
        count: how many frames are wanted.
    """

    def __init__(
        self,
        source: VideoSource,
        part: VideoPart,
        pixel_format: str,
        bad_frames: BadFrames,
        remark: Callable[[str], None],
    ) -> None:
        self.count = part.last - part.first
        self._source = source
        self._part = part
        self._alpha = source.alpha and has_alpha(pixel_format)
        self._bad_frames = bad_frames
        self._remark = remark

    def frames(self, first: int, last: int) -> Generator[RGBFrame, None, None]:
        """Yield the frames [first, last) of those wanted, in order."""
        source, part = self._source, self._part
        to_rgb = ToRGB(
            source.colors, source.matrix, bits=source.bits, alpha=self._alpha
        )
        decoded = decode(
            source,
            part.cut(first, last),
            bad_frames=self._bad_frames,
            remark=self._remark,
        )
        with closing(decoded):
            for each in decoded:
                yield RGBFrame(
                    index=each.index - part.first,
                    time=each.time,
                    seconds=each.time * part.whole.time_base - source.start,
                    image=to_rgb(each.frame),
                    repeated=each.repeated,
                )
