"""A generator's weights from a file of any known format, or by a released model's name."""

from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.weights.catalogue import is_released, released_hint
from realesrgan_paddle.models.weights.fetch import fetch
from realesrgan_paddle.models.weights.layouts import Tensors, to_basicsr
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights

NCNN = (".param", ".bin")
WEIGHT_FILES = (".pdparams", ".pth", ".pt", ".safetensors", ".param", ".hdf5", ".h5")
DEFAULT_FOLDER = Path("weights")


def read_generator(
    path_or_name: str | Path,
    block: int | None = None,
    act_type: str | None = None,
    folder: str | Path = DEFAULT_FOLDER,
    param_key: str | None = None,
) -> tuple[Generator, Tensors]:
    """Return the generator in a weight file and its tensors: names used here, float32.

    Args:
        path_or_name: a .pdparams, .pth, .safetensors, Keras .hdf5 or ncnn .param/.bin
            file, a folder with exactly one of them, or a released model's name, which is
            downloaded into `folder` if it is not there.
        block: the number of RRDB blocks the caller expects; None: no expectation.
        act_type: "relu" or "leakyrelu" for an SRVGGNetCompact without PReLU.
        folder: where released models are kept; relative to the current directory.
        param_key: the file's group of tensors; None: params_ema, else params, else the
            only one.

    Raises:
        UserError: nothing there, no generator in it, or `block` contradicts it.
    """
    path = locate(path_or_name, Path(folder))
    if path.suffix in NCNN:
        tensors = read_ncnn(path)
    else:
        tensors = to_basicsr(read_weights(path).select(param_key), str(path))

    network = recognize(tensors, str(path), act_type)
    if not isinstance(network, Generator):
        raise UserError(
            f"{path}: holds {network}; a generator is needed (net_g, not net_d)"
        )
    blocks = network.num_block if isinstance(network, RRDBNet) else None
    if block not in (None, blocks):
        raise UserError(
            f"{path}: --block {block} contradicts the file, which holds {network}; leave "
            "it out"
        )

    single = {n: np.ascontiguousarray(a, np.float32) for n, a in tensors.items()}
    return network, single


def locate(path_or_name: str | Path, folder: Path = DEFAULT_FOLDER) -> Path:
    """Return the weight file, downloaded first if a released model's name is given.

    Raises:
        UserError: there is no such file; says which released model may be meant.
    """
    path = Path(path_or_name)
    if path.is_dir():
        return _only_file(path)
    if path.exists():
        return path
    if is_released(str(path_or_name)):
        return fetch(str(path_or_name), folder)

    raise UserError(
        f"{path_or_name}: no such file, and no released model of this name"
        f"{released_hint(path_or_name)} (tools/convert_torch.py --list shows them)"
    )


def _only_file(folder: Path) -> Path:
    """Return the one weight file in `folder`."""
    paths = sorted(folder.iterdir())
    found = [path for path in paths if path.suffix in WEIGHT_FILES and path.is_file()]
    if len(found) == 1:
        return found[0]

    some = ", ".join(path.name for path in found[:3]) or "none"
    raise UserError(
        f"{folder}: {len(found)} weight files ({some}); name one file "
        f"({', '.join(WEIGHT_FILES)})"
    )
