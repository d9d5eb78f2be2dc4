"""File names that would forge lines, steer a terminal, or end a program."""

import os

FORGED = "a\n[2/2] b.png 8x8 -> fine"
HOSTILE_NAMES = {
    os.fsdecode(b"\xff"): r"\xff",
    FORGED: r"a\n[2/2] b.png 8x8 -> fine",
    "\x1b[2J": r"\x1b[2J",
    "\u202egnp": r"\u202egnp",
    "a\u200bb": r"a\u200bb",
    "\r100%": r"\r100%",
}
"""Names, and how a line shows them."""

READABLE_NAMES = ("比赛 第1场", "全角　空格", "Fußball é", "матч", "👍")
"""Names that are shown as they are."""
