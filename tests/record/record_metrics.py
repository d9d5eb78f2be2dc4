"""Record BasicSR's PSNR and SSIM of fixed images: tests/reference/metrics.npz.

    PYTHONPATH=tests/helpers python tests/record/record_metrics.py --basicsr PATH

PATH is a checkout of XPixelGroup/BasicSR. Needs torch (for its imports) and OpenCV. The
images are those of tests/record/sample_metrics.py.
"""

import argparse
import sys
import types
from pathlib import Path

import basicsr_checkout
import numpy as np
from sample_metrics import pictures

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "metrics.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--basicsr", type=Path, required=True)
    checkout = parser.parse_args().basicsr
    basicsr_checkout.module(checkout, "utils.registry")
    sys.modules["basicsr.utils"].bgr2ycbcr = basicsr_checkout.module(
        checkout, "utils.color_util"
    ).bgr2ycbcr
    stub = types.ModuleType("basicsr.metrics")
    stub.__path__ = [str(checkout / "basicsr" / "metrics")]
    sys.modules["basicsr.metrics"] = stub
    metrics = basicsr_checkout.module(checkout, "metrics.psnr_ssim")
    image, reference = (picture[..., ::-1] for picture in pictures())  # it takes BGR
    record = {
        f"{name}/{border}/{int(y)}": getattr(metrics, f"calculate_{name}")(
            image, reference, border, test_y_channel=y
        )
        for name in ("psnr", "ssim")
        for border in (0, 4)
        for y in (False, True)
    }
    np.savez(OUTPUT, **record)
    print(record)


if __name__ == "__main__":
    main()
