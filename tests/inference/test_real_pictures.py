"""Released networks on real images: colors, kinds, and tiles without seams."""

import numpy as np
import pytest

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.runners.dygraph_runner import load_dygraph
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.images import read_image

pytestmark = pytest.mark.paddle


@pytest.fixture(scope="module")
def runners(assets, tmp_path_factory):
    """realesr-animevideov3 in dygraph mode and exported."""
    weights = assets / "weights/realesr-animevideov3.pth"
    folder = tmp_path_factory.mktemp("infer")
    export(*read_generator(weights), folder)
    return load_dygraph(weights), open_graph(folder)


@pytest.mark.parametrize(
    ("name", "corner"),
    [
        ("children-alpha.png", (130, 440)),  # red sleeves and their alpha edge
        ("tree_alpha_16bit.png", (100, 40)),
        ("00017_gray.png", (60, 60)),
        ("0030.jpg", (100, 100)),
    ],
)
def test_images_keep_their_colors(assets, runners, name, corner):
    image = read_image(assets / "images/realesrgan_inputs" / name)
    image = image[corner[0] : corner[0] + 40, corner[1] : corner[1] + 48]
    level = np.iinfo(image.dtype).max / 255
    eager, static = (Upscaler(runner, runner.scale)(image) for runner in runners)
    assert eager.dtype == image.dtype
    assert eager.shape == (160, 192, *image.shape[2:])
    assert np.abs(eager.astype(int) - static).max() <= level, (
        "dygraph and static agree to a level"
    )
    small = eager.reshape(10, 16, 12, 16, -1).mean((1, 3))
    expected = image.reshape(10, 4, 12, 4, -1).mean((1, 3))
    assert np.abs(small - expected).mean() < 6 * level, (
        "swapping red and blue makes 20 or more"
    )


def test_tiles_of_a_deep_network_leave_no_seam(assets, tmp_path):
    export(*read_generator(assets / "weights/RealESRGAN_x4plus_anime_6B.pth"), tmp_path)
    runner = open_graph(tmp_path)
    photo = read_image(assets / "images/realesrgan_inputs/OST_009.png")
    image = photo[300:312, 100:310]

    whole = Upscaler(runner, 4)(image).astype(int)
    tiled = Upscaler(runner, 4, tile=105)(image)
    assert np.abs(tiled - whole).max() <= 1
    upstream = Upscaler(runner, 4, tile=105, tile_pad=10)(image)
    assert np.abs(upstream - whole).max() > 1, "upstream's padding is too small"
