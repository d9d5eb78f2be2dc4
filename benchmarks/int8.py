"""What int8 gains over bf16, and what it loses, of exported SRVGGNetCompact networks.

Needs `inference.int8.json` beside each model (tools/quantize.py) and a folder with pairs
NAME_HR.png and NAME_LR.png, such as Set5. Prints, for each network and precision, the
fastest call on 128x128 pixels, in turns; PSNR to the ground truth (RGB, 8 bits, whole
image) and to float32. What this CPU does not compute in is left out, with the reason.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, to_uint8
from realesrgan_paddle.utils.metrics.similarity import psnr

PRECISIONS = ("fp32", "bf16", "int8")
SIZE = 128
REST = 0.25
"""Between two calls [s]: threads of OpenMP go on spinning after one."""


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()

    for model in args.models:
        runners = {}
        for precision in PRECISIONS:
            try:
                runner = open_runner(model, precision=precision, threads=args.threads)
            except UserError as error:  # this CPU has it not, or nothing is calibrated
                print(f"{model.name}: {precision} is left out: {error}")
            else:
                runners[precision] = runner
        _compare(model.name, runners, args.pairs, args.rounds)


def _compare(
    name: str, runners: Mapping[str, Runner], pairs: Path, rounds: int
) -> None:
    """Print a network's times, and its PSNR on pairs."""
    image = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    calls = {precision: partial(run, image) for precision, run in runners.items()}
    times = _in_turns(calls, rounds)

    losses: dict[str, list[tuple[float, float]]] = {p: [] for p in runners}
    for lq_file in sorted(pairs.glob("*_LR.png")):
        gt = read_rgb(lq_file.with_name(lq_file.name.replace("_LR", "_HR")))
        lq = np.ascontiguousarray(read_rgb(lq_file).transpose(2, 0, 1))
        results = {p: runner(lq[None])[0] for p, runner in runners.items()}
        levels = {p: to_uint8(sr.transpose(1, 2, 0)) for p, sr in results.items()}
        for precision, sr in levels.items():
            to_gt = psnr(sr, to_uint8(gt))
            losses[precision].append((to_gt, psnr(sr, levels["fp32"])))

    for precision, found in losses.items():
        to_gt, to_exact = np.mean(found, 0)
        print(
            f"{name} {precision}: {1000 * times[precision]:.1f} ms, "
            f"{to_gt:.3f} dB to ground truth, {to_exact:.1f} dB to fp32"
        )


def _in_turns(
    calls: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, float]:
    """Return the seconds of each call's fastest round."""
    for call in calls.values():
        call()
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(REST)
            begin = time.perf_counter()
            call()
            times[name] = min(times[name], time.perf_counter() - begin)
    return times


if __name__ == "__main__":
    main()
