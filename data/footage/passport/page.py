"""The passports as lines of text, and as what the page of a set says of its sources."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from realesrgan_paddle.data.footage.passport.passport import MIDDLE, Box, Passport
from realesrgan_paddle.data.footage.passport.verdict import UNWANTED, quantizer_text
from realesrgan_paddle.utils.images import size_text
from realesrgan_paddle.utils.report.gallery import About

FEW_KEPT = 3
"""Of a source that gives no more frames it is said what became of the others."""


def summary_line(passport: Passport) -> str:
    """Return one line about a source: verdict, main figures, reasons."""
    figures = [size_text(passport.size)]
    if passport.key_bits_per_pixel is not None:
        figures.append(f"{passport.key_bits_per_pixel:.2f} bit/pixel in key frames")
    if passport.quantizer:
        figures.append(quantizer_text(passport))
    figures.append(_kept(passport))
    line = f"{passport.name}: {passport.verdict}; {', '.join(figures)}"

    reasons = passport.verdict.reasons + passport.verdict.warnings
    if reasons:
        line += f"; {'; '.join(reasons)}"
    if UNWANTED in passport.dropped:
        line += "; --trust_sources keeps its frames"
    elif passport.brought_back:
        line += "; its frames were brought back to that size"
    elif passport.true_size:
        line += "; extract again with --true_size to bring its frames back"
    return line


def _kept(passport: Passport) -> str:
    """Return how many frames were kept; of few, why the others were not."""
    total = passport.kept + sum(passport.dropped.values())
    text = f"{passport.kept} of {total} frames kept"
    if passport.kept > FEW_KEPT or not passport.dropped:
        return text
    return f"{text}: {_dropped(passport)}"


def _dropped(passport: Passport) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in passport.dropped.items())


PLAIN: tuple[tuple[str, str], ...] = (
    ("compressed before", "It seems to have been compressed before."),
    ("wiped", "Compression has wiped its fine detail."),
    ("no fine detail", "Compression has wiped its fine detail."),
    ("in key frames", "It is strongly compressed."),
    ("slight blocks", "Some of its frames show slight compression blocks."),
    ("compression blocks", "Its frames show compression blocks."),
    ("blurred", "Many of its frames are blurred."),
    ("enlarged", "It was enlarged from a smaller picture."),
    ("grain", "It has strong grain, which a network learns to make."),
    ("halos", "It was sharpened: there are halos beside edges."),
    ("between key frames", "It has few key frames; --select scene finds more."),
)
"""What a reason of a verdict means, by words of it; the figures are in the table."""
KINDS: Mapping[str, Literal["good", "doubtful", "bad"]] = {
    "train": "good",
    "downscale": "doubtful",
    MIDDLE: "doubtful",
    "do not train": "bad",
}


def about_sources(passports: Sequence[Passport]) -> dict[str, About]:
    """Return what the page of a set says of each source, by its name in the manifest."""
    return {passport.source: _about(passport) for passport in passports}


def _about(passport: Passport) -> About:
    """Return the verdict in plain words, and the figures behind it."""
    verdict = passport.verdict
    reasons = [*verdict.reasons, *verdict.warnings]
    plain = list(dict.fromkeys(map(_plain, reasons)))
    said = str(verdict)
    total = passport.kept + sum(passport.dropped.values())
    kept = f"{passport.kept} of {total} frames kept"
    if passport.dropped:
        kept += f"; dropped: {_dropped(passport)}"
    return About(
        verdict=f"{said[0].upper()}{said[1:]}.",
        remarks=[*plain, f"{kept}."],
        kind=KINDS[verdict.decision],
        details=[*(("because", reason) for reason in reasons), *_rows(passport)],
    )


def _plain(reason: str) -> str:
    for words, meaning in PLAIN:
        if words in reason:
            return meaning
    return f"{reason}."


def _rows(passport: Passport) -> Iterator[tuple[str, str]]:
    """Yield label and value of all that is known of a source."""
    yield "file", passport.source
    yield "size", size_text(passport.size)
    yield "true size", _true_size(passport)
    yield "detail ends", _figure(passport.detail_ends, 2, " cycles/pixel")
    yield "codec", passport.codec
    yield "bits per pixel", _figure(passport.bits_per_pixel, 3)
    yield "of key frames", _figure(passport.key_bits_per_pixel, 3)
    yield "quantizer", quantizer_text(passport)
    yield "between key frames", _figure(passport.seconds_between_keys, 1, " s")
    yield "grain", _figure(passport.grain, 1, " levels")
    yield "halos", _percent(passport.halo)
    yield "texture wiped", _percent(passport.wiped)
    yield "blurred frames", _percent(passport.blurred)
    yield "blocky frames", _percent(passport.blocky)
    yield "sharpness", _figure(passport.sharpness, 2)
    yield "contrast", _figure(passport.contrast, 0, " levels")
    yield "shots", str(passport.shots)
    yield "fields", passport.interlacing
    yield "borders", _borders(passport)
    overlays = [f"{found.kind}, {_box(found.box)}" for found in passport.overlays]
    yield "overlays", "; ".join(overlays) or "none found"
    if passport.transitions is not None:
        yield "transitions", str(passport.transitions)
    if passport.copies is not None:
        copies = [f"{count} in {name}" for name, count in passport.copies.items()]
        yield "copies", ", ".join(copies) or "none found"
    yield "frames kept", str(passport.kept)
    yield "frames dropped", _dropped(passport) or "none"


def _true_size(passport: Passport) -> str:
    true = passport.true_size
    if true is None:
        return "not enlarged, as far as can be told"
    return f"{true.width}x{true.height} ({true.how})"


def _borders(passport: Passport) -> str:
    if passport.side_fill:
        return f"filled sides: {passport.side_fill}"
    if passport.borders:
        return f"picture of {_box(passport.borders)}"
    return "none found"


def _box(box: Box) -> str:
    x, y, width, height = box
    return f"{width}x{height} at {x}, {y}"


def _figure(value: float | None, digits: int, unit: str = "") -> str:
    if value is None:
        return "unknown"
    number = f"{value:.{digits}f}"
    return number + unit


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"
