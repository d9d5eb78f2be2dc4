"""Clips that are damaged, lie about themselves, or are no clips."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from clips import ffmpeg
from made_clips import (
    AAC,
    COUNT,
    FFV1,
    MPEG2,
    PICTURE,
    X264,
    YUV420,
    made,
    of_format,
    pattern,
    tone,
)

Make = Callable[[Path], object]

SEGMENT, CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
"""Matroska's elements: the file, and some seconds of it."""
CHUNK_HEAD = 8
"""Bytes before each packet of an AVI: its name and size."""
TIMESTAMP, BLOCK = b"\xe7", b"\xa3"
"""Of a cluster; one packet in it, which begins with track, time after the cluster's."""


def cut(make: Make, share: float) -> Make:
    """Return what makes a clip and keeps only its beginning."""

    def make_cut(path: Path) -> None:
        make(path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return make_cut


def written(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def elements(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (id, start, end) of each of Matroska's elements within a part of a file."""
    while start < end:
        id_length = 9 - data[start].bit_length()
        size_at = start + id_length
        size_length = 9 - data[size_at].bit_length()
        content = size_at + size_length
        size = int.from_bytes(data[size_at:content], "big") - (1 << (7 * size_length))
        if size == (1 << (7 * size_length)) - 1:  # unknown: to the end
            size = end - content
        yield data[start:size_at], content, content + size
        start = content + size


def with_block_times(times: list[int]) -> Make:
    """Return what makes a clip whose frames have these times [ms], in this order."""

    def make(path: Path) -> None:
        ffmpeg(*PICTURE, *FFV1, f"file:{path}")
        data = bytearray(path.read_bytes())
        (segment,) = [e for e in elements(data, 0, len(data)) if e[0] == SEGMENT]
        remaining = iter(times)
        for name, *cluster in elements(data, *segment[1:]):
            if name != CLUSTER:
                continue
            for name, start, end in elements(data, *cluster):
                if name == TIMESTAMP:
                    cluster_time = int.from_bytes(data[start:end], "big")
                elif name == BLOCK:
                    struct.pack_into(
                        ">h", data, start + 1, next(remaining) - cluster_time
                    )
        assert not list(remaining)
        path.write_bytes(data)

    return make


def twice(make: Make) -> Make:
    """Return what makes a transport stream and puts it behind itself."""

    def make_twice(path: Path) -> None:
        make(path)
        path.write_bytes(2 * path.read_bytes())

    return make_twice


def bad_frame(number: int) -> Make:
    """Return what makes a clip of key frames; the lower half of one is damaged."""

    def make(path: Path) -> None:
        ffmpeg(*PICTURE, "-c:v", "mjpeg", "-q:v", 2, f"file:{path}")
        data = bytearray(path.read_bytes())
        starts = [n for n in range(len(data)) if data[n : n + 3] == b"\xff\xd8\xff"]
        begin, end = starts[number : number + 2]
        end -= CHUNK_HEAD
        middle = (begin + end) // 2
        data[middle:end] = b"\x55" * (end - middle)
        path.write_bytes(data)

    return make


def damaged_middle(path: Path) -> None:
    """Make a clip with a hole in its coded pictures, between two key frames."""
    ffmpeg(*PICTURE, *X264, "-g", 8, "-bf", 2, f"file:{path}")
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)


def without_frames(path: Path) -> None:
    ffmpeg(*PICTURE, *FFV1, f"file:{path}")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(CLUSTER)])


def with_tracks(count: int) -> Make:
    """Return what makes a clip and tells of its one track `count` times."""

    def make(path: Path) -> None:
        ffmpeg(*PICTURE, *X264, f"file:{path}")
        data = path.read_bytes()
        movie = data.index(b"moov") - 4
        track = data.index(b"trak") - 4
        one = data[track : track + int.from_bytes(data[track : track + 4], "big")]
        head, rest = data[movie + 8 : track], data[track + len(one) :]

        number = one.index(b"tkhd") + 16
        copies = b"".join(
            one[:number] + n.to_bytes(4, "big") + one[number + 4 :]
            for n in range(1, count + 1)
        )
        content = b"moov" + head + copies + rest
        path.write_bytes(data[:movie] + (len(content) + 4).to_bytes(4, "big") + content)

    return make


