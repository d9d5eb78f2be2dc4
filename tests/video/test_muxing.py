"""What goes into an upscaled video besides its picture, read back by the ffmpeg program."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg
from read_back import NEEDED, read_back
from upscaled import upscale_clip

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

av = pytest.importorskip("av")
pytestmark = NEEDED

from realesrgan_paddle.inference.video.plan import make_plan  # noqa: E402
from realesrgan_paddle.inference.video.reading.open_video import open_video  # noqa: E402
from realesrgan_paddle.inference.video.reading.source import Timeline, VideoSource  # noqa: E402
from realesrgan_paddle.inference.video.settings import VideoSettings  # noqa: E402
from realesrgan_paddle.inference.video.writing import containers  # noqa: E402
from realesrgan_paddle.inference.video.writing.containers import (  # noqa: E402
    check_container,
    suffix_for,
)
from realesrgan_paddle.inference.video.writing.copied_streams import Window, add_copy  # noqa: E402
from realesrgan_paddle.inference.video.writing.encoding import encoder  # noqa: E402
from realesrgan_paddle.inference.video.writing.muxing import decoding_times, mux  # noqa: E402

QUICK = {
    "h264": "ultrafast",
    "hevc": "ultrafast",
    "av1": "12",
    "vp9": "8",
    "ffv1": None,
}
"""Codec -> preset."""
SUBTITLES = """1
00:00:00,200 --> 00:00:00,800
<i>Hello</i>, 漢

2
00:00:01,000 --> 00:00:01,500
Second line
<b>next</b>
"""
CHAPTERS = """;FFMETADATA1
title=My film
artist=Somebody
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
title=Two
"""
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=2")
VARIABLE = "select='not(mod(n,7)*mod(n,3))',settb=1/90000"
SWEEP = "aevalsrc=sin(2*PI*t*t*900):d=2:s=44100"
SOUND = ("-f", "lavfi", "-i", SWEEP)
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")

TURNS = ("rotation 90", "rotation -90", "hflip", "vflip")
"""ffmpeg's words for display matrices."""

needs_pyav_18 = pytest.mark.skipif(
    not containers.WRITES_RATES,
    reason="PyAV 17 writes no frame rate, and 17.0 no rotation",
)


@dataclass
class Muxed:
    """A source, what was written of it, and what was said."""

    source: VideoSource
    timeline: Timeline
    target: Path
    remarks: list[str]

    def wanted_times(self, origin: Fraction = Fraction(0)) -> list[Fraction]:
        unit = self.timeline.time_base
        return [time * unit - origin for time in self.timeline.times]


@pytest.fixture
def muxed(tmp_path) -> Callable[..., Muxed]:
    """Return a function that writes a source again, in several segments."""

    def muxed(
        path: Path,
        name: str,
        codec: str = "h264",
        start: float | None = None,
        end: float | None = None,
    ) -> Muxed:
        target = tmp_path / name
        outcome, _ = upscale_clip(
            path,
            target,
            codec=codec,
            preset=QUICK[codec],
            start=start,
            end=end,
            segment_seconds=0.5,
        )
        plan = outcome.plan
        return Muxed(plan.source, plan.part.timeline, target, outcome.remarks)

    return muxed


