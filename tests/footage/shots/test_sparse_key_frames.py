"""Where key frames are too far apart, other frames are taken, and it is said."""

import logging
from pathlib import Path

import pytest
from clips import picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.packets import read_packets
from realesrgan_paddle.data.footage.shots.shot_finder import has_sparse_keys
from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.tools.extract_keyframes import main

NO_CUTS = ("-c:v", "mpeg4", "-q:v", 2, "-sc_threshold", "1000000000")


def kept(output: Path, clip: Path, *words: str) -> list[float]:
    assert main(["--input", str(clip), "--output", str(output), *words]) == 0
    records = read_records(output / "manifest.jsonl")
    return sorted(round(r["seconds"], 2) for r in records if not r["reason"])


def test_packets_tell_the_key_frames(tmp_path: Path):
    shown = [scene(0, n, width=64, height=48) for n in range(30)]
    clip = picture_clip(
        tmp_path / "clip.mkv", shown, rate=10, options=(*NO_CUTS, "-g", 12)
    )
    packets = read_packets(clip)
    assert packets.key_times.tolist() == pytest.approx([0, 1.2, 2.4], abs=0.01)
    assert packets.gaps.tolist() == pytest.approx([1.2, 1.2, 0.5], abs=0.01)
    assert packets.rate == pytest.approx(10, rel=0.01)
    assert len(packets.sizes) == 30
    assert packets.sizes[packets.are_keys].min() > packets.sizes[1:12].max()
    assert not has_sparse_keys(packets, min_frames=0)
    assert not has_sparse_keys(packets, min_frames=3)
    assert has_sparse_keys(packets, min_frames=4)


def test_scenes_between_far_key_frames_are_taken_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    shown = [scene(n // 10, 0.3 * (n % 10)) for n in range(66)]
    clip = picture_clip(
        tmp_path / "clip.mp4", shown, rate=3, options=(*NO_CUTS, "-g", 600)
    )
    with caplog.at_level(logging.WARNING):
        times = kept(tmp_path / "out", clip)
    for start in range(0, 66, 10):
        third = start / 3
        assert any(third <= time + 0.01 < third + 3.3 for time in times), start
    assert "one key frame in 21.7 s; took the frames of scenes" in caplog.text


def test_a_short_video_gives_as_many_frames_as_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    shown = [scene(n // 30, 1.5 * n) for n in range(120)]
    clip = picture_clip(
        tmp_path / "clip.mp4", shown, rate=10, options=(*NO_CUTS, "-g", 50)
    )
    with caplog.at_level(logging.WARNING):
        times = kept(tmp_path / "out", clip)
    assert "3 key frames up to 5 s apart; took the frames" in caplog.text
    assert 15 <= len(times) <= 24
    assert {second // 3 for second in times} == {0, 1, 2, 3}

    few = kept(tmp_path / "few", clip, "--min_frames", "0")
    assert set(few) <= {0.0, 5.0, 10.0}
    # A window of one's own stays.
    windows = kept(tmp_path / "windows", clip, "--window", "6", "--per_window", "1")
    assert len(windows) <= 6


def test_all_pictures_of_a_slide_show_are_taken(tmp_path: Path):
    shown = [scene(n) for n in range(12)]
    clip = picture_clip(
        tmp_path / "clip.mp4", shown, rate=1, options=(*NO_CUTS, "-g", 9)
    )
    assert kept(tmp_path / "out", clip) == [float(n) for n in range(12)]


def test_other_ways_to_select_stay_as_they_are(tmp_path: Path):
    shown = [scene(n // 10, n % 10) for n in range(40)]
    clip = picture_clip(
        tmp_path / "clip.mp4", shown, rate=4, options=(*NO_CUTS, "-g", 600)
    )
    times = kept(tmp_path / "out", clip, "--select", "interval", "--interval", "5")
    assert times == [0.0, 5.0]
