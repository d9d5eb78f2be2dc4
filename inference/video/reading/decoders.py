"""Decoders that tell which packet each frame is from, and which packets are damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from realesrgan_paddle.inference.video.reading.packets import open_container

NumberedFrame = tuple[int, Any]
"""The number of a packet, and the VideoFrame that it became."""

ERRORS = {"err_detect": "explode"}
"""libavcodec's option for errors in place of concealed damage."""


class Decoder:
    """Decodes packets in several threads, up to the first damaged one.

    Args:
        stream: of a container that nothing has been decoded of.
        number: of the first packet.
    """

    def __init__(self, stream: Any, number: int) -> None:
        self.number = number
        self._context = _prepared(stream)
        self._context.thread_type = "AUTO"
        self._context.options = ERRORS

    def decode(self, packet: Any) -> list[NumberedFrame]:
        """Return the frames that are ready.

        Args:
            packet: the next one; None: there are no more.

        Raises:
            av.FFmpegError: this packet, or one of those before, is damaged. What comes
                out afterwards may lack more frames than those of damaged packets.
        """
        if packet is not None:
            packet.opaque = _Number(self.number)
            self.number += 1
        return _numbered(self._context.decode(packet))


class CarefulDecoder:
    """Decodes packets and tells which are damaged, at half the speed of one thread.

    A decoder that stops at errors may also lose a frame that it still holds. So one
    decoder finds the errors, and another, which conceals them, gives the frames.

    Args:
        stream: of a container that nothing has been decoded of.
        same_stream: the same of another container.
        number: of the first packet.
    """

    def __init__(self, stream: Any, same_stream: Any, number: int) -> None:
        self.number = number
        self.damaged: set[int] = set()
        self._context = _prepared(stream)
        self._judge = _prepared(same_stream)
        self._judge.options = ERRORS
        # With threads an error is told later than its packet is given.
        for context in (self._context, self._judge):
            context.thread_count = 1

    def decode(self, packet: Any) -> list[NumberedFrame]:
        """Return the frames that are ready, those of damaged packets too.

        Args:
            packet: the next one; None: there are no more.
        """
        if packet is not None:
            packet.opaque = _Number(self.number)
            self.number += 1

        try:
            self._judge.decode(packet)
        except av.FFmpegError:
            self.damaged.add(self.number - 1)
        try:
            return _numbered(self._context.decode(packet))
        except av.FFmpegError:
            self.damaged.add(self.number - 1)
            return []


@contextmanager
def careful_decoder(
    path: Path, stream: Any, number: int = 0
) -> Iterator[CarefulDecoder]:
    """Make a careful decoder of a file's stream; a context manager."""
    with open_container(path) as container:
        same_stream = container.streams[stream.index]
        yield CarefulDecoder(stream, same_stream, number)


@dataclass(frozen=True)
class _Number:
    """The number of a packet, as PyAV hands it on to the packet's frame.

    PyAV knows such an object by its address, which small integers share with those of
    another decoder that runs at the same time: then the frame's would be lost.
    """

    value: int


def _prepared(stream: Any) -> Any:
    """Return the codec context of a stream, whose frames will tell their packets."""
    context = stream.codec_context
    context.copy_opaque = True
    return context


def _numbered(frames: list[Any]) -> list[NumberedFrame]:
    numbered = []
    for frame in frames:
        if frame.is_corrupt:
            continue
        numbered.append((frame.opaque.value, frame))
    return numbered
