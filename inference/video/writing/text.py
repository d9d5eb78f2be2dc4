"""Plain text subtitles, written in the codec of another container."""

from typing import Any


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
