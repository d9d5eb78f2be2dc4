"""Does training in bfloat16 cost quality? The same arms and seeds in both precisions.

python -m benchmarks.domain_gain.precision --float32 arms.jsonl --bfloat16 arms_bf16.jsonl
--output docs/domain_gain/precision.md
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.domain_gain.judge import Record, read_records
from benchmarks.domain_gain.report import SHOWN, difference_cells, put_together
from realesrgan_paddle.utils.atomic import atomic_path

FIRST, SECOND = ", seed 0", ", seed 1"


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
    for name, label, other, one, two in _compared(float32, bfloat16):
        (first,), (second,) = put_together([one]), put_together([two])
        cells = difference_cells(first, second)
        lines.append(f"| {name}, {label} | {other} | {' | '.join(cells)} |")
    return lines


def _compared(
    float32: Sequence[Record], bfloat16: Sequence[Record]
) -> Iterator[tuple[str, str, str, Record, Record]]:
    """Yield what is compared: arm, input, how, and the two records."""
    by_name = {(each["network"], each["input"]): each for each in float32}
    for record in bfloat16:
        name, label = record["network"], record["input"]
        same = by_name.get((name, label))
        if same is None or not name.endswith(FIRST):
            continue
        arm = name.removesuffix(FIRST)
        yield arm, label, "bfloat16 less float32", record, same
        other = by_name.get((arm + SECOND, label))
        if other is not None:
            yield arm, label, "seed 1 less seed 0, float32", other, same


if __name__ == "__main__":
    main()
