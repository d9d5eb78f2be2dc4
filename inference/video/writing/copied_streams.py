"""What a video has besides its picture: copied into the output, packet by packet."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.format import Flags

from realesrgan_paddle.inference.video.writing.containers import (
    MATROSKA,
    TEXT,
    described,
    takes,
    translates,
)

LONGEST_REORDER = 16
"""Frames that may be decoded before one that is shown first (H.264, A.3.1)."""

FILE_FACTS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
"""Metadata that tells how the source's file was written."""
CODING_FACTS = (
    *("bps", "duration", "number_of_", "_statistics_", "encoder", "vendor_id"),
    "alpha_mode",
)
"""First letters of metadata that tells how a stream was coded."""

LANGUAGE = bytes.fromhex("22b59c83") + b"und"
"""The element of a track without a language, as ffmpeg writes it."""
CODEC_DELAY = bytes.fromhex("56aa84")
"""The head of an element CodecDelay [ns] of 4 bytes: as long as that of the language."""
LONGEST_DELAY = Fraction(4)
"""What is believed to be priming [s]; 4 bytes hold 4.29 s. AAC has 0.02 to 0.05."""


@dataclass(frozen=True)
class Window:
    """Which part of the source goes into the output, and where its zero is.

    Attributes:
        origin: the source's time that becomes 0 [s].
        start: begin of the part in the source's time [s]; None: all from the begin.
        end: its end [s]; None: up to the end.
        hides: the container can hide what a sound has before its begin.
    """

    origin: Fraction
    start: Fraction | None
    end: Fraction | None
    hides: bool

    def holds(self, begin: Fraction, length: Fraction) -> bool:
        """Return whether a packet at `begin` that lasts `length` [s] is in the part.

        A frame of sound overlaps with the one before, which is kept where it is hidden.
        """
        if self.end is not None and begin >= self.end:
            return False
        if self.start is None or begin >= self.start:
            return True
        return self.hides and begin + 2 * length > self.start

    def clip(self, begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
        """Return what is in the part of something that may begin before it [s].

        The end is not after the begin if nothing is in it.
        """
        if self.start is not None:
            begin = max(begin, self.start)
        if self.end is not None:
            end = min(end, self.end)
        return begin, end

    def chapters(self, original: Any) -> list[dict[str, Any]]:
        """Return the chapters of the part of a container, in the output's time."""
        kept = []
        for chapter in original.chapters():
            unit = chapter["time_base"]
            start, end = self.clip(chapter["start"] * unit, chapter["end"] * unit)
            if start >= end:
                continue

            first = round((start - self.origin) / unit)
            last = round((end - self.origin) / unit)
            kept.append(chapter | {"start": max(0, first), "end": last})
        return kept


class TextTranslator:
    """Decodes text subtitles and encodes them again: words, lines, bold, italics.

    Args:
        origin: the stream of the source.
        output: gets a new stream.
        codec: of that stream: "subrip", "mov_text", "webvtt".

    Attributes:
        copy: the new stream.
    """

    def __init__(self, origin: Any, output: Any, codec: str) -> None:
        self._decoder = origin.codec_context
        self._decoder.open(strict=False)

        self.copy = output.add_stream(codec)
        self._encoder = self.copy.codec_context
        self._encoder.time_base = origin.time_base
        self._encoder.subtitle_header = self._decoder.subtitle_header

    def __call__(self, packet: Any) -> Any | None:
        """Return a packet in the new codec, without times; None if it has no text."""
        decoded = self._decoder.decode2(packet)
        if decoded is None:
            return None

        encoded = self._encoder.encode_subtitle(decoded)
        return encoded if encoded.size else None


class CopiedStream:
    """One stream on its way into the output.

    Args:
        copy: the stream of the output.
        name: of the stream of the source, for remarks; an attribute too.
        window: the part that is copied.
        remark: called with what a user should know.
        translate: makes the packets of another codec; None: they stay as they are.

    Attributes:
        index: of the stream of the output.
    """

    def __init__(
        self,
        copy: Any,
        name: str,
        window: Window,
        remark: Callable[[str], None],
        translate: TextTranslator | None = None,
    ) -> None:
        self.index = copy.index
        self._copy = copy
        self.name = name
        self._window = window
        self._remark = remark
        self._translate = translate
        self._step = _smallest_step(copy)
        self._last: int | None = None
        self._next: Fraction | None = None
        self._moved = False

    def place(self, packet: Any, offset: Fraction) -> Any | None:
        """Return a packet with the output's times; None if it is not in the part.

        Args:
            packet: of the source.
            offset: added to its time [s].
        """
        length = _length(packet)
        lead = _lead(packet)
        begin = self._begin(packet, offset, length)
        if packet.stream.type == "subtitle" and length:
            begin, end = self._window.clip(begin, begin + length)
            length = end - begin
            if length <= 0:
                return None
        if not self._window.holds(begin, length):
            return None
        # One that ends at the origin primes the decoder, and stays.
        if begin + length < self._window.origin and self._would_be_heard(packet):
            return None

        written = packet if self._translate is None else self._translate(packet)
        if written is None:
            return None

        unit = self._copy.time_base
        shown = begin - self._window.origin
        written.time_base = unit
        written.dts = self._ascending(round((shown - lead) / unit))
        written.pts = max(round(shown / unit), written.dts)
        written.duration = round(length / unit)
        written.stream = self._copy
        return written

    def _would_be_heard(self, packet: Any) -> bool:
        """Return whether a packet of sound before the origin is hidden in the source alone.

        See `_priming`.
        """
        stream = packet.stream
        hides = self._window.hides or self._copy.container.format.name in MATROSKA
        return stream.type == "audio" and not hides and len(stream.index_entries) > 0

    def _begin(self, packet: Any, offset: Fraction, length: Fraction) -> Fraction:
        """Return when a packet is shown or heard, in the source's time [s].

        Sound follows the sound before it where the source's ticks cannot tell more: a
        frame of 1024 samples is no whole number of milliseconds.
        """
        expected = self._window.origin if self._next is None else self._next
        ticks = packet.dts if packet.pts is None else packet.pts
        begin = expected
        if ticks is not None:
            begin = ticks * packet.time_base + offset

        follows = packet.stream.type == "audio" and self._next is not None
        if follows and abs(begin - expected) <= packet.time_base:
            begin = expected
        self._next = begin + length
        return begin

    def _ascending(self, dts: int) -> int:
        """Return a decoding time, moved if it is before what the container takes."""
        if self._last is not None and dts < self._last + self._step:
            if not self._moved:
                self._remark(f"{self.name}: times that do not ascend are moved")
            self._moved = True
            dts = self._last + self._step
        self._last = dts
        return dts


def add_copy(
    output: Any,
    stream: Any,
    window: Window,
    remark: Callable[[str], None],
) -> CopiedStream | None:
    """Add a stream of the source to the output; None: the container does not take it.

    `remark` tells of all that is not a plain copy.
    """
    muxer = output.format.name
    name = described(stream)
    if translates(muxer, stream):
        translator = TextTranslator(stream, output, TEXT[muxer])
        describe(translator.copy, stream)
        remark(f"{name}: written as {TEXT[muxer]}")
        return CopiedStream(translator.copy, name, window, remark, translator)

    if not takes(muxer, stream):
        remark(f"{name}: left out, for {muxer} cannot hold it")
        return None
    if stream.type == "video":
        remark(f"{name}: copied as it is")

    copy = _add_template(output, stream, window)
    describe(copy, stream)
    return CopiedStream(copy, name, window, remark)


def describe(copy: Any, stream: Any, *, coded_anew: bool = False) -> None:
    """Give a stream of the output the language, title, ... and disposition of another.

    Args:
        copy: the stream of the output.
        stream: of the source.
        coded_anew: leave out what tells how it was coded.
    """
    texts = dict(stream.metadata)
    if coded_anew:
        for key in stream.metadata:
            if key.lower().startswith(CODING_FACTS):
                del texts[key]

    # What mp4 calls a name is the title of a track elsewhere, and is written as such.
    if "name" in texts and "title" not in texts:
        texts["title"] = texts.pop("name")

    copy.metadata.update(texts)
    copy.disposition = stream.disposition.value


def file_metadata(original: Any) -> dict[str, str]:
    """Return the texts of a file: title, artist, date, ..."""
    texts = {}
    for key, text in original.metadata.items():
        if key.lower() not in FILE_FACTS:
            texts[key] = text
    return texts


def _add_template(output: Any, stream: Any, window: Window) -> Any:
    """Add a stream with the codec of a stream of the source."""
    delay = Fraction(0)
    if window.start is None and output.format.name in MATROSKA:
        delay = _priming(stream, window.origin)
    if not delay:
        return output.add_stream_from_template(stream, opaque=True)

    with _primed(stream, delay) as container:
        return output.add_stream_from_template(container.streams[0], opaque=True)


def _priming(stream: Any, origin: Fraction) -> Fraction:
    """Return how long before `origin` the first packet of a sound begins [s]; 0: not.

    What a sound decoder puts out before the first sample that is to be heard is hidden in
    mp4 and mov by an edit list: the first packet has a negative time. Only they have an
    index that tells the times of all packets.
    """
    if stream.type != "audio" or not len(stream.index_entries):
        return Fraction(0)
    begin = stream.index_entries[0].timestamp * stream.time_base
    delay = origin - begin
    return delay if 0 < delay < LONGEST_DELAY else Fraction(0)


def _primed(stream: Any, delay: Fraction) -> Any:
    """Return a Matroska file whose only stream has the same codec, and a CodecDelay.

    It is Matroska's element for priming, which PyAV cannot set. Without it all streams
    would begin later by that much, and the picture would not begin at 0.

    Returns:
        PyAV's InputContainer of a file in memory, with one packet without meaning.

    Args:
        stream: of the source.
        delay: of the decoder [s].
    """
    file = io.BytesIO()
    options = {"write_crc32": "0"}
    with av.open(file, "w", format="matroska", container_options=options) as output:
        copy = output.add_stream_from_template(stream, opaque=True)
        output.start_encoding()
        packet: Any = av.Packet(b"\0")
        packet.pts = packet.dts = 0
        packet.stream = copy
        output.mux(packet)

    nanoseconds = round(delay * 10**9).to_bytes(4, "big")
    header = file.getvalue().replace(LANGUAGE, CODEC_DELAY + nanoseconds, 1)
    return av.open(io.BytesIO(header), format="matroska")


def _smallest_step(copy: Any) -> int:
    """Return how many ticks a packet must be decoded after the one before."""
    flags = Flags(copy.container.format.flags)
    may_repeat = flags & Flags.ts_nonstrict or copy.type in {"subtitle", "data"}
    return 0 if may_repeat else 1


def _length(packet: Any) -> Fraction:
    """Return how long a packet lasts [s]: of sound to the sample, if it is known."""
    length = Fraction(packet.duration or 0) * packet.time_base
    if packet.stream.type != "audio":
        return length

    decoder = packet.stream.codec_context  # None of a codec that FFmpeg does not know
    if decoder is not None and decoder.frame_size and decoder.sample_rate:
        samples = Fraction(decoder.frame_size, decoder.sample_rate)
        if abs(samples - length) < packet.time_base:
            return samples
    return length


def _lead(packet: Any) -> Fraction:
    """Return how long before it is shown a packet is decoded [s]."""
    if packet.stream.type != "video" or packet.pts is None:
        return Fraction(0)

    ticks = LONGEST_REORDER * (packet.duration or 0)
    if packet.dts is not None:
        ticks = packet.pts - packet.dts
    return ticks * packet.time_base
