"""The table of docs/recurrent.md, of the results of recurrence.py.

    python -m benchmarks.video.recurrence_table --results FILE --domain soccer --iterations 300

First means over all places; then the change from the arm "frame" in percent of it, with the
95 % interval of the mean over moments, whose places are averaged.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.domain_gain.judge import BICUBIC, read_records
from benchmarks.video.recurrence import ARMS, RELEASED
from realesrgan_paddle.utils.paired import paired_interval

METRICS = {
    "psnr_y": ".2f",
    "lpips": ".3f",
    "dists": ".3f",
    "tlp": ".2f",
    "signed tlp": ".2f",
    "tof": ".3f",
    "warping": ".1f",
    "sharpness": ".2f",
}
"""And how they are written."""
RELATIVE = ("lpips", "dists", "tlp", "tof", "warping", "sharpness")
"""Those whose change is a share."""

Records = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--iterations", type=int, required=True)
    args = parser.parse_args()

    records = {
        record["arm"].removesuffix(f", {args.iterations}"): record
        for record in read_records(args.results)
        if record["domain"] == args.domain
    }
    arms = [arm for arm in (BICUBIC, RELEASED, *ARMS) if arm in records]
    _print_row([args.domain, *METRICS])
    for arm in arms:
        record = records[arm]
        _print_row(
            [arm, *(f"{mean(record[key]):{how}}" for key, how in METRICS.items())]
        )

    _print_row(["against frame", *RELATIVE])
    for arm in arms:
        if arm not in (BICUBIC, RELEASED, "frame"):
            _print_row([arm, *(_change(records, arm, key) for key in RELATIVE)])


def _change(records: Records, arm: str, key: str) -> str:
    """Return the change of a metric from the arm "frame", with its interval."""
    one, other = records[arm], records["frame"]
    pairs = zip(one[key], other[key], strict=True)
    interval = paired_interval([new - old for new, old in pairs], one["group"])
    share = 100 / mean(other[key])
    low, high = interval.low * share, interval.high * share
    return f"{interval.mean * share:+.0f} % [{low:+.0f}, {high:+.0f}]"


def _print_row(cells: Sequence[str]) -> None:
    print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
