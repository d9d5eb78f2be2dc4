"""Cover pictures: a stream with one packet in mp4, an attached file in Matroska."""

from pathlib import Path
from typing import Any

from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
)
from realesrgan_paddle.inference.video.writing.containers import (
    ATTACHMENTS,
    codec_name,
)

MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp"}
"""Decoder -> the media type of its pictures."""
SUFFIXES = {"mjpeg": ".jpg", "png": ".png", "bmp": ".bmp"}


def add_cover(output: Any, stream: Any, path: Path) -> Any | None:
    """Add a cover to the output; return the packet that is still to be written.

    Args:
        output: its container takes covers.
        stream: the cover of the source.
        path: of the source.
    """
    packet = _picture(path, stream.index)
    if packet is None:
        return None

    if output.format.name in ATTACHMENTS:
        codec = codec_name(stream)
        name = stream.metadata.get("filename", f"cover{SUFFIXES.get(codec, '')}")
        kind = stream.metadata.get("mimetype", MIME_TYPES.get(codec, "image/jpeg"))
        attachment = output.add_attachment(name, kind, bytes(packet))
        attachment.metadata.update(stream.metadata)
        return None

    copy = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition.value
    packet.stream = copy
    packet.pts = packet.dts = 0
    return packet


def _picture(path: Path, index: int) -> Any | None:
    """Return the first packet of a stream."""
    with open_container(path) as original:
        cover = original.streams[index]
        packets = read_packets(original, cover)
        return next(packets, None)