def run_ffmpeg(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [find_ffmpeg(), "-nostdin", "-hide_banner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False)


def heard(path: Path, stream: str = "0:a:0") -> np.ndarray:
    """Return the samples from time 0 on, silence where nothing is."""
    done = run_ffmpeg(
        *("-v", "error", "-i", path, "-map", stream, "-ac", "1"),
        *("-af", "aresample=async=1:first_pts=0", "-f", "s16le", "-"),
    )
    return np.frombuffer(done.stdout, np.int16).astype(int)


def said(path: Path) -> str:
    """Return what the ffmpeg program tells about a file."""
    return run_ffmpeg("-i", path).stderr.decode()


def subtitles(path: Path) -> str:
    return run_ffmpeg("-i", path, "-map", "0:s:0", "-f", "srt", "-").stdout.decode()


@pytest.fixture
def film(tmp_path) -> Callable[[str, str, str], Path]:
    """Return a function that makes a file with all kinds of streams."""
    (tmp_path / "s.srt").write_text(SUBTITLES, encoding="utf-8")
    (tmp_path / "c.txt").write_text(CHAPTERS, encoding="utf-8")

    def film(name: str, text: str, sound: str) -> Path:
        path = tmp_path / name
        ffmpeg(
            *PICTURE,
            *SOUND,
            *("-f", "lavfi", "-i", "sine=880:duration=2"),
            *("-i", tmp_path / "s.srt", "-i", tmp_path / "c.txt"),
            *("-map", 0, "-map", 1, "-map", 2, "-map", 3),
            *("-map_metadata", 4, "-map_chapters", 4, *H264),
            *("-c:a", sound, "-c:s", text, "-metadata:s:a:0", "language=eng"),
            *("-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Kommentar"),
            *("-metadata:s:s:0", "language=fra", "-disposition:a:1", "comment"),
            path,
        )
        return path

    return film


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("out.mp4", "h264"),
        ("out.mov", "hevc"),
        ("out.mkv", "ffv1"),
        ("out.mkv", "h264"),
        ("out.webm", "vp9"),
        ("out.mp4", "av1"),
        ("out.ts", "h264"),
        ("out.m2ts", "hevc"),
    ],
)
def test_each_frame_keeps_its_time(tmp_path, muxed, name, codec):
    path = tmp_path / "vfr.mkv"
    rate = ("-vf", VARIABLE, "-fps_mode", "vfr", "-enc_time_base", "1/90000")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=50:duration=1", *rate, path)

    result = muxed(path, name, codec)

    wanted = result.wanted_times()
    found = read_back(result.target)
    assert len(wanted) > 10
    # MPEG-TS has no time below 0, so all is later by what B-frames are decoded early.
    late = found.times[0] if name == "out.m2ts" else 0
    assert found.times == [time + late for time in wanted]
    assert sorted(packet.pts for packet in found.streams[0].packets) == found.times
    # Apple's players take no other HEVC.
    assert name != "out.mov" or "(hvc1 " in said(result.target)


def test_average_rate_is_the_source_s(tmp_path, muxed):
    path = tmp_path / "in.mov"
    picture = "testsrc2=size=64x48:rate=30000/1001:duration=1"
    ffmpeg("-f", "lavfi", "-i", picture, *H264, path)
    for name in ("out.mp4", "out.mkv"):
        assert " 29.97 fps" in said(muxed(path, name).target)


def test_sound_of_mp4_is_the_same_in_mkv_to_the_sample(film, muxed):
    path = film("in.mp4", "mov_text", "aac")
    result = muxed(path, "out.mkv")

    for stream in ("0:a:0", "0:a:1"):
        wanted = heard(path, stream)
        found = heard(result.target, stream)
        assert len(wanted) == 2 * 44100
        np.testing.assert_array_equal(found[: len(wanted)], wanted)
    assert read_back(result.target).times == result.wanted_times()


@pytest.mark.parametrize(
    ("cut", "first"), [("0.5", range(-1024, 1)), ("0", range(-1024, -1023))]
)
def test_sound_that_an_edit_list_hides_is_not_heard_in_a_stream(
    tmp_path, muxed, cut, first
):
    """But what primes the decoder stays."""
    ffmpeg(*PICTURE, *SOUND, *H264, "-c:a", "aac", tmp_path / "whole.mp4")
    path = tmp_path / "in.mp4"
    ffmpeg("-ss", cut, "-i", tmp_path / "whole.mp4", "-c", "copy", path)
    copy = read_back(muxed(path, "out.ts").target)
    (sound,) = (stream.packets for stream in copy.others)
    assert round((sound[0].pts - copy.times[0]) * 44100) in first


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.ts"])
def test_clock_of_a_broadcast_begins_at_zero(tmp_path, muxed, name):
    path = tmp_path / "in.ts"
    ffmpeg(*PICTURE, *SOUND, *H264, "-c:a", "aac", "-output_ts_offset", 3, path)
    result = muxed(path, name)
    begin = result.source.start
    assert begin > 4

    tick = Fraction(1, 1000) if name == "out.mkv" else Fraction(1, 44100)
    copy = read_back(result.target)
    (sound,) = ([packet.pts for packet in s.packets] for s in copy.others)
    (played,) = ([packet.pts for packet in s.packets] for s in read_back(path).others)
    for found, wanted in (
        (copy.times, result.wanted_times(begin)),
        (sound, [time - begin for time in played]),
    ):
        assert len(found) == len(wanted)
        assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < tick
    assert min(sound) == 0


