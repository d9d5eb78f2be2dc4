import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import ffmpeg, flat_clip, moving_clip
from places import ROOT

from realesrgan_paddle.data.footage.video import Sampling, frames
from realesrgan_paddle.data.footage.video_names import list_videos
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg, probe


def frames_of(path: Path):
    return list(frames(path, probe(path), Sampling()))


def test_key_frames_are_decoded_with_their_times(tmp_path: Path):
    clip = moving_clip(tmp_path / "clip.mkv", "0,0.48,1.28")
    found = frames_of(clip)
    assert [frame.seconds for frame in found] == [0, 0.48, 1.28]

    capture = cv2.VideoCapture(str(clip))
    decoded = [capture.read()[1][..., ::-1].astype(int) for _ in range(50)]
    for frame in found:
        distance = [np.abs(frame.image - other).mean() for other in decoded]
        assert np.argmin(distance) == round(frame.seconds * 25)


def test_only_key_frames_come_out_of_a_decoder_that_cannot_skip_others(tmp_path: Path):
    clip = tmp_path / "clip.webm"
    vp9 = ("-c:v", "libvpx-vp9", "-cpu-used", 8, "-g", 10, "-keyint_min", 10)
    try:
        ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=1", *vp9, clip
        )
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg has no VP9 encoder")
    assert [frame.seconds for frame in frames_of(clip)] == [0, 0.4, 0.8]


def test_times_are_right_if_the_frame_rate_varies(tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    source = "testsrc2=size=32x32:rate=25:duration=0.2"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        source,
        "-vf",
        "settb=1/1000,setpts=N*N*70+N",
        "-enc_time_base",
        "1/1000",
        "-c:v",
        "ffv1",
        "-g",
        1,
        clip,
    )
    assert [frame.seconds for frame in frames_of(clip)] == pytest.approx(
        [0, 0.071, 0.282, 0.633, 1.124]
    )


@pytest.mark.parametrize("rate", ["1/5", "240"])
def test_no_frame_is_repeated_or_dropped_to_keep_a_frame_rate(
    tmp_path: Path, rate: str
):
    clip = tmp_path / "clip.mkv"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size=32x32:rate={rate}",
        "-frames:v",
        6,
        "-c:v",
        "ffv1",
        "-g",
        1,
        clip,
    )
    assert len(frames_of(clip)) == 6


COLORS = {
    "BT.601": {"matrix": "bt601", "tagged": "smpte170m"},
    "BT.709": {"tagged": "bt709"},
    "full range": {"tagged": "bt709", "color_range": "pc"},
    "10 bits": {"tagged": "bt709", "pix_fmt": "yuv420p10le"},
    "12 bits 4:2:2": {"tagged": "bt709", "pix_fmt": "yuv422p12le"},
    "BT.2020": {"matrix": "bt2020", "tagged": "bt2020nc", "pix_fmt": "yuv420p10le"},
    "SD that does not say": {"matrix": "bt601"},
    "HD that does not say": {"size": "1280x720"},
}


@pytest.mark.parametrize("options", COLORS.values(), ids=COLORS.keys())
@pytest.mark.parametrize("color", [(255, 0, 0), (48, 96, 192)], ids=["red", "blue"])
def test_red_stays_red(
    tmp_path: Path, color: tuple[int, int, int], options: dict[str, str]
):
    clip = flat_clip(tmp_path / "clip.mkv", "0x" + bytes(color).hex(), **options)
    (frame,) = frames_of(clip)
    assert frame.image.dtype == np.uint8
    assert np.abs(frame.image.astype(int) - color).max() <= 3


