"""Time the degradation of a batch on this CPU, against Real-ESRGAN's in torch.

First each stage alone, then the whole degradation including USM, with the settings of
two option files and the draws of Real-ESRGAN's code. Each side is a process of its own;
they degrade the same batch in turns.

The columns: times are means over the rounds; ratio is ours to torch's; median_ratio is
the median of the rounds' ratios; max_difference is the largest difference between the
results, in levels of 255, with torch's noise in both; differing is the share of values
that differ by more than half a level.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from degradation_cases import CHAINS, STAGES
from train_step import Row, Stepper, parse_args, write_rows

from realesrgan_paddle.data.degradation.kernels import draw_kernels
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.options.schema.config import Config

OPTIONS = Path(__file__).resolve().parents[1] / "options"
SHAPES = ((6, 400), (12, 400), (6, 256), (12, 256))
"""Images in a batch, and their side in pixels; Real-ESRGAN degrades crops of 400."""


def write_input(folder: Path, cfg: Config, batch: int, size: int) -> None:
    """Write a batch of waves with grain, its kernels and the options to `folder`."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    waves = [
        np.sin(x * rng.uniform(0.02, 0.5) + y * rng.uniform(-0.5, 0.5))
        for _ in range(3 * batch)
    ]
    shape = (batch, 3, size, size)
    gt = 0.5 + 0.3 * np.reshape(waves, shape) + rng.normal(0, 0.05, shape)
    levels = np.uint8(255 * np.clip(gt, 0, 1))

    samples = [draw_kernels(cfg.datasets.train, rng) for _ in range(batch)]
    kernels = [np.stack(kernel) for kernel in zip(*samples, strict=True)]
    np.savez(
        folder / "input.npz", gt=np.float32(levels) / 255, kernels=np.stack(kernels)
    )

    options = cfg.model_dump(mode="json")
    options["sharpen"] = cfg.model_type == "RealESRGANModel" or cfg.gt_usm
    options["gt_size"] = size * 256 // 400
    (folder / "options.json").write_text(json.dumps(options))


def measure(case: str, batch: int, size: int, args: argparse.Namespace) -> Row:
    """Return the row of one case."""
    cfg = load_config(OPTIONS / CHAINS.get(case, "train_realesrgan_x4plus.yml"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_input(folder, cfg, batch, size)
        what = ["--case", case, "--folder", name]
        what += ["--rounds", str(args.rounds), "--threads", str(args.threads)]
        references = ["--basicsr", str(args.basicsr.resolve())]
        references += ["--realesrgan", str(args.realesrgan.resolve())]
        torch = Stepper(
            [args.torch_python, "degradation_torch.py", *what, *references],
            args.threads,
        )
        ours = Stepper([sys.executable, "degradation_paddle.py", *what], args.threads)
        for _ in range(args.rounds):
            ours.step(args.clock)
            torch.step(args.clock)
        compared = json.loads((folder / "compared.json").read_text())
        ours.close()
        torch.close()

    ours_ms = statistics.mean(ours.times)
    torch_ms = statistics.mean(torch.times)
    ratios = [a / b for a, b in zip(ours.times, torch.times, strict=True)]
    return {
        "case": case,
        "batch": batch,
        "size": size,
        "ours_ms": round(ours_ms, 1),
        "torch_ms": round(torch_ms, 1),
        "ratio": round(ours_ms / torch_ms, 3),
        "median_ratio": round(statistics.median(ratios), 3),
        **compared,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--basicsr",
        type=Path,
        required=True,
        metavar="PATH",
        help="checkout of XPixelGroup/BasicSR",
    )
    parser.add_argument(
        "--realesrgan",
        type=Path,
        required=True,
        metavar="PATH",
        help="checkout of xinntao/Real-ESRGAN",
    )
    parser.add_argument(
        "--torch_python",
        required=True,
        metavar="PYTHON",
        help="interpreter with torch and torchvision",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only batches of 6 images of 256x256",
    )
    parser.add_argument("--rounds", type=int, default=8)
    args = parse_args(parser)
    shapes = SHAPES[2:3] if args.quick else SHAPES
    cases = [case for case in (*STAGES, *CHAINS) if args.only in case]
    rows = []
    for batch, size in shapes:
        for case in cases:
            rows.append(measure(case, batch, size, args))
            print(json.dumps(rows[-1]), flush=True)
    write_rows(rows, args)


if __name__ == "__main__":
    main()
