"""Write docs/options.md, the reference of all options, from the schema."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.options.reading.describe import options_page
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.cli import Parser, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--output",
        default=str(Path(__file__).resolve().parents[1] / "docs" / "options.md"),
        help="page to write",
    )
    args = parser.parse(argv)
    with atomic_path(args.output) as path:
        path.write_text(options_page(), encoding="utf-8")
    print(f"wrote {args.output}")
    return 0


if __name__ == "__main__":
    run(main)
