"""What a result is encoded as: codec, pixel format, quality, size, and what is refused."""

from argparse import ArgumentTypeError
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import AAC, FFV1, X264, of_format
from read_back import NEEDED, read_back
from upscaled import upscale_clip

pytest.importorskip("av")

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.plan import result_colors, result_size
from realesrgan_paddle.inference.video.reading.source import (
    ColorTags,
    PacketTable,
    Timeline,
    VideoSource,
)
from realesrgan_paddle.inference.video.settings import VideoSettings, seconds_of
from realesrgan_paddle.inference.video.writing.encoding import (
    choose_codec,
    choose_crf,
    choose_pixel_format,
    choose_preset,
)
from realesrgan_paddle.utils.errors import UserError

UNTAGGED = ColorTags(2, 2, 2, 0, "left")
NONE = np.empty(0, np.int64)


def unchanged(images: np.ndarray) -> np.ndarray:
    return images


def images_of(path: Path) -> np.ndarray:
    """Return the frames as a network gets them."""
    settings = VideoSettings(deinterlace="no")
    frames = Upscaler(unchanged, 1, log=str).frames(path, settings)
    return np.stack([frame.image for frame in frames])


def source(
    pixel_format: str = "yuv420p",
    *,
    bits: int = 8,
    alpha: bool = False,
    size: tuple[int, int] = (64, 48),
    colors: ColorTags = UNTAGGED,
) -> VideoSource:
    return VideoSource(
        path=Path("clip.mkv"),
        stream=0,
        width=size[0],
        height=size[1],
        pixel_format=pixel_format,
        bits=bits,
        alpha=alpha,
        aspect=Fraction(1),
        display_matrix=None,
        colors=colors,
        field_order="progressive",
        timeline=Timeline(Fraction(1, 25), [0], 1, Fraction(25)),
        packets=PacketTable(NONE, NONE, NONE, NONE, NONE, NONE, cut=False),
        frames=NONE,
        jumps=[],
        start=Fraction(0),
    )


CODECS = [
    ("auto", 8, "a.mp4", "h264"),
    ("auto", 8, "a.mkv", "h264"),
    ("auto", 10, "a.mp4", "hevc"),
    ("auto", 12, "a.mkv", "hevc"),
    ("auto", 8, "a.webm", "vp9"),
    ("auto", 10, "a.WEBM", "vp9"),
    ("av1", 10, "a.webm", "av1"),
    ("ffv1", 8, "a.mkv", "ffv1"),
]
"""What is asked for, bits of a sample, the target, and the codec."""
PIXEL_FORMATS = [
    ("h264", "yuv420p", 8, "yuv420p"),
    ("h264", "yuvj420p", 8, "yuv420p"),
    ("h264", "yuv422p", 8, "yuv422p"),
    ("h264", "yuv444p", 8, "yuv444p"),
    ("h264", "yuv440p", 8, "yuv420p"),
    ("h264", "yuv411p", 8, "yuv420p"),
    ("h264", "yuv420p10le", 10, "yuv420p10le"),
    ("h264", "yuv422p12le", 12, "yuv422p10le"),
    ("h264", "gray", 8, "yuv420p"),
    ("h264", "gray10le", 10, "yuv420p10le"),
    ("h264", "gbrp", 8, "yuv444p"),
    ("h264", "pal8", 8, "yuv444p"),
    ("h264", "rgb24", 8, "yuv444p"),
    ("hevc", "yuv422p12le", 12, "yuv422p12le"),
    ("hevc", "gbrp", 8, "gbrp"),
    ("av1", "yuv444p", 8, "yuv420p"),
    ("av1", "yuv422p10le", 10, "yuv420p10le"),
    ("vp9", "yuv422p", 8, "yuv422p"),
    ("vp9", "gray", 8, "yuv420p"),
    ("ffv1", "gray", 8, "gray"),
    ("ffv1", "gray10le", 10, "gray10le"),
    ("ffv1", "yuv411p", 8, "yuv411p"),
    ("ffv1", "yuv422p12le", 12, "yuv422p12le"),
]
"""Codec, the source's pixel format, its bits of a sample, and the result's pixel format."""
TRANSPARENT = [
    ("ffv1", "yuva420p", 8, "yuva420p"),
    ("ffv1", "yuva444p10le", 10, "yuva444p10le"),
    ("ffv1", "rgba", 8, "bgra"),
    ("ffv1", "bgra", 8, "bgra"),
]
"""The same, of sources with transparency."""


