from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg, flat_clip
from coded_clips import X264, coded_clip, times_by_ffmpeg

pytest.importorskip("av")

from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.packet_times import (
    PacketOrder,
    frame_times,
)
from realesrgan_paddle.inference.video.reading.source import (
    Jump,
    PacketTable,
    Timeline,
    VideoSource,
    open_container,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import stand_upright
from realesrgan_paddle.utils.images import read_image

TS_PACKET = 188


def opened(path: Path) -> VideoSource:
    return open_video(path, detect_fields=False)


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("mp4") / "clip.mp4", *X264)


@pytest.fixture(scope="module")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("ts") / "clip.ts", *X264)


def test_rate_and_end(mp4: Path):
    timeline = opened(mp4).timeline
    assert timeline.rate == 25
    assert timeline.end * timeline.time_base == 4


def test_matrix_is_guessed_only_where_it_is_not_told(tmp_path: Path):
    matrices = {
        ("64x48", "unknown"): 6,
        ("1280x64", "unknown"): 1,
        ("64x48", "bt2020nc"): 9,
    }
    for (size, tagged), matrix in matrices.items():
        source = opened(flat_clip(tmp_path / "a.mkv", "red", size=size, tagged=tagged))
        assert source.matrix == matrix
        assert source.colors.matrix == (2 if tagged == "unknown" else matrix)


@pytest.mark.parametrize(
    ("options", "orientation"),
    [
        ((), 1),
        (("-display_hflip:v:0",), 2),
        (("-display_rotation:v:0", 180), 3),
        (("-display_vflip:v:0",), 4),
        (("-display_rotation:v:0", -90), 6),
        (("-display_rotation:v:0", 90), 8),
    ],
)
def test_frames_stand_upright_as_ffmpeg_turns_them(
    tmp_path: Path, mp4: Path, options, orientation: int
):
    clip = tmp_path / "turned.mp4"
    ffmpeg(*options, "-i", mp4, "-c", "copy", clip)
    source = opened(clip)
    assert source.orientation == orientation
    images = []
    for turning in ((), ("-noautorotate",)):
        ffmpeg(*turning, "-y", "-i", clip, "-frames:v", 1, tmp_path / "a.bmp")
        images.append(read_image(tmp_path / "a.bmp"))
    assert np.array_equal(images[0], stand_upright(images[1], source.orientation))


def test_a_matrix_that_is_none_of_yuv_is_left_out_or_refused(tmp_path: Path):
    colors = "-pix_fmt", "yuv420p", "-c:v", "libx264", "-x264-params"
    clip = coded_clip(tmp_path / "a.mp4", *colors, "colormatrix=GBR", seconds=1)
    source = opened(clip)
    assert (source.colors.matrix, source.matrix) == (2, 6)
    assert "tagged as that of RGB" in source.remarks[-1]
    clip = coded_clip(tmp_path / "b.mp4", *colors, "colormatrix=YCgCo", seconds=1)
    assert "its color matrix, 8 in ffmpeg's numbers, is not one" in refusal(clip)


MENDED = {
    "ascending": ([0, 40, 90, 130], [0, 40, 90, 130], []),
    "a forward jump is kept": ([0, 40, 9000, 9040], [0, 40, 9000, 9040], []),
    "repeated": ([0, 0, 80, 120], [0, 40, 80, 120], []),
    "one too early": ([0, 40, 10, 120, 160], [0, 40, 80, 120, 160], []),
    "one too late": ([0, 40, 9000, 120, 160], [0, 40, 80, 120, 160], []),
    "standing still": ([0, 40, 40, 40, 40, 40, 40, 40], [0, *range(40, 47)], []),
    "another clock": (
        [500, 540, 580, 20, 60, 100, 140, 180],
        [500, 540, 580, 620, 660, 700, 740, 780],
        [Jump(580, 20, 600)],
    ),
    "two other clocks": (
        [500, 540, 100, 140, 20, 60],
        [500, 540, 580, 620, 660, 700],
        [Jump(540, 100, 480), Jump(140, 20, 640)],
    ),
}


def test_times_become_ascending():
    for name, (found, times, jumps) in MENDED.items():
        order = PacketOrder(np.arange(len(found)), None, 0)
        flags = np.zeros(len(found), bool)
        array = np.array(found)
        scan = PacketTable(array, array, 0 * array, array, flags, flags, cut=False)

        mended = frame_times(scan, order, Fraction(40), avi=False)
        assert mended.times == times, name
        assert mended.jumps == jumps, name


