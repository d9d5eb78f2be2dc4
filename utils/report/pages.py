"""What all HTML pages share: their look, their head, the summary above."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from realesrgan_paddle.utils.errors import printable

PAGE = "index.html"
"""The name of a page that stands alone in its folder."""


def read_asset(name: str) -> str:
    """Return the text of a style, script or template of this package."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def escaped(text: str) -> str:
    """Return `text` as HTML that shows it, with escapes for what is not printable."""
    return escape(printable(text))


def filled(template: str, **parts: str) -> str:
    """Return a template file of this package with HTML in the place of each `$name`."""
    return Template(read_asset(template)).substitute(parts)


def whole_page(headline: str, body: str, *assets: str) -> str:
    """Return a page that needs no other file.

    Args:
        headline: its title.
        body: HTML.
        assets: styles and scripts of this package; the look of all pages comes first.
    """
    styles = ["look.css", *(name for name in assets if name.endswith(".css"))]
    scripts = [name for name in assets if name.endswith(".js")]
    return filled(
        "page.html",
        title=escaped(headline),
        style="".join(map(read_asset, styles)),
        body=body,
        script="".join(map(read_asset, scripts)),
    )


@dataclass(frozen=True)
class Summary:
    """The top of a page; empty parts are left out."""

    lines: Sequence[str] = ()
    """The verdict, its main sentence first; what begins with a space is a detail."""
    curves: str = ""
    """HTML that shows a run's curves."""
    commands: Sequence[str] = ()
    """Commands to paste."""

    def below(self, lines: Sequence[str], commands: Sequence[str]) -> "Summary":
        """Return the summary with other lines and commands above its own."""
        all_lines = [*lines, *self.lines]
        all_commands = [*commands, *self.commands]
        return Summary(all_lines, self.curves, all_commands)

    def html(self) -> str:
        """Return the summary as HTML: a sentence, and details that unfold."""
        parts = []
        details = []
        for number, line in enumerate(self.lines):
            text = escaped(line.strip())
            if line.startswith(" "):
                details.append(f'<p class="detail">{text}</p>\n')
                continue
            parts.append(_folded("in numbers", details))
            details = []
            kind = "verdict" if number else "lead"
            parts.append(f'<p class="{kind}">{text}</p>\n')
        parts.append(_folded("in numbers", details))

        if self.curves:
            parts.append(_folded("curves of the run", [self.curves]))
        if self.commands:
            listed = "\n".join(map(escaped, self.commands))
            parts.append(_folded("commands", [f"<pre>{listed}</pre>"]))
        return "".join(parts)


def _folded(title: str, content: Sequence[str]) -> str:
    """Return HTML that unfolds by a click; "" without content."""
    if not content:
        return ""
    return f"<details><summary>{title}</summary>{''.join(content)}</details>\n"


NOTHING = Summary()