def test_the_codec_fits_the_container_and_the_bits():
    for asked, bits, target, codec in CODECS:
        found = choose_codec(asked, source(bits=bits), Path(target))
        assert found == codec, (asked, bits, target)


def test_the_pixel_format_is_the_sources_or_the_nearest():
    for codec, given, bits, chosen in PIXEL_FORMATS:
        found = choose_pixel_format(codec, None, source(given, bits=bits))
        assert found == chosen, (codec, given)


def test_transparency_is_kept_where_it_can_be():
    for codec, given, bits, chosen in TRANSPARENT:
        see_through = source(given, bits=bits, alpha=True)
        assert choose_pixel_format(codec, None, see_through) == chosen, (codec, given)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_transparency_is_never_dropped_unasked(codec: str):
    given = source("yuva420p", alpha=True)
    with pytest.raises(UserError, match=r"clip\.mkv: .*transparent.* --codec ffv1"):
        choose_pixel_format(codec, None, given)
    assert choose_pixel_format(codec, "yuv420p", given) == "yuv420p"
    with pytest.raises(UserError, match=f"--pix_fmt yuva420p: {codec} has yuv420p"):
        choose_pixel_format(codec, "yuva420p", given)


@NEEDED
@pytest.mark.parametrize("key", ["alpha_mode", "ALPHA_MODE"])
def test_transparency_beside_the_picture_is_dropped_if_asked_alone(tmp_path, key):
    given, target = tmp_path / "clip.mkv", tmp_path / "a.mkv"
    of_format("yuv420p", *FFV1, "-metadata:s:v:0", f"{key}=1", count=2)(given)
    with pytest.raises(
        UserError, match=r"clip\.mkv: .*transparent.* --pix_fmt yuv420p"
    ):
        upscale_clip(given, target, codec="ffv1")
    upscale_clip(given, target, codec="ffv1", pix_fmt="yuv420p")
    (stream,) = read_back(target).streams
    assert "alpha_mode" not in map(str.lower, stream.tags)


