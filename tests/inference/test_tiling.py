"""Tiles nobody sees: the bits of the whole image, in bounded memory, without waste."""

import math
import tracemalloc
from itertools import pairwise, product

import numpy as np
import pytest
from whole_image import RADIUS, Convolutions, nearest, picture, upscaled

from realesrgan_paddle.inference.tiles import size_multiple, spans
from realesrgan_paddle.inference.tiling import plan as planning
from realesrgan_paddle.inference.tiling.plan import ImageSize, TilePlanner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.errors import UserError

KINDS = [(), (3,), (4,)]
TILE = 14


def test_spans_cover_the_axis_with_equal_windows():
    lengths, tiles = (
        (4, 20, 64, 101, 204),
        ((0, 10), (1, 0), (16, 5), (33, 80), (64, 10)),
    )
    for length, (tile, pad), multiple, begin in product(
        lengths, tiles, (1, 2, 4), (0, 3)
    ):
        found = spans(length, tile, pad, multiple, begin=begin)
        assert found[0].start == begin
        assert found[-1].stop == length
        assert all(before.stop == after.start for before, after in pairwise(found))
        assert len({span.window_stop - span.window_start for span in found}) == 1
        for span in found:
            assert 0 < span.stop - span.start <= (tile or length)
            assert span.window_start % multiple == 0
            assert span.window_stop % multiple == 0 or length % multiple
            assert 0 <= span.window_start <= max(span.start - pad, 0)
            assert min(span.stop + pad, length) <= span.window_stop <= length

    assert [span.stop - span.start for span in spans(210, 200, 10)] == [105, 105]
    assert [size_multiple(scale) for scale in (1, 2, 3, 4)] == [4, 2, 1, 1]


@pytest.mark.parametrize("multiple", [1, 4])
def test_tiles_with_the_radius_as_padding_have_the_untiled_bits(multiple):
    heights, widths = (
        range(TILE, 2 * TILE + 2, 3),
        (TILE, TILE + 1, 2 * TILE, 2 * TILE + 1),
    )
    for height, width in product(heights, widths):
        image = picture(height, width, 3)
        network = Convolutions(multiple=multiple)
        tiled = Upscaler(network, 2, tile=TILE)(image)
        whole = upscaled(Convolutions(multiple=multiple), 2, image, multiple=2)
        assert np.array_equal(tiled, whole)
        assert height <= TILE or len(network.windows) > 1

    seams = Upscaler(network, 2, tile=TILE, tile_pad=RADIUS - 2)(image)
    assert np.abs(seams.astype(int) - whole).max() > 1


def numbered_rows(height, width):
    """An image whose levels tell the rows."""
    rows = np.arange(height, dtype=np.uint8)
    return np.broadcast_to(rows[:, None, None], (height, width, 3)).copy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failing", [1, 2, 5])
def test_where_memory_is_short_smaller_tiles_go_on_with_the_same_bits(kind, failing):
    network = Convolutions()

    def runs_out_once(images):
        out = network(images)
        if len(network.windows) == failing:
            raise MemoryError("ResourceExhausted: 1 GB")
        return out

    runs_out_once.radius = RADIUS
    lines = []
    upscaler = Upscaler(runs_out_once, 2, tile=80, log=lines.append)
    image = picture(203, 178, *kind)
    whole = upscaled(Convolutions(), 2, image, multiple=2)
    assert np.array_equal(upscaler(image), whole)
    assert lines == [
        "out of memory on 178x203 pixels, so images are upscaled in tiles of 40 pixels "
        "from now on (before: 80 pixels)"
    ]


def test_rows_of_tiles_that_are_finished_are_not_computed_again():
    first_rows = []

    def run(images):
        first_rows.append(round(images[0, 0, 0, 0] * 255))
        if len(first_rows) == 6:
            raise MemoryError("ResourceExhausted: 1 GB")
        return nearest(images, 2)

    image = numbered_rows(200, 100)
    image[:, 60:, 1] = 7  # no two tiles of a row are identical
    upscaler = Upscaler(run, 2, tile=66, tile_pad=4, log=lambda line: None)
    out = upscaler(image)

    assert (out == image.repeat(2, 0).repeat(2, 1)).all()
    assert first_rows[:6] == 2 * [0] + 2 * [50 - 4] + 2 * [100 - 4]
    assert min(first_rows[6:]) == 100 - 4, "the first two rows of tiles are finished"


