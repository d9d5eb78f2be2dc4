"""Damaged, lying and hostile files, each with its promised outcome."""

import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg
from made_clips import AAC, COUNT, PICTURE, TIMES, X264, made, tone
from made_damage import BAD, CUT, ODD_TIMES, bad_frame, damaged_middle, with_tracks
from read_back import NEEDED, read_back
from upscaled import SCALE, lossless, upscale_clip

from realesrgan_paddle.inference.video.reading.source import has_more_than_8_bits
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.video.comparison import compare_videos
from realesrgan_paddle.video.pictures import open_excerpt

pytestmark = NEEDED

SECONDS = 30
"""That a tiny file may take, on a busy machine."""


AAC_HEAD = b"\xff\xf1"
"""With which a packet of AAC begins in a transport stream."""


def refused(source: Path, target: Path, **settings: object) -> str:
    """Return why a clip is refused: one line, in time, and nothing is left behind."""
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        upscale_clip(source, target, **settings)
    assert time.monotonic() - started < SECONDS

    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert source.name in message
    assert not target.exists()
    return message


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, name: str):
    source = tmp_path / name
    make, words = BAD[name]
    make(source)
    before = sorted(tmp_path.iterdir())
    reason = refused(source, tmp_path / "result.mkv")
    assert words in reason
    has_more_than_8_bits(source)  # by which the command chooses; says nothing
    assert "root:" not in reason  # nothing of /etc/passwd
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_pipe_is_not_waited_for_and_a_folder_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", tmp_path / "result.mp4")
    assert "a folder" in refused(tmp_path, tmp_path / "result.mp4")


@pytest.mark.parametrize("name", ODD_TIMES)
def test_times_that_cannot_be_kept_are_mended(tmp_path: Path, name: str):
    odd = ODD_TIMES[name]
    source, target = tmp_path / name, tmp_path / "result.mkv"
    odd.make(source)
    upscale_clip(source, target, **lossless(".mkv"))

    result = read_back(target)
    assert len(result.times) == odd.count
    steps = np.diff([float(moment) for moment in result.times])
    assert steps.min() > 0
    assert steps.max() < 1
    for number, moment in odd.kept.items():
        found = result.times[number] - result.times[0]
        assert abs(found - moment) <= result.time_base

    # Each picture is at its place: none twice, none left out.
    images = read_back(source).images.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    assert np.abs(result.images.astype(int) - images).max() <= 1


@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_is_upscaled_to_its_end_or_refused(tmp_path: Path, name: str):
    source, target = tmp_path / name, tmp_path / f"result{Path(name).suffix}"
    CUT[name](source)
    if target.suffix == ".ts":
        target = target.with_suffix(".mkv")
    there = read_back(source)
    try:
        upscale_clip(source, target, bad_frames="repeat", **lossless(target.suffix))
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert not target.exists()
        return

    result = read_back(target)
    found = [moment - result.times[0] for moment in result.times]
    tick = max(there.time_base, result.time_base)
    for moment in there.times:
        moment -= there.times[0]
        assert min(abs(moment - other) for other in found) <= tick


def test_a_frame_that_cannot_be_decoded_is_replaced_by_the_one_before(tmp_path: Path):
    source, target = tmp_path / "bad.avi", tmp_path / "result.mkv"
    bad_frame(7)(source)
    upscale_clip(source, target, bad_frames="repeat", **lossless(".mkv"))

    result = read_back(target, chroma="center")
    times = [moment - result.times[0] for moment in result.times]
    assert times == [Fraction(n, 25) for n in range(COUNT)]
    assert np.array_equal(result.images[7], result.images[6])
    assert not np.array_equal(result.images[8], result.images[7])


