"""Does training in bfloat16 cost quality? The same arms and seeds in both precisions.

python -m benchmarks.domain_gain.precision --float32 arms.jsonl --bfloat16 arms_bf16.jsonl
--output docs/domain_gain/precision.md
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.domain_gain.judge import Record, read_records
from benchmarks.domain_gain.report import SHOWN, difference_cells, put_together
from realesrgan_paddle.utils.files import atomic_path


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--float32", type=Path, required=True)
    parser.add_argument("--bfloat16", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    lines = table(read_records(args.float32), read_records(args.bfloat16))
    with atomic_path(args.output) as path:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def table(float32: Sequence[Record], bfloat16: Sequence[Record]) -> list[str]:
    """Return the lines of a Markdown table: the precision's effect beside the seed's."""
    names = [metric.upper() for metric in SHOWN]
    lines = [
        "Mean, 95 % interval over clips, share.",
        "",
        f"| arm, input | what | {' | '.join(names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for (arm, label), what, some, others in _compared(float32, bfloat16):
        (first,), (second,) = put_together(some), put_together(others)
        cells = difference_cells(first, second)
        lines.append(f"| {arm}, {label} | {what} | {' | '.join(cells)} |")
    return lines


def _compared(
    float32: Sequence[Record], bfloat16: Sequence[Record]
) -> Iterator[tuple[tuple[str, str], str, list[Record], list[Record]]]:
    """Yield what is compared: arm and input, how, and the records of each."""
    narrow = _by_seed(bfloat16)
    for key, wide in _by_seed(float32).items():
        both = sorted(wide.keys() & narrow.get(key, {}).keys())
        if not both:
            continue
        what = f"bfloat16 less float32, seed {' and '.join(both)}"
        some = [narrow[key][seed] for seed in both]
        yield key, what, some, [wide[seed] for seed in both]
        if {"0", "1"} <= wide.keys():
            yield key, "seed 1 less seed 0, float32", [wide["1"]], [wide["0"]]


def _by_seed(
    records: Sequence[Record],
) -> dict[tuple[str, str], dict[str, Record]]:
    """Return the records of finetunes by arm and input, then by seed."""
    found: dict[tuple[str, str], dict[str, Record]] = {}
    for record in records:
        arm, _, seed = record["network"].partition(", seed ")
        if seed:
            found.setdefault((arm, record["input"]), {})[seed] = record
    return found


if __name__ == "__main__":
    main()