def test_a_written_rate_fits_into_32_bits():
    for rate in (Fraction(5_000_000_000, 3_291_689_583), Fraction(1, 10**12), 10**12):
        written = Timeline(Fraction(1), [0], 1, Fraction(rate)).written_rate
        assert 0 < written.numerator < 2**31
        assert written.denominator < 2**31
    film = Fraction(24_000, 1_001)
    assert Timeline(Fraction(1), [0], 1, film).written_rate == film


def test_recordings_that_are_joined_go_on(tmp_path: Path, ts: Path):
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * ts.read_bytes())
    source = opened(joined)

    steps = np.diff(source.timeline.times)
    assert steps.tolist() == [3600] * 199
    assert [jump.shift for jump in source.jumps] == [100 * 3600]
    assert "clock goes back: 1" in source.remarks[0]


def test_a_recording_may_begin_among_frames_that_need_others(tmp_path: Path, ts: Path):
    data = ts.read_bytes()
    late = tmp_path / "late.ts"
    tables = data[: 3 * TS_PACKET]
    late.write_bytes(tables + data[len(data) // TS_PACKET // 3 * TS_PACKET :])

    source = opened(late)
    assert source.timeline.times == times_by_ffmpeg(late)
    assert "need others from before the recording" in source.remarks[0]


def test_a_cut_file_ends_before_its_cut_frame(tmp_path: Path, mp4: Path, ts: Path):
    data = ts.read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(data[: len(data) // 2 // TS_PACKET * TS_PACKET - 50])
    source = opened(cut)
    assert (
        source.timeline.times == opened(ts).timeline.times[: len(source.timeline.times)]
    )
    assert source.remarks == ["the file ends within its last frame, which is left out"]

    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", mp4, "-c", "copy", "-movflags", "+faststart", whole)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 2 // 3])
    assert "of the 0:00:04.000 that it declares" in opened(whole).remarks[-1]


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_video(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_an_index_that_reads_the_same_over_and_over_is_refused(
    mp4: Path, monkeypatch: pytest.MonkeyPatch
):
    module = "realesrgan_paddle.inference.video.reading.source.MAX_REPEATED"
    monkeypatch.setattr(module, 0.1)
    assert "reads the same bytes over and over" in refusal(mp4)


def test_why_a_file_is_not_opened_is_said_in_the_words_of_other_commands(
    tmp_path: Path, mp4: Path
):
    ffmpeg("-i", mp4, "-c", "copy", tmp_path / "whole.mkv")
    ffmpeg("-i", mp4, "-frames:v", 1, tmp_path / "picture.gif")
    files = {
        "empty.mp4": (b"", "empty; download"),
        "page.mp4": (b"<html>" + bytes(99), "an HTML page"),
        "picture.mp4": ((tmp_path / "picture.gif").read_bytes(), "is not opened"),
        "cut.mkv": ((tmp_path / "whole.mkv").read_bytes()[:50], "cut short; copy it"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        with (
            pytest.raises(UserError, match=f"{name}: .*{reason}"),
            open_container(tmp_path / name),
        ):
            pass


def test_encrypted_is_refused(tmp_path: Path, mp4: Path):
    clip = tmp_path / "clip.mp4"
    key = ("-encryption_key", "7" * 32, "-encryption_kid", "3" * 32)
    scheme = ("-encryption_scheme", "cenc-aes-ctr")
    ffmpeg("-i", mp4, "-c", "copy", *scheme, *key, clip)
    assert "encrypted" in refusal(clip)


def test_large_frames_are_refused(mp4: Path, monkeypatch: pytest.MonkeyPatch):
    module = "realesrgan_paddle.inference.video.reading.open_video.MAX_PIXELS"
    monkeypatch.setattr(module, 64 * 48 - 1)
    assert "frames of 64x48; at most 3,071" in refusal(mp4)


def test_the_first_of_several_pictures_is_taken(tmp_path: Path, mp4: Path):
    clip = tmp_path / "clip.mkv"
    ffmpeg("-i", mp4, "-map", 0, "-map", 0, "-c", "copy", clip)
    source = opened(clip)
    assert source.stream == 0
    assert "of its 2 picture streams the first is upscaled" in source.remarks


def test_time_codes_count_from_the_start_of_the_file(mp4: Path):
    source = opened(mp4)
    assert source.time_code(37) == "0:00:01.480"
    late = replace(source, start=Fraction(2))
    assert late.time_code(0) == "-0:00:02.000"
