"""Write docs/options.md and the JSON schemas for editors from the declared options."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.options.reading.describe import options_page
from realesrgan_paddle.options.reading.editor_schema import editor_schemas
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.cli import Parser, say

CHECKOUT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=CHECKOUT / "docs" / "options.md",
        help="page to write",
    )
    parser.add_argument(
        "--schemas",
        type=Path,
        default=CHECKOUT / "options",
        metavar="FOLDER",
        help="folder for the JSON schemas, beside the yml files that name them",
    )
    args = parser.parse(argv)

    written = {args.output: options_page()}
    for name, text in editor_schemas().items():
        written[args.schemas / name] = text
    for path, text in written.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        say(f"wrote {path}")
    return 0