def test_a_hole_in_the_file_is_reported_and_bridged(tmp_path: Path):
    source, target = tmp_path / "hole.mp4", tmp_path / "result.mp4"
    damaged_middle(source)
    refused(source, target, bad_frames="stop")

    upscale_clip(source, target, bad_frames="repeat", **lossless(".mp4"))
    result = read_back(target)
    times = [moment - result.times[0] for moment in result.times]
    assert times == [Fraction(n, 25) for n in range(COUNT)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_damaged_sound_is_left_out_and_said(tmp_path: Path, suffix: str):
    source, target = tmp_path / "clip.ts", tmp_path / f"result{suffix}"
    made(*PICTURE, *tone(), *X264, *AAC)(source)
    data = bytearray(source.read_bytes())
    sound = data.rindex(AAC_HEAD)
    data[sound : sound + 2] = bytes(2)
    source.write_bytes(data)

    outcome, _ = upscale_clip(source, target, **lossless(suffix))
    said = "audio stream 1 (aac): damaged packets are left out"
    assert said in outcome.remarks
    (sound_left,) = read_back(target).others
    assert len(sound_left.packets) > 30


@pytest.mark.slow  # each of the tracks is opened, by every decoder
def test_many_tracks_take_bounded_time(tmp_path: Path):
    source, target = tmp_path / "tracks.mp4", tmp_path / "result.mp4"
    with_tracks(900)(source)
    started = time.monotonic()
    try:
        upscale_clip(source, target)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    assert time.monotonic() - started < 2 * SECONDS


@pytest.mark.parametrize("name", ["10 hours.mkv", "1 us apart.mp4"])
def test_extreme_times_cost_neither_time_nor_frames(tmp_path: Path, name: str):
    source, target = tmp_path / name, tmp_path / f"result{Path(name).suffix}"
    TIMES[name].make(source)
    started = time.monotonic()
    for wish in ("frame", "field"):
        upscale_clip(source, target, deinterlace=wish, **lossless(target.suffix))
        target.unlink()
    assert time.monotonic() - started < SECONDS


def test_times_that_the_container_cannot_tell_apart_are_said(tmp_path: Path):
    source, target = tmp_path / "source.mp4", tmp_path / "result.mkv"
    TIMES["1 us apart.mp4"].make(source)
    outcome, _ = upscale_clip(source, target, **lossless(".mkv"))
    (remark,) = (each for each in outcome.remarks if "shortest time" in each)
    assert remark.startswith(f"{COUNT - 1:,} frames ")
    assert "1 ms" in remark

    outcome, _ = upscale_clip(source, tmp_path / "result.mp4", **lossless(".mp4"))
    assert not any("shortest time" in each for each in outcome.remarks)


ODD_NAMES = [
    "two words.mp4",
    " leading and trailing .mp4",
    "-rf.mp4",
    "--output.mp4",
    "a'b\"c.mp4",
    "$(touch x) `touch y`.mp4",
    "100%d %s.mp4",
    "new\nline.mp4",
    "semi;colon|pipe&and,comma.mp4",
    "[0:v]=filter.mp4",
    "http:name.mp4",
    "concat:a.mp4|b.mp4",
    "back\\slash.mp4",
    "比赛 é 🎬.mp4",
    "..dots..mp4",
    "x" * 200 + ".mp4",
]


def test_odd_file_names_are_read_and_written(tmp_path: Path, monkeypatch):
    given, target = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    TIMES["one frame.mp4"].make(tmp_path / "clip.mp4")
    monkeypatch.chdir(given)
    for name in ODD_NAMES:
        (tmp_path / "clip.mp4").rename(given / name)
        upscale_clip(Path(name), Path("../out") / name)
        assert len(read_back(target / name).times) == 1
        assert [path.name for path in target.iterdir()] == [name]
        assert [path.name for path in given.iterdir()] == [name]

        (target / name).unlink()
        (given / name).rename(tmp_path / "clip.mp4")


def test_a_video_is_never_written_over_itself(tmp_path: Path):
    clip = tmp_path / "clip.mp4"
    TIMES["one frame.mp4"].make(clip)
    before = clip.read_bytes()
    (tmp_path / "link.mp4").symlink_to(clip)
    (tmp_path / "hard.mp4").hardlink_to(clip)
    for name in ("clip.mp4", "link.mp4", "hard.mp4"):
        with pytest.raises(UserError):
            upscale_clip(clip, tmp_path / name)
        assert clip.read_bytes() == before


def test_sound_that_no_decoder_knows_costs_no_frame(tmp_path: Path):
    import av

    source, target = tmp_path / "clip.mp4", tmp_path / "result.mp4"
    ffmpeg(*PICTURE, *tone(), *X264, *AAC, f"file:{source}")
    content = bytearray(source.read_bytes())
    decoder = content.index(b"\x04\x80\x80\x80", content.index(b"esds"))
    content[decoder + 5] = 0xFE  # the kind of object (ISO/IEC 14496-1); AAC is 0x40
    source.write_bytes(content.replace(b"mp4a", b"zzzz"))
    with av.open(str(source)) as container:
        assert container.streams.audio[0].codec_context is None
    upscale_clip(source, target)
    assert len(read_back(target).times) == len(read_back(source).times)

    pair = [open_excerpt(path.stem, path) for path in (source, target)]
    done = compare_videos(pair, tmp_path, measured_frames=0)
    assert len(read_back(done.shared).times) == len(read_back(source).times)
