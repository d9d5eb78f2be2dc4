"""A generator's weights from a file of any known format, or by a released model's name.

A released model is downloaded from its release, or else from a package that carries it,
and kept as `.pdparams`.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.weights.catalogue import (
    NcnnWheel,
    ReleasedModel,
    TfjsPackage,
    find,
    is_released,
    nearest_in_package,
    released_hint,
)
from realesrgan_paddle.models.weights.layouts import to_basicsr
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.next_steps import command_line
from realesrgan_paddle.utils.packages import read_npm_package, read_wheel
from realesrgan_paddle.utils.weights.keras_files import read_tfjs
from realesrgan_paddle.utils.weights.reader import Tensors, read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

NCNN = (".param", ".bin")
WEIGHT_FILES = (".pdparams", ".pth", ".pt", ".safetensors", ".param", ".hdf5", ".h5")
DEFAULT_FOLDER = Path("weights")


def read_generator(
    path_or_name: str | Path,
    block: int | None = None,
    folder: str | Path = DEFAULT_FOLDER,
    param_key: str | None = None,
) -> tuple[Generator, Tensors]:
    """Return the generator in a weight file and its tensors: names used here, float32.

    Args:
        path_or_name: a .pdparams, .pth, .safetensors, Keras .hdf5 or ncnn .param/.bin
            file, a folder with exactly one of them, or a released model's name, which is
            downloaded into `folder` if it is not there.
        block: the number of RRDB blocks the caller expects; None: no expectation.
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

    network = recognize(tensors, str(path))
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
    check_there(path_or_name)
    path = Path(path_or_name)
    if path.is_dir():
        return _only_file(path)
    return path if path.exists() else fetch(str(path_or_name), folder)


def check_there(path_or_name: str | Path) -> None:
    """Raise UserError if there is neither a file nor a released model of this name."""
    if Path(path_or_name).exists() or is_released(str(path_or_name)):
        return
    raise UserError(
        f"{path_or_name}: no such file, and no released model of this name"
        f"{released_hint(path_or_name)} ({command_line('tools/models.py')} lists them)"
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


logger = logging.getLogger(__name__)


class OutOfReachError(UserError):
    """A released model that no source within reach has.

    Attributes:
        model: which.
    """

    def __init__(self, message: str, model: ReleasedModel) -> None:
        super().__init__(message)
        self.model = model


def fetch(name: str, folder: str | Path) -> Path:
    """Return the path of NAME.pdparams in `folder`, downloaded first if it is missing.

    Sources, in this order: NAME.pdparams itself; the released file (which may already
    lie in `folder`, put there by hand); the package that also carries the model, its
    weights rounded. The sha256 of each downloaded file is checked. Of two processes that
    ask at once, one downloads and the other waits.

    Raises:
        OutOfReachError: no source is within reach.
        UserError: no such released model, or one without a known hash.
    """
    model, folder = find(name), Path(folder)
    path = folder / f"{model.name}.pdparams"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f".{model.name}.lock"):
            if not path.exists():
                write_pdparams(path, _download(model, folder))

    _check(model, read_weights(path).select(), path)
    return path


def fetch_nearest(name: str) -> tuple[str, str]:
    """Fetch a released model, or the nearest in a package; return its name, and why it is that.

    Why is "" for the one that was asked for.

    Raises:
        OutOfReachError: neither can be had.
    """
    try:
        fetch(name, DEFAULT_FOLDER)
    except OutOfReachError as error:
        nearest = nearest_in_package(error.model)
        if nearest is None:
            raise
        fetch(nearest.name, DEFAULT_FOLDER)
        return nearest.name, f"instead of {name}, which is out of reach: {error}"
    return name, ""


def _check(model: ReleasedModel, tensors: Tensors, path: Path) -> None:
    """Refuse a file that holds another network than the model's."""
    found = recognize(to_basicsr(tensors, str(path)), str(path))
    if found != model.network:
        raise UserError(
            f"{path}: not {model.name}: it holds {found} instead of {model.network}; move "
            "it away to have the released one downloaded"
        )


def _download(model: ReleasedModel, folder: Path) -> dict[str, Tensors]:
    """Return the model's tensors in groups, from the release or else from the package."""
    if model.sha256 is None or model.size is None:
        raise UserError(
            f"{model.name}: no sha256 of the released file is known for certain, so it is "
            f"not downloaded; download {model.url} yourself and convert it with "
            "tools/convert_torch.py --input"
        )

    by_hand = f"or download {model.url} yourself and put it into {folder}"
    try:
        return _from_release(model, folder, model.sha256, model.size)
    except UserError as error:
        if model.package is None:
            raise OutOfReachError(f"{error}; {by_hand}", model) from error
        reason = error

    logger.info(
        "%s: its release is out of reach; downloading the %s", model.name, model.package
    )
    try:
        tensors = _from_package(model.package)
    except UserError as error:
        message = f"{reason}; and {error}; {by_hand}"
        raise OutOfReachError(message, model) from error
    logger.warning(
        "%s: rounded weights, from the %s, because %s",
        model.name,
        model.package,
        printable(str(reason)),
    )
    return {model.group or "params": tensors}


def _from_release(
    model: ReleasedModel, folder: Path, sha256: str, size: int
) -> dict[str, Tensors]:
    """Return the groups of the released file; one that was there before stays."""
    path = folder / Path(model.url).name
    by_hand = path.exists()
    download(model.url, path, sha256, size)

    groups = read_weights(path).groups
    for tensors in groups.values():
        _check(model, tensors, path)
    if not by_hand:
        path.unlink()
    if list(groups) == [""]:
        return {"params": to_basicsr(groups[""], str(path))}
    return groups


def _from_package(package: NcnnWheel | TfjsPackage) -> Tensors:
    """Return the tensors in a package, under the names used here."""
    name, version = package.package, package.version
    if isinstance(package, TfjsPackage):
        files = read_npm_package(name, version, (package.model, package.weights))
        return to_basicsr(read_tfjs(files[package.model], files[package.weights]))

    files = read_wheel(name, version, (package.param, package.binary))
    with tempfile.TemporaryDirectory() as folder:
        param = Path(folder, "weights.param")
        param.write_bytes(files[package.param])
        param.with_suffix(".bin").write_bytes(files[package.binary])
        return read_ncnn(param)
