"""What stands at the top of a page of networks: the verdict, curves, commands."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from realesrgan_paddle.utils.report.document import escaped


@dataclass(frozen=True)
class Summary:
    """The top of a page; empty parts are left out."""

    lines: Sequence[str] = ()
    """The verdict; what belongs to the line before begins with a space."""
    curves: bytes = b""
    """A PNG of a run's curves."""
    commands: Sequence[str] = ()
    """Commands to paste."""

    def below(self, lines: Sequence[str], commands: Sequence[str]) -> "Summary":
        """Return the summary with other lines and commands above its own."""
        all_lines = [*lines, *self.lines]
        all_commands = [*commands, *self.commands]
        return Summary(all_lines, self.curves, all_commands)

    def html(self) -> str:
        """Return the summary as HTML."""
        parts = []
        for line in self.lines:
            kind = "detail" if line.startswith(" ") else "verdict"
            parts.append(f'<p class="{kind}">{escaped(line.strip())}</p>\n')

        if self.curves:
            encoded = base64.b64encode(self.curves).decode()
            source = f"data:image/png;base64,{encoded}"
            image = f'<img alt="curves of the run" src="{source}">'
            parts.append(
                f"<details><summary>curves of the run</summary>{image}</details>\n"
            )
        if self.commands:
            listed = "\n".join(map(escaped, self.commands))
            parts.append(
                f"<details><summary>commands</summary><pre>{listed}</pre></details>\n"
            )
        return "".join(parts)