def test_automatic_tiles_are_halved_and_stay_so():
    lines = []
    network = Convolutions(memory=100 * 120)
    upscaler = Upscaler(network, 2, tile="auto", log=lines.append)
    image = picture(210, 190, 3)
    whole = upscaled(Convolutions(), 2, image)
    assert np.array_equal(upscaler(image), whole)
    assert len(lines) == 1
    assert lines[0].startswith(
        "out of memory on 190x210 pixels, so images are upscaled"
    )
    assert lines[0].endswith(
        " in tiles of at most 7,410 pixels from now on (before: auto)"
    )

    network.windows.clear()
    assert np.array_equal(upscaler(image), whole)
    assert max(h * w for h, w in network.windows) <= network.memory
    assert len(lines) == 1


def test_too_little_memory_for_any_tile_is_one_error():
    halved = r"; use smaller tiles \(now 52\)"
    ends = {"auto": "; the smallest tiles do not fit", 0: halved, 512: halved}
    for tile, end in ends.items():
        upscaler = Upscaler(
            Convolutions(memory=100), 2, tile=tile, log=lambda line: None
        )
        with pytest.raises(UserError, match=f"memory on 190x210 pixels{end}"):
            upscaler(picture(210, 190, 3))


class Bfloat16:
    """Overflows where the picture is white, unless it runs in float32."""

    def __init__(self, exact):
        self.exact_runner = exact
        self.built = 0

    def __call__(self, images):
        out = nearest(images, 2)
        out[out == 1] = np.inf
        return out

    def exact(self):
        self.built += 1
        return self.exact_runner


def test_tiles_that_are_not_finite_are_computed_again_in_float32():
    image = picture(64, 64, 3) // 2
    image[3, 3] = image[60, 60] = 255
    lines = []
    run = Bfloat16(lambda images: nearest(images, 2))
    upscaler = Upscaler(run, 2, tile=32, tile_pad=0, log=lines.append)
    for _ in range(2):
        assert (upscaler(image) == image.repeat(2, 0).repeat(2, 1)).all()
        assert (upscaler.counts.in_float32, upscaler.counts.computed) == (2, 4)
    assert run.built == 1
    assert lines == 2 * [
        "the output of 2 of 4 tiles was not finite, so they were computed again in float32"
    ]


def test_what_is_not_finite_in_float32_either_is_an_error():
    run = Bfloat16(lambda images: nearest(images, 2) * np.float32(np.nan))
    image = np.full((4, 4, 3), 255, np.uint8)
    with pytest.raises(UserError, match="NaN or infinite"):
        Upscaler(run, 2)(image)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outscale", [None, 1.5])
def test_identical_tiles_are_computed_once(kind, outscale):
    image = np.full((120, 160, *kind), 30, np.uint8)
    image[50:60, 20:90] = picture(10, 70, *kind)
    upscaler = Upscaler(Convolutions(), 2, tile=10)
    out = upscaler(image, outscale=outscale)
    assert np.array_equal(out, upscaled(Convolutions(), 2, image, outscale))
    passes = 2 if kind == (4,) else 1
    counts = upscaler.counts
    assert counts.computed + counts.repeated == 12 * 16 * passes
    assert counts.computed < 0.6 * 12 * 16 * passes


@pytest.mark.parametrize("outscale", [None, 1.5])
def test_tiles_whose_padding_differs_are_not_identical(outscale):
    image = np.full((40, 40, 3), 30, np.uint8)
    image[:, 19] = 200  # of the second column; the third sees it in its padding
    upscaler = Upscaler(Convolutions(), 2, tile=10)
    out = upscaler(image, outscale=outscale)
    assert np.array_equal(out, upscaled(Convolutions(), 2, image, outscale))
    assert upscaler.counts.repeated


