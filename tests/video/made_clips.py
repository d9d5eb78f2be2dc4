"""Tiny clips that ffmpeg makes, and what is true of them by the way they are made.

A frame's luma is a pattern with every step from one sample to the next, and moves; its
chroma is one color for the whole frame, within what RGB can hold. So nothing is lost where
chroma is subsampled, nor where YCbCr becomes RGB and YCbCr again: rounding in one is less
than half a level of the other. Colors that come out otherwise were converted wrongly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from clips import ffmpeg

COUNT = 20
WIDTH, HEIGHT = 64, 48

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", 4)
FFV1 = ("-c:v", "ffv1", "-g", 1)
MPEG2 = ("-c:v", "mpeg2video", "-q:v", 2)
AAC = ("-c:a", "aac", "-b:a", "64k")


def even(rate: str | int, count: int = COUNT) -> list[Fraction]:
    """Return the times of frames at a constant rate [s]."""
    return [number / Fraction(rate) for number in range(count)]


@dataclass(frozen=True)
class Clip:
    """How a clip is made, and its truth.

    Attributes:
        make: writes the file.
        times: of each frame, after that of the first [s].
    """

    make: Callable[[Path], object]
    times: list[Fraction] = field(default_factory=lambda: even(25))


def pattern(
    *,
    rate: str | int = 25,
    size: str = f"{WIDTH}x{HEIGHT}",
    also: str = "null",
    count: int = COUNT,
    chroma: str = "cb='128+12*sin(N/3)':cr='128+12*cos(N/4)'",
) -> tuple[str | int, ...]:
    """Return the words for ffmpeg's input: the moving pattern, see above."""
    drawn = f"geq=lum='60+mod(3*X+2*Y+7*N,144)':{chroma}"
    source = f"nullsrc=size={size}:rate={rate},format=yuv444p,{drawn},{also}"
    return ("-f", "lavfi", "-i", f"{source},trim=end_frame={count}")


def tone(hertz: int = 440, seconds: float = 0.8) -> tuple[str, ...]:
    """Return the words for ffmpeg's input: a sound whose samples are all different."""
    sweep = f"aevalsrc=0.5*sin({hertz}*t*(1+t)):sample_rate=48000:duration={seconds}"
    return ("-f", "lavfi", "-i", sweep)


def made(*words: str | int | Path) -> Callable[[Path], None]:
    """Return what runs ffmpeg with these words and the file's name."""
    return lambda path: ffmpeg(*words, f"file:{path}")


YUV420 = "format=yuv420p"
PICTURE = pattern(also=YUV420)
UNEVEN = [Fraction(n * (n + 3), 100) for n in range(COUNT)]
NTSC, FILM = "30000/1001", "24000/1001"

