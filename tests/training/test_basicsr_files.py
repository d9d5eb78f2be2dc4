"""Option files of BasicSR's users train as they are: weights, losses, validation, spellings."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
import yaml
from sample_options import OPTION_FILES
from sample_runs import log_of, picture, reported
from sample_weights import tensors_of

from realesrgan_paddle.__main__ import main
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.options.schema.training import VGG19_NUMBERS
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams, write_pth

pytestmark = pytest.mark.paddle

SMALLER = {
    "gt_size": 32,
    "queue_size": 4,
    "num_worker_per_gpu": 0,
    "batch_size_per_gpu": 2,
    "num_feat": 8,
    "num_block": 1,
    "num_grow_ch": 4,
    "total_iter": 2,
    "print_freq": 1,
    "val_freq": 2,
    "num_gpu": 0,
}
"""What makes a run of days one of seconds, wherever the file has the key."""
LIST = "datasets/meta.txt"
VGG19_CHANNELS = (3, 64, 64, 128, 128, *[256] * 4, *[512] * 8)


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory):
    """A file of weights under which VGG19's features are not zero."""
    tensors = {}
    sizes = pairwise(VGG19_CHANNELS)
    for number, (in_ch, out_ch) in zip(VGG19_NUMBERS.values(), sizes, strict=True):
        weight = np.zeros((out_ch, in_ch, 3, 3), np.float32)
        weight[range(out_ch), np.arange(out_ch) % in_ch] = 0.1
        tensors[f"features.{number}.weight"] = weight
        tensors[f"features.{number}.bias"] = np.zeros(out_ch, np.float32)

    path = tmp_path_factory.mktemp("vgg19") / "vgg19.pdparams"
    write_pdparams(path, {"": tensors})
    return path


@pytest.fixture
def place(tmp_path, monkeypatch, vgg19):
    """The folder that the files name their images and weights in, and are trained from."""
    monkeypatch.chdir(tmp_path)
    for i in range(2):
        gt = picture(64, 48, i)
        for folder in ("datasets", "hr", "gt"):
            write_image(tmp_path / folder / f"{i}.png", gt)
        for folder in ("lr", "lq"):
            write_image(tmp_path / folder / f"{i}.png", gt[::4, ::4])
    (tmp_path / LIST).write_text("0.png\n1.png\n")

    generator = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
    write_pth(tmp_path / "g.pth", {"params_ema": tensors_of(generator)})
    discriminator = UNetDiscriminatorSNOptions(num_feat=8)
    write_pth(tmp_path / "d.pth", {"params": tensors_of(discriminator)})
    for name in ("weights/vgg19.pdparams", "vgg.pdparams"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(vgg19, tmp_path / name)
    return tmp_path


def smaller(options):
    """Return the options of a file with its sizes made small, the other keys as they are."""
    return {
        key: smaller(value) if isinstance(value, dict) else SMALLER.get(key, value)
        for key, value in options.items()
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("realesrgan", ["--launcher", "pytorch", "--auto_resume"]),
        ("realesrnet", []),
        ("pairs", []),
        ("soccer_realesrgan", []),
    ],
)
def test_a_file_trains_as_it_is(place, monkeypatch, name, words):
    options = smaller(OPTION_FILES[name])
    (place / "theirs.yml").write_text(yaml.safe_dump(options))
    if name == "pairs":
        (place / LIST).write_text("".join(f"{i}.png, {i}.png\n" for i in range(2)))
    monkeypatch.setattr("sys.argv", ["python"])
    assert main(["train", "-opt", "theirs.yml", *words]) == 0

    folder = place / "experiments/train"
    lines = reported(folder)
    trained = [line for line in lines if "l_g_pix" in line]
    assert len(trained) == 2
    with_gan = options["model_type"] == "RealESRGANModel"
    for loss in ("l_g_percep", "l_g_gan", "l_d_real", "l_d_fake"):
        assert (trained[-1].get(loss) not in (None, 0)) == with_gan, loss

    latest = read_weights(folder / "models/net_g_latest.pdparams").groups
    start = tensors_of(RRDBNet(num_feat=8, num_block=1, num_grow_ch=4))
    for key, array in start.items():
        change = np.abs(latest["params"][key] - array).max()
        assert 0 < change < 1e-3, f"{key}: started elsewhere, or did not train"
    if name == "realesrgan":
        assert any("validation/psnr" in line for line in lines)
        assert (folder / "visualization/validation/0/0_2.png").is_file()
        assert "--launcher is ignored" in log_of(folder)
        assert (folder / "models/net_d_latest.pdparams").is_file()
