"""Time the degradation of a batch on this CPU: this project, and BasicSR in torch as Real-ESRGAN's training calls it.

Each stage by itself, then the whole from the ground truth to the low-quality batch, USM
included, under the settings of two option files, with the draws that Real-ESRGAN's code
makes. Each side is a process of its own; they degrade the same batch in turns. A row's
times are means over the rounds, its ratio is ours to torch's of those, median_ratio the
median of the rounds' ratios. max_difference is the largest between the two results, in
levels of 255, with torch's noise in both; differing is the share of values that are
more than half a level apart.
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
"""Images in a batch, and their side in pixels: Real-ESRGAN's crop is of 400."""


def write_input(folder: Path, cfg: Config, batch: int, size: int) -> None:
    """Write the batch, soft waves with some grain, its kernels and the options to `folder`."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    wave = [
        np.sin(x * rng.uniform(0.02, 0.5) + y * rng.uniform(-0.5, 0.5))
        for _ in range(3 * batch)
    ]
    gt = (
        0.5
        + 0.3 * np.reshape(wave, (batch, 3, size, size))
        + rng.normal(0, 0.05, (batch, 3, size, size))
    )
    kernels = zip(
        *(draw_kernels(cfg.datasets.train, rng) for _ in range(batch)), strict=True
    )
    np.savez(
        folder / "input.npz",
        gt=np.float32(np.uint8(255 * np.clip(gt, 0, 1))) / 255,
        kernels=np.stack([np.stack(kernel) for kernel in kernels]),
    )
    sharpen = cfg.model_type == "RealESRGANModel" or cfg.gt_usm
    options = cfg.model_dump(mode="json") | {
        "sharpen": sharpen,
        "gt_size": size * 256 // 400,
    }
    (folder / "options.json").write_text(json.dumps(options))


def measure(case: str, batch: int, size: int, args: argparse.Namespace) -> Row:
    """Return the row of one case."""
    cfg = load_config(OPTIONS / CHAINS.get(case, "train_realesrgan_x4plus.yml"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_input(folder, cfg, batch, size)
        what = [
            "--case",
            case,
            "--folder",
            name,
            "--rounds",
            str(args.rounds),
            "--threads",
            str(args.threads),
        ]
        peers = [
            "--basicsr",
            str(args.basicsr.resolve()),
            "--realesrgan",
            str(args.realesrgan.resolve()),
        ]
        torch = Stepper(
            [args.torch_python, "degradation_torch.py", *what, *peers], args.threads
        )
        ours = Stepper([sys.executable, "degradation_paddle.py", *what], args.threads)
        for _ in range(args.rounds):
            ours.step(args.clock)
            torch.step(args.clock)
        compared = json.loads((folder / "compared.json").read_text())
        ours.close()
        torch.close()
    ours_ms, torch_ms = (statistics.mean(side.times) for side in (ours, torch))
    median = statistics.median(
        a / b for a, b in zip(ours.times, torch.times, strict=True)
    )
    row: Row = {
        "case": case,
        "batch": batch,
        "size": size,
        "ours_ms": round(ours_ms, 1),
        "torch_ms": round(torch_ms, 1),
    }
    return row | {
        "ratio": round(ours_ms / torch_ms, 3),
        "median_ratio": round(median, 3),
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
        help="of xinntao/Real-ESRGAN",
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
        help="one shape of batch only, 6 images of 256x256",
    )
    parser.add_argument("--rounds", type=int, default=8)
    args = parse_args(parser)
    rows = []
    for batch, size in SHAPES[2:3] if args.quick else SHAPES:
        for case in (case for case in (*STAGES, *CHAINS) if args.only in case):
            rows.append(measure(case, batch, size, args))
            print(json.dumps(rows[-1]), flush=True)
    write_rows(rows, args)


if __name__ == "__main__":
    main()
