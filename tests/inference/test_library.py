"""The Python API: kinds of images, ISR's `predict`, ModelScope's `pipeline`, type hints."""

import inspect
import re

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from sample_weights import sample_weights
from whole_image import picture

import realesrgan_paddle
from realesrgan_paddle import pipeline
from realesrgan_paddle.inference import upscaler as upscaler_module
from realesrgan_paddle.inference.upscaler import Upscaler, VideoKeywords
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

SCALE = 2


def nearest(images):
    """A network that repeats pixels."""
    return images.repeat(SCALE, axis=2).repeat(SCALE, axis=3)


def enlarged(pixels):
    return pixels.repeat(SCALE, 0).repeat(SCALE, 1)


@pytest.fixture
def upscaler():
    return Upscaler(nearest, SCALE)


MODES = {
    **{mode: mode for mode in ("L", "LA", "RGB", "RGBA")},
    **{"P": "RGB", "1": "L", "CMYK": "RGB", "YCbCr": "RGB"},
}
"""Mode of a PIL image, and of its result: one that holds new colors."""


def test_a_pil_image_gives_one_of_its_mode(upscaler):
    for mode, becomes in MODES.items():
        channels = 4 if mode.endswith("A") else 3
        image = Image.fromarray(picture(6, 4, channels)).convert(mode)
        large = upscaler(image)
        assert (large.mode, large.size) == (becomes, (8, 12))
        difference = np.array(large).astype(int) - enlarged(
            np.array(image.convert(becomes))
        )
        assert np.abs(difference).max() <= 1


def test_a_pil_image_of_16_bits_keeps_them(upscaler):
    values = picture(6, 4, dtype=np.uint16)
    for mode in ("I;16", "I;16B", "I"):
        image = Image.fromarray(values)
        if mode != "I;16":
            image = image.convert("I").convert(mode)
        large = upscaler(image)
        assert large.mode == mode.removesuffix("B")
        difference = np.array(large).astype(int) - enlarged(values)
        assert np.abs(difference).max() <= 1


def test_what_is_clear_in_a_palette_stays_clear(upscaler):
    image = Image.new("P", (4, 6), 1)
    image.putpalette([9, 9, 9, 200, 10, 20])
    image.putpixel((0, 0), 0)
    image.info["transparency"] = 0
    large = upscaler(image)
    assert (large.mode, "transparency" in large.info) == ("RGBA", False)
    alpha = np.array(large)[..., 3]
    assert (alpha[:2, :2] == 0).all()
    assert (alpha[2:, 2:] == 255).all()


def test_profile_and_resolution_of_a_pil_image_stay(upscaler):
    image = Image.new("RGB", (3, 3))
    image.info = {"icc_profile": b"profile", "dpi": (300, 300)}
    assert upscaler(image).info == image.info
    assert image.size == (3, 3)


def test_a_path_gives_the_array_of_its_file(upscaler, tmp_path):
    write_image(tmp_path / "a.png", picture(5, 4, 3))
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        assert (upscaler(path) == enlarged(read_image(path))).all()
    with pytest.raises(FileNotFoundError):
        upscaler(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"c.png: not a readable image"):
        upscaler(tmp_path / "c.png")


def test_a_list_gives_a_list(upscaler, tmp_path):
    write_image(tmp_path / "a.png", picture(5, 4, 3))
    array, image = picture(3, 3), Image.new("L", (2, 2))
    found = upscaler([array, image, tmp_path / "a.png"], outscale=1)
    assert [np.array(one).shape for one in found] == [(3, 3), (2, 2), (5, 4, 3)]
    assert isinstance(found[1], Image.Image)
    assert upscaler([]) == []


OTHER_KINDS = [
    (3, "^int cannot be upscaled; a NumPy array, a PIL image, the path"),
    (None, "^NoneType cannot be upscaled"),
    ([[[1]]], "^list cannot be upscaled"),
    (np.zeros((4, 4), np.float32), r"an array of float32 \(4, 4\) cannot be upscaled"),
    (Image.new("F", (2, 2)), "a PIL image of mode F with values from 0.0 to 0.0"),
    (Image.fromarray(np.full((2, 2), -1, np.int32)), "of mode I with values from -1"),
    (Image.new("RGB", (0, 2)), "the PIL image has no pixels"),
]


def test_other_kinds_are_refused(upscaler):
    for image, message in OTHER_KINDS:
        with pytest.raises(UserError, match=message):
            upscaler(image)


def test_a_damaged_pil_image_is_one_line(upscaler, tmp_path):
    write_image(tmp_path / "a.png", picture(60, 60, 3))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:2000])
    damaged = Image.open(tmp_path / "a.png")
    with damaged, pytest.raises(UserError, match="the PIL image cannot be decoded"):
        upscaler(damaged)


