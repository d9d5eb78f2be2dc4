"""Pictures as users have them: what comes in, and what their results hold."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from odd_images import (
    DAMAGED_AVIF,
    RGB_PROFILE,
    animations,
    as_gray,
    camera_exif,
    cmyk_profile,
    colors,
    deep,
    encode,
    grays,
    kinds,
    lines,
    place,
    png,
    several,
    stored,
)
from PIL import Image

from realesrgan_paddle.inference.pictures.metadata import Metadata
from realesrgan_paddle.inference.pictures.reading import (
    BY_FORMULA,
    BY_PROFILE,
    read_picture,
)
from realesrgan_paddle.inference.pictures.upscale_files import (
    PictureSettings,
    upscale_files,
)
from realesrgan_paddle.inference.pictures.writing import (
    encode_animation,
    frame_to_write,
    write_picture,
)
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.images import read_image, write_image


def nearest(images):
    return images.repeat(2, axis=2).repeat(2, axis=3)


UPSCALER = Upscaler(nearest, 2)
PICTURE = colors()
HEIGHT, WIDTH = PICTURE.shape[:2]
IMAGE = Image.fromarray(PICTURE)
GRAY = Image.fromarray(np.ascontiguousarray(PICTURE[..., 1]))
BEST = {"quality": 100, "subsampling": 0}


@dataclass
class Outcome:
    """What a file becomes: a result, of its own name if none is given, or a failure."""

    data: bytes
    mode: str = "RGB"
    dtype: type = np.uint8
    result: str = ""
    remark: str = ""
    failure: str = ""
    profile: bytes = b""
    exif: bool = False
    all_frames: bool = False


def upscale(path: Path, **options):
    """Return the lines of an upscaled file, and its reason to fail."""
    said = []
    settings = PictureSettings(suffix="", **options)
    failures = upscale_files(
        UPSCALER, [path], path.parent / "out", settings, report=said.append
    )
    return said, failures.get(path, "")


def saved(image: Image.Image, kind: str, **options) -> bytes:
    return encode(image, kind, **options)


def turned() -> dict[str, Outcome]:
    """Return pictures by a camera held in each way; Exif and colors stay."""
    outcomes = {}
    for orientation in range(1, 9):
        image = Image.fromarray(stored(PICTURE, orientation))
        exif = camera_exif(orientation)
        for kind, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
            options = {"JPEG": BEST, "WEBP": {"lossless": True}}.get(kind, {})
            name = f"turned_{orientation}.{suffix}"
            data = saved(image, kind, exif=exif, **options)
            outcomes[name] = Outcome(data, exif=True)
    return outcomes


def test_each_way_of_decoding_turns_pictures_upright(tmp_path):
    """Animations, CMYK and TIFF with alpha are Pillow's; it turns by the same Exif."""
    for orientation in range(1, 9):
        image = Image.fromarray(stored(PICTURE, orientation))
        half = image.convert("RGBA")
        half.putalpha(200)
        exif = camera_exif(orientation)
        inks = image.convert("CMYK")
        half.save(tmp_path / "alpha.tif", exif=exif)
        inks.save(tmp_path / "inks.tif", exif=exif)
        inks.save(tmp_path / "inks.jpg", exif=exif, quality=100, subsampling=0)
        second = {"save_all": True, "append_images": [image.rotate(180)]}
        image.save(tmp_path / "two.webp", exif=exif, lossless=True, **second)
        for file in sorted(tmp_path.iterdir()):
            found = read_picture(file).pixels[..., :3]
            assert found.shape == PICTURE.shape, file.name
            difference = np.abs(found.astype(int) - PICTURE)
            assert difference.mean() < 4, (file.name, orientation)


