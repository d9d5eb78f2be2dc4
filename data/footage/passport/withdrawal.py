"""Taking a source's frames out of the set again, once its passport says so."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.footage.passport.passport import Passport
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.views.places import remove_image
from realesrgan_paddle.data.sets.manifest import DROPPED, Record, is_kept

UNWANTED = "its source is not worth training on"
"""Why the frames are dropped that would be kept of a better source."""


def is_unwanted(passport: Passport, selection: Selection) -> bool:
    """Return whether none of a source's frames are to be kept."""
    if selection.trust_sources or selection.keep_all:
        return False
    return passport.verdict.decision == "do not train"


def withdraw(records: Sequence[Record], output: Path) -> list[Record]:
    """Remove the images of a source; return its records, with these frames dropped.

    Args:
        records: the records of its frames.
        output: folder of the set.
    """
    left = []
    for record in records:
        if is_kept(record):
            remove_image(output, Path(record["file"]).name)
            record = {**record, "decision": DROPPED, "reason": UNWANTED}
        left.append(record)
    return left
