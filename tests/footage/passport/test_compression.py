"""Bits per pixel and quantizers of real streams, from an encoder of each codec."""

import subprocess
from pathlib import Path

import pytest
from clips import moving_clip, picture_clip
from scenes import scene

from realesrgan_paddle.data.footage.packets import read_packets
from realesrgan_paddle.data.footage.passport.compression import (
    Compression,
    compression,
    qp_of_step,
    vp9_step,
)
from realesrgan_paddle.data.footage.passport.verdict import BAD_QP, POOR_QP
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg, probe

SIZE = (192, 128)


def encoded(folder: Path, codec: str, quality: int) -> Compression:
    encoders = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-encoders"], capture_output=True, check=True
    )
    if codec not in encoders.stdout.decode():
        pytest.skip(f"this ffmpeg has no {codec}")
    rate: tuple[str | int, ...] = ("-crf", quality)
    if codec == "mpeg2video":
        rate = ("-qmin", 1, "-qmax", 31, "-q:v", quality)
    if codec == "libvpx-vp9":
        rate = (*rate, "-b:v", 0, "-deadline", "realtime", "-cpu-used", 8)
    if codec == "libx265":
        rate = (*rate, "-x265-params", "log-level=none", "-preset", "ultrafast")
    options = ("-c:v", codec, *rate, "-g", 6, "-pix_fmt", "yuv420p")
    pictures = [scene(0, step, width=SIZE[0], height=SIZE[1]) for step in range(12)]
    clip = picture_clip(folder / "clip.mkv", pictures, options=options)
    return compression(clip, probe(clip), read_packets(clip))


@pytest.mark.parametrize(
    ("codec", "good", "bad"),
    [
        ("libx264", 18, 42),
        ("libx265", 18, 40),
        ("libvpx-vp9", 25, 63),
        ("mpeg2video", 3, 28),
    ],
)
def test_quantizers_of_good_and_bad_encodes(
    tmp_path: Path, codec: str, good: int, bad: int
):
    fine = encoded(tmp_path, codec, good)
    poor = encoded(tmp_path, codec, bad)
    assert fine.quantizer and poor.quantizer
    assert fine.quantizer.qp < POOR_QP, codec
    assert poor.quantizer.qp >= BAD_QP
    assert fine.key_bits_per_pixel and poor.key_bits_per_pixel
    assert fine.key_bits_per_pixel > 2 * poor.key_bits_per_pixel


def test_packets_are_counted_as_they_are(tmp_path: Path):
    clip = moving_clip(tmp_path / "clip.mp4", "0,0.48,1.28", size="96x64")
    found = compression(clip, probe(clip), read_packets(clip))
    assert found.codec == "mpeg4"
    assert found.quantizer is None  # ffmpeg prints no headers of it
    assert found.seconds_between_keys == pytest.approx(0.64)
    assert found.bits_per_pixel and found.key_bits_per_pixel
    assert 0 < found.bits_per_pixel < 8 * clip.stat().st_size / (50 * 64 * 96)
    assert found.key_bits_per_pixel >= found.bits_per_pixel


def test_a_file_that_vanished_has_unknown_figures(tmp_path: Path):
    clip = picture_clip(tmp_path / "clip.mkv", [scene(0)])
    info = probe(clip)
    clip.write_bytes(b"no video")
    assert compression(clip, info, read_packets(clip)) == Compression()


def test_steps_of_the_codecs():
    assert qp_of_step(1) == 4
    assert qp_of_step(2) == 10
    # Entries of the table ac_qlookup.
    for index, entry in ((0, 4), (95, 102), (120, 152), (150, 255), (255, 1828)):
        assert vp9_step(index) * 8 == pytest.approx(entry, rel=0.05, abs=3)
