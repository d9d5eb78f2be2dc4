import os
from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg, moving_clip, picture_clip
from scenes import scene, woven

from realesrgan_paddle.data.footage import video
from realesrgan_paddle.data.footage.video import Sampling, frames
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.field_order import field_order
from realesrgan_paddle.utils.images import read_image


def frames_of(
    path: Path, order: str = "progressive", **sampling: object
) -> list[video.Frame]:
    return list(frames(path, probe(path), Sampling(**sampling), order))


def extract(output: Path, *words: str | Path) -> int:
    return main(["--output", str(output), "--keep-all", "--input", *map(str, words)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def test_select_scene_takes_the_first_frame_of_each_scene(tmp_path: Path):
    lengths = [20, 5, 33, 12, 19]
    shots = [
        scene(seed, step / 3)
        for seed, length in enumerate(lengths)
        for step in range(length)
    ]
    clip = picture_clip(
        tmp_path / "clip.mp4", shots, options=("-c:v", "mpeg4", "-q:v", 2, "-g", 12)
    )
    cuts = np.cumsum([0, *lengths[:-1]]) / 25
    assert [
        frame.seconds for frame in frames_of(clip, select="scene")
    ] == pytest.approx(cuts.tolist(), abs=0.001)


def test_select_interval_takes_one_frame_per_interval(tmp_path: Path):
    clip = moving_clip(tmp_path / "clip.mkv")
    times = [
        frame.seconds for frame in frames_of(clip, select="interval", interval=0.3)
    ]
    assert times == pytest.approx([0, 0.32, 0.6, 0.92, 1.2, 1.52, 1.8])
    assert len(frames_of(clip, select="interval", interval=0.04)) == 50
    assert len(frames_of(clip, select="interval", interval=100)) == 1


def test_select_interval_goes_by_time_if_the_frame_rate_varies(tmp_path: Path):
    clip = tmp_path / "clip.mkv"  # frames at 0, 0.071, 0.282, 0.633, 1.124, 1.755 s
    varying = (
        "-vf",
        "settb=1/1000,setpts=N*N*70+N",
        "-enc_time_base",
        "1/1000",
        "-c:v",
        "ffv1",
        "-g",
        1,
    )
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=32x32:rate=25:duration=0.24", *varying, clip
    )
    times = [
        frame.seconds for frame in frames_of(clip, select="interval", interval=0.5)
    ]
    assert times == pytest.approx([0, 0.633, 1.124, 1.755])


def interlaced_clip(path: Path, order: str, tagged: str = "auto") -> Path:
    """Thirty frames; the fields of frame n show the scene at the steps 2n and 2n + 1."""
    fields = [scene(0, step) for step in range(60)]
    woven_frames = [woven(*fields[n : n + 2], order) for n in range(0, 60, 2)]
    lossless = (
        "-pix_fmt",
        "yuv444p",
        "-vf",
        f"setfield={tagged}",
        "-c:v",
        "ffv1",
        "-g",
        10,
    )
    return picture_clip(path, woven_frames, options=lossless)


@pytest.mark.parametrize("tagged", ["auto", "prog", "bff", "tff"])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_field_order_is_detected_from_the_frames_not_from_the_tags(
    tmp_path: Path, order: str, tagged: str
):
    clip = interlaced_clip(tmp_path / "clip.mkv", order, tagged)
    assert field_order(clip, probe(clip).seconds) == order


@pytest.mark.parametrize("kind", ["moving", "still", "cuts", "tagged tff"])
def test_progressive_video_is_detected(tmp_path: Path, kind: str):
    seeds, steps = {"still": ([1] * 30, [0] * 30), "cuts": (range(30), [0] * 30)}.get(
        kind, ([1] * 30, range(30))
    )
    tag = ("-vf", "setfield=tff") if kind == "tagged tff" else ()
    pictures = [scene(seed, step) for seed, step in zip(seeds, steps, strict=True)]
    clip = picture_clip(
        tmp_path / "clip.mkv", pictures, options=(*tag, "-c:v", "ffv1", "-g", 10)
    )
    assert field_order(clip, probe(clip).seconds) == "progressive"


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_deinterlaced_key_frames_are_closer_to_the_scene_than_woven_ones(
    tmp_path: Path, order: str
):
    clip = interlaced_clip(tmp_path / "clip.mkv", order)
    assert extract(tmp_path / "out", clip) == 0
    assert names(tmp_path / "out") == [
        f"clip_00000{t}.png" for t in ("0.000", "0.400", "0.800")
    ]
    assert extract(tmp_path / "kept", clip, "--interlaced", "keep") == 0
    for number, name in zip((0, 10, 20), names(tmp_path / "out"), strict=True):
        truth = scene(0, 2 * number).astype(int)
        woven_error = np.abs(read_image(tmp_path / "kept" / name) - truth).mean()
        assert (
            np.abs(read_image(tmp_path / "out" / name) - truth).mean()
            < 0.6 * woven_error
        )


def test_interlaced_skip_skips_interlaced_videos_only(tmp_path: Path, capsys):
    interlaced_clip(tmp_path / "a.mkv", "tff")
    moving_clip(tmp_path / "b.mkv")
    assert extract(tmp_path / "out", tmp_path, "--interlaced", "skip") == 0
    assert [name[0] for name in names(tmp_path / "out")] == ["b"] * 3
    said = capsys.readouterr().out
    assert "of 2 videos; 0 videos failed\n" in said
    assert "\ndropped: 1 interlaced video\n" in said


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for ffmpeg")
def test_max_minutes_ends_a_decoder_that_hangs(tmp_path: Path, monkeypatch):
    clip, fake = moving_clip(tmp_path / "clip.mkv"), tmp_path / "ffmpeg"
    info = probe(clip)
    fake.write_text("#!/bin/sh\ncase $* in *filter=*) exit 0;; esac\nexec sleep 600\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    with pytest.raises(UserError, match=r"clip\.mkv: given up after 0\.002 minutes"):
        list(frames(clip, info, Sampling(max_minutes=0.002)))


def test_frames_with_too_many_pixels_are_refused(tmp_path: Path, monkeypatch):
    clip = moving_clip(tmp_path / "clip.mkv")
    monkeypatch.setattr(video, "MAX_PIXELS", 96 * 64 - 1)
    with pytest.raises(UserError, match="a frame of 96x64"):
        frames_of(clip)


@pytest.mark.parametrize(
    "words", [("--select", "best"), ("--interval", "0"), ("--scene_change", "nan")]
)
def test_wrong_values_are_usage_errors(tmp_path: Path, words: tuple[str, str]):
    with pytest.raises(SystemExit) as caught:
        extract(tmp_path / "out", moving_clip(tmp_path / "clip.mkv"), *words)
    assert caught.value.code == 2