def profiled() -> dict[str, Outcome]:
    """Return pictures with profiles that each format holds, or does not."""
    rgb, gray = RGB_PROFILE, as_gray(RGB_PROFILE)
    size = WIDTH, HEIGHT
    half = IMAGE.convert("RGBA")
    half.putalpha(128)
    compressed = b"x\0\0" + zlib.compress(rgb)
    chunk = b"iCCP", compressed
    deep_png = png(*size, chunk, (b"IDAT", lines(deep(PICTURE))), bits=16)
    deep_gray = saved(Image.fromarray(np.array(GRAY).astype(np.uint16) * 257), "TIFF")
    return {
        "profile.png": Outcome(saved(IMAGE, "PNG", icc_profile=rgb), profile=rgb),
        "profile.jpg": Outcome(
            saved(IMAGE, "JPEG", icc_profile=rgb, **BEST), profile=rgb
        ),
        "large_profile.jpg": Outcome(
            saved(IMAGE, "JPEG", icc_profile=rgb + bytes(200_000), **BEST),
            profile=rgb + bytes(200_000),
        ),
        "profile.webp": Outcome(
            saved(IMAGE, "WEBP", icc_profile=rgb, lossless=True), profile=rgb
        ),
        "profile.tif": Outcome(saved(IMAGE, "TIFF", icc_profile=rgb), profile=rgb),
        "deep_profile.png": Outcome(deep_png, dtype=np.uint16, profile=rgb),
        "gray_profile.png": Outcome(
            saved(GRAY, "PNG", icc_profile=gray), "L", profile=gray
        ),
        "gray_profile.jpg": Outcome(
            saved(GRAY, "JPEG", icc_profile=gray, quality=100), "L", profile=gray
        ),
        "deep_gray.tif": Outcome(deep_gray, "L", np.uint16),
        "profile_of_colors_on_gray.png": Outcome(
            saved(GRAY, "PNG", icc_profile=rgb),
            "L",
            remark="without its ICC profile, which is for RGB",
        ),
        "profile.bmp": Outcome(  # a PNG in disguise
            saved(IMAGE, "PNG", icc_profile=rgb),
            remark=".bmp holds no ICC profile",
        ),
        "alpha_profile.webp": Outcome(
            saved(half, "WEBP", icc_profile=rgb, lossless=True),
            "RGBA",
            result="alpha_profile.png",
            profile=rgb,
        ),
    }


