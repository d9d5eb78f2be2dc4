"""Whether the frames of a set are enough for a finetune, and what would help most."""

from collections.abc import Iterator, Sequence

from realesrgan_paddle.data.footage.passport.passport import MIDDLE, Passport

ENOUGH_FRAMES, ENOUGH_VIEWS = 8, 5
"""Frames, and views that they show, from which more of them gain next to nothing.

Of soccer, in 500 iterations: eight frames of five matches were within 0.1 dB, 2 % of
LPIPS and 1 % of DISTS of all 82 (docs/domain_gain/README.md, "Recipes").
"""

MEASURED = "of soccer, 8 frames of 5 clips trained as good a network as 82"
LITTLE = "more frames of the same views would hardly help"


def enough_lines(
    passports: Sequence[Passport], frames: int, views: int
) -> Iterator[str]:
    """Yield whether footage is enough, what would help most, and what can be left out.

    Args:
        passports: of its sources.
        frames: that are trained on.
        views: that these frames show.
    """
    used = [passport for passport in passports if passport.kept]
    poor = [one for one in used if one.verdict.decision == MIDDLE]
    counts = f"{_count(frames, 'frame')} of {_count(views, 'view')}"
    if poor and len(poor) == len(used):
        yield f"{counts}, all of poor sources: less compressed footage would help most"
    elif views < ENOUGH_VIEWS:
        enough = "enough frames, few views" if frames >= ENOUGH_FRAMES else "few frames"
        help_most = "clips of other places, matches or days would help most"
        yield f"{counts}: {enough}; {help_most} ({MEASURED})"
    elif frames < ENOUGH_FRAMES:
        yield f"{counts}: few frames; longer clips would help most ({MEASURED})"
    else:
        yield f"{counts}: enough to train on; {LITTLE} ({MEASURED})"

    good = sum(passport.kept for passport in used if passport not in poor)
    if poor and good >= ENOUGH_FRAMES:
        names = ", ".join(passport.name for passport in poor)
        yield f"there is better than {names}: the other sources have {good} frames"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
