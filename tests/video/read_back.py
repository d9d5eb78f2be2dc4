"""What is in a video file, as the ffmpeg program tells: another decoder than PyAV's."""

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.utils.ffmpeg import filter_has_option, find_ffmpeg

NEEDED = pytest.mark.skipif(
    not filter_has_option(find_ffmpeg(), "scale", "in_chroma_loc"),
    reason="an ffmpeg before 7.1 is no reference for colors",
)

SECONDS = 60
NO_TIME = -(2**63)
"""ffmpeg's AV_NOPTS_VALUE."""

FRAME = re.compile(
    r"showinfo\S* @ \w+\] n: *\d+ pts: *(\S+) .* duration: *(\S+) .* fmt:(\S+) "
    r"(?:cl:(\S+) )?sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(.)"
)
TIME_BASE = re.compile(r"config in time_base: (\d+/\d+), frame_rate: (\d+/\d+)")
COLORS = re.compile(
    r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)"
)
STREAM = re.compile(
    r" +Stream #0:(\d+)(?:\[\w+\])?(?:\((\w+)\))?: (\w+): (\w+)(.*?)((?: \([a-z ]+\))*)$"
)


DISPOSITIONS = {
    *("default", "dub", "original", "comment", "lyrics", "karaoke", "forced"),
    *("hearing impaired", "visual impaired", "attached pic", "captions"),
    *("descriptions", "metadata", "dependent", "still image"),
}
ESCAPED = re.MULTILINE | re.DOTALL


@dataclass(frozen=True)
class Packet:
    """Times in seconds from the time 0 of the file; `crc` is of its bytes."""

    pts: Fraction
    duration: Fraction
    size: int
    crc: str


@dataclass
class Stream:
    """A stream other than the picture, or the picture, with its packets."""

    kind: str
    codec: str
    language: str | None
    dispositions: set[str]
    tags: dict[str, str] = field(default_factory=dict)
    packets: list[Packet] = field(default_factory=list)


@dataclass(frozen=True)
class Chapter:
    start: Fraction
    end: Fraction
    title: str | None


@dataclass
class Video:
    """A file as ffmpeg reads it.

    Attributes:
        time_base: seconds of a tick of the picture.
        times, durations: of the decoded frames [s].
        images: of the decoded frames: uint8 RGB (N, H, W, 3), not turned, as the scale
            filter of `data/footage/video.py` makes them.
        size: of the samples, (width, height).
        colors: range, matrix, primaries and transfer, as decoded frames have them.
        interlaced: P, T or B of each frame.
        streams: with the picture; `picture` is its number.
        rotation: counterclockwise [degrees]; 0 where there is none.
        attachments: the contents of attached files.
    """

    time_base: Fraction
    times: list[Fraction]
    durations: list[Fraction]
    images: np.ndarray
    size: tuple[int, int]
    pixel_format: str
    chroma_location: str | None
    aspect: Fraction
    colors: tuple[str, str, str, str]
    interlaced: str
    streams: list[Stream]
    picture: int
    rotation: float
    tags: dict[str, str]
    chapters: list[Chapter]
    attachments: list[bytes]

    @property
    def start(self) -> Fraction:
        """The time at which the first packet of any stream is shown [s]."""
        firsts = [min(p.pts for p in s.packets) for s in self.streams if s.packets]
        return min(firsts)

    @property
    def others(self) -> list[Stream]:
        """All streams but the picture."""
        return [s for s in self.streams if s is not self.streams[self.picture]]


def read_back(path: Path, *, chroma: str = "left") -> Video:
    """Return what is in a video file.

    Args:
        path: the file.
        chroma: where chroma samples lie, for the images.
    """
    with tempfile.TemporaryDirectory() as folder:
        scale = (
            "scale=flags=bicubic+accurate_rnd+full_chroma_int"
            f":in_color_matrix=auto:in_chroma_loc={chroma}"
        )
        return _read(path, Path(folder), scale)


def decoded_sound(path: Path, number: int) -> tuple[Fraction, int, np.ndarray]:
    """Return a sound track decoded.

    Returns:
        The time of its first sample [s], its samples a second, and the samples of its
        first channel, int16.
    """
    checks = ("-map", f"0:a:{number}", "-c", "pcm_s16le", "-ac", "1")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        listed = _run(path, *checks, "-f", "framecrc", "-", *checks, "-f", "s16le", raw)
        samples = np.frombuffer(raw.read_bytes(), np.int16)

    rate = int(re.search(r"#sample_rate 0: (\d+)", listed.stdout)[1])
    time_base = Fraction(re.search(r"#tb 0: (\S+)", listed.stdout)[1])
    first = re.search(r"^0, *-?\d+, *(-?\d+),", listed.stdout, re.MULTILINE)
    return int(first[1]) * time_base, rate, samples


