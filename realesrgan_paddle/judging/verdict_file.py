"""`verdict.json` in the folder of a run: its verdict, and the figures behind it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import read_regular
from realesrgan_paddle.utils.json_records import parse_object

if TYPE_CHECKING:
    from realesrgan_paddle.judging.figures import Figures
    from realesrgan_paddle.judging.judge import Against
    from realesrgan_paddle.judging.run_verdict import Verdict

FILE = "verdict.json"
MOST_LINES = 100
"""Lines that are read from a file; a run with ten validation sets writes about 40."""


def write_verdict(
    folder: Path, verdict: "Verdict", figures: Mapping[str, "Figures"]
) -> None:
    """Write `verdict.json` into the folder of a run.

    It holds `lines` and `next` (texts), `sets` (by set, other method and metric: mean
    change, interval, answer) and `figures` (by method, set, image and metric).
    """
    sets = {}
    for name, compared in verdict.compared.items():
        sets[name] = {method: _as_json(each) for method, each in compared.items()}
    content = {
        "lines": verdict.lines,
        "next": verdict.next,
        "sets": sets,
        "figures": figures,
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_path(folder / FILE) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_lines(folder: Path) -> list[str]:
    """Return the lines of the verdict of a run, the next step last; [] without one.

    Raises:
        UserError: the file is not as a run writes it.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        content = parse_object(read_regular(path))
        lines = [*content["lines"], content["next"]]
    except (ValueError, LookupError, TypeError):
        lines = [None]
    if len(lines) > MOST_LINES or not all(isinstance(each, str) for each in lines):
        raise UserError(f"{path}: not the verdict of a run; move it away") from None
    return lines


def _as_json(against: "Against") -> dict[str, Any]:
    metrics = {}
    for each in against.judged:
        change = each.change
        values: dict[str, Any] = {"mean": change.mean, "answer": each.answer.value}
        if change.is_known:
            values["interval"] = [change.low, change.high]
        metrics[each.metric.name] = values
    return {"images": against.images, "clips": against.clips, "metrics": metrics}
