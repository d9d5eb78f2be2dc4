"""Time inference on this CPU: this project, and the engines that others would take.

All compute the same weights on the same image. Each runs in its own process; they run
in turns, one call at a time, so that all see the same load. Real-ESRGAN as shipped is
torch in float32. Then tools/infer.py is timed from its start to its end, and its memory
is measured on large images.

A row's times are the fastest of the rounds, `ratio` is ours to the fastest peer's (the
goal is 0.9, or 0.5 to the command before), `shipped_ratio` ours to Real-ESRGAN's (0.4);
a ratio above its goal is marked with `!`. `median_ratio` is the median of the rounds'
ratios. `psnr_db` is measured against torch in float32, `peak_mb` over all processes.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from engines.cases import OURS, PEERS, SHIPPED
from engines.network import ROOT, Network, infer
from engines.rows import GOAL_BEFORE, Row, Taken, compare, describe, psnr, table
from train_step import Stepper, add_busy, busy, machine

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb, write_image
from realesrgan_paddle.utils.machine.devices import has_bf16

SMALL = "realesr-animevideov3"
NETWORKS = (
    SMALL,
    "realesr-general-x4v3",
    "RealESRGAN_x4plus_anime_6B",
    "RealESRGAN_x4plus",
)
SIZES = ("128x128", "640x360")
MEMORY_SIZES = ("1280x720", "3840x2160", "7680x4320")
ROUNDS, FEW_ROUNDS = 8, 3
MANY_PIXELS = 100_000
"""Images with more get fewer rounds."""
PAUSE = 0.3
"""Seconds between two turns. OpenMP's threads go on waiting for work for 0.2 s
(KMP_BLOCKTIME), on the cores of whoever is next."""
AREA_PER_DISC = 15
"""Pixels of the picture for each disc: enough that discs cover nearly all."""
SMALLEST_RADIUS, LARGEST_RADIUS = 3.0, 50.0
GRAIN = 2.0
"""Standard deviation of the noise, in levels of 255."""
LARGEST = (1280, 720)
"""Width and height of what is painted; larger pictures repeat it, mirrored."""


def measure(
    network: Network, size: str, precision: str, args: argparse.Namespace
) -> list[Row]:
    """Return the rows of a network at a size: one for each engine of this project."""
    image = _image(size, args.image)
    images = np.float32(image.transpose(2, 0, 1)[None]) / 255
    np.save(network.folder / "input.npy", images)

    ours = [engine for engine in OURS if precision in OURS[engine]]
    # The shipped one is there in every precision: it is the reference.
    chosen = [name for name in PEERS[precision] if name in args.peers]
    peers = [SHIPPED, *(name for name in chosen if name != SHIPPED)]
    if not args.peers_python:
        peers = []
    taken = _take_turns(network, ours, peers, precision, rounds_of(size, args), args)

    case = f"{network.name} {size}"
    for name, figures in taken.items():
        print(f"{case} {precision} {name}: {json.dumps(describe(figures))}", flush=True)
    others = {name: taken[name] for name in peers}
    return [compare(case, precision, name, taken[name], others) for name in ours]


def _image(size: str, path: Path | None) -> np.ndarray:
    width, height = map(int, size.split("x"))
    return cut(path, width, height) if path else paint(width, height)


def rounds_of(size: str, args: argparse.Namespace) -> int:
    """Return how often each engine is timed at a size."""
    width, height = map(int, size.split("x"))
    usual = FEW_ROUNDS if width * height > MANY_PIXELS else ROUNDS
    return args.rounds or usual


def _take_turns(
    network: Network,
    ours: Sequence[str],
    peers: Sequence[str],
    precision: str,
    rounds: int,
    args: argparse.Namespace,
) -> dict[str, Taken]:
    """Return what each engine took, in rounds in which each has one turn."""
    steppers = {}
    for name in ours:
        command = network.process(sys.executable, "ours", name, args)
        steppers[name] = Stepper([*command, "--precision", precision], args.threads)
    for name in peers:
        command = network.process(args.peers_python, "peers", name, args)
        steppers[name] = Stepper(command, args.threads)

    with busy(args.busy):
        for _ in range(rounds):
            for stepper in steppers.values():
                time.sleep(PAUSE)
                stepper.step("wall")

    taken = {}
    reference = np.load(network.output(SHIPPED)) if peers else None
    for name, stepper in steppers.items():
        decibels = None
        if reference is not None and name != SHIPPED:
            decibels = psnr(np.load(network.output(name)), reference)
        seconds = [milliseconds / 1000 for milliseconds in stepper.times]
        taken[name] = Taken(seconds, stepper.close(), decibels)
    return taken


def whole_command(network: Network, args: argparse.Namespace) -> Row:
    """Return the row of tools/infer.py on one image of 128x128, from start to end."""
    file = _write(network, "128x128", args.image)
    checkouts = {"now": ROOT}
    if args.before:
        checkouts["before"] = args.before.resolve()

    runs: dict[str, list[Taken]] = {name: [] for name in checkouts}
    with busy(args.busy):
        for _ in range(rounds_of("128x128", args)):
            for name, checkout in checkouts.items():
                results = network.folder / f"results_{name}"
                model = network.folder / "infer"
                run = infer(checkout, model, file, results, args.threads)
                runs[name].append(run)

    taken = {}
    for name, several in runs.items():
        seconds = [run.seconds[0] for run in several]
        taken[name] = Taken(seconds, max(run.peak_mb for run in several))
    ours = taken.pop("now")
    case = f"whole process {network.name} 128x128"
    return compare(case, "auto", "tools/infer.py", ours, taken, GOAL_BEFORE)


def memory(network: Network, size: str, args: argparse.Namespace) -> Row:
    """Return the row of tools/infer.py on one large image, once."""
    file = _write(network, size, None)
    results = network.folder / "results_large"
    taken = infer(ROOT, network.folder / "infer", file, results, args.threads)
    case = f"memory {network.name} {size}"
    return compare(case, "auto", "tools/infer.py", taken, {})


def _write(network: Network, size: str, path: Path | None) -> Path:
    """Write the input of a size as PNG."""
    file = network.folder / f"{size}.png"
    write_image(file, _image(size, path))
    return file


def cut(path: Path, width: int, height: int) -> np.ndarray:
    """Return the middle of an image file, uint8 RGB (height, width, 3)."""
    image = np.rint(255 * read_rgb(path)).astype(np.uint8)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if min(top, left) < 0:
        found = f"{image.shape[1]}x{image.shape[0]}"
        raise UserError(f"{path}: {found} pixels are less than {width}x{height}")
    return image[top : top + height, left : left + width]


def paint(width: int, height: int) -> np.ndarray:
    """Return a picture of discs upon discs, uint8 RGB (height, width, 3).

    Radii r are distributed as 1 / r^3, with which the picture has edges and a spectrum
    like a photograph's: Lee, Mumford & Huang 2001, "Occlusion Models for Natural
    Images", section 4. It is smoothed as by a lens, and has some grain.
    """
    rng = np.random.default_rng(0)
    size = min(width, LARGEST[0]), min(height, LARGEST[1])
    discs = _discs(*size, rng)
    smooth = cv2.GaussianBlur(discs, (0, 0), 0.8)

    margins = ((0, height - size[1]), (0, width - size[0]), (0, 0))
    picture = np.pad(smooth, margins, "symmetric")
    picture = picture + GRAIN * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _discs(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image = np.full((height, width, 3), 128, np.uint8)
    for _ in range(width * height // AREA_PER_DISC):
        radius = SMALLEST_RADIUS * (1 + rng.pareto(2))
        radius = min(radius, LARGEST_RADIUS)
        center = int(rng.integers(width)), int(rng.integers(height))
        tint = rng.normal(0, 20, 3)
        color = np.clip(rng.uniform(20, 236) + tint, 0, 255).tolist()
        cv2.circle(image, center, int(radius), color, -1, cv2.LINE_AA)
    return image


def parse_args() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="only 128x128, and memory up to 4K")
    add("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    add(
        "--rounds",
        type=int,
        help=f"turns of each engine; default: {ROUNDS}, large images {FEW_ROUNDS}",
    )
    add("--threads", type=int, default=min(2, os.cpu_count() or 1))
    add(
        "--peers_python",
        metavar="PYTHON",
        help="interpreter with torch, spandrel, onnx, openvino, onnxruntime and ncnn; "
        "default: no comparison",
    )
    add(
        "--weights",
        type=Path,
        metavar="FOLDER",
        help="where files with the networks' names are; default: download them",
    )
    add(
        "--image",
        type=Path,
        metavar="FILE",
        help="photograph whose middle is the input; default: a painted picture",
    )
    add(
        "--before",
        type=Path,
        metavar="CHECKOUT",
        help="checkout whose tools/infer.py is the one to compare with",
    )
    add_busy(parser)
    add("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    add("--sizes", nargs="+", metavar="WxH", help="default: 128x128 640x360")
    every = [name for names in PEERS.values() for name in names]
    add("--peers", nargs="+", choices=every, default=every, metavar="ENGINE")
    add("--precisions", nargs="+", choices=PEERS, default=list(PEERS))
    add(
        "--memory_sizes",
        nargs="*",
        metavar="WxH",
        help="default: 1280x720 3840x2160 7680x4320",
    )
    args = parser.parse_args()
    args.sizes = args.sizes or (SIZES[:1] if args.quick else SIZES)
    if args.memory_sizes is None:
        args.memory_sizes = MEMORY_SIZES[:2] if args.quick else MEMORY_SIZES
    return args


def main() -> None:
    """Run the command."""
    args = parse_args()
    print(machine())
    if "bf16" in args.precisions and not has_bf16():
        args.precisions.remove("bf16")
        print("no rows in bf16: this CPU does not multiply in it")
    rows: list[Row] = []
    for name in args.networks:
        network = Network(name, args)
        for size in args.sizes:
            for precision in args.precisions:
                rows += measure(network, size, precision, args)
        rows.append(whole_command(network, args))
        if name == SMALL:
            rows += [memory(network, size, args) for size in args.memory_sizes]

        if args.json:
            args.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