def refusal(function, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_an_encoder_has_not_is_refused_with_what_it_has():
    said = refusal(choose_pixel_format, "h264", "yuv420p10", source())
    assert said.startswith("--pix_fmt yuv420p10: h264 has yuv420p, ")
    assert "did you mean 'yuv420p10le'" in said

    assert refusal(choose_crf, "ffv1", 3) == (
        "--crf 3: ffv1 is lossless; leave --crf out"
    )
    assert refusal(choose_crf, "h264", 52) == "--crf 52: h264 has 0 (best) to 51"
    assert "did you mean 'veryfast'" in refusal(choose_preset, "h264", "verfast")
    assert "av1 has 0, 1, 2, " in refusal(choose_preset, "av1", "fast")
    assert "vp9 has 0, 1, 2, 3, 4, 5, 6, 7, 8" in refusal(choose_preset, "vp9", "9")
    assert "leave --preset out" in refusal(choose_preset, "ffv1", "fast")


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
def test_what_is_asked_for_is_taken(codec: str):
    assert choose_crf(codec, None if codec == "ffv1" else 0) == (
        None if codec == "ffv1" else 0
    )
    preset = {"h264": "slow", "hevc": "veryslow", "av1": "13", "vp9": "8"}.get(codec)
    assert choose_preset(codec, preset) == preset
    if codec != "ffv1":
        assert choose_crf(codec, None) is not None
        assert choose_preset(codec, None) is not None


SIZES = [
    ({}, 2, "yuv420p", (66, 62), False),
    ({}, 3, "yuv420p", (100, 94), True),
    ({}, 3, "yuv422p", (100, 93), True),
    ({}, 3, "yuv444p", (99, 93), False),
    ({}, 3, "gray", (99, 93), False),
    ({}, 3, "gbrp", (99, 93), False),
    ({}, 0.1, "yuv420p", (4, 4), True),
    ({"height": 1080}, 2, "yuv444p", (1150, 1080), False),
    ({"width": 64}, 2, "yuv444p", (64, 60), False),
    ({"width": 64, "height": 80}, 2, "yuv420p", (64, 80), False),
]
"""Settings, the factor, the pixel format, and the size, of 33x31, and whether it is said."""


def test_the_size_is_what_was_asked_for_or_said():
    given = source(size=(33, 31))
    for settings, outscale, pixel_format, size, is_said in SIZES:
        remarks: list[str] = []
        wanted = VideoSettings(**settings)
        found = result_size(given, wanted, outscale, pixel_format, remarks)
        assert found == size, (settings, outscale, pixel_format)
        assert len(remarks) == is_said
        if is_said:
            assert f"made {size[0]}x{size[1]}, for {pixel_format}" in remarks[0]


def test_sides_are_those_that_are_shown():
    turned = replace(source(size=(64, 32)), display_matrix=(0, 1, 0, -1, 0, 0, 0, 0, 1))
    for settings, size in (({"height": 128}, (128, 64)), ({"width": 64}, (128, 64))):
        assert result_size(turned, VideoSettings(**settings), 4, "yuv420p", []) == size


@pytest.mark.parametrize("settings", [{}, {"height": 16384}])
def test_what_is_too_large_is_refused(settings: dict):
    given = source(size=(4097, 2000))
    said = refusal(result_size, given, VideoSettings(**settings), 4, "yuv420p", [])
    assert said.startswith("clip.mkv: the result would have ")
    assert "more than 16384 on a side" in said


@pytest.mark.parametrize(
    ("given", "size", "matrix", "is_said"),
    [
        ((640, 480), (2560, 1920), 6, True),
        ((640, 480), (720, 480), 2, False),
        ((1920, 1080), (3840, 2160), 2, False),
        ((1920, 1080), (640, 360), 1, True),
    ],
)
def test_a_guessed_matrix_is_told_where_players_would_guess_another(
    given, size, matrix, is_said
):
    remarks: list[str] = []
    tags, meant = result_colors(source(size=given), size, "yuv420p", remarks)
    assert tags.matrix == matrix
    assert meant == source(size=given).matrix
    assert bool(remarks) == is_said


def test_colors_of_rgb_are_told_where_it_becomes_ycbcr():
    tags, matrix = result_colors(source("gbrp"), (128, 96), "yuv444p", [])
    assert tags.matrix == matrix == 1


@NEEDED
@pytest.mark.parametrize("pixel_format", ["bgr0", "gbrp10le"])
def test_a_result_in_rgb_is_not_tagged_as_ycbcr(tmp_path: Path, pixel_format: str):
    tags = ("-colorspace", "bt709", "-color_range", "tv")
    of_format("yuv420p", *FFV1, *tags, count=2)(tmp_path / "clip.mkv")
    target = tmp_path / "a.mkv"
    outcome, _ = upscale_clip(
        tmp_path / "clip.mkv", target, codec="ffv1", pix_fmt=pixel_format, height=1000
    )
    assert not [line for line in outcome.remarks if "matrix" in line]
    assert read_back(target).colors[:2] == ("pc", "gbr")


SECONDS = {
    "90": 90,
    "0": 0,
    "1:30": 90,
    "0:01:30.5": 90.5,
    "1:0:0": 3600,
    "90:00": 5400,
    "0.040": 0.04,
    "007": 7,
}
NO_TIMES = (
    *("", "-1", "1:", ":30", "1:2:3:4", "1.5:00", "1e3", "nan", "inf", "1,5"),
    *("1 30", "9" * 33, "90s", "0x10", "1:30 ", "\n1"),
)


def test_times_are_read_and_what_is_none_is_refused():
    assert {text: seconds_of(text) for text in SECONDS} == SECONDS
    for text in NO_TIMES:
        with pytest.raises(ArgumentTypeError, match="is not a time"):
            seconds_of(text)


@NEEDED
@pytest.mark.parametrize(
    ("settings", "name", "codec", "pixel_format"),
    [
        ({"codec": "h264"}, "a.mkv", "h264", "yuv420p10le"),
        ({}, "a.mp4", "hevc", "yuv420p10le"),
        ({"codec": "av1", "preset": "13"}, "a.mp4", "av1", "yuv420p10le"),
        ({"codec": "av1", "preset": "13"}, "a.webm", "av1", "yuv420p10le"),
        ({"codec": "ffv1"}, "a.mkv", "ffv1", "yuv420p10le"),
        ({"pix_fmt": "yuv420p", "crf": 30}, "a.mov", "hevc", "yuv420p"),
    ],
)
def test_each_codec_holds_ten_bits(tmp_path, settings, name, codec, pixel_format):
    of_format("yuv420p10le", *FFV1, count=5)(tmp_path / "clip.mkv")
    upscale_clip(tmp_path / "clip.mkv", tmp_path / name, **settings)
    found = read_back(tmp_path / name)
    assert found.streams[found.picture].codec == codec
    assert found.pixel_format == pixel_format
    assert found.size == (128, 96)
    assert len(found.times) == 5


@NEEDED
def test_ten_bits_reach_the_network(tmp_path: Path):
    """Through 8 bits a frame would have no more than 256 levels."""
    seen = []

    def network(images: np.ndarray) -> np.ndarray:
        seen.append(np.unique(images))
        return images

    ramp = "geq=lum=64+X+Y*8:cb=512:cr=512"
    of_format("yuv420p10le", *FFV1, also=ramp, count=1, size="64x100")(
        tmp_path / "clip.mkv"
    )
    frames = Upscaler(network, 1).frames(tmp_path / "clip.mkv")
    assert [frame.image.dtype for frame in frames] == [np.uint16]
    assert len(seen[-1]) > 800


@NEEDED
@pytest.mark.parametrize("pixel_format", ["yuva420p", "rgba"])
def test_transparency_is_upscaled(tmp_path: Path, pixel_format: str):
    given, target = tmp_path / "clip.mkv", tmp_path / "a.mkv"
    codec = FFV1 if pixel_format == "yuva420p" else ("-c:v", "png")
    half = "lut=a=val/2" if pixel_format == "yuva420p" else "lutrgb=a=val/2"
    of_format(pixel_format, *codec, also=half, count=3)(given)
    upscale_clip(given, target, codec="ffv1", deinterlace="no")

    before, after = (images_of(path) for path in (given, target))
    expected = before.repeat(2, axis=1).repeat(2, axis=2)
    assert (expected[..., 3] == 127).all()
    assert np.abs(after.astype(int) - expected).max() <= 1


@NEEDED
@pytest.mark.parametrize(
    ("name", "pixel_format", "remark"),
    [
        ("a.webm", "yuv420p10le", "yuv420p10le becomes yuv420p, the nearest that vp9"),
        ("a.mp4", "gray", "gray becomes yuv420p, the nearest that h264 takes here"),
    ],
)
def test_what_an_encoder_cannot_keep_is_said(tmp_path, name, pixel_format, remark):
    of_format(pixel_format, *FFV1, count=2)(tmp_path / "clip.mkv")
    outcome, _ = upscale_clip(tmp_path / "clip.mkv", tmp_path / name)
    becomes = [line for line in outcome.remarks if "becomes" in line]
    if "vp9" in remark and outcome.plan.encoding.pixel_format == pixel_format:
        assert not becomes  # a build of libvpx for 10 bits
    else:
        assert [line[: len(remark)] for line in becomes] == [remark]


@NEEDED
def test_height_and_width_and_outscale_reach_the_file(tmp_path: Path):
    of_format("yuv420p", *X264, *AAC, count=3)(tmp_path / "clip.mp4")
    for name, settings, size in (
        ("a.mp4", {"height": 72}, (96, 72)),
        ("b.mp4", {"width": 33}, (34, 26)),
        ("c.mp4", {"outscale": 1.5}, (96, 72)),
        ("d.mp4", {"width": 100, "height": 30}, (100, 30)),
    ):
        upscale_clip(tmp_path / "clip.mp4", tmp_path / name, **settings)
        assert read_back(tmp_path / name).size == size
