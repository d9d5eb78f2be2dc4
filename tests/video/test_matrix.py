"""Clips of every kind are upscaled, and the ffmpeg program finds all of the source again."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import PICTURES, STREAMS, TIMES, of_format
from read_back import NEEDED, Stream, Video, decoded_sound, read_back
from upscaled import SCALE, lossless, upscale_clip

pytestmark = NEEDED

CLIPS = TIMES | STREAMS | PICTURES
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


@dataclass(frozen=True)
class Both:
    """A clip and its result, as ffmpeg reads them."""

    path: Path
    source: Video
    target: Path
    result: Video


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return what makes, upscales and reads a clip, each once."""
    done: dict[str, Both] = {}

    def get(name: str) -> Both:
        if name not in done:
            folder = tmp_path_factory.mktemp("clip")
            path = folder / name
            CLIPS[name].make(path)

            suffix = TARGETS.get(path.suffix, path.suffix)
            target = folder / f"result{suffix}"
            settings = lossless(suffix) | SETTINGS.get(name, {})
            upscale_clip(path, target, deinterlace="no", **settings)

            source = read_back(path, chroma=CHROMA.get(name, "left"))
            done[name] = Both(path, source, target, read_back(target))
        return done[name]

    return get


def tick(pair: Both) -> Fraction:
    """Return how far two times may differ: what the coarser file can tell [s]."""
    return max(pair.source.time_base, pair.result.time_base)


def after_first(times: list[Fraction]) -> list[Fraction]:
    return [time - times[0] for time in times]


def assert_same_times(found: list[Fraction], expected: list[Fraction], far: Fraction):
    assert len(found) == len(expected)
    pairs = enumerate(zip(found, expected, strict=True))
    apart = {n: (str(a), str(b)) for n, (a, b) in pairs if abs(a - b) > far}
    assert not apart


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_keeps_its_time(both, name: str):
    pair = both(name)
    true = CLIPS[name].times
    assert_same_times(after_first(pair.source.times), true, pair.source.time_base)
    assert_same_times(after_first(pair.result.times), true, tick(pair))


@pytest.mark.parametrize("name", CLIPS)
def test_the_last_frame_is_shown_as_long(both, name: str):
    pair = both(name)
    ends = [
        video.times[-1] + video.durations[-1] - video.times[0]
        for video in (pair.source, pair.result)
    ]
    assert abs(ends[0] - ends[1]) <= tick(pair)


def described(stream: Stream, *, says_default: bool) -> dict[str, object]:
    """Return what a copy of a stream has in common with it."""
    tags = {key.lower(): value for key, value in stream.tags.items()}
    unsaid = set() if says_default else {"default"}
    return {
        "kind": stream.kind,
        "language": None if stream.language == "und" else stream.language,
        "dispositions": stream.dispositions - unsaid,
        **{key: tags[key] for key in KEPT_TAGS if key in tags},
    }


@pytest.mark.parametrize("name", CLIPS)
def test_every_stream_is_kept_in_its_place(both, name: str):
    pair = both(name)
    says_default = pair.path.suffix in (".mp4", ".mov", ".mkv")
    streams, copies = (
        [described(stream, says_default=says_default) for stream in video.streams]
        for video in (pair.source, pair.result)
    )
    assert copies == streams
    codecs, copied = (
        # MP4 has one number for all layers of MPEG audio; ffmpeg calls it mp3.
        [stream.codec.replace("mp2", "mp3") for stream in video.others]
        for video in (pair.source, pair.result)
    )
    assert copied == codecs
    assert pair.source.attachments == pair.result.attachments


@pytest.mark.parametrize("name", CLIPS)
def test_tags_and_chapters_are_kept(both, name: str):
    pair = both(name)
    tags, found = (
        {k.lower(): t for k, t in v.tags.items() if k.lower() not in OWN_TAGS}
        for v in (pair.source, pair.result)
    )
    assert tags == found

    chapters, copies = pair.source.chapters, pair.result.chapters
    assert [c.title for c in chapters] == [c.title for c in copies]
    for get in (lambda chapter: chapter.start, lambda chapter: chapter.end):
        moved = pair.result.times[0] - pair.source.times[0]
        assert_same_times(
            [get(c) - moved for c in copies],
            [get(c) for c in chapters],
            tick(pair) + Fraction(1, 1000),
        )


