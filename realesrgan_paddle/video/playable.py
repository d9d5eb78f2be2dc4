"""Videos that every browser plays, from time 0: copied if they are such, or converted."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType

from realesrgan_paddle.inference.video.reading.source import (
    open_container,
    read_packets,
)
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.report.video_page import Clip
from realesrgan_paddle.video.pictures import Excerpt, Shown, filtered

QUALITY = "14"
"""CRF of x264; 17 to 18 is what its authors call visually lossless."""
KEY_FRAME_EVERY = 25
"""Frames; a browser decodes at most so many to step back by one."""
PLAYED_CODECS = ("h264", "vp9", "av1")
PLAYED_FORMATS = ("yuv420p", "yuvj420p")
"""What browsers play in an mp4; more bits, more chroma or HEVC not all of them."""


SAMPLE_RATE = 48_000
AAC_FRAME = 1024
"""Samples of a packet."""
BITRATE = 192_000
"""Of stereo; where AAC-LC is taken for transparent."""


def playable(excerpt: Excerpt, target: Path) -> Clip:
    """Write a part of a video so that every browser plays it, from time 0.

    A whole mp4 with progressive 8-bit 4:2:0 pictures of H.264, VP9 or AV1 is copied as
    it is. Anything else becomes H.264; interlaced pictures are deinterlaced, rotated
    ones turned upright, times stay. The sound becomes AAC.

    Raises:
        UserError: the video is damaged.
    """
    size = excerpt.upright
    with new_mp4(target) as new:
        if is_played(excerpt):
            has_sound = _copy(excerpt, new)
        else:
            size = _even(size)
            pictures = excerpt.pictures(excerpt.to_playable())
            shown = excerpt.progress(pictures, f"making {excerpt.label} playable")
            track = PictureTrack(new, excerpt, size, QUALITY)
            has_sound = write_movie(track, shown, excerpt.times, excerpt)

    width, height = excerpt.upright
    return Clip(
        label=excerpt.label,
        file=target.name,
        size=excerpt.size,
        times=excerpt.times,
        has_sound=has_sound,
        padding=(size[0] / width - 1, size[1] / height - 1),
    )


def is_played(excerpt: Excerpt) -> bool:
    """Return whether browsers play all of the excerpt's file, and show what it shows."""
    source, part = excerpt.source, excerpt.part
    as_coded = source.timeline.times
    is_plain = (
        source.pixel_format in PLAYED_FORMATS
        and source.display_matrix is None
        and part.deinterlace == "no"
        and part.timeline.times == as_coded
        # No time was mended, and no frame is left out.
        and sorted(source.packets.times) == as_coded
    )
    with open_container(source.path) as container:
        codec = container.streams[source.stream].codec_context.codec
        is_mp4 = "mp4" in container.format.name
        return is_plain and is_mp4 and codec.canonical_name in PLAYED_CODECS


@contextmanager
def new_mp4(path: Path) -> Iterator[OutputContainer]:
    """Yield an mp4 that is written, whose index stands in front of its data."""
    with atomic_path(path) as temporary:
        options = {"movflags": "+faststart"}
        name = f"file:{temporary}"
        with av.open(name, "w", format="mp4", options=options) as container:
            yield container


class PictureTrack:
    """The H.264 track of a new mp4.

    Args:
        target: the file.
        like: its colors and ticks are those of the track.
        size: width and height, even.
        quality: CRF.

    Attributes:
        target: the file.
    """

    def __init__(
        self,
        target: OutputContainer,
        like: Excerpt,
        size: tuple[int, int],
        quality: str,
    ) -> None:
        # Without B-frames the decoding order is the showing order: every player agrees
        # on when the first frame is shown.
        settings = {"crf": quality, "preset": "veryfast", "bf": "0"}
        self.target = target
        self._time_base = like.part.timeline.time_base
        self._track = target.add_stream("libx264", options=settings)
        self._track.width, self._track.height = size
        self._track.pix_fmt = "yuv420p"
        self._track.time_base = self._time_base

        codec = self._track.codec_context
        codec.time_base = self._time_base
        codec.gop_size = KEY_FRAME_EVERY
        codec.flags |= Flags.frame_duration
        codec.colorspace = like.tags.matrix
        codec.color_range = like.tags.range
        codec.color_primaries = like.tags.primaries
        codec.color_trc = like.tags.transfer

    def write(self, picture: av.VideoFrame, time: Fraction, until: Fraction) -> None:
        """Write a YUV420P picture that is shown from one time to another [s]."""
        tick = round(time / self._time_base)
        end = round(until / self._time_base)
        picture.time_base = self._time_base
        picture.pts = tick
        picture.duration = end - tick
        picture.pict_type = PictureType.NONE  # the encoder chooses

        packets = self._track.encode(picture)
        self.target.mux(packets)

    def finish(self) -> None:
        """Write what the encoder holds back."""
        self.target.mux(self._track.encode(None))


def write_movie(
    track: PictureTrack,
    shown: Iterable[Shown],
    times: Sequence[Fraction],
    sound_of: Excerpt,
) -> bool:
    """Write pictures (YUV420P) and a sound; return whether there is one.

    Args:
        track: of the pictures.
        shown: when each picture is shown, and the picture.
        times: when each is shown [s], from 0; then, when the last one ends.
        sound_of: what is heard.
    """
    with Sound(sound_of, track.target, times[-1]) as sound:
        for (time, picture), until in zip(shown, times[1:], strict=True):
            sound.write_until(time)
            track.write(picture, time, until)
        track.finish()
        sound.write_until(times[-1])
        return sound.is_there


def _copy(excerpt: Excerpt, new: OutputContainer) -> bool:
    """Put the packets into a new file, from time 0; return whether it has a sound."""
    source = excerpt.source
    shift = source.timeline.times[0]
    time_base = source.timeline.time_base
    with open_container(source.path) as container:
        stream = container.streams[source.stream]
        track = new.add_stream_from_template(stream)
        with Sound(excerpt, new, excerpt.times[-1]) as sound:
            for packet in read_packets(container, stream):
                packet.pts -= shift
                packet.dts -= shift
                sound.write_until(packet.dts * time_base)
                packet.stream = track
                new.mux(packet)
            sound.write_until(excerpt.times[-1])
            return sound.is_there


def _even(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    beside = width % 2
    below = height % 2
    return width + beside, height + below


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
        # A track of a codec that nobody knows has no decoder.
        tracks = source.streams.audio
        self.is_there = bool(tracks) and tracks[0].codec_context is not None
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