def test_chroma_samples_are_taken_to_lie_on_the_left_luma_column(tmp_path: Path):
    # A ramp of Cb, 1 level per luma column, sampled as H.264 does; bicubic
    # interpolation restores a ramp exactly.
    width, height = 192, 16
    cb = np.broadcast_to(
        np.arange(24, 24 + width, 2, dtype=np.uint8), (height // 2, width // 2)
    )
    planes = [np.full((height, width), 128, np.uint8), cb, np.full_like(cb, 128)]
    header = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420mpeg2\nFRAME\n".encode()
    clip = tmp_path / "ramp.y4m"
    clip.write_bytes(header + b"".join(plane.tobytes() for plane in planes))

    (frame,) = frames_of(clip)
    columns = np.arange(60, 130)  # where blue is not clipped
    expected = ((128 - 16) / 219 + 1.772 * (24 + columns - 128) / 224) * 255
    assert abs((frame.image[4:-4, columns, 2] - expected).mean()) < 0.3


@pytest.mark.parametrize(
    ("aspect", "width"),
    [("2", 128), ("1/2", 32), ("64/45", 91), ("199/200:max=1000", 64)],
)
def test_pixels_become_square(tmp_path: Path, aspect: str, width: int):
    clip = moving_clip(
        tmp_path / "clip.mp4", size="64x48", options=("-vf", f"setsar={aspect}")
    )
    assert frames_of(clip)[0].image.shape == (48, width, 3)


@pytest.mark.parametrize(
    ("degrees", "top", "bottom"),
    [(-90, "red", "blue"), (90, "blue", "red"), (180, "", "")],
)
def test_rotated_videos_come_out_upright(
    tmp_path: Path, degrees: int, top: str, bottom: str
):
    lying, upright = tmp_path / "lying.mp4", tmp_path / "upright.mp4"
    # red at the left
    half_red = "color=red:size=32x48:rate=25:duration=0.2,pad=64:48:0:0:blue"
    ffmpeg("-f", "lavfi", "-i", half_red, "-c:v", "mpeg4", "-q:v", "1", lying)
    try:
        ffmpeg("-display_rotation:v:0", degrees, "-i", lying, "-c", "copy", upright)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg (before 6.0) cannot write a rotation")
    (frame, *_) = frames_of(upright)
    channel = {"red": 0, "blue": 2}
    if degrees == 180:  # red comes to the right
        assert frame.image.shape == (48, 64, 3)
        assert frame.image[:, 36:, 0].min() > 200 < frame.image[:, :28, 2].min()
    else:  # a quarter turn clockwise brings the left to the top
        assert frame.image.shape == (64, 48, 3)
        assert (
            frame.image[:28, :, channel[top]].min()
            > 200
            < frame.image[36:, :, channel[bottom]].min()
        )


ODD_NAMES = [
    "two words.mp4",
    "-dash.mp4",
    "a'quote\"s.mp4",
    "100%d.mp4",
    "line\nbreak.mp4",
    "semi;colon,comma.mp4",
    "[brackets]=.mp4",
    "http:name.mp4",
    "比赛 é.mp4",
    "two..dots.mp4",
    "no suffix",
]


def test_odd_file_names_can_be_opened(tmp_path: Path, monkeypatch):
    clip = moving_clip(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    for name in ODD_NAMES:
        clip = clip.rename(tmp_path / name)
        assert len(frames_of(Path(name))) == 3, name


def test_a_file_name_that_is_no_utf8_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="not valid UTF-8"):
        probe(tmp_path / "bad\udcff.mp4")


def test_hdr_is_refused_with_the_command_that_makes_sdr_of_it(tmp_path: Path):
    hlg = {"tagged": "bt2020nc", "transfer": "arib-std-b67"}
    path = flat_clip(tmp_path / "my film.mkv", "gray", pix_fmt="yuv420p10le", **hlg)
    with pytest.raises(UserError, match=r"HDR \(HLG\)") as refused:
        list(frames(path, probe(path), Sampling()))
    _, _, line = str(refused.value).partition("take an SDR version of it: ")
    subprocess.run([*shlex.split(line), "-loglevel", "error"], check=True)
    made = tmp_path / "my film_sdr.mp4"
    assert probe(made).transfer == "bt709"
    assert list(frames(made, probe(made), Sampling()))


def test_list_videos_finds_videos_by_suffix(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for name in ("b.mp4", "a.MKV", "sub/c.m2ts", ".hidden.mp4", "notes.txt", "mp4"):
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in list_videos(tmp_path)] == [
        "a.MKV",
        "b.mp4",
        "sub/c.m2ts",
    ]


NO_VIDEOS = {
    "empty.mp4": b"",
    "text.mp4": b"not a video at all\n" * 100,
    "text.txt": b"\x1b[31mANSI art is a video to ffmpeg\n" * 100,
    "page.mkv": b"<!DOCTYPE html><html></html>",
    "noise.avi": np.random.default_rng(0).bytes(50_000),
    "playlist.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.ts\n#EXT-X-ENDLIST\n",
    "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.ts\n#EXT-X-ENDLIST\n",
    "concat.mp4": b"ffconcat version 1.0\nfile clip.mkv\n",
    "picture.mp4": cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes(),
}


def test_files_that_are_no_videos_are_refused_in_one_line(tmp_path: Path):
    moving_clip(tmp_path / "clip.mkv")
    for name, content in NO_VIDEOS.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            frames_of(path)
        assert str(caught.value).startswith(f"{path}: "), name
        assert "\n" not in str(caught.value), name


def test_a_sound_file_with_cover_art_is_refused(tmp_path: Path):
    cover, song = tmp_path / "cover.png", tmp_path / "song.m4a"
    cv2.imwrite(str(cover), np.zeros((32, 32, 3), np.uint8))
    sound = (
        "-f",
        "lavfi",
        "-i",
        "sine=duration=0.5",
        "-i",
        cover,
        "-map",
        "0",
        "-map",
        "1",
    )
    ffmpeg(*sound, "-c:v", "copy", "-disposition:v", "attached_pic", "-f", "mp4", song)
    with pytest.raises(UserError, match="no video stream"):
        frames_of(song)


def test_a_truncated_file_yields_its_frames_and_then_an_error(tmp_path: Path):
    clip = moving_clip(
        tmp_path / "clip.mp4", "0,0.48,1.28", options=("-movflags", "+faststart")
    )
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    times = []
    with pytest.raises(UserError, match="cut short after 2 key frames"):
        for frame in frames(clip, probe(clip), Sampling()):
            times.append(frame.seconds)
    assert times == [0, 0.48]


def test_a_damaged_key_frame_is_skipped_with_a_warning(tmp_path: Path, caplog):
    clip = moving_clip(tmp_path / "clip.avi", "0,0.48,1.28", size="320x240")
    data = bytearray(clip.read_bytes())
    second = [
        i
        for i in range(len(data))
        if data[i : i + 4] == b"\0\0\1\xb6" and data[i + 4] >> 6 == 0
    ][1]
    data[second + 600 : second + 1600] = np.random.default_rng(0).bytes(1000)
    clip.write_bytes(data)
    assert [frame.seconds for frame in frames_of(clip)] == pytest.approx([0, 1.28])
    assert "left out" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for ffmpeg")
def test_which_ffmpeg_is_used(tmp_path: Path, monkeypatch, caplog):
    old = tmp_path / "ffmpeg"
    old.write_text("#!/bin/sh\necho ffmpeg version 5.1.9-0+deb12u1 Copyright\n")
    old.chmod(0o755)

    # the bundled one, whatever is on the PATH
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    bundled = Path(find_ffmpeg())
    assert "imageio_ffmpeg" in bundled.parts
    subprocess.run([bundled, "-version"], check=True, capture_output=True)
    assert not caplog.records

    # another by the variable: a path, or the name of one on the PATH
    for name in (str(old), "ffmpeg"):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", name)
        assert find_ffmpeg() == str(old)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "missing"))
    with pytest.raises(UserError, match="missing: not a program; IMAGEIO_FFMPEG_EXE"):
        find_ffmpeg()

    # the PATH's where imageio-ffmpeg has none, which it tells by this name
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "ffmpeg")
    assert find_ffmpeg() == str(old)
    (warning,) = caplog.messages
    assert warning.startswith(f"ffmpeg version 5.1 from the PATH ({old}): before")


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for ffmpeg")
def test_ctrl_c_ends_ffmpeg(tmp_path: Path):
    fake = tmp_path / "ffmpeg"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    fake.chmod(0o755)
    (tmp_path / "clip.mp4").write_text("a video")
    tool = ROOT / "tools" / "extract_keyframes.py"
    command = [
        sys.executable,
        tool,
        "--input",
        tmp_path / "clip.mp4",
        "--output",
        tmp_path / "out",
    ]
    process = subprocess.Popen(
        command,
        env={**os.environ, "IMAGEIO_FFMPEG_EXE": str(fake)},
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pid_file = tmp_path / "pid"
    for _ in range(300):
        if pid_file.exists() and pid_file.read_text():
            break
        time.sleep(0.1)
    time.sleep(1)  # until the tool waits for it
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=20)[1]
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