def test_sound_follows_the_picture_over_a_jump_of_the_clock(tmp_path, muxed):
    joined = b""
    for pitch in (440, 880):
        piece = tmp_path / "piece.ts"
        sound = ("-f", "lavfi", "-i", f"sine={pitch}:duration=2")
        ffmpeg(*PICTURE, *sound, *H264, "-c:a", "mp2", piece)
        joined += piece.read_bytes()
    path = tmp_path / "in.ts"
    path.write_bytes(joined)

    result = muxed(path, "out.mp4")
    assert len(result.source.jumps) == 1
    assert read_back(result.target).times == result.wanted_times(result.source.start)

    samples = heard(result.target)
    for second, pitch in ((0.5, 440), (1.5, 440), (2.5, 880), (3.5, 880)):
        first = round((second - 0.2) * 44100)
        spectrum = np.abs(np.fft.rfft(samples[first : first + 17640]))
        assert abs(spectrum.argmax() * 2.5 - pitch) < 5


def test_part_begins_at_zero_with_its_sound(film, muxed):
    path = film("in.mp4", "mov_text", "aac")
    start, end = Fraction(7, 10), Fraction(13, 10)
    result = muxed(path, "out.mp4", start=0.7, end=1.3)

    assert read_back(result.target).times == result.wanted_times(start)
    wanted = heard(path)[round(start * 44100) : round(end * 44100)]
    found = heard(result.target)
    assert 0 <= len(found) - len(wanted) < 1024
    np.testing.assert_allclose(found[: len(wanted)], wanted, atol=1)

    times = re.findall(r"[\d:,]+ --> [\d:,]+", subtitles(result.target))
    assert times == [
        "00:00:00,000 --> 00:00:00,100",
        "00:00:00,300 --> 00:00:00,600",
    ]
    chapters = re.findall(r"start ([\d.]+), end ([\d.]+)\n", said(result.target))
    assert chapters == [("0.000000", "0.300000"), ("0.300000", "0.600000")]


@pytest.mark.parametrize(
    ("inside", "text", "sound", "name"),
    [
        ("in.mp4", "mov_text", "aac", "out.mkv"),
        ("in.mkv", "srt", "libopus", "out.mp4"),
        ("in.webm", "webvtt", "libopus", "out.webm"),
    ],
)
def test_texts_and_tracks_are_kept(film, tmp_path, muxed, inside, text, sound, name):
    if inside == "in.webm":
        film("in.mkv", text, sound)
        path = tmp_path / inside
        ffmpeg("-i", tmp_path / "in.mkv", "-map", 0, *VP9, "-c:s", "copy", path)
    else:
        path = film(inside, text, sound)
    result = muxed(path, name, "vp9" if name == "out.webm" else "h264")

    lines = said(result.target)
    assert re.search(r"title +: My film", lines)
    assert re.search(r"artist +: Somebody", lines, re.IGNORECASE)
    assert re.search(r"#0:1.*\(eng\): Audio", lines)
    assert re.search(r"#0:2.*\(deu\): Audio", lines)
    assert ("(comment)" in lines) == ("(comment)" in said(path))
    # libavformat 62.3 (PyAV 17) does not read the titles that ffmpeg 9 writes in mp4.
    with av.open(str(path)) as container:
        is_read = "Kommentar" in container.streams[2].metadata.values()
    assert bool(re.search(r"(title|name) +: Kommentar", lines)) == is_read
    assert re.search(r"#0:3.*\(fra\): Subtitle", lines)
    assert re.search(r"start 1.000000, end 2.000000\n.*\n +title +: Two", lines)

    assert subtitles(result.target) == subtitles(path)
    assert "漢" in subtitles(path)
    translated = inside != "in.webm"
    remarks = [remark for remark in result.remarks if "written as" in remark]
    assert len(remarks) == translated


VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "copy")


@pytest.mark.parametrize(
    ("inside", "name"), [("in.mp4", "out.mkv"), ("in.mkv", "out.mp4")]
)
def test_cover_stays_one(tmp_path, muxed, inside, name):
    cover = tmp_path / "cover.png"
    still = "testsrc2=size=32x32:rate=1:duration=1"
    ffmpeg("-f", "lavfi", "-i", still, "-frames:v", 1, cover)
    path = tmp_path / inside
    attach = ("-attach", cover, "-metadata:s:t", "mimetype=image/png")
    if inside == "in.mp4":
        attach = ("-i", cover, "-map", 0, "-map", 1, *H264, "-c:v:1", "copy")
        attach = (*attach, "-disposition:v:1", "attached_pic")
    ffmpeg(*PICTURE, *H264[: 0 if inside == "in.mp4" else None], *attach, path)

    result = muxed(path, name)
    lines = said(result.target)
    assert re.search(r"#0:1.*Video: png.*32x32.*\(attached pic\)", lines)
    kept = run_ffmpeg("-i", result.target, "-map", "0:v:1", "-c", "copy", *RAW)
    assert kept.stdout == cover.read_bytes()
    assert not result.remarks


RAW = ("-f", "image2pipe", "-")


def turned_clip(folder: Path, turn: str) -> Path:
    upright = folder / "upright.mp4"
    path = folder / "in.mp4"
    ffmpeg(*PICTURE, "-frames:v", 2, *H264, upright)
    option, *value = f"-display_{turn}".split()
    ffmpeg(option, *value, "-i", upright, "-c", "copy", path)
    return path


def test_rotation_that_pyav_cannot_write_is_refused(tmp_path, monkeypatch):
    source = open_video(turned_clip(tmp_path, "hflip"), detect_fields=False)
    monkeypatch.setattr(containers, "VideoStream", object)  # as of PyAV 17.0
    with pytest.raises(UserError, match="the picture is rotated, which PyAV"):
        check_container(source, tmp_path / "out.mp4", "h264")


def shown(path: Path, width: int, height: int) -> np.ndarray:
    """Return the first frame in gray, as players turn it."""
    size = ("-vf", f"scale={width}:{height}:flags=area", "-pix_fmt", "gray")
    frame = run_ffmpeg("-i", path, "-frames:v", 1, *size, "-f", "rawvideo", "-")
    return np.frombuffer(frame.stdout, np.uint8).astype(int)


@needs_pyav_18
@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
def test_rotation_is_kept(tmp_path, muxed, name):
    for turn in TURNS:
        path = turned_clip(tmp_path, turn)
        result = muxed(path, name, "vp9" if name == "out.webm" else "h264")
        size = (48, 64) if "90" in turn else (64, 48)
        before, after = shown(path, *size), shown(result.target, *size)
        assert np.abs(after - before).mean() < 3, turn
        assert np.abs(after[::-1] - before).mean() > 20, "the picture tells its turn"


def test_no_frame_may_be_missing(tmp_path):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    ffmpeg(*PICTURE, *H264, path)
    source = open_video(path, detect_fields=False)
    plan = make_plan(source, target, VideoSettings(segment_seconds=0.7), 1)
    timeline = plan.part.timeline
    segments = [tmp_path / each.name for each in plan.segments]
    for each, segment in zip(plan.segments, segments, strict=True):
        with encoder(segment, plan.encoding, timeline) as encode:
            for time in timeline.times[each.first : each.last]:
                encode(np.zeros((48, 64, 3), np.uint8), time)

    for wrong, words in (
        (segments[:-1], "14 of 20 frames"),
        ([*segments, segments[0]], "a frame at .* that is not expected"),
    ):
        with pytest.raises(UserError, match=words):
            mux(source, timeline, wrong, target, remark=print)
        assert not target.exists()