def free(monkeypatch, megabytes):
    monkeypatch.setattr(planning, "free_memory", lambda: megabytes * 1e6)


class Cheap(Convolutions):
    """A runner that says what it takes."""

    bytes_per_pixel = 1000

    def __init__(self, radius, device="cpu"):
        super().__init__()
        self.radius = radius
        self.device = device


def plan_for(run, height, width, pad=None):
    size = ImageSize(height, width, result=0, strip=0)
    return TilePlanner(run, 4, 1, "auto", pad).plan(size)


def test_a_picture_that_fits_is_upscaled_whole(monkeypatch):
    free(monkeypatch, 4000)
    plan = plan_for(Cheap(18), 600, 700)
    assert plan.computed == 600 * 700


@pytest.mark.parametrize(
    ("megabytes", "height", "width", "computed"),
    [(1500, 1080, 1920, 1.06), (600, 4000, 500, 1.06), (50, 4320, 7680, 1.6)],
)
def test_a_picture_that_does_not_fit_is_cut_so_that_little_is_computed_twice(
    megabytes, height, width, computed, monkeypatch
):
    free(monkeypatch, megabytes)
    monkeypatch.setattr(planning, "MODEST_BYTES", math.inf)
    plan = plan_for(Cheap(18), height, width)
    assert plan.window * 1216 <= 0.75 * megabytes * 1e6
    assert plan.computed < computed * height * width


def test_memory_that_saves_no_time_is_not_taken(monkeypatch):
    free(monkeypatch, 64_000)
    plan = plan_for(Cheap(18), 2160, 3840)
    assert plan.window * 1216 <= planning.MODEST_BYTES
    assert plan.computed < 1.25 * 2160 * 3840

    wide = plan_for(Cheap(80), 2160, 3840)
    assert plan.window < wide.window < 2160 * 3840, "it takes what saves time"
    assert wide.computed <= 1.25 * 2160 * 3840


def test_a_runner_may_say_what_large_windows_take(monkeypatch):
    run = Cheap(18)
    run.bytes_per_pixel = 10_000
    run.bytes_in_bands = (100e6, 1000)
    for megabytes in (200, 800):
        free(monkeypatch, megabytes)
        plan = plan_for(run, 1080, 1920)
        small, large = plan.window * 10_216, 100e6 + plan.window * 1216
        room = 0.75 * megabytes * 1e6
        assert 0.75 * room < min(small, large) <= room


def test_tiles_are_exact_only_where_that_computes_less_than_twice_the_picture(
    monkeypatch,
):
    for megabytes, pad in ((8000, 350), (600, 80)):
        free(monkeypatch, megabytes)
        plan = plan_for(Cheap(350), 2160, 3840)
        assert plan.rows.pad == pad
    assert plan_for(Cheap(350), 2160, 3840, pad=17).rows.pad == 17


def test_a_runner_that_says_nothing_gets_the_usual_padding(monkeypatch):
    free(monkeypatch, 8000)
    plan = plan_for(lambda images: nearest(images, 4), 2160, 3840)
    assert plan.rows.pad == 80
    assert plan.window * planning.UNKNOWN_BYTES <= 0.75 * 8e9


def test_on_a_gpu_the_computers_memory_does_not_count(monkeypatch):
    free(monkeypatch, 1)
    plan = plan_for(Cheap(18, "gpu (a GPU is there)"), 1080, 1920)
    assert plan.computed == 1080 * 1920
    plan = plan_for(Cheap(18, "gpu (a GPU is there)"), 4320, 7680)
    assert plan.window <= planning.GPU_PIXELS


@pytest.mark.parametrize(
    ("kind", "outscale"), [((3,), None), ((), None), ((4,), None), ((3,), 3)]
)
def test_memory_is_that_of_the_result_and_of_a_row_of_tiles(kind, outscale):
    image = picture(1200, 300, *kind)
    upscaler = Upscaler(lambda images: nearest(images, 4), 4, tile=50, tile_pad=10)
    tracemalloc.start()
    out = upscaler(image, outscale=outscale)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row_of_tiles = 50 * 300 * 16 * 3 * 4
    assert peak < out.nbytes + 3 * row_of_tiles
