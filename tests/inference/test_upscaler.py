"""What an image becomes, with small functions in place of networks."""

import numpy as np
import pytest
from whole_image import Convolutions, nearest, picture, upscaled

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.errors import UserError


def four_times(images):
    return nearest(images, 4)


@pytest.mark.parametrize("kind", [(), (3,), (4,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_result_is_that_of_the_whole_image(kind, dtype):
    """Of any kind, tiled or not, resized or not, to the bit."""
    image = picture(45, 38, *kind, dtype=dtype)
    for outscale in (None, 1.3, 2.7, 0.4):
        whole = upscaled(Convolutions(), 2, image, outscale, pre_pad=3, multiple=2)
        for tile in (0, 11):
            upscaler = Upscaler(Convolutions(), 2, tile=tile, pre_pad=3)
            out = upscaler(image, outscale=outscale)
            assert out.dtype == dtype
            assert np.array_equal(out, whole)


@pytest.mark.parametrize("outscale", [None, 1.5])
def test_bicubic_alpha_is_that_of_the_whole_image(outscale):
    image = picture(150, 41, 4)
    upscaler = Upscaler(Convolutions(3), 3, tile=30, alpha_upsampler="bicubic")
    whole = upscaled(Convolutions(3), 3, image, outscale, bicubic_alpha=True)
    assert np.array_equal(upscaler(image, outscale=outscale), whole)


def test_red_stays_red_and_dark_dark():
    seen = []
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    out = Upscaler(lambda x: (seen.append(x), four_times(x))[1], 4)(red)
    assert (seen[0][0, 0] == 1).all(), "the network gets RGB"
    assert not seen[0][0, 1:].any()
    assert (out == [255, 0, 0]).all()

    dark = np.full((4, 4, 3), 200, np.uint16)
    assert (Upscaler(four_times, 4)(dark) == 200).all(), "it is not taken for 8 bits"


def test_an_opaque_image_stays_opaque():
    image = picture(6, 6, 4)
    image[..., 3] = 255
    out = Upscaler(lambda x: four_times(x) * np.float32(0.9), 4)(image)
    assert (out[..., 3] == 255).all()


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_every_size_works(scale, monkeypatch):
    """Filled up to a multiple of what pixel-unshuffle takes at scales 1 and 2."""
    plan = "realesrgan_paddle.inference.tiling.plan"
    monkeypatch.setattr(f"{plan}.free_memory", lambda: 0)
    multiple = {1: 4, 2: 2}.get(scale, 1)

    def network(images):
        assert images.shape[2] % multiple == 0
        assert images.shape[3] % multiple == 0
        return nearest(images, scale)

    for size in ((1, 1), (1, 300), (299, 2), (7, 2), (48, 80)):
        image = picture(*size, 3)
        expected = image.repeat(scale, 0).repeat(scale, 1)
        for tile in (0, 5, "auto"):
            upscaler = Upscaler(network, scale, tile=tile, tile_pad=3, pre_pad=2)
            assert np.array_equal(upscaler(image), expected)


def test_outscale_rounds_the_size():
    image = picture(3, 5, 3)
    sizes = {1.5: (5, 8), 3.3: (10, 17), 0.1: (1, 1), None: (12, 20)}
    for outscale, size in sizes.items():
        assert Upscaler(four_times, 4)(image, outscale=outscale).shape[:2] == size


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_diverged_is_an_error(value):
    def diverged(images):
        out = four_times(images)
        out[0, 1, 3, 3] = value
        return out

    with pytest.raises(UserError, match="NaN or infinite"):
        Upscaler(diverged, 4)(picture(4, 4, 3))


def test_a_network_of_another_scale_is_an_error():
    with pytest.raises(UserError, match=r"\(1, 3, 8, 8\).*not \(1, 3, 16, 16\)"):
        Upscaler(lambda x: nearest(x, 2), 4)(picture(4, 4, 3))


def test_other_arrays_and_impossible_arguments_are_refused():
    for shape in ((4, 4, 2), (0, 4, 3), (4,)):
        with pytest.raises(UserError, match="cannot be upscaled"):
            Upscaler(four_times, 4)(np.zeros(shape, np.uint8))
    for outscale in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="outscale"):
            Upscaler(four_times, 4)(picture(4, 4, 3), outscale=outscale)

    impossible = {
        "tile": -1,
        "tile_pad": -1,
        "pre_pad": -2,
        "alpha_upsampler": "nearest",
    }
    for name, value in impossible.items():
        with pytest.raises(UserError, match=name):
            Upscaler(four_times, 4, **{name: value})
    with pytest.raises(UserError, match="tile 'small': must be"):
        Upscaler(four_times, 4, tile="small")