@pytest.mark.parametrize("name", STREAMS)
def test_sound_is_the_same_at_the_same_pictures(both, name: str):
    pair = both(name)
    sounds = [s for s in pair.source.streams if s.kind == "Audio"]
    for number in range(len(sounds)):
        start, rate, samples = decoded_sound(pair.path, number)
        found_start, found_rate, found = decoded_sound(pair.target, number)
        assert rate == found_rate
        assert len(samples) == len(found)
        assert np.abs(samples.astype(int) - found).max() <= DECODED

        delay = start - pair.source.times[0]
        found_delay = found_start - pair.result.times[0]
        assert abs(found_delay - delay) <= tick(pair) + Fraction(1, rate)


@pytest.mark.parametrize("name", STREAMS)
def test_subtitles_and_other_pictures_are_copied(both, name: str):
    pair = both(name)
    moved = pair.result.times[0] - pair.source.times[0]
    for stream, copy in zip(pair.source.others, pair.result.others, strict=True):
        if stream.kind in ("Audio", "Data"):
            continue
        for get in (
            lambda packet: packet.pts,
            lambda packet: packet.pts + packet.duration,
        ):
            assert_same_times(
                [get(p) - moved for p in copy.packets],
                [get(p) for p in stream.packets],
                tick(pair) + Fraction(1, 1000),
            )
        assert [p.crc for p in stream.packets] == [p.crc for p in copy.packets]


RGB = ("RGB.mkv", "palette.avi")
"""Clips that become YCbCr, or stay RGB, as the codec has it."""
GUESSED = "smpte170m"
"""What players take these clips for where they do not tell: they go by the size."""


@pytest.mark.parametrize("name", CLIPS)
def test_the_picture_is_shown_as_the_sources(both, name: str):
    source, result = both(name).source, both(name).result
    width, height = (SCALE * side for side in source.size)
    if abs(source.rotation - result.rotation) in (90, 270):  # turned for good
        width, height = height, width
    assert result.size == (width, height)
    assert result.aspect == source.aspect
    assert result.chroma_location in ("left", "unspecified")
    if name not in RGB:
        assert_same_tags(result.colors, source.colors)


def assert_same_tags(found: tuple[str, ...], told: tuple[str, ...]) -> None:
    """Compare range, matrix, primaries and transfer."""
    assert found[2:] == told[2:]
    assert found[0].replace("unknown", "tv") == told[0].replace("unknown", "tv")
    if told[1] == "unknown":
        assert found[1] in ("unknown", GUESSED)
    else:
        assert found[1] == told[1]


def shown(video: Video) -> np.ndarray:
    """Return the frames as a player turns them."""
    return np.rot90(video.images, round(video.rotation / 90), axes=(1, 2))


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
"""Levels for the clips whose way there and back cannot be exact."""


@pytest.mark.parametrize("name", CLIPS)
def test_colors_are_within_one_level_of_the_picture_path(both, name: str):
    pair = both(name)
    expected = shown(pair.source).repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    difference = np.abs(shown(pair.result).astype(int) - expected)
    assert difference.max() <= ROUNDED.get(name, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_larger_picture_is_not_taken_for_another_kind(tmp_path: Path, suffix: str):
    """Players take SD that does not tell for BT.601, and HD for BT.709."""
    source, target = tmp_path / "clip.mkv", tmp_path / f"result{suffix}"
    of_format("yuv420p", size="640x300", count=1)(source)
    upscale_clip(source, target, **lossless(suffix))

    (before,) = read_back(source).images
    (after,) = read_back(target).images
    assert np.abs(after[::SCALE, ::SCALE].astype(int) - before).max() <= 1
    assert read_back(target).colors[1] == "smpte170m"


DEPTHS = {
    "10 bits.mkv": "yuv420p10le",
    "10 bits.mp4": "yuv420p10le",
    "BT.2020.mkv": "yuv420p10le",
    "4:2:2 10 bits.mov": "yuv422p10le",
    "10 bit gray.mkv": "gray10le",
}


@pytest.mark.parametrize("name", DEPTHS)
def test_ten_bits_stay_ten_bits(both, name: str):
    assert both(name).result.pixel_format == DEPTHS[name]
