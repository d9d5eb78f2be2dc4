"""What must be the same in a clip and its upscaled result, both read by the ffmpeg program."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from made_clips import Clip
from read_back import Stream, Video, decoded_sound, read_back
from upscaled import SCALE, lossless, upscale_clip

from realesrgan_paddle.inference.video.writing.containers import WRITES_RATES

TARGETS = {
    ".avi": ".mkv",
    ".flv": ".mkv",
    ".mpg": ".mkv",
    ".ts": ".mp4",
    ".webm": ".mkv",
}
"""Containers of the results; all others are the source's."""
SETTINGS = {"16 to 11.mkv": {"codec": "h264", "crf": 0}}
"""Of the clips that FFV1 in Matroska cannot hold."""
OWN_TAGS = {
    *("encoder", "major_brand", "minor_version", "compatible_brands", "duration"),
    *("software", "vendor_id", "handler_name"),
}
"""Tags that a container's writer sets."""
KEPT_TAGS = ("title", "name", "filename", "mimetype", "timecode")

DECODED = 2
"""Levels of 65536 by which a sound decoder may differ from itself."""

CHROMA = {
    "chroma at top left.mkv": "topleft",
    "chroma in the center.mkv": "center",
    "full that is yuvj.avi": "center",
}
"""Where chroma samples lie; left everywhere else, and in results."""
RGB = ("RGB.mkv", "palette.avi")
"""Clips that become YCbCr, or stay RGB, as the codec has it."""
GUESSED = "smpte170m"
"""What players take these clips for where they do not tell: they go by the size."""
ROUNDED = {
    # In full range a level of RGB is one of luma, so that luma may be rounded otherwise.
    "full BT.709.mp4": 2,
    "full that is yuvj.avi": 2,
    # YCbCr of 8 bits has fewer colors than RGB.
    "palette.avi": 2,
    # x264 is lossless with CRF 0 for 8 bits only.
    "10 bits.mp4": 2,
    "4:2:2 10 bits.mov": 2,
}
"""Levels for the clips whose way there and back cannot be exact; 1 for all others."""


@dataclass(frozen=True)
class Pair:
    """A clip and its result, as ffmpeg reads them."""

    path: Path
    source: Video
    target: Path
    result: Video

    @property
    def tick(self) -> Fraction:
        """How far two times may differ: what the coarser file can tell [s]."""
        return max(self.source.time_base, self.result.time_base)

    @property
    def moved(self) -> Fraction:
        """How much later the result begins than the clip [s]."""
        return self.result.times[0] - self.source.times[0]

    @property
    def videos(self) -> tuple[Video, Video]:
        """Both."""
        return self.source, self.result


def assert_all_is_kept(folder: Path, name: str, clip: Clip) -> Pair:
    """Make a clip, upscale it without loss, and compare all that must be the same."""
    path = folder / name
    clip.make(path)
    suffix = TARGETS.get(path.suffix, path.suffix)
    target = folder / f"result{suffix}"
    settings = lossless(suffix) | SETTINGS.get(name, {})
    upscale_clip(path, target, deinterlace="no", **settings)

    source = read_back(path, chroma=CHROMA.get(name, "left"))
    pair = Pair(path, source, target, read_back(target))

    _assert_times(pair, clip.times)
    _assert_streams(pair)
    _assert_tags_and_chapters(pair)
    _assert_sound(pair)
    _assert_subtitles_and_other_pictures(pair)
    _assert_shown_alike(pair)
    _assert_colors(pair)
    return pair


def _assert_times(pair: Pair, true: list[Fraction]) -> None:
    """Each frame keeps its time, and the last one is shown as long."""
    _assert_close(_after_first(pair.source), true, pair.source.time_base)
    _assert_close(_after_first(pair.result), true, pair.tick)

    if pair.target.suffix == ".mkv" and not WRITES_RATES:
        return  # without a frame rate Matroska does not tell how long the last one is

    ends = [
        video.times[-1] + video.durations[-1] - video.times[0] for video in pair.videos
    ]
    assert abs(ends[0] - ends[1]) <= pair.tick