def plain() -> dict[str, Outcome]:
    """Return pictures of every other kind."""
    of_kind, of_gray = kinds(), grays()
    alpha = {
        name: Outcome(of_kind[name], "RGBA", result=f"{Path(name).stem}.png")
        for name in ("palette_with_a_clear_color.png", "clear_color.png", "alpha.png")
    }
    half = IMAGE.convert("RGBA")
    half.putalpha(128)
    cmyk = IMAGE.convert("CMYK")
    frame = IMAGE.quantize(16)
    return alpha | {
        "alpha.webp": Outcome(
            saved(half, "WEBP", lossless=True), "RGBA", result="alpha.png"
        ),
        "alpha.tif": Outcome(saved(half, "TIFF"), "RGBA", result="alpha.png"),
        "palette.png": Outcome(of_kind["palette.png"]),
        "two_bits.png": Outcome(of_kind["two_bits.png"]),
        "one_bit.png": Outcome(saved(GRAY.point(lambda v: v > 100, "1"), "PNG"), "1"),
        "gray_alpha.png": Outcome(of_gray["gray_and_alpha.png"], "LA"),
        "gray.jpg": Outcome(of_gray["gray.jpg"], "L"),
        "gray.png": Outcome(of_gray["gray.png"], "L"),
        "gray_16.png": Outcome(of_gray["gray_16.png"], "L", np.uint16),
        "gray_16.pgm": Outcome(of_gray["gray_16.pgm"], "L", np.uint16),
        "colors_16.png": Outcome(of_kind["sixteen_bits.png"], dtype=np.uint16),
        "alpha_16.png": Outcome(alpha_16(), "RGBA", np.uint16),
        "cmyk.jpg": Outcome(saved(cmyk, "JPEG", **BEST), remark=BY_FORMULA),
        "cmyk.tif": Outcome(saved(cmyk, "TIFF"), remark=BY_FORMULA),
        "cmyk_with_nonsense.jpg": Outcome(
            saved(cmyk, "JPEG", icc_profile=b"nonsense" * 99, **BEST), remark=BY_FORMULA
        ),
        "pages.tif": Outcome(of_kind["pages.tif"], remark="the first of 3 pages"),
        "lzw.tiff": Outcome(of_kind["lzw.tiff"]),
        "lossless.webp": Outcome(of_kind["lossless.webp"]),
        "plain.bmp": Outcome(saved(IMAGE, "BMP")),
        "progressive.jpg": Outcome(of_kind["progressive.jpg"]),
        "jpeg_in_disguise.png": Outcome(saved(IMAGE, "JPEG", **BEST)),
        "gif_in_disguise.png": Outcome(saved(frame, "GIF")),
        "still.gif": Outcome(saved(frame, "GIF"), result="still.png"),
        "moving.gif": Outcome(
            several(frame, "GIF"),
            result="moving.png",
            remark="the first of 3 frames; --all_frames upscales all",
        ),
        "moving.webp": Outcome(
            several(IMAGE, "WEBP", lossless=True),
            remark="the first of 3 frames; --all_frames upscales all",
        ),
        "moving.png": Outcome(several(IMAGE, "PNG"), remark="the first of 3 frames"),
        "moving_16.png": Outcome(
            moving_16(), "L", np.uint16, remark="the first of 2 frames"
        ),
        "still_of_all_frames.gif": Outcome(
            saved(frame, "GIF"), result="still_of_all_frames.png", all_frames=True
        ),
        "damaged_exif.jpg": Outcome(
            saved(IMAGE, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", **BEST)
        ),
    }


def moving_16() -> bytes:
    """Return an APNG of two frames of 16-bit gray."""
    gray = deep(np.array(GRAY))

    def frame(number):
        size = WIDTH, HEIGHT, 0, 0
        return b"fcTL", struct.pack(">IIIIIHHBB", number, *size, 1, 10, 0, 0)

    number = struct.pack(">I", 2)
    chunks = [
        (b"acTL", struct.pack(">II", 2, 0)),
        frame(0),
        (b"IDAT", lines(gray)),
        frame(1),
        (b"fdAT", number + lines(np.ascontiguousarray(gray[::-1]))),
    ]
    return png(WIDTH, HEIGHT, *chunks, bits=16, kind=0)


def alpha_16() -> bytes:
    opaque = np.full((HEIGHT, WIDTH, 1), 65535, np.uint16).astype(">u2")
    pixels = np.concatenate([deep(PICTURE), opaque], axis=2).astype(">u2")
    return png(WIDTH, HEIGHT, (b"IDAT", lines(pixels)), bits=16, kind=6)


def refused() -> dict[str, Outcome]:
    """Return files that are none; a part of their GIF is cut off, or its header lies."""
    gif = several(IMAGE.quantize(16), "GIF")
    huge = b"GIF89a" + b"\xff\xff\xff\xff" + gif[10:]
    return {
        "all_of_moving_16.png": Outcome(
            moving_16(), failure="an animation of 16-bit gray", all_frames=True
        ),
        "no_palette.png": Outcome(
            without_palette(), failure="damaged", all_frames=True
        ),
        "cut.gif": Outcome(gif[:60], failure="not a readable image (cut short)"),
        "cut_later.gif": Outcome(gif[:-60], failure="cut short"),
        "cut_frames.gif": Outcome(gif[:-60], failure="cut short", all_frames=True),
        "cut_within.webp": Outcome(
            damaged_frame(several(IMAGE, "WEBP", lossless=True), b"VP8L"),
            failure="damaged",
            all_frames=True,
        ),
        "cut_within.png": Outcome(
            damaged_frame(several(IMAGE, "PNG"), b"fdAT"),
            failure="damaged",
            all_frames=True,
        ),
        "program.jpg": Outcome(
            saved(IMAGE.convert("CMYK"), "EPS"), failure="of an unknown kind"
        ),
        "cut_avif.png": Outcome(DAMAGED_AVIF, failure="of an unknown kind"),
        "huge.gif": Outcome(huge, failure="declares more than"),
    }


def without_palette() -> bytes:
    """Return an animated PNG whose pixels are numbers of colors that it does not have."""
    frame = IMAGE.quantize(16)
    other = frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = encode(frame, "PNG", save_all=True, append_images=[other])
    start = data.index(b"PLTE") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    return data[:start] + data[start + 12 + length :]


def damaged_frame(data: bytes, name: bytes) -> bytes:
    """Return an animation with nonsense in the last chunk of this name."""
    start = data.rindex(name) + 8
    return data[:start] + b"\xff" * 8 + data[start + 8 :]


OUTCOMES = turned() | profiled() | plain() | refused()


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_picture_becomes_what_is_promised(tmp_path, name):
    outcome = OUTCOMES[name]
    path = place(tmp_path, name, outcome.data)
    (line, *_), failure = upscale(path, all_frames=outcome.all_frames)
    assert outcome.failure in failure
    assert bool(outcome.failure) == bool(failure)
    if failure:
        assert not list((tmp_path / "out").iterdir())
        return

    assert outcome.remark in line
    assert line.endswith(" s") == (not outcome.remark)
    (result,) = (tmp_path / "out").iterdir()
    assert result.name == (outcome.result or name)
    assert_shows(result, outcome)
    assert_holds(result, outcome)


def assert_shows(result: Path, outcome: Outcome):
    """Assert that a result shows `colors()`, or their green channel, twice as large."""
    pixels = read_image(result)
    assert pixels.dtype == outcome.dtype
    expected = PICTURE if outcome.mode in ("RGB", "RGBA") else np.array(GRAY)
    if outcome.mode == "1":
        expected = np.where(expected > 100, 255, 0)
    if outcome.mode == "LA":
        expected = np.dstack([expected] * 3)
        with Image.open(result) as opened:
            assert opened.mode == "LA"
    has_alpha = pixels.shape[2:] == (4,)
    assert has_alpha == (outcome.mode in ("RGBA", "LA"))
    assert pixels.shape[:2] == (2 * HEIGHT, 2 * WIDTH)

    shown = pixels[::2, ::2]
    opaque = shown[..., 3] > 0 if has_alpha else np.ones(shown.shape[:2], bool)
    assert opaque.any()
    levels = (shown[..., :3] if has_alpha else shown) / (
        np.iinfo(outcome.dtype).max / 255
    )
    assert levels.shape == expected.shape
    difference = np.abs(levels - expected)[opaque]
    # A JPEG's colors of half the size run over an edge.
    assert difference.mean() <= 5
    assert result.suffix == ".jpg" or difference.max() <= 6


def assert_holds(result: Path, outcome: Outcome):
    """Assert that a result holds its input's profile and Exif, and stands upright."""
    with Image.open(result) as opened:
        assert (opened.info.get("icc_profile") or b"") == outcome.profile
        if opened.format == "TIFF":
            return
        exif = opened.getexif()
        assert exif.get(0x0112, 1) == 1
        assert ("exif" in opened.info) == outcome.exif
        if outcome.exif:
            details = exif.get_ifd(0x8769)
            assert exif[0x010F] == "Maker"
            assert details[0x9003] == "2026:11:22 12:00:00"
            assert (details[0xA002], details[0xA003]) == opened.size
            assert exif.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_a_tiff_holds_profile_and_exif_of_a_camera(tmp_path, dtype, shape):
    """Cameras' pictures are worked on as TIFF of 16 bits, in a wide color space."""
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    profile = RGB_PROFILE if len(shape) == 3 else as_gray(RGB_PROFILE)
    path = tmp_path / "a.tif"
    write_picture(path, pixels, Metadata(profile, camera_exif().tobytes()))
    assert np.array_equal(read_image(path), pixels)

    assert not upscale(path)[1]
    again = tmp_path / "out/a.tif"
    assert np.array_equal(read_image(again)[::2, ::2], pixels)
    with Image.open(again) as opened:
        assert opened.info["icc_profile"] == profile
        assert opened.getexif()[0x010F] == "Maker"
        assert opened.getexif().get_ifd(0x8769)[0xA002] == 10
        assert opened.getexif().get_ifd(0x8825)[1] == "N"


def test_a_big_tiff_keeps_its_exif_and_stops_no_other_picture(tmp_path):
    image = Image.fromarray(np.zeros((6, 5, 3), np.uint8))
    exif = camera_exif()
    path = place(tmp_path, "big.tif", saved(image, "TIFF", big_tiff=True, exif=exif))
    assert path.read_bytes()[2] in (43, 0)  # BigTIFF's number, by either byte order

    assert not upscale(path)[1]
    with Image.open(tmp_path / "out/big.tif") as opened:
        assert opened.size == (10, 12)
        assert opened.getexif()[0x010F] == "Maker"


def test_cmyk_is_converted_by_its_profile(tmp_path):
    image = Image.new("CMYK", (8, 8), (0, 200, 0, 0))
    data = encode(image, "JPEG", icc_profile=cmyk_profile(), quality=100)
    path = place(tmp_path, "a.jpg", data)
    (line, *_), failure = upscale(path)
    assert not failure
    assert line.endswith(BY_PROFILE)
    result = read_image(tmp_path / "out/a.jpg")
    assert np.abs(result.astype(int) - (255, 0, 0)).max() <= 12
    with Image.open(tmp_path / "out/a.jpg") as opened:
        assert "icc_profile" not in opened.info


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_a_line_of_pixels_is_upscaled(tmp_path, size):
    image = Image.new("RGB", size, (9, 99, 200))
    assert not upscale(place(tmp_path, "a.png", encode(image, "PNG")))[1]
    result = read_image(tmp_path / "out/a.png")
    assert result.shape == (2 * size[1], 2 * size[0], 3)
    assert (result == (9, 99, 200)).all()


def test_a_side_too_long_for_its_format_is_refused_before_the_work(tmp_path):
    data = encode(Image.new("RGB", (9000, 1)), "WEBP", lossless=True)
    path = place(tmp_path, "a.webp", data)
    failure = upscale(path)[1]
    assert "a side of 18000 pixels, and .webp holds 16383; choose --ext png" in failure
    assert not upscale(path, ext="png")[1]
    assert not upscale(path, outscale=1.5)[1]


def test_gray_with_alpha_of_16_bits_keeps_its_bits(tmp_path):
    gray = deep(np.array(GRAY))
    pixels = np.dstack([gray, np.full_like(gray, 30_000)]).astype(">u2")
    data = png(WIDTH, HEIGHT, (b"IDAT", lines(pixels)), bits=16, kind=4)
    assert not upscale(place(tmp_path, "a.png", data))[1]
    result = read_image(tmp_path / "out/a.png")
    assert result.dtype == np.uint16
    assert np.abs(result[::2, ::2, 3].astype(int) - 30_000).max() <= 1
    for channel in range(3):
        assert np.abs(result[::2, ::2, channel].astype(int) - gray).max() <= 1


@pytest.mark.parametrize(
    ("bits", "rows", "clear"),
    [
        (1, b"\x80", 1),
        (1, b"\x80", 0),
        (8, b"\x07\x08", 7),
        (16, b"\x01\x02\x01\x03", 0x102),
    ],
)
def test_a_clear_gray_of_any_bits_is_kept(tmp_path, bits, rows, clear):
    transparency = (b"tRNS", struct.pack(">H", clear))
    data = png(
        2, 1, transparency, (b"IDAT", zlib.compress(b"\0" + rows)), bits=bits, kind=0
    )
    pixels = read_picture(place(tmp_path, "a.png", data)).pixels
    most = np.iinfo(np.uint16 if bits == 16 else np.uint8).max
    grays = {1: [most, 0], 8: [7, 8], 16: [0x102, 0x103]}[bits]
    alpha = [most, 0] if clear == 0 else [0, most]
    expected = [[gray] * 3 + [a] for gray, a in zip(grays, alpha, strict=True)]
    assert pixels.tolist() == [expected]


def test_a_tiff_with_alpha_of_16_bits_keeps_its_bits(tmp_path):
    """Pillow, which reads those of 8 bits, would read it in 8 bits."""
    pixels = np.dstack([deep(PICTURE), np.full((HEIGHT, WIDTH), 30_000, np.uint16)])
    write_image(tmp_path / "a.tif", pixels)
    assert not upscale(tmp_path / "a.tif")[1]
    result = read_image(tmp_path / "out/a.png")
    assert result.dtype == np.uint16
    assert np.abs(result[::2, ::2].astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("loop", [0, 3])
def test_all_frames_keep_their_times_and_loops(tmp_path, kind, loop):
    times = [40, 200, 90]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = several(IMAGE, kind, duration=times, loop=loop, **options)
    path = place(tmp_path, f"a.{kind.lower()}", data)
    (line, *_), failure = upscale(path, all_frames=True)
    assert not failure
    assert "3 frames" in line

    with Image.open(tmp_path / "out" / path.name) as result:
        assert (result.format, result.n_frames) == (kind, 3)
        assert result.info["loop"] == loop
        for frame, time in enumerate(times):
            result.seek(frame)
            result.load()
            assert result.info["duration"] == time
            shown = np.array(result.convert("RGB"))[::2, ::2].astype(int)
            expected = (PICTURE, PICTURE[:, ::-1], PICTURE * 0)[frame]
            assert np.abs(shown - expected).max() <= 12


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_moving_frames_keep_what_is_clear(tmp_path, kind):
    frames = []
    for column in (0, 4, 8):
        frame = np.zeros((8, 12, 4), np.uint8)
        frame[2:6, column : column + 4] = (200, 30, 20, 255)
        frame[[0, -1], [0, -1]] = 255
        frames.append(Image.fromarray(frame))
    file = io.BytesIO()
    options = {"disposal": 2} if kind == "GIF" else {"lossless": True}
    if kind == "PNG":
        options = {}
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    path = place(tmp_path, f"a.{kind.lower()}", file.getvalue())
    assert not upscale(path, all_frames=True)[1]

    with Image.open(tmp_path / "out" / path.name) as result:
        for number, frame in enumerate(frames):
            result.seek(number)
            shown = np.array(result.convert("RGBA"))[::2, ::2].astype(int)
            expected = np.array(frame).astype(int)
            assert np.array_equal(shown[..., 3], expected[..., 3]), number
            visible = expected[..., 3] > 0
            assert np.abs(shown - expected)[visible].max() <= 12


def test_frames_of_a_gif_wait_in_256_colors(tmp_path):
    """A byte a pixel, for thousands may wait; the file is the one that Pillow makes."""
    path = place(tmp_path, "moving.gif", animations()["moving.gif"])
    animation = read_picture(path, all_frames=True).animation
    frames, times = zip(*animation.frames(), strict=True)
    waiting = [frame_to_write(animation, frame) for frame in frames]
    assert {frame.mode for frame in waiting} == {"P"}

    first, *others = (Image.fromarray(frame).convert("RGB") for frame in frames)
    file = io.BytesIO()
    options = {"save_all": True, "append_images": others, "loop": animation.loop}
    first.save(file, "GIF", duration=list(times), **options)
    written = encode_animation(animation, waiting, times, Metadata())
    assert written == file.getvalue()


def test_an_apng_with_another_still_keeps_its_frames(tmp_path):
    data = several(IMAGE, "PNG", default_image=True, duration=[70, 80])
    assert not upscale(place(tmp_path, "a.png", data), all_frames=True)[1]
    with Image.open(tmp_path / "out/a.png") as result:
        assert result.n_frames == 2
        assert result.info["duration"] == 70


def test_frames_beyond_the_limit_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("REALESRGAN_MAX_IMAGE_MB", "1")
    image = Image.new("RGB", (300, 300))
    others = [Image.new("RGB", (300, 300), (n, 9, 9)) for n in (40, 80, 120)]
    data = encode(image, "PNG", save_all=True, append_images=others)
    path = place(tmp_path, "a.png", data)
    assert not upscale(path)[1]
    assert (
        "4 frames of 300x300 pixels are more than 1 MB"
        in (upscale(path, all_frames=True)[1])
    )


def test_reading_says_when_metadata_are_beyond_repair(tmp_path):
    path = place(tmp_path, "a.png", kinds()["wrong_sum_of_a_remark.png"])
    assert "cannot be read" in read_picture(path).remarks[0]
