"""Draw degradations, hide them, and see whether the search finds them again.

python benchmarks/footage/hidden_degradations.py --frames FOLDER --clips A B C --cases 10
--results results.jsonl

Frames are named CLIP_...; case n degrades those of one clip, and the search gets the
other clips as ground truth. Results are appended, so a run that was stopped goes on.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.data.lq.compare import Comparer, Sets
from realesrgan_paddle.data.lq.parameters import NUMBER, Point, Region, point_options
from realesrgan_paddle.data.lq.search import search
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.data.lq.solution import (
    CERTAIN,
    LIKELY,
    Solution,
    solution_options,
)
from realesrgan_paddle.data.lq.solve import pick
from realesrgan_paddle.data.lq.windows import RealImage, gt_windows, real_windows
from realesrgan_paddle.data.statistics.window_statistics import window_statistics
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.images import list_images, read_rgb
from realesrgan_paddle.utils.machine.devices import start_paddle

FIRST_SEED = 50_000
IMAGES = 5
SIDE = 96
TOLERANCE = 0.02
"""Added to an interval, for its ends are rounded when they are written."""


def main() -> None:
    """Run the cases that are missing, then print the summary of all."""
    args = _arguments()
    start_paddle()
    done = {}
    if args.results.exists():
        for line in args.results.read_text().splitlines():
            record = json.loads(line)
            done[record["case"]] = record
    for case in range(args.first, args.first + args.cases):
        if case in done:
            continue
        done[case] = _run(case, args)
        with args.results.open("a") as file:
            file.write(json.dumps(done[case]) + "\n")
        _print(done[case])
    _summarize(list(done.values()))


def _run(case: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return the record of one case."""
    two_passes = case % 5 == 4
    rng = np.random.default_rng(FIRST_SEED + case)
    shares = Region().none_shares | {"first JPEG": float(not two_passes)}
    truth = Region(none_shares=shares).draw(rng)
    clip = args.clips[case % len(args.clips)]
    frames = list_images(args.frames, recursive=True)
    real_paths = [path for path in frames if path.name.startswith(clip)][:IMAGES]
    others = tuple(other for other in args.clips if other != clip)
    gt_paths = [path for path in frames if path.name.startswith(others)]
    pictures = _hidden(truth, real_paths, args.scale, case)

    start, before = time.time(), _cpu_seconds()
    real = real_windows(pictures, SIDE, rng)
    gt, _ = gt_windows(gt_paths, SIDE, args.scale, rng)
    by_name = window_statistics(real.pixels)
    measured = np.stack(list(by_name.values()), axis=1)
    with Simulator(gt.pixels, args.scale, args.processes) as simulator:
        sets = Sets(real, measured, list(by_name), gt)
        solution = search(sets, simulator, args.scale)
        compare = Comparer(sets, simulator)
        written = pick(solution, compare.apart(), args.scale)
        seconds = time.time() - start
        intervals = compare(solution_options(solution, args.scale))[0]["all"]
        found = compare(solution_options(written, args.scale))[0]["all"]
        own = compare(point_options(truth, args.scale))[0]["all"]
    return {
        "case": case,
        "two passes": two_passes,
        "parameters": _judge(truth, solution),
        "distance": found,
        "distance of the intervals": intervals,
        "own distance": own,
        "seconds": seconds,
        "cpu seconds": _cpu_seconds() - before,
        "outlying": solution.outlying,
    }


def _hidden(truth: Point, paths: list[Path], scale: int, seed: int) -> list[RealImage]:
    from realesrgan_paddle.data.lq.folder import make_lq

    hidden = point_options(truth, scale)
    options = LQConfig(dataroot_gt=".", scale=scale, manual_seed=seed, **hidden)
    pictures = []
    for path in paths:
        pictures.append(
            RealImage(path.name, make_lq(read_rgb(path), path.name, options))
        )
    return pictures


def _judge(truth: Point, solution: Solution) -> dict[str, Any]:
    """Return for each parameter that means something: truth, found, inside."""
    judged = {}
    codec = truth.choices["codec"]
    for name, chances in solution.choices.items():
        if name == "chroma" and codec == "none":
            continue
        if name.startswith("noise") and truth.places["noise"] == 0:
            continue
        right = truth.choices[name]
        best = max(chances.values())
        judged[name] = {
            "truth": right,
            "found": {option: round(chance, 2) for option, chance in chances.items()},
            "inside": chances.get(right, 0) >= LIKELY,
            "identified": best >= CERTAIN,
        }
    for name, found in solution.numbers.items():
        place = truth.places[name]
        if not truth.has(name):
            continue
        inside = found.low - TOLERANCE <= place <= found.high + TOLERANCE
        if name == "quality":
            inside &= solution.best.choices["codec"] == codec
        if NUMBER[name].none_share:
            absent = found.present <= 0.9 if place == 0 else found.present < 0.1
            inside = absent if place == 0 else inside and not absent
        judged[name] = {
            "truth": round(place, 3),
            "found": [round(found.low, 3), round(found.place, 3), round(found.high, 3)],
            "present": round(found.present, 2),
            "inside": bool(inside),
            "identified": found.high - found.low < 0.6,
        }
    return judged


def _print(record: dict[str, Any]) -> None:
    judged = record["parameters"]
    inside = sum(one["inside"] for one in judged.values())
    ratio = record["distance"] / record["own distance"]
    print(
        f"case {record['case']}: {inside} of {len(judged)} inside, distance "
        f"{record['distance']:.3f} ({ratio:.2f} x the truth's), "
        f"{record['cpu seconds']:.0f} processor s, {record['seconds']:.0f} s"
    )
    for name, one in judged.items():
        if not one["inside"]:
            print(f"    {name}: truth {one['truth']}, found {one['found']}")


def _summarize(records: list[dict[str, Any]]) -> None:
    for two_passes in (False, True):
        chosen = [one for one in records if one["two passes"] == two_passes]
        if not chosen:
            continue
        judged = [one for record in chosen for one in record["parameters"].values()]
        inside = sum(one["inside"] for one in judged)
        known = [one for one in judged if one["identified"]]
        right = sum(one["inside"] for one in known)
        ratios = [one["distance"] / one["own distance"] for one in chosen]
        print(
            f"{'two passes' if two_passes else 'one pass'}: {len(chosen)} cases, "
            f"{inside} of {len(judged)} inside ({inside / len(judged):.0%}), of the "
            f"identified {right} of {len(known)}; distance {np.median(ratios):.2f} x "
            f"the truth's (largest {max(ratios):.2f})"
        )


def _cpu_seconds() -> float:
    import resource

    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--clips", nargs="+", required=True)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