def test_predict_cuts_patches_of_the_given_size():
    seen = []

    def network(images):
        seen.append(images.shape[2:])
        return images.repeat(3, axis=2).repeat(3, axis=3)

    upscaler = Upscaler(network, 3, tile=0, tile_pad=4)
    image = picture(40, 40, 3)
    patched = upscaler.predict(image, by_patch_of_size=20, padding_size=2)
    assert set(seen) == {(24, 24)}
    assert (patched == upscaler(image)).all()

    seen.clear()
    upscaler.predict(image)
    assert seen == [(40, 40)]
    assert upscaler.tile == 0


def test_predict_takes_the_arguments_of_isr_and_refuses_wrong_sizes(upscaler):
    assert upscaler.predict(picture(6, 4, 3), 4, 10, 2).dtype == np.uint8
    for option, value in (
        ("by_patch_of_size", 0),
        ("padding_size", -1),
        ("batch_size", 0),
    ):
        with pytest.raises(UserError, match=f"{option} {value}: must be . or more"):
            upscaler.predict(picture(4, 4, 3), **{option: value})


def test_the_pipeline_takes_and_gives_bgr(upscaler, tmp_path):
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    write_image(tmp_path / "red.png", red)
    sr = pipeline("image-super-resolution", model=upscaler)
    for image in (str(tmp_path / "red.png"), Image.fromarray(red), red[..., ::-1]):
        output = sr(image)
        assert [*output] == ["output_img"]
        assert output["output_img"].dtype == np.uint8
        assert (output["output_img"] == enlarged(red)[..., ::-1]).all()
    assert len(sr([red, red])) == 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_pipeline_gives_three_channels_of_8_bits(upscaler, dtype):
    sr = pipeline("image-super-resolution", model=upscaler)
    for shape in ((4, 6), (4, 6, 3), (4, 6, 4)):
        output = sr(np.full(shape, np.iinfo(dtype).max // 2, dtype))["output_img"]
        assert (output.shape, output.dtype) == ((8, 12, 3), np.uint8)
        assert set(output.ravel()) <= {127, 128}


def test_what_the_pipeline_does_not_take_is_refused(upscaler):
    tasks = {
        "image_super_resolution": "did you mean 'image-super-resolution'",
        "text-generation": "no task is called 'text-generation' .known: image-super",
    }
    for task, message in tasks.items():
        with pytest.raises(UserError, match=message):
            pipeline(task, model=upscaler)

    sr = pipeline("image-super-resolution", model=upscaler)
    for shape in ((4, 6, 2), (4, 6, 5), (1, 4, 6, 3)):
        with pytest.raises(UserError, match="cannot be upscaled"):
            sr(np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=r"https://x/a.png: addresses are not fetched"):
        sr("https://x/a.png")


def test_the_example_of_the_page_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("small.png", "a.png", "b.png"):
        write_image(name, picture(5, 4, 3))
    monkeypatch.setattr(nearest, "scale", SCALE, raising=False)
    monkeypatch.setattr(upscaler_module, "open_runner", lambda *_, **__: nearest)
    text = (ROOT / "docs" / "inference.md").read_text(encoding="utf-8")
    example = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[-1]
    exec(compile(example, "inference.md", "exec"), names := {})
    assert len(names["many"]) == 2
    assert (read_image("large.png") == enlarged(read_image("small.png"))).all()


def test_the_public_names_are_found_by_editors():
    assert (ROOT / "realesrgan_paddle" / "py.typed").is_file()
    for name in realesrgan_paddle.__all__:
        assert name in dir(realesrgan_paddle)
        assert getattr(realesrgan_paddle, name) is not None
    for function in (Upscaler.load, Upscaler.__call__, Upscaler.predict, pipeline):
        parameters = inspect.signature(function).parameters
        names = [name for name in parameters if name not in ("self", "cls")]
        for name in names:
            assert f"{name}: " in inspect.getdoc(function), f"{name} is not explained"
            assert parameters[name].annotation is not inspect.Parameter.empty


def test_an_upscaler_says_what_it_is(tmp_path):
    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    path = tmp_path / "net.pdparams"
    by_name = repr(Upscaler(str(path), precision="fp32", device="cpu"))
    assert by_name.startswith(f"Upscaler('{path}', x4, on cpu, with ")
    assert by_name.endswith(", in fp32)")
    assert by_name == repr(Upscaler.load(path, precision="fp32", device="cpu"))
    assert repr(Upscaler(nearest, SCALE)) == "Upscaler(x2)"
    with pytest.raises(UserError, match="give the scale"):
        Upscaler(nearest)

    settings = inspect.get_annotations(VideoSettings)
    assert inspect.get_annotations(VideoKeywords) == settings


@pytest.mark.parametrize("option", ["engine", "precision"])
def test_load_refuses_an_unknown_engine_or_precision(option, tmp_path):
    with pytest.raises(UserError, match=f"{option} 'fast': known are auto"):
        Upscaler.load(tmp_path, **{option: "fast"})
