"""The tiled upscaler, with small functions in place of networks."""

from itertools import pairwise

import numpy as np
import pytest

from realesrgan_paddle.inference.tiles import size_multiple, spans
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.errors import UserError

SCALE = 4
REACH = 6  # pixels that `blur` sees in each direction


def nearest(images, scale=SCALE):
    """A network that repeats pixels."""
    return images.repeat(scale, axis=2).repeat(scale, axis=3)


def blur(images):
    """A network with a receptive field of REACH pixels, zero-padded as convolutions."""
    padded = np.pad(images, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)))
    height, width = images.shape[2:]
    shifts = range(2 * REACH + 1)
    total = sum(
        padded[:, :, y : y + height, x : x + width] * (1 + y + 2 * x)
        for y in shifts
        for x in shifts
    )
    return nearest(
        total / np.float32(sum(1 + y + 2 * x for y in shifts for x in shifts))
    )


def picture(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, shape, dtype, endpoint=True
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_an_image_keeps_its_dtype_and_channels(channels, dtype):
    image = picture(5, 8, *channels, dtype=dtype)
    out = Upscaler(nearest, SCALE)(image)
    assert out.dtype == dtype
    expected = image.repeat(SCALE, 0).repeat(SCALE, 1)
    assert np.abs(out.astype(int) - expected).max() <= (
        dtype == np.uint16
    )  # float32 has 24 bits


def test_red_stays_red():
    seen = []
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    out = Upscaler(lambda x: (seen.append(x), nearest(x))[1], SCALE)(red)
    assert (seen[0][0, 0] == 1).all(), "the network gets RGB"
    assert not seen[0][0, 1:].any()
    assert (out == [255, 0, 0]).all()


def test_a_dark_16_bit_image_is_not_taken_for_8_bits():
    dark = np.full((4, 4, 3), 200, np.uint16)
    assert (Upscaler(nearest, SCALE)(dark) == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (48, 80)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("tile", [0, 5])
def test_every_size_works(size, scale, tile):
    multiple = {1: 4, 2: 2}.get(scale, 1)

    def network(images):
        assert images.shape[2] % multiple == 0
        assert images.shape[3] % multiple == 0
        return nearest(images, scale)

    image = picture(*size, 3)
    out = Upscaler(network, scale, tile=tile, tile_pad=3, pre_pad=2)(image)
    assert (out == image.repeat(scale, 0).repeat(scale, 1)).all()


@pytest.mark.parametrize("tile", [1, 7, 16, 23, 100])
@pytest.mark.parametrize("size", [(37, 50), (16, 64)])
def test_tiled_equals_untiled(tile, size):
    image = picture(*size, 3)
    whole = Upscaler(blur, SCALE)(image)
    tiled = Upscaler(blur, SCALE, tile=tile, tile_pad=REACH)(image)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_too_little_padding_leaves_seams():
    image = picture(37, 50, 3)
    whole = Upscaler(blur, SCALE)(image)
    tiled = Upscaler(blur, SCALE, tile=16, tile_pad=REACH - 2)(image)
    assert np.abs(whole.astype(int) - tiled).max() > 1


@pytest.mark.parametrize("multiple", [1, 2, 4])
@pytest.mark.parametrize("length", [4, 20, 64, 100, 204])
@pytest.mark.parametrize(
    ("tile", "pad"), [(0, 10), (1, 0), (16, 5), (33, 80), (64, 10)]
)
def test_spans_cover_the_axis_with_equal_windows(length, tile, pad, multiple):
    found = spans(length, tile, pad, multiple)
    assert found[0].start == 0
    assert found[-1].stop == length
    assert all(before.stop == after.start for before, after in pairwise(found))
    assert len({span.window_stop - span.window_start for span in found}) == 1
    for span in found:
        assert 0 < span.stop - span.start <= (tile or length)
        assert span.window_start % multiple == span.window_stop % multiple == 0
        assert 0 <= span.window_start <= max(span.start - pad, 0)
        assert min(span.stop + pad, length) <= span.window_stop <= length


def test_spans_are_about_equally_long():
    assert [span.stop - span.start for span in spans(210, 200, 10)] == [105, 105]


def test_the_multiple_is_that_of_the_pixel_unshuffle():
    assert [size_multiple(scale) for scale in (1, 2, 3, 4)] == [4, 2, 1, 1]


def test_the_result_is_resized_before_it_is_rounded():
    def stripes(images):
        out = nearest(images)
        out[..., 0::2], out[..., 1::2] = (
            10.4 / 255,
            11.5 / 255,
        )  # 10.95 on average; 10 and 12 (or 11) when rounded
        return out

    out = Upscaler(stripes, SCALE)(picture(12, 12, 3), outscale=2)
    assert (out[4:-4, 4:-4] == 11).all()


def test_a_smaller_result_does_not_alias():
    checks = np.indices((48, 48)).sum(0) % 2
    out = Upscaler(
        lambda x: np.broadcast_to(checks.astype(np.float32), (1, 3, 48, 48)), SCALE
    )(picture(12, 12, 3), outscale=1.5)
    assert np.abs(out[3:-3, 3:-3].astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    ("outscale", "size"),
    [(1.5, (5, 8)), (3.3, (10, 17)), (0.1, (1, 1)), (None, (12, 20))],
)
def test_outscale_rounds_the_size(outscale, size):
    out = Upscaler(nearest, SCALE)(picture(3, 5, 3), outscale=outscale)
    assert out.shape[:2] == size


def test_an_opaque_image_stays_opaque():
    image = picture(6, 6, 4)
    image[..., 3] = 255
    assert (
        Upscaler(lambda x: nearest(x) * np.float32(0.9), SCALE)(image)[..., 3] == 255
    ).all()


def test_alpha_is_upscaled_as_alpha_upsampler_says():
    image = picture(6, 6, 4)
    image[..., 3] = np.arange(6) * 40
    through_network = Upscaler(lambda x: 1 - nearest(x), SCALE)(image)[..., 3]
    assert (through_network == 255 - image[..., 3].repeat(4, 0).repeat(4, 1)).all()
    bicubic = Upscaler(lambda x: 1 - nearest(x), SCALE, alpha_upsampler="bicubic")(
        image
    )[..., 3]
    assert (np.diff(bicubic[:, 8:-8].astype(int)) == 10).all(), (
        "a ramp of 40 levels a pixel stays one"
    )


def test_too_little_memory_is_a_user_error():
    calls = []

    def second_fails(images):
        calls.append(images.shape)
        if len(calls) == 2:
            raise MemoryError("ResourceExhausted: 1 GB")
        return nearest(images)

    with pytest.raises(
        UserError, match=r"out of memory on 16x16 pixels; use smaller tiles \(now 8\)"
    ):
        Upscaler(second_fails, SCALE, tile=8, tile_pad=0)(picture(16, 16, 3))


def runner_with_memory_for(side):
    def run(images):
        if max(images.shape) > side:
            raise MemoryError("ResourceExhausted: 1 GB")
        return blur(images)

    return run


def test_tiles_are_halved_until_they_fit_and_stay_so():
    lines = []
    image = picture(300, 200, 3)
    run = runner_with_memory_for(100)
    upscale = Upscaler(run, SCALE, tile_pad=REACH, log=lines.append)
    whole = Upscaler(blur, SCALE)(image)
    for _ in range(2):
        tiled = upscale(image)
        assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert lines == [
        "out of memory on 200x300 pixels, so images are upscaled in tiles of 75 pixels "
        "from now on (before: whole)"
    ]
    assert upscale.tile == 75


def test_the_tiles_of_a_small_image_are_halves_of_the_image():
    run = runner_with_memory_for(60)
    upscale = Upscaler(run, SCALE, tile=512, tile_pad=0, log=lambda line: None)
    upscale(picture(64, 64, 3))
    assert upscale.tile == 32


def test_too_little_memory_for_the_smallest_tiles_is_an_error():
    run = runner_with_memory_for(20)
    upscale = Upscaler(run, SCALE, tile_pad=0, log=lambda line: None)
    with pytest.raises(UserError, match=r"out of memory on 200x300 .* \(now 37\)"):
        upscale(picture(300, 200, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_diverged_is_an_error(value):
    def diverged(images):
        out = nearest(images)
        out[0, 1, 3, 3] = value
        return out

    with pytest.raises(UserError, match="NaN or infinite"):
        Upscaler(diverged, SCALE)(picture(4, 4, 3))


def test_a_network_of_another_scale_is_an_error():
    with pytest.raises(UserError, match=r"\(1, 3, 8, 8\).*not \(1, 3, 16, 16\)"):
        Upscaler(lambda x: nearest(x, 2), SCALE)(picture(4, 4, 3))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(UserError, match="cannot be upscaled"):
        Upscaler(nearest, SCALE)(image)


@pytest.mark.parametrize("outscale", [0, -1, float("nan"), float("inf")])
def test_an_impossible_outscale_is_refused(outscale):
    with pytest.raises(UserError, match="outscale"):
        Upscaler(nearest, SCALE)(picture(4, 4, 3), outscale=outscale)


def test_impossible_arguments_are_refused():
    for arguments in (
        {"tile": -1},
        {"tile_pad": -1},
        {"pre_pad": -2},
        {"alpha_upsampler": "lanczos"},
    ):
        with pytest.raises(UserError, match=next(iter(arguments))):
            Upscaler(nearest, SCALE, **arguments)
