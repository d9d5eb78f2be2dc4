"""Which containers are written, and which streams of a source each of them takes."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from realesrgan_paddle.inference.video.reading.source import (
    VideoSource,
    open_container,
    read_packets,
)
from realesrgan_paddle.utils.errors import UserError, did_you_mean

MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
}
"""Suffix of an output -> ffmpeg's name of the container."""

MATROSKA = {"matroska", "webm"}
"""Containers of one kind: time stamps are milliseconds, and none is negative."""

TEXT = {
    "mp4": "mov_text",
    "mov": "mov_text",
    "matroska": "subrip",
    "webm": "webvtt",
}
"""Container -> the codec of its plain text subtitles."""
TEXT_CODECS = {"mov_text", "subrip", "text", "webvtt"}
"""Subtitles that are text with a little style, and translate without loss."""

BROADCAST = "mpegts"
"""ffmpeg's name of MPEG-TS; it would write what it does not know as private data."""
OF_BROADCASTS = {
    *("h264", "hevc", "aac", "mp2", "mp3", "ac3", "eac3", "dts", "opus", "truehd"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"),
}
"""Codecs that it tells so that others know them (libavformat/mpegtsenc.c)."""

COVERS = {"mp4": {"mjpeg", "png", "bmp"}}
"""Container -> codecs of the pictures that it shows as its cover."""
ATTACHMENTS = {"matroska"}
"""Containers that hold files, such as fonts; a cover is one of these files there."""
HOLDS_ASPECT = {"h264", "hevc"}
"""Codecs that tell the sample aspect ratio themselves; PyAV cannot tell it to Matroska."""

MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp"}
"""Decoder -> the media type of its pictures."""
COVER_SUFFIXES = {"mjpeg": ".jpg", "png": ".png", "bmp": ".bmp"}

WRITES_RATES = int(av.__version__.partition(".")[0]) >= 18
"""PyAV 17, the newest for Python 3.10, tells an mov or Matroska no frame rate."""
PASSED_ON = ("audio", "subtitle")
"""Kinds of streams that must not be lost: an output without them is refused."""


def muxer_for(target: Path) -> str:
    """Return ffmpeg's name of the container that a suffix asks for.

    Raises:
        UserError: the suffix is unknown.
    """
    suffix = target.suffix.lower()
    if suffix in MUXERS:
        return MUXERS[suffix]
    known = ", ".join(MUXERS)
    raise UserError(
        f"{target}: no container is known by the suffix "
        f"{suffix!r}; use one of {known}{did_you_mean(suffix, MUXERS)}"
    )


def suffix_for(path: Path, codec: str) -> str:
    """Return the suffix of the container for a source, where only a folder is given.

    mp4, m4v, mov, mkv, webm, ts, m2ts and mts stay what they are if all streams fit into
    them with a picture of `codec`, ffmpeg's name of it; all others become mkv.
    """
    suffix = path.suffix.lower()
    if suffix not in MUXERS:
        return ".mkv"
    muxer = MUXERS[suffix]
    if not _takes_picture(muxer, codec):
        return ".mkv"
    return suffix if _takes_all(muxer, path) else ".mkv"


def mp4_or_mkv(path: Path) -> str:
    """Return ".mp4", which browsers play, if all streams of a source fit into it."""
    return ".mp4" if _takes_all(MUXERS[".mp4"], path) else ".mkv"


def _takes_all(muxer: str, path: Path) -> bool:
    with open_container(path) as original:
        return not any(_is_refused(muxer, each) for each in original.streams)


def check_container(source: VideoSource, target: Path, codec: str) -> None:
    """Raise UserError if the target's container cannot hold what the source has.

    Args:
        source: the video.
        target: the file to write; its suffix chooses the container.
        codec: of the new picture, by ffmpeg's name: "h264", "hevc", "av1", "vp9", ...
    """
    muxer = muxer_for(target)
    if not _takes_picture(muxer, codec):
        raise UserError(
            f"{target}: {target.suffix} cannot hold {codec}; use .mkv or another codec"
        )

    is_rotated = source.display_matrix is not None
    if is_rotated and muxer == BROADCAST:
        raise UserError(
            f"{target}: the picture is rotated, which {target.suffix} cannot tell; use "
            ".mkv or .mp4"
        )
    if is_rotated and not hasattr(VideoStream, "set_display_matrix"):
        raise UserError(
            f"{target}: the picture is rotated, which PyAV {av.__version__} cannot "
            "write; run: pip install 'av>=17.1'"
        )
    if source.aspect != 1 and muxer in MATROSKA and codec not in HOLDS_ASPECT:
        raise UserError(
            f"{target}: the picture has the sample aspect ratio {source.aspect}, which "
            f"{codec} in {target.suffix} cannot tell; use h264, hevc or .mp4"
        )

    with open_container(source.path) as original:
        for stream in original.streams:
            if stream.index != source.stream and _is_refused(muxer, stream):
                raise UserError(
                    f"{target}: {target.suffix} cannot hold {described(stream)} of "
                    f"{source.path}; use {_containers_of(stream)}"
                )


def described(stream: Any) -> str:
    """Return a stream in words: "audio stream 2 (aac)"."""
    words = f"{stream.type} stream {stream.index}"
    name = codec_name(stream)
    return f"{words} ({name})" if name else words


def codec_name(stream: Any) -> str:
    """Return ffmpeg's name of a stream's codec, "" if there is none."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or ""


def is_cover(stream: Any) -> bool:
    """Return whether a video stream is a still picture that belongs to the file."""
    return bool(stream.disposition & Disposition.attached_pic)


def translates(muxer: str, stream: Any) -> bool:
    """Return whether a stream is plain text that is written in the container's codec."""
    if stream.type != "subtitle" or muxer not in TEXT:
        return False
    if codec_name(stream) not in TEXT_CODECS:
        return False
    return not takes(muxer, stream)


def takes(muxer: str, stream: Any) -> bool:
    """Return whether a container holds packets of a stream as they are.

    Found by writing the header of a file that has only this stream, into memory.
    """
    if stream.type == "attachment":
        return muxer in ATTACHMENTS
    if muxer == BROADCAST and codec_name(stream) not in OF_BROADCASTS:
        return False
    if is_cover(stream):
        return muxer in ATTACHMENTS or codec_name(stream) in COVERS.get(muxer, ())
    trial = av.open(io.BytesIO(), "w", format=muxer)
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


def add_cover(output: Any, stream: Any, path: Path) -> Any | None:
    """Add a cover to the output; return the packet that is still to be written.

    It is a stream with one packet in mp4, an attached file in Matroska.

    Args:
        output: its container takes covers.
        stream: the cover of the source.
        path: of the source.
    """
    packet = _first_packet(path, stream.index)
    if packet is None:
        return None

    if output.format.name in ATTACHMENTS:
        codec = codec_name(stream)
        name = f"cover{COVER_SUFFIXES.get(codec, '')}"
        kind = MIME_TYPES.get(codec, "image/jpeg")
        attachment = output.add_attachment(name, kind, bytes(packet))
        attachment.metadata.update(stream.metadata)  # its own name and kind, if it has
        return None

    copy = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition.value
    packet.stream = copy
    packet.pts = packet.dts = 0
    return packet


def _first_packet(path: Path, index: int) -> Any | None:
    """Return the first packet of a stream."""
    with open_container(path) as original:
        cover = original.streams[index]
        packets = read_packets(original, cover)
        return next(packets, None)


def _is_refused(muxer: str, stream: Any) -> bool:
    """Return whether a stream is lost that another container would hold."""
    if stream.type not in PASSED_ON:
        return False
    if takes(muxer, stream) or translates(muxer, stream):
        return False
    return any(takes(other, stream) for other in ("matroska", "mov"))


def _containers_of(stream: Any) -> str:
    suffixes = (".mkv", ".mov", ".mp4")
    held = [suffix for suffix in suffixes if takes(MUXERS[suffix], stream)]
    return " or ".join(held)


def _takes_picture(muxer: str, codec: str) -> bool:
    """Return whether a container holds a picture, found by writing such a header."""
    if muxer == BROADCAST:
        return codec in OF_BROADCASTS
    trial = av.open(io.BytesIO(), "w", format=muxer)
    try:
        stream = trial.add_mux_stream(codec, rate=Fraction(25), width=64, height=64)
    except ValueError:
        return False

    stream.time_base = Fraction(1, 25)
    try:
        trial.start_encoding()
    except av.InvalidDataError:
        return True  # only the codec's own header is missing, which its encoder makes
    except av.FFmpegError:
        return False
    return True
