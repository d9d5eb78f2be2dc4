"""Weight files turned into other weight files: formats, tensor names, groups."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.models.networks.recognise import recognise
from realesrgan_paddle.models.networks.specs import Spec, describe
from realesrgan_paddle.models.weights.layouts import (
    Tensors,
    layout_of,
    to_basicsr,
    to_ppgan,
)
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.models.weights.read_generator import NCNN
from realesrgan_paddle.utils.errors import UserError
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
    """What was found in a file and what was written."""

    source: Path
    output: Path
    spec: Spec
    layout: str
    """Whose names the source's tensors bore."""
    groups: Groups
    changed: bool
    """False: the output already held the same tensors."""

    def __str__(self) -> str:
        """Return lines for a person: what was found and, if it is another file, what was written."""
        tensors = next(iter(self.groups.values()))
        dtypes = ", ".join(sorted({str(array.dtype) for array in tensors.values()}))
        count = sum(array.size for array in tensors.values())
        network = f"{describe(self.spec)}; {len(tensors)} tensors, {count:,} numbers, {dtypes}"
        groups = ", ".join(name or "bare tensors" for name in self.groups)
        if self.source == self.output and not self.changed:
            return f"{self.output}: {groups}; {network}"
        done = "written" if self.changed else "up to date"
        return f"{self.source}: {network}; {self.layout} names\n{self.output}: {groups}; {done}"


def convert(
    source: Path,
    output: Path | None = None,
    to: str | None = None,
    layout: str = "basicsr",
    overwrite: bool = False,
) -> Conversion:
    """Turn the weight file `source` into `output` and return what was found and done.

    The groups `params` and `params_ema` are kept; a single other one becomes `params`.
    PaddleGAN knows no groups, so for it the EMA weights, or else `params`, are written
    bare.

    Args:
        source: any weight file that `read_weights` or `read_ncnn` reads.
        output: where to write; its suffix says the format. None: weights/NAME.FORMAT in
            the current directory, NAME being the source's, with `_ppgan` for that
            layout.
        to: "pdparams", "safetensors" or "pth"; None: as the suffix of `output` says, or
            else pdparams.
        layout: whose tensor names to write, "basicsr" or "ppgan".
        overwrite: whether an `output` with other contents may be replaced.

    Raises:
        UserError: the source holds no known network, or the output may not be written.
    """
    output = (
        output
        or Path("weights")
        / f"{source.stem}{'_ppgan' if layout == 'ppgan' else ''}.{to or 'pdparams'}"
    )
    _check_suffix(output, to)
    found = _read(source)
    layouts = {layout_of(tensors) for tensors in found.values()}
    groups = {name: to_basicsr(tensors, str(source)) for name, tensors in found.items()}
    # Without PReLU either is possible, and a conversion need not know which.
    specs = {
        recognise(tensors, str(source), act_type="relu or leakyrelu")
        for tensors in groups.values()
    }
    if len(specs) > 1:
        raise UserError(
            f"{source}: its groups hold different networks: {'; '.join(map(describe, specs))}"
        )
    if layout == "ppgan":
        groups = {"": to_ppgan(WeightFile(source, "", groups).select(), str(source))}
    changed = not _holds(output, groups)
    if changed and output.exists() and not overwrite:
        raise UserError(
            f"{output}: exists and holds something else; name another --output or add --overwrite"
        )
    if changed:
        WRITERS[output.suffix[1:]](output, groups)
    return Conversion(
        source, output, specs.pop(), " and ".join(sorted(layouts)), groups, changed
    )


def _check_suffix(output: Path, to: str | None) -> None:
    """Refuse an output whose suffix is no format that is written, or another one than `to`."""
    suffix = output.suffix[1:]
    if suffix not in WRITERS:
        raise UserError(
            f"--output {output}: the suffix must be one of {', '.join('.' + name for name in WRITERS)}"
        )
    if to is not None and to != suffix:
        raise UserError(
            f"--to {to} contradicts --output {output}; leave one of them out"
        )


def _read(source: Path) -> Groups:
    """Return the groups to convert: `params` and `params_ema` where there are any, or else one as `params`."""
    if source.suffix in NCNN:
        return {"params": read_ncnn(source)}
    weights = read_weights(source)
    kept = {
        name: tensors
        for name, tensors in weights.groups.items()
        if name in ("params", "params_ema")
    }
    return kept or {"params": weights.select()}


def _holds(path: Path, groups: Groups) -> bool:
    """Return whether the file at `path` holds these very tensors."""
    if not path.exists():
        return False
    try:
        found = read_weights(path).groups
    except UserError:
        return False
    return found.keys() == groups.keys() and all(
        _equal(found[name], groups[name]) for name in groups
    )


def _equal(some: Tensors, others: Tensors) -> bool:
    return some.keys() == others.keys() and all(
        array.dtype == others[name].dtype
        and array.shape == others[name].shape
        and array.tobytes() == others[name].tobytes()
        for name, array in some.items()
    )