TIMES: dict[str, Clip] = {
    "25.mp4": Clip(made(*PICTURE, *X264, "-bf", 3)),
    "25.mkv": Clip(made(*PICTURE, *X264, "-bf", 3)),
    "25.avi": Clip(made(*PICTURE, *MPEG2)),
    "23.976.mp4": Clip(made(*pattern(rate=FILM, also=YUV420), *X264), even(FILM)),
    "23.976.mkv": Clip(made(*pattern(rate=FILM, also=YUV420), *X264), even(FILM)),
    "29.97 drop frame.mov": Clip(
        made(*pattern(rate=NTSC, also=YUV420), *X264, "-timecode", "00:00:59;20"),
        even(NTSC),
    ),
    "varying.mp4": Clip(
        made(
            *pattern(also=f"{YUV420},settb=1/100,setpts=N*(N+3)"),
            *("-enc_time_base", "1/100", "-fps_mode", "passthrough"),
            *(*X264, "-bf", 2),
        ),
        UNEVEN,
    ),
    "varying.mkv": Clip(
        made(
            *pattern(also=f"{YUV420},settb=1/100,setpts=N*(N+3)"),
            *("-enc_time_base", "1/100", "-fps_mode", "passthrough"),
            *(*X264, "-bf", 2),
        ),
        UNEVEN,
    ),
    "open gop.mp4": Clip(
        made(*PICTURE, *X264, "-bf", 3, "-x264-params", "open-gop=1:keyint=8:b-adapt=0")
    ),
    "B-frames.avi": Clip(made(*PICTURE, "-c:v", "mpeg4", "-q:v", 2, "-bf", 2)),
    "program stream.mpg": Clip(made(*PICTURE, *MPEG2, "-bf", 2, "-f", "vob")),
    "flash.flv": Clip(made(*PICTURE, *X264, "-bf", 3)),
    "wraps around.ts": Clip(
        made(*PICTURE, *MPEG2, "-bf", 2, "-output_ts_offset", "95441.9")
    ),
    "open gop.ts": Clip(made(*PICTURE, *MPEG2, "-bf", 2, "-g", 6)),
    "hevc.mp4": Clip(
        made(
            *(*PICTURE, "-c:v", "libx265", "-preset", "ultrafast"),
            *("-x265-params", "log-level=error:qp=4:open-gop=1:keyint=8:bframes=3"),
            *("-tag:v", "hvc1"),
        )
    ),
    "one frame.mp4": Clip(made(*pattern(count=1, also=YUV420), *X264), even(25, 1)),
    "one frame.mkv": Clip(made(*pattern(count=1, also=YUV420), *FFV1), even(25, 1)),
    "begins at an hour.mkv": Clip(made(*PICTURE, *X264, "-output_ts_offset", 3600)),
    "jumps by 10 s.mkv": Clip(
        made(
            *pattern(also=f"{YUV420},settb=1/25,setpts=N+250*gt(N\\,9)"),
            *("-enc_time_base", "1/25", "-fps_mode", "passthrough", *FFV1),
        ),
        [Fraction(n + 250 * (n > 9), 25) for n in range(COUNT)],
    ),
    "10 hours.mkv": Clip(
        made(
            *pattern(also=f"{YUV420},settb=1,setpts=N*2000", count=19),
            *("-enc_time_base", "1", "-fps_mode", "passthrough", *FFV1),
        ),
        [Fraction(2000 * n) for n in range(19)],
    ),
    "1 us apart.mp4": Clip(
        made(
            *pattern(also=f"{YUV420},settb=1/1000000,setpts=N"),
            *("-enc_time_base", "1/1000000", "-fps_mode", "passthrough", *X264),
            *("-video_track_timescale", 1000000),
        ),
        even(1000000),
    ),
}
"""Clips with nothing but a picture, whose frames are shown at all kinds of times."""

SHORT = tone(seconds=0.5)
SPOKEN = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")
NAMED = (
    *("-metadata", "title=Match; 1=2 #3", "-metadata", "comment=two\nlines"),
    *("-metadata", "creation_time=2026-01-02T03:04:05Z"),
    *("-metadata:s:v:0", "language=fra", "-metadata:s:v:0", "title=wide angle"),
)
CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=300
title=Kick-off
[CHAPTER]
TIMEBASE=1/1000
START=300
END=800
title=Goal \\= 1:0
"""
SUBTITLES = """1
00:00:00,100 --> 00:00:00,300
Who is that?