def claims_to_be(width: int, height: int) -> Make:
    """Return what makes a clip of 320x256 whose header tells of a larger one."""

    def make(path: Path) -> None:
        ffmpeg(*pattern(size="320x256", also=YUV420, count=3), *FFV1, f"file:{path}")
        data = path.read_bytes()
        for name, true, told in ((0xB0, 320, width), (0xBA, 256, height)):
            element = bytes([name, 0x82])
            assert data.count(element + true.to_bytes(2, "big")) == 1
            data = data.replace(
                element + true.to_bytes(2, "big"), element + told.to_bytes(2, "big")
            )
        path.write_bytes(data)

    return make


@dataclass(frozen=True)
class Odd:
    """A clip whose times cannot all be kept.

    Attributes:
        make: writes the file.
        count: of its frames.
        kept: the times of those that can be kept, by their number [s].
    """

    make: Make
    count: int
    kept: dict[int, Fraction]


REPEATS = [40 * n - 40 * (n in (7, 8)) for n in range(COUNT)]
BACKWARDS = [40 * n - 160 * (n >= 12) for n in range(COUNT)]

ODD_TIMES: dict[str, Odd] = {
    "repeats.mkv": Odd(
        with_block_times(REPEATS),
        COUNT,
        {n: Fraction(n, 25) for n in range(COUNT) if n not in (7, 8)},
    ),
    "backwards.mkv": Odd(
        with_block_times(BACKWARDS),
        COUNT,
        {n: Fraction(n, 25) for n in range(12)},
    ),
    "joined.ts": Odd(
        twice(made(*PICTURE, *tone(), *MPEG2, "-bf", 2, "-c:a", "mp2")),
        2 * COUNT,
        {n: Fraction(n, 25) for n in range(COUNT)},
    ),
}

HDR = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc"


def with_cover(path: Path) -> None:
    """Make a song with a picture, as music players show it."""
    picture = ("-f", "lavfi", "-i", "color=red:size=16x16:rate=1:duration=1")
    coded = ("-c:v", "png", "-disposition:v", "attached_pic")
    ffmpeg(*tone(), *picture, *AAC, *coded, f"file:{path}")


def of_unknown_codec(path: Path) -> None:
    """Make a clip whose header names a codec that nobody has."""
    ffmpeg(*PICTURE, "-c:v", "mpeg4", f"file:{path}")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"NONE"))


TICKS = "N*100000000000"  # of a millisecond in .mkv: three years
CENTURIES = ("-bf", 0, "-bsf:v", f"setts=pts='{TICKS}':dts='{TICKS}'")

BAD: dict[str, tuple[Make, str]] = {
    "no index.mp4": (cut(made(*PICTURE, *X264), 0.6), "moov"),
    "no frames.mkv": (without_frames, ""),
    "no frame.avi": (made(*PICTURE, *X264, "-frames:v", 0), "there is no frame in it"),
    "no picture.mp4": (made(*tone(), *AAC), "no video stream"),
    "a song with its cover.mp4": (with_cover, "no video stream"),
    "no such codec.avi": (of_unknown_codec, "no decoder found"),
    "4000 years.mkv": (made(*PICTURE, *X264, *CENTURIES), "frames last"),
    "nothing.mp4": (written(b""), ""),
    "zeros.mp4": (written(bytes(10_000)), ""),
    "page.mp4": (
        written(b"<!DOCTYPE html><title>Not found</title>" + b" " * 500),
        "an HTML page",
    ),
    "playlist.mp4": (
        written(b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        "",
    ),
    "net.mp4": (
        written(b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        "",
    ),
    "concat.mp4": (written(b"ffconcat version 1.0\nfile /etc/passwd\n"), ""),
    "picture.mp4": (
        written(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()),
        "that is not opened",
    ),
    "text.mkv": (written(b"\x1b[31mANSI art is a video to ffmpeg\n" * 100), ""),
    "30000x30000.mkv": (claims_to_be(30000, 30000), ""),
    "PQ.mkv": (of_format("yuv420p10le", also=HDR.format("smpte2084")), "HDR (PQ)"),
    "HLG.mp4": (
        of_format("yuv420p10le", *X264, also=HDR.format("arib-std-b67")),
        "HDR (HLG), which the networks do not know and would flatten; take an SDR version "
        "of it: ",
    ),
}
"""Each is refused in one line, with such words in it."""

CUT: dict[str, Make] = {
    "cut.mp4": cut(made(*PICTURE, *tone(), *X264, *AAC, "-movflags", "faststart"), 0.6),
    "cut.mkv": cut(made(*PICTURE, *tone(), *FFV1, "-c:a", "flac"), 0.6),
    "cut.ts": cut(made(*PICTURE, *tone(), *MPEG2, "-c:a", "mp2"), 0.6),
    "damaged middle.mp4": damaged_middle,
}