def test_players_can_begin_at_once(tmp_path, muxed):
    path = tmp_path / "in.mp4"
    ffmpeg(*PICTURE, *H264, path)
    written = muxed(path, "out.mp4").target.read_bytes()
    assert written.index(b"moov") < written.index(b"mdat")


def test_times_of_sound_always_ascend(tmp_path):
    """A container takes no others."""
    path = tmp_path / "in.mp4"
    ffmpeg(*SOUND, "-c:a", "aac", path)
    remarks: list[str] = []
    window = Window(Fraction(0), None, None, hides=True)

    with (
        av.open(str(path)) as original,
        av.open(str(tmp_path / "out.mp4"), "w") as output,
    ):
        stream = original.streams[0]
        copy = add_copy(output, stream, window, remarks.append)
        output.start_encoding()
        packets = [packet for packet in original.demux(stream) if packet.size]
        packets[20].pts = packets[20].dts = packets[17].pts
        packets[40].pts = packets[40].dts = None
        placed = [copy.place(packet, Fraction(0)) for packet in packets]
        output.mux(placed)

    times = [packet.dts for packet in placed]
    assert sorted(set(times)) == times
    assert times[20] == times[19] + 1
    assert times[40] == times[39] + 1024
    assert remarks == ["audio stream 0 (aac): times that do not ascend are moved"]


def test_what_would_be_lost_is_refused(tmp_path):
    (tmp_path / "s.srt").write_text(SUBTITLES, encoding="utf-8")
    sound, wide, styled = (tmp_path / name for name in ("in.mov", "in.mkv", "s.mkv"))
    ffmpeg(*PICTURE, *SOUND, *H264, sound)
    ffmpeg(*PICTURE, *H264, "-vf", "setsar=16/11", wide)
    ffmpeg(*PICTURE, "-i", tmp_path / "s.srt", *H264, "-c:s", "ass", styled)

    for path, name, codec, words in (
        (sound, "out.avi", "h264", "no container is known by the suffix '.avi'; use "),
        (
            sound,
            "out.webm",
            "h264",
            ".webm cannot hold h264; use .mkv or another codec",
        ),
        (sound, "out.mov", "vp9", ".mov cannot hold vp9; use .mkv or another codec"),
        (
            sound,
            "out.webm",
            "vp9",
            r"audio stream 1 \(aac\) of .*in.mov; use .mkv or .m",
        ),
        (wide, "out.mkv", "ffv1", r"aspect ratio 16/11, which ffv1 in .mkv"),
        (sound, "out.ts", "av1", ".ts cannot hold av1; use .mkv"),
        (styled, "out.ts", "h264", r"subtitle stream 1 \(ass\).*use .mkv"),
        (styled, "out.mp4", "h264", r"subtitle stream 1 \(ass\).*use .mkv"),
    ):
        source = open_video(path, detect_fields=False)
        with pytest.raises(UserError, match=words):
            check_container(source, tmp_path / name, codec)


def test_container_of_a_folder_of_videos(tmp_path):
    suffixes = {
        ("in.MP4", "h264"): ".mp4",
        ("in.mov", "hevc"): ".mov",
        ("in.mov", "av1"): ".mkv",
        ("in.avi", "h264"): ".mkv",
        ("in.webm", "h264"): ".mkv",
        ("in.ts", "h264"): ".ts",
        ("in.MTS", "hevc"): ".mts",
        ("in.ts", "av1"): ".mkv",
    }
    for (name, codec), suffix in suffixes.items():
        path = tmp_path / name
        ffmpeg(*PICTURE, "-frames:v", 1, path)
        assert suffix_for(path, codec) == suffix


def test_decoding_times_ascend_and_are_not_late():
    order = [0, 3, 1, 2, 4, 7, 6, 5]
    shown = [0, 10, 11, 15, 40, 41, 50, 60]
    decoded = decoding_times(order, shown)
    assert sorted(set(decoded)) == decoded
    assert all(dts <= shown[place] for dts, place in zip(decoded, order, strict=True))
    assert decoding_times([0], [5]) == [5]