2
00:00:00,400 --> 00:00:00,750
<i>Nobody.</i>
"""


def beside(path: Path, suffix: str, content: str | bytes) -> Path:
    """Write a file that goes into a clip."""
    file = path.with_name(f".{path.name}{suffix}")
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def with_subtitles(*codec: str) -> Callable[[Path], None]:
    """Return what makes a clip with two subtitle tracks; one of them is forced."""

    def make(path: Path) -> None:
        text = beside(path, ".srt", SUBTITLES)
        ffmpeg(
            *(*PICTURE, *tone(), "-i", text, "-i", text),
            *("-map", "0", "-map", "1", "-map", "2", "-map", "3", *X264, *AAC, *codec),
            *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=jpn"),
            *("-disposition:s:0", "default", "-disposition:s:1", "forced"),
            f"file:{path}",
        )

    return make


def with_chapters(path: Path) -> None:
    chapters = beside(path, ".txt", CHAPTERS)
    words = (*PICTURE, *tone(), "-f", "ffmetadata", "-i", chapters, "-map_chapters", 2)
    ffmpeg(*words, *X264, *AAC, f"file:{path}")


def with_cover(path: Path) -> None:
    cover = path.with_name(f".{path.name}.png")
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", 1, f"file:{cover}")
    attached = ("-attach", cover, "-metadata:s:t", "mimetype=image/png")
    if path.suffix == ".mkv":
        named = ("-metadata:s:t", "filename=front.png")
        ffmpeg(*PICTURE, *tone(), *X264, *AAC, *attached, *named, f"file:{path}")
        return

    ffmpeg(
        *(
            *PICTURE,
            *tone(),
            "-i",
            f"file:{cover}",
            "-map",
            "2",
            "-map",
            "0",
            "-map",
            "1",
        ),
        *("-c:v:0", "copy", *AAC, "-c:v:1", "libx264", "-qp:v:1", 4),
        *("-disposition:v:0", "attached_pic", f"file:{path}"),
    )


def with_attachments(path: Path) -> None:
    font = beside(path, ".ttf", b"\0\1\0\0 no real font" * 50)
    notes = beside(path, ".txt", "notes\n")
    ffmpeg(
        *(*PICTURE, *X264, "-attach", font, "-attach", notes),
        *("-metadata:s:t:0", "mimetype=application/x-truetype-font"),
        *("-metadata:s:t:0", "filename=Sans.ttf"),
        *(
            "-metadata:s:t:1",
            "mimetype=text/plain",
            "-metadata:s:t:1",
            "filename=a.txt",
        ),
        f"file:{path}",
    )


def cut_by_list(path: Path) -> None:
    """Make a clip whose edit list begins between two key frames, as editors cut."""
    whole = path.with_name(f".{path.name}")
    long = pattern(also=YUV420, count=COUNT + 8)
    ffmpeg(*long, *tone(seconds=1.2), *X264, "-g", 12, "-bf", 2, *AAC, f"file:{whole}")
    ffmpeg("-ss", "0.32", "-i", f"file:{whole}", "-c", "copy", f"file:{path}")


MAPPED = ("-map", "0", "-map", "1", "-map", "2")

STREAMS: dict[str, Clip] = {
    "two sounds.mp4": Clip(
        made(
            *(*PICTURE, *tone(), *tone(660), *MAPPED, *X264, *AAC, *SPOKEN, *NAMED),
            *("-disposition:a:0", "0", "-disposition:a:1", "default"),
        )
    ),
    "two sounds.mkv": Clip(
        made(
            *(*PICTURE, *tone(), *tone(660), *MAPPED, *X264, *SPOKEN, *NAMED),
            *("-c:a:0", "libopus", "-c:a:1", "flac"),
            *("-disposition:a:0", "hearing_impaired", "-disposition:a:1", "default"),
        )
    ),
    "two sounds.mov": Clip(
        made(
            *(*PICTURE, *tone(), *tone(660), *MAPPED, *X264, *SPOKEN, *NAMED),
            *("-c:a:0", "pcm_s16le", "-c:a:1", "pcm_s24le"),
        )
    ),
    "sound.ts": Clip(made(*PICTURE, *tone(), *MPEG2, "-bf", 2, "-c:a", "mp2")),
    "sound.webm": Clip(
        made(
            *(*PICTURE, *tone(), "-c:v", "libvpx-vp9", "-lossless", 1),
            *("-cpu-used", 8, "-c:a", "libopus"),
        )
    ),
    "late sound.mp4": Clip(
        made(*PICTURE, "-itsoffset", "0.3", *SHORT, *X264, *AAC),
    ),
    "late sound.mkv": Clip(
        made(*PICTURE, "-itsoffset", "0.3", *SHORT, *X264, "-c:a", "libopus"),
    ),
    "late picture.mp4": Clip(
        made("-itsoffset", "0.3", *PICTURE, *tone(seconds=1.1), *X264, "-bf", 3, *AAC)
    ),
    "late picture.mkv": Clip(
        made("-itsoffset", "0.3", *PICTURE, *tone(seconds=1.1), *X264, *AAC)
    ),
    "long sound.mp4": Clip(made(*PICTURE, *tone(seconds=2), *X264, *AAC)),
    "short sound.mp4": Clip(made(*PICTURE, *tone(seconds=0.2), *X264, *AAC)),
    "subtitles.mp4": Clip(with_subtitles("-c:s", "mov_text")),
    "subtitles.mkv": Clip(with_subtitles("-c:s:0", "srt", "-c:s:1", "ass")),
    "chapters.mp4": Clip(with_chapters),
    "chapters.mkv": Clip(with_chapters),
    "cover.mp4": Clip(with_cover),
    "cover.mkv": Clip(with_cover),
    "attachments.mkv": Clip(with_attachments),
    "edit list.mp4": Clip(cut_by_list),
    "two pictures.mkv": Clip(
        made(
            *(*PICTURE, *pattern(size="32x32", also=YUV420), "-map", "0", "-map", "1"),
            *("-c:v", "mpeg4", "-q:v", 2, "-bf", 2),
        )
    ),
}
"""Clips whose picture has company."""


def tagged(primaries: str, transfer: str, matrix: str, span: str = "tv") -> str:
    """Return the filter that says how samples become light."""
    return (
        f"setparams=color_primaries={primaries}:color_trc={transfer}"
        f":colorspace={matrix}:range={span}"
    )


def of_format(
    pix_fmt: str,
    *codec: str | int,
    also: str = "null",
    size: str = "64x48",
    count: int = COUNT,
) -> Callable[[Path], None]:
    """Return what makes a clip with samples of a format, by a codec; default: FFV1."""
    drawn = pattern(also=f"format={pix_fmt},{also}", size=size, count=count)
    return made(*drawn, *(codec or FFV1), "-pix_fmt", pix_fmt)


def turned(degrees: int) -> Callable[[Path], None]:
    """Return what makes a clip that players turn, counterclockwise."""

    def make(path: Path) -> None:
        upright = path.with_name(f".{path.name}")
        ffmpeg(*PICTURE, *X264, f"file:{upright}")
        turn = ("-display_rotation:v:0", degrees, "-i", f"file:{upright}")
        ffmpeg(*turn, "-c", "copy", f"file:{path}")

    return make


ONE_COLOR = "cb=118:cr=138"
FIELDS = pattern(rate=50, count=2 * COUNT, also=YUV420, chroma=ONE_COLOR)
"""Twice as many pictures, which move, to be woven."""
INTERLACED = ("-flags", "+ildct+ilme")


def woven(order: str, *codec: str | int, flags: str = "null") -> Callable[[Path], None]:
    """Return what makes an interlaced clip: each field is of a moment of its own.

    Args:
        order: "tff" or "bff".
        codec: the encoder's words.
        flags: a filter that tells something else.
    """
    mode = f"tinterlace=interleave_{'top' if order == 'tff' else 'bottom'}"
    *words, source = FIELDS
    return made(*words, f"{source},{mode},{flags}", *codec)


def telecined(path: Path) -> None:
    """Make 24 frames a second into 60 fields a second: 3, 2, 3, 2."""
    *words, source = pattern(rate=FILM, also=YUV420, chroma=ONE_COLOR)
    drawn = (*words, f"{source},telecine=pattern=23")
    ffmpeg(*drawn, *MPEG2, *INTERLACED, f"file:{path}")


BT709 = tagged("bt709", "bt709", "bt709")
BT601 = tagged("smpte170m", "smpte170m", "smpte170m")
BT601_PAL = tagged("bt470bg", "smpte170m", "bt470bg")
BT2020 = tagged("bt2020", "bt2020-10", "bt2020nc")

PICTURES: dict[str, Clip] = {
    "rotated 90.mp4": Clip(turned(90)),
    "rotated 180.mp4": Clip(turned(180)),
    "rotated -90.mov": Clip(turned(-90)),
    "16 to 11.mp4": Clip(made(*pattern(also=f"{YUV420},setsar=16/11"), *X264)),
    "16 to 11.mkv": Clip(made(*pattern(also=f"{YUV420},setsar=16/11"), *FFV1)),
    "odd sides.mkv": Clip(of_format("yuv420p", size="65x49")),
    "odd sides, 4:4:4.mp4": Clip(of_format("yuv444p", *X264, size="33x31")),
    "one pixel.mkv": Clip(of_format("yuv420p", size="1x1")),
    "10 bits.mkv": Clip(of_format("yuv420p10le", also=BT709)),
    "10 bits.mp4": Clip(of_format("yuv420p10le", *X264, also=BT709)),
    "full 10 bits.mkv": Clip(
        of_format(
            *("yuv420p10le", *FFV1, "-color_range", "pc"),
            also=tagged("bt709", "bt709", "bt709", "pc"),
        )
    ),
    "12 bits 4:2:2.mkv": Clip(of_format("yuv422p12le")),
    "limited BT.709.mp4": Clip(of_format("yuv420p", *X264, also=BT709)),
    "full BT.709.mp4": Clip(
        of_format("yuv420p", *X264, also=tagged("bt709", "bt709", "bt709", "pc"))
    ),
    "full that is yuvj.avi": Clip(of_format("yuvj420p", "-c:v", "mjpeg", "-q:v", 2)),
    "limited BT.601.mp4": Clip(of_format("yuv420p", *X264, also=BT601)),
    "BT.601 of PAL.mkv": Clip(of_format("yuv420p", also=BT601_PAL)),
    "BT.2020.mkv": Clip(of_format("yuv420p10le", also=BT2020)),
    "chroma at top left.mkv": Clip(
        of_format("yuv420p", *X264, also="setparams=chroma_location=topleft")
    ),
    "chroma in the center.mkv": Clip(
        of_format("yuv420p", *X264, also="setparams=chroma_location=center")
    ),
    "gray.mkv": Clip(of_format("gray")),
    "10 bit gray.mkv": Clip(of_format("gray10le")),
    "4:2:2.mkv": Clip(of_format("yuv422p")),
    "4:2:2 10 bits.mov": Clip(
        of_format("yuv422p10le", "-c:v", "prores_ks", "-profile:v", 3, "-q:v", 2)
    ),
    "4:4:4.mkv": Clip(of_format("yuv444p")),
    "4:1:1.mkv": Clip(of_format("yuv411p")),
    "RGB.mkv": Clip(of_format("gbrp")),
    "palette.avi": Clip(of_format("pal8", "-c:v", "rawvideo")),
    "alpha.mkv": Clip(of_format("yuva420p", also="lut=a=64+val/2")),
    "interlaced.ts": Clip(woven("tff", *MPEG2, *INTERLACED)),
    "bottom field first.mp4": Clip(woven("bff", *X264, "-x264-params", "bff=1")),
    "interlaced that says progressive.mkv": Clip(
        woven("tff", *FFV1, flags="setfield=prog")
    ),
    "progressive that says interlaced.mp4": Clip(
        made(
            *pattern(also=f"{YUV420},setfield=tff"),
            *(*X264, *INTERLACED, "-x264-params", "tff=1"),
        )
    ),
    "telecined.ts": Clip(telecined, even(NTSC, 25)),
}
"""Clips whose samples are something else than 64x48 of 8 bits, 4:2:0, limited range."""