def _read(path: Path, folder: Path, scale: str) -> Video:
    raw, metadata = folder / "raw", folder / "metadata"
    done = _run(
        path,
        *("-map", "0:V:0", "-vf", f"showinfo=checksum=0,{scale}"),
        *("-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", raw),
        *("-map", "0", "-map", "-0:t?", "-c", "copy", "-copyinkf", "-copypriorss", "1"),
        *("-f", "framecrc", "-", "-f", "ffmetadata", metadata),
    )
    shown = [m for line in done.stderr.splitlines() if (m := FRAME.search(line))]
    pts, durations, formats, places, *_ = zip(*(m.groups() for m in shown), strict=True)
    _, _, _, _, across, down, width, height, _ = shown[0].groups()
    time_base = Fraction(TIME_BASE.search(done.stderr)[1])
    size = int(width), int(height)

    streams = _streams(done.stderr)
    _add_packets(streams, done.stdout)
    pictures = [n for n, s in enumerate(streams) if _is_picture(s)]
    tags, chapters = _metadata(metadata.read_text())
    rotation = re.search(r"rotation of (\S+) degrees", done.stderr)
    return Video(
        time_base=time_base,
        times=[int(number) * time_base for number in pts],
        durations=[int(number) * time_base for number in durations],
        images=np.fromfile(raw, np.uint8).reshape(-1, *size[::-1], 3),
        size=size,
        pixel_format=formats[0],
        chroma_location=places[0],
        aspect=Fraction(int(across), int(down)) if int(across) else Fraction(1),
        colors=COLORS.search(done.stderr).groups(),
        interlaced="".join(m[9] for m in shown),
        streams=streams,
        picture=pictures[0],
        rotation=float(rotation[1]) if rotation else 0.0,
        tags=tags,
        chapters=chapters,
        attachments=_attachments(path, streams, folder),
    )


def _run(path: Path, *words: str | Path) -> subprocess.CompletedProcess:
    """Run ffmpeg on a file as it is: own times, not turned, all packets."""
    command = [find_ffmpeg(), "-nostdin", "-hide_banner", "-nostats", "-y", "-copyts"]
    command += ["-noautorotate", "-i", f"file:{path}", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _is_picture(stream: Stream) -> bool:
    return stream.kind == "Video" and "attached pic" not in stream.dispositions


def _streams(told: str) -> list[Stream]:
    """Return the streams that ffmpeg listed for its input."""
    streams: list[Stream] = []
    for line in told.partition("Stream mapping:")[0].splitlines():
        if found := STREAM.match(line):
            _, language, kind, codec, _, marks = found.groups()
            dispositions = DISPOSITIONS & set(re.findall(r"\(([a-z ]+)\)", marks))
            streams.append(Stream(kind, codec, language, dispositions))
        elif streams and (tag := re.match(r" {6,}(\S+) *: (.*)", line)):
            streams[-1].tags[tag[1]] = tag[2]
    return streams


def _add_packets(streams: list[Stream], listed: str) -> None:
    """Add the packets that the framecrc muxer listed; attached files have none."""
    with_packets = [stream for stream in streams if stream.kind != "Attachment"]
    time_bases = {
        int(number): Fraction(text)
        for number, text in re.findall(r"#tb (\d+): (\S+)", listed)
    }
    for line in listed.splitlines():
        if line.startswith("#"):
            continue
        words = line.replace(" ", "").split(",")
        number, dts, pts, duration, size = map(int, words[:5])
        tick = time_bases[number]
        shown = dts if pts == NO_TIME else pts
        packet = Packet(shown * tick, duration * tick, size, words[5])
        with_packets[number].packets.append(packet)


def _metadata(text: str) -> tuple[dict[str, str], list[Chapter]]:
    """Return the tags and chapters of a file in ffmpeg's format for them."""
    first, *sections = re.split(r"^\[(?=CHAPTER\]|STREAM\])", text, flags=re.MULTILINE)
    chapters = []
    for section in sections:
        values = _values(section)
        if section.startswith("CHAPTER"):
            tick = Fraction(values["TIMEBASE"])
            start, end = (int(values[key]) * tick for key in ("START", "END"))
            chapters.append(Chapter(start, end, values.get("title")))
    return _values(first), chapters


def _values(text: str) -> dict[str, str]:
    """Return the values of a section, in which a backslash goes before =, ;, #, \\, LF."""
    lines = re.findall(r"^((?:\\.|[^=\n])+)=((?:\\.|[^\n\\])*)", text, ESCAPED)
    return {
        re.sub(r"\\(.)", r"\1", key): re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        for key, value in lines
    }


def _attachments(path: Path, streams: list[Stream], folder: Path) -> list[bytes]:
    count = sum(stream.kind == "Attachment" for stream in streams)
    contents = []
    for number in range(count):
        target = folder / f"attachment {number}"
        dump = (f"-dump_attachment:t:{number}", str(target), "-i", f"file:{path}")
        command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", *dump]
        subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        contents.append(target.read_bytes())
    return contents