def _assert_streams(pair: Pair) -> None:
    """Each stream is kept in its place, with its codec, language and dispositions."""
    says_default = pair.path.suffix in (".mp4", ".mov", ".mkv")
    streams, copies = (
        [_described(stream, says_default=says_default) for stream in video.streams]
        for video in pair.videos
    )
    assert copies == streams
    codecs, copied = (
        # MP4 has one number for all layers of MPEG audio; ffmpeg calls it mp3.
        [stream.codec.replace("mp2", "mp3") for stream in video.others]
        for video in pair.videos
    )
    assert copied == codecs
    assert pair.source.attachments == pair.result.attachments


def _assert_tags_and_chapters(pair: Pair) -> None:
    tags, found = (
        {k.lower(): t for k, t in v.tags.items() if k.lower() not in OWN_TAGS}
        for v in pair.videos
    )
    assert tags == found

    chapters, copies = pair.source.chapters, pair.result.chapters
    assert [c.title for c in chapters] == [c.title for c in copies]
    near = pair.tick + Fraction(1, 1000)
    for end in ("start", "end"):
        found_times = [getattr(c, end) - pair.moved for c in copies]
        _assert_close(found_times, [getattr(c, end) for c in chapters], near)


def _assert_sound(pair: Pair) -> None:
    """Each sound has the same samples, at the same pictures."""
    sounds = [s for s in pair.source.streams if s.kind == "Audio"]
    for number in range(len(sounds)):
        start, rate, samples = decoded_sound(pair.path, number)
        found_start, found_rate, found = decoded_sound(pair.target, number)
        assert rate == found_rate
        assert len(samples) == len(found)
        assert np.abs(samples.astype(int) - found).max() <= DECODED

        delay = start - pair.source.times[0]
        found_delay = found_start - pair.result.times[0]
        assert abs(found_delay - delay) <= pair.tick + Fraction(1, rate)


def _assert_subtitles_and_other_pictures(pair: Pair) -> None:
    """Their packets are the same, byte for byte, at the same pictures."""
    near = pair.tick + Fraction(1, 1000)
    for stream, copy in zip(pair.source.others, pair.result.others, strict=True):
        if stream.kind in ("Audio", "Data"):
            continue
        shown, found = (
            [time for p in each.packets for time in (p.pts, p.pts + p.duration)]
            for each in (stream, copy)
        )
        _assert_close([time - pair.moved for time in found], shown, near)
        assert [p.crc for p in stream.packets] == [p.crc for p in copy.packets]


def _assert_shown_alike(pair: Pair) -> None:
    """Players show the picture in the same shape, turned alike, by the same colors."""
    source, result = pair.videos
    width, height = (SCALE * side for side in source.size)
    if abs(source.rotation - result.rotation) in (90, 270):  # turned for good
        width, height = height, width
    assert result.size == (width, height)
    assert result.aspect == source.aspect
    assert result.chroma_location in ("left", "unspecified")

    if pair.path.name in RGB:
        return
    found, told = result.colors, source.colors
    assert found[2:] == told[2:]
    assert found[0].replace("unknown", "tv") == told[0].replace("unknown", "tv")
    guesses = ("unknown", GUESSED) if told[1] == "unknown" else (told[1],)
    assert found[1] in guesses


def _assert_colors(pair: Pair) -> None:
    """Each pixel has the color that it has as an extracted picture, within a level."""
    shown, found = (
        np.rot90(video.images, round(video.rotation / 90), axes=(1, 2))
        for video in pair.videos
    )
    expected = shown.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= ROUNDED.get(pair.path.name, 1)


def _described(stream: Stream, *, says_default: bool) -> dict[str, object]:
    """Return what a copy of a stream has in common with it."""
    tags = {key.lower(): value for key, value in stream.tags.items()}
    unsaid = set() if says_default else {"default"}
    return {
        "kind": stream.kind,
        "language": None if stream.language == "und" else stream.language,
        "dispositions": stream.dispositions - unsaid,
        **{key: tags[key] for key in KEPT_TAGS if key in tags},
    }


def _after_first(video: Video) -> list[Fraction]:
    return [time - video.times[0] for time in video.times]


def _assert_close(
    found: list[Fraction], expected: list[Fraction], far: Fraction
) -> None:
    assert len(found) == len(expected)
    pairs = enumerate(zip(found, expected, strict=True))
    apart = {n: (str(a), str(b)) for n, (a, b) in pairs if abs(a - b) > far}
    assert not apart
