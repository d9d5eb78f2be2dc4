"""A generator's weights from whatever a user points at: a file of any known format, or a released model's name."""

from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.recognise import recognise
from realesrgan_paddle.models.networks.specs import (
    GeneratorSpec,
    RRDBNetSpec,
    UNetDiscriminatorSNSpec,
    describe,
)
from realesrgan_paddle.models.weights.catalogue import MODELS, is_released
from realesrgan_paddle.models.weights.fetch import obtain
from realesrgan_paddle.models.weights.layouts import Tensors, to_basicsr
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.weights.reader import read_weights

NCNN = (".param", ".bin")
WEIGHT_FILES = (".pdparams", ".pth", ".pt", ".safetensors", ".param")
DEFAULT_FOLDER = Path("weights")


def read_generator(
    path_or_name: str | Path,
    block: int | None = None,
    act_type: str | None = None,
    folder: str | Path = DEFAULT_FOLDER,
    param_key: str | None = None,
) -> tuple[GeneratorSpec, Tensors]:
    """Return the spec of a generator and its tensors: BasicSR names, float32.

    Args:
        path_or_name: a .pdparams, .pth, .safetensors or ncnn .param/.bin file, a folder
            that holds exactly one of them, or the name of a released model, which is
            got into `folder` if it is not there.
        block: how many RRDB blocks the caller believes in; None: as many as the file
            holds.
        act_type: "relu" or "leakyrelu" for an SRVGGNetCompact without PReLU.
        folder: where released models are kept; relative to the current directory.
        param_key: which of the file's groups of tensors; None: params_ema, else params,
            else the only ones.

    Raises:
        UserError: nothing there, no generator in it, or `block` contradicts it.
    """
    path = _locate(path_or_name, Path(folder))
    tensors = (
        read_ncnn(path)
        if path.suffix in NCNN
        else to_basicsr(read_weights(path).select(param_key), str(path))
    )
    spec = recognise(tensors, str(path), act_type)
    if isinstance(spec, UNetDiscriminatorSNSpec):
        raise UserError(
            f"{path}: holds {describe(spec)}; a generator is wanted (net_g, not net_d)"
        )
    if block is not None and not (
        isinstance(spec, RRDBNetSpec) and spec.num_block == block
    ):
        raise UserError(
            f"{path}: --block {block} contradicts the file, which holds {describe(spec)}; leave it out"
        )
    return spec, {
        name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()
    }


def _locate(path_or_name: str | Path, folder: Path) -> Path:
    """Return the file that is meant, after obtaining it if it is a released model's name."""
    path = Path(path_or_name)
    if path.is_dir():
        return _only_file(path)
    if path.exists():
        return path
    if is_released(str(path_or_name)):
        return obtain(str(path_or_name), folder)
    names = [model.name for model in MODELS]
    raise UserError(
        f"{path_or_name}: no such file, and no released model of this name{did_you_mean(str(path_or_name), names)} "
        "(tools/convert_torch.py --list shows them)"
    )


def _only_file(folder: Path) -> Path:
    """Return the one weight file in `folder`."""
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in WEIGHT_FILES and path.is_file()
    )
    if len(found) != 1:
        some = ", ".join(path.name for path in found[:3]) or "none"
        raise UserError(
            f"{folder}: {len(found)} weight files ({some}); name one file ({', '.join(WEIGHT_FILES)})"
        )
    return found[0]
