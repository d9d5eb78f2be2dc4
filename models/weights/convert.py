"""Weight files turned into other weight files: formats, tensor names, groups."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.srvgg import EITHER
from realesrgan_paddle.models.weights.layouts import (
    Tensors,
    layout_of,
    to_basicsr,
    to_ppgan,
)
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.models.weights.read_generator import NCNN
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.weights.reader import WeightFile, read_weights
from realesrgan_paddle.utils.weights.writer import (
    write_pdparams,
    write_pth,
    write_safetensors,
)

Groups = dict[str, Tensors]

WRITERS: dict[str, Callable[[str | Path, Groups], None]] = {
    "pdparams": write_pdparams,
    "safetensors": write_safetensors,
    "pth": write_pth,
}
LAYOUTS = ("basicsr", "ppgan")


@dataclass(frozen=True)
class Conversion:
    """What a weight file holds, and what was written."""

    source: Path
    output: Path
    network: Description
    layout: str
    """Whose names the source's tensors have; see `layouts.layout_of`."""
    groups: Groups
    changed: bool
    """False: the output already held the same tensors."""

    def __str__(self) -> str:
        """Return lines to print: what was found and, if it is another file, written."""
        tensors = next(iter(self.groups.values()))
        arrays = tensors.values()
        dtypes = ", ".join(sorted({str(array.dtype) for array in arrays}))
        count = sum(array.size for array in arrays)
        network = f"{self.network}; {len(tensors)} tensors, {count:,} numbers, {dtypes}"
        groups = ", ".join(name or "bare tensors" for name in self.groups)

        if self.source == self.output and not self.changed:
            return printable(f"{self.output}: {groups}; {network}")
        done = "written" if self.changed else "up to date"
        found = printable(f"{self.source}: {network}; {self.layout} names")
        return f"{found}\n{printable(f'{self.output}: {groups}; {done}')}"


def convert(
    source: Path,
    output: Path | None = None,
    to: str | None = None,
    layout: str = "basicsr",
    overwrite: bool = False,
) -> Conversion:
    """Convert the weight file `source` to `output`; return what was found and written.

    The groups `params` and `params_ema` are kept; a single other one becomes `params`.
    PaddleGAN knows no groups, so for it the EMA weights, or else `params`, are written
    bare.

    Args:
        source: any weight file that `read_weights` or `read_ncnn` reads.
        output: where to write; its suffix is the format. None: weights/NAME.FORMAT in
            the current directory, NAME being the source's, with `_ppgan` for that
            layout.
        to: "pdparams", "safetensors" or "pth"; None: as the suffix of `output`, or else
            pdparams.
        layout: whose tensor names to write, "basicsr" or "ppgan".
        overwrite: whether an `output` with other contents may be replaced.

    Raises:
        UserError: the source holds no known network, or the output may not be written.
    """
    if output is None:
        ending = "_ppgan" if layout == "ppgan" else ""
        output = Path("weights", f"{source.stem}{ending}.{to or 'pdparams'}")
    _check_suffix(output, to)

    found = _read(source)
    layouts = {layout_of(tensors) for tensors in found.values()}
    groups = {name: to_basicsr(tensors, str(source)) for name, tensors in found.items()}
    network = _one_network(groups, source)
    if layout == "ppgan":
        groups = {"": to_ppgan(WeightFile(source, "", groups).select(), str(source))}

    changed = not _holds(output, groups)
    if changed and output.exists() and not overwrite:
        raise UserError(
            f"{output}: exists and holds something else; name another --output or add "
            "--overwrite"
        )
    if changed:
        WRITERS[output.suffix[1:]](output, groups)
    return Conversion(
        source, output, network, " and ".join(sorted(layouts)), groups, changed
    )


def _one_network(groups: Groups, source: Path) -> Description:
    """Return the network that all groups hold; UserError if they hold several."""
    # A conversion does not run the network, so an unknown activation does not matter.
    networks = {
        recognize(tensors, str(source), act_type=EITHER) for tensors in groups.values()
    }
    if len(networks) > 1:
        names = "; ".join(map(str, networks))
        raise UserError(f"{source}: its groups hold different networks: {names}")
    return networks.pop()


def _check_suffix(output: Path, to: str | None) -> None:
    """Refuse a suffix that is no format that is written, or another one than `to`."""
    suffix = output.suffix[1:]
    if suffix not in WRITERS:
        allowed = ", ".join(f".{name}" for name in WRITERS)
        raise UserError(f"--output {output}: the suffix must be one of {allowed}")
    if to is not None and to != suffix:
        raise UserError(
            f"--to {to} contradicts --output {output}; leave one of them out"
        )


def _read(source: Path) -> Groups:
    """Return the groups to convert: `params` and `params_ema`, or one as `params`."""
    if source.suffix in NCNN:
        return {"params": read_ncnn(source)}

    weights = read_weights(source)
    kept = {n: g for n, g in weights.groups.items() if n in ("params", "params_ema")}
    return kept or {"params": weights.select()}


def _holds(path: Path, groups: Groups) -> bool:
    """Return whether the file at `path` holds these very tensors."""
    if not path.exists():
        return False
    try:
        found = read_weights(path).groups
    except UserError:
        return False

    if found.keys() != groups.keys():
        return False
    return all(_equal(found[name], groups[name]) for name in groups)


def _equal(some: Tensors, others: Tensors) -> bool:
    if some.keys() != others.keys():
        return False

    for name, array in some.items():
        other = others[name]
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            return False
        if array.tobytes() != other.tobytes():
            return False
    return True
