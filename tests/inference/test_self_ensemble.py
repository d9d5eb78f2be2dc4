"""--tta: a network's mean over flips and turns."""

import numpy as np

from realesrgan_paddle.inference.runners.runner import SelfEnsemble
from realesrgan_paddle.inference.upscaler import Upscaler


class Leaning:
    """Upscales by 2, brighter to the right and below: it depends on the direction."""

    scale = 2
    device = "cpu"

    def __init__(self):
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(images.shape)
        before = np.roll(images, 1, axis=3) * np.float32(0.3)
        above = np.roll(images, 1, axis=2) * np.float32(0.2)
        mixed = images * np.float32(0.5) + before + above
        return mixed.repeat(2, axis=2).repeat(2, axis=3)


IMAGE = np.random.default_rng(0).integers(0, 255, (10, 14, 3), np.uint8)


def test_the_mean_does_not_depend_on_the_direction():
    upscaler = Upscaler(SelfEnsemble(Leaning()), 2)
    result = upscaler(IMAGE)
    assert result.shape == (20, 28, 3)
    for change in (np.flipud, np.fliplr, np.rot90, lambda x: x.swapaxes(0, 1)):
        changed = upscaler(np.ascontiguousarray(change(IMAGE)))
        assert np.abs(change(result).astype(int) - changed).max() <= 1
    alone = Upscaler(Leaning(), 2)(IMAGE)
    assert np.abs(alone.astype(int) - result).max() > 20


def test_it_is_the_mean_of_eight_in_floating_point():
    images = np.random.default_rng(1).random((1, 3, 5, 8), np.float32)
    runner = Leaning()
    result = SelfEnsemble(runner)(images)
    assert sorted(runner.shapes) == [(1, 3, 5, 8)] * 4 + [(1, 3, 8, 5)] * 4

    outputs = []
    for mirrored in (False, True):
        for turns in range(4):
            given = np.flip(images, 3) if mirrored else images
            output = Leaning()(np.rot90(given, turns, (2, 3)))
            output = np.rot90(output, -turns, (2, 3))
            outputs.append(np.flip(output, 3) if mirrored else output)
    assert result.dtype == np.float32
    assert np.allclose(result, np.mean(outputs, axis=0), atol=1e-6)


def test_what_the_network_says_for_tiles_is_passed_on():
    class Telling(Leaning):
        radius = 3
        bytes_per_pixel = 100.0

        def exact(self):
            return self

    ensemble = SelfEnsemble(Telling())
    assert (ensemble.radius, ensemble.bytes_per_pixel) == (3, 100.0)
    assert not hasattr(ensemble, "multiple")
    assert not hasattr(ensemble, "exact"), "it would be one run and no mean"


def test_tiles_of_any_shape_give_the_whole_picture():
    whole = Upscaler(SelfEnsemble(Leaning()), 2)(IMAGE)
    tiled = Upscaler(SelfEnsemble(Leaning()), 2, tile=6, tile_pad=2)(IMAGE)
    inside = slice(4, -4)  # at the border the sample network sees the opposite one
    difference = np.abs(whole.astype(int) - tiled)[inside, inside]
    assert difference.max() <= 1
