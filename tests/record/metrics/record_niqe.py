"""Record BasicSR's NIQE of fixed images: tests/reference/niqe.npz.

    export PYTHONPATH=tests/helpers:tests/record
    python tests/record/metrics/record_niqe.py --basicsr PATH

PATH is a checkout of XPixelGroup/BasicSR. Needs torch, SciPy and OpenCV. The images are
those of tests/record/sample_metrics.py; those of REAL_PICTURES from the folder of real
files, if it lies beside the checkout.

Each entry has two values: BasicSR's, and BasicSR's with its sums taken in float64, those
of its imresize and the means of its blocks. In float32 their order, and so the value,
depends on the processor and on NumPy's version: values of photographs change by up to
4e-4.
"""

import argparse
import functools
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import basicsr_checkout
import cv2
import numpy as np
import torch
from sample_metrics import REAL_PICTURES, niqe_pictures

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT.parent / "shared" / "assets"
OUTPUT = ROOT / "tests" / "reference" / "niqe.npz"


def calculate_niqe(checkout: Path) -> types.FunctionType:
    """Return BasicSR's function, imported without the rest of BasicSR."""
    utils = basicsr_checkout.module(checkout, "utils.registry")
    basicsr = sys.modules["basicsr.utils"]
    basicsr.METRIC_REGISTRY = utils.METRIC_REGISTRY
    basicsr.bgr2ycbcr = basicsr_checkout.module(checkout, "utils.color_util").bgr2ycbcr
    stub = types.ModuleType("basicsr.metrics")
    stub.__path__ = [str(checkout / "basicsr" / "metrics")]
    sys.modules["basicsr.metrics"] = stub
    return basicsr_checkout.module(checkout, "metrics.niqe").calculate_niqe


def pictures() -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and images, uint8 BGR, which BasicSR takes."""
    for name, image in niqe_pictures().items():
        yield name, image[..., ::-1]
    for name in REAL_PICTURES if ASSETS.is_dir() else ():
        yield name, cv2.imread(str(ASSETS / name))


def exact_product(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Stand in for `torch.Tensor.mv`."""
    return (matrix.double() @ vector.double()).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--basicsr", type=Path, required=True)
    measure = calculate_niqe(parser.parse_args().basicsr)
    record = {}
    for name, image in pictures():
        for border, convert_to in ((0, "y"), (4, "y"), (4, "gray")):
            values = [measure(image, border, convert_to=convert_to)]
            mean = functools.partial(np.mean, dtype=np.float64)
            with (
                mock.patch.object(torch.Tensor, "mv", exact_product),
                mock.patch.object(np, "mean", mean),
            ):
                values.append(measure(image, border, convert_to=convert_to))
            record[f"{name}:{border}:{convert_to}"] = values
    np.savez(OUTPUT, **record)
    for name, (value, exact) in record.items():
        print(f"{name} {value:.6f} {exact:.6f}")


if __name__ == "__main__":
    main()
