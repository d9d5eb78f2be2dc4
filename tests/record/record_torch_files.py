"""Write tests/reference/torch_files/ with torch: both formats, and their tensors.

    python tests/record/record_torch_files.py

Needs torch >= 2.0 and NumPy. `expected.npz` holds the tensors of x_zip.pth and
x_legacy.pth under "x/<group>/<key>", bfloat16 as float32. With `--check FOLDER` it
loads every .pth of FOLDER with `weights_only=True` instead and prints the tensors: for
what `write_pth` wrote.
"""

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).resolve().parents[1] / "reference" / "torch_files"
STATE = dict[str, torch.Tensor]


def kinds() -> STATE:
    """Return a tensor of each kind that a file can hold."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 8, generator=generator)
    return OrderedDict(
        base=base,
        part_of_base=base[1:3, 2:5],
        transposed=base.t(),
        strided=base[1::2, ::3],
        expanded=torch.tensor([1.5]).expand(4),
        parameter=torch.nn.Parameter(torch.randn(3, 2, 1, 1, generator=generator)),
        float16=torch.randn(5, generator=generator).half(),
        bfloat16=torch.randn(2, 3, generator=generator).bfloat16(),
        float64=torch.randn(2, generator=generator).double(),
        int64=torch.tensor(7),
        int32=torch.tensor([1, -2], dtype=torch.int32),
        int16=torch.tensor([1, -2], dtype=torch.int16),
        int8=torch.tensor([1, -2], dtype=torch.int8),
        uint8=torch.tensor([1, 254], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
        empty=torch.empty(0, 3),
    )


def network() -> STATE:
    """Return the state_dict of a module, which carries `_metadata`."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2)
    ).state_dict()


def contents() -> dict[str, dict[str, object]]:
    """Return the contents of the files by the stem of their names."""
    parallel = {f"module.{key}": tensor for key, tensor in network().items()}
    return {
        "bare": kinds(),
        "network": network(),
        "both": {
            "params": network(),
            "params_ema": {k: v * 0.5 for k, v in network().items()},
            "iter": 5,
        },
        "lightning": {
            "state_dict": parallel,
            "epoch": 3,
            "lr": [0.1, None],
            "best": np.float64(31.5),
        },
        "cuda": {"params": network()},
    }


def expected(content: dict[str, object]) -> dict[str, np.ndarray]:
    """Return the tensors of a file under "<group>/<key>"."""
    groups = {"": content} | {
        name: group for name, group in content.items() if isinstance(group, dict)
    }
    found = {}
    for name, group in groups.items():
        for key, tensor in group.items():
            if isinstance(tensor, torch.Tensor):
                plain = (
                    tensor.detach().float()
                    if tensor.dtype == torch.bfloat16
                    else tensor.detach()
                )
                found[f"{name}/{key.removeprefix('module.')}"] = plain.numpy()
    return found


def record() -> None:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    honest = torch.serialization.location_tag
    arrays = {}
    for stem, content in contents().items():
        torch.serialization.location_tag = (
            (lambda _: "cuda:0") if stem == "cuda" else honest
        )
        for form in ("zip", "legacy"):
            torch.save(
                content,
                FOLDER / f"{stem}_{form}.pth",
                _use_new_zipfile_serialization=form == "zip",
            )
        arrays |= {f"{stem}/{key}": array for key, array in expected(content).items()}
    torch.serialization.location_tag = honest
    np.savez_compressed(FOLDER / "expected.npz", **arrays)


def check(folder: Path) -> None:
    """Print the tensors that torch reads from each .pth of a folder."""
    for path in sorted(folder.glob("*.pth")):
        for key, array in expected(torch.load(path, weights_only=True)).items():
            print(path.name, key, array.dtype, array.shape, float(array.sum()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    check(args.check) if args.check else record()
