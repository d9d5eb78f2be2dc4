"""Released models downloaded and kept as `.pdparams`: from their release, or a package."""

import logging
import tempfile
from pathlib import Path

from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.weights.catalogue import (
    NcnnWheel,
    ReleasedModel,
    TfjsPackage,
    find,
)
from realesrgan_paddle.models.weights.layouts import to_basicsr
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.packages import read_npm_package, read_wheel
from realesrgan_paddle.utils.weights.keras_files import read_tfjs
from realesrgan_paddle.utils.weights.reader import Tensors, read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

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
