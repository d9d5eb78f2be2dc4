"""The sound of a video, cut to the sample and written as AAC beside new pictures."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from types import TracebackType
from typing import Any

import av
from av.container import InputContainer, OutputContainer

from realesrgan_paddle.inference.video.reading.source import open_container
from realesrgan_paddle.video.pictures import Excerpt, filtered

SAMPLE_RATE = 48_000
AAC_FRAME = 1024
"""Samples of a packet."""
BITRATE = 192_000
"""Of stereo; where AAC-LC is taken for transparent."""


class Sound:
    """The first sound track of a video, on its way into a new file.

    A context manager that closes the video. The sound is written as far as the pictures
    have come, so that both stand near each other in the file.

    Args:
        excerpt: whose sound; a video without adds nothing.
        target: the new file; its time 0 is that of the excerpt's first picture.
        length: the sound stops there [s].

    Attributes:
        is_there: whether the video has a sound.
    """

    def __init__(
        self, excerpt: Excerpt, target: OutputContainer, length: Fraction
    ) -> None:
        self._stack = ExitStack()
        self._target = target
        self._written = Fraction(0)
        self._track: Any = None
        source = self._stack.enter_context(open_container(excerpt.source.path))
        self.is_there = bool(source.streams.audio)
        if not self.is_there:
            return

        self._track = target.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        self._track.bit_rate = BITRATE
        end = excerpt.start + length
        heard = _decoded(source, end)
        self._frames: Iterator[Any] = filtered(heard, _to_stereo(excerpt.start, end))

    def write_until(self, time: Fraction) -> None:
        """Write what is heard before a time [s] of the new file."""
        while self._track is not None and self._written <= time:
            frame = next(self._frames, None)
            self._target.mux(self._track.encode(frame))
            if frame is None:
                self._track = None
            else:
                self._written = frame.pts * frame.time_base

    def __enter__(self) -> "Sound":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _decoded(source: InputContainer, end: Fraction) -> Iterator[av.AudioFrame]:
    """Yield the first track's frames that can be decoded, as far as `end` [s]."""
    for packet in source.demux(source.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            if frame.time is None:
                continue
            if frame.time >= end:
                return
            yield frame


def _to_stereo(start: Fraction, end: Fraction) -> list[str]:
    """Return the filters to stereo at 48 kHz that begins at 0, gaps being silent."""
    return [
        f"atrim=start={float(start):.6f}:end={float(end):.6f}",
        f"asetpts=PTS-{float(start):.6f}/TB",
        f"aresample={SAMPLE_RATE}:async=1:first_pts=0",
        "aformat=sample_fmts=fltp:channel_layouts=stereo",
        f"asetnsamples=n={AAC_FRAME}:p=0",
    ]
