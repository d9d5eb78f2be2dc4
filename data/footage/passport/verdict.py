"""Whether to train on a source: its passport's figures against thresholds."""

from collections.abc import Iterator

from realesrgan_paddle.data.footage.passport.passport import MIDDLE, Passport, Verdict
from realesrgan_paddle.data.footage.selection import Selection

UNWANTED = "its source is not worth training on"
"""Why the frames are dropped that would be kept of a better source."""

BAD_QP, POOR_QP = 32.5, 27.0
"""Quantizers of key frames, as QP of H.264, from which a source is bad, or poor: trained
on if there is nothing better.

Of the encodes of the setting sources: the blocks of x264's key frames have QP 17 to 20
at CRF 23 and 33 to 37 at CRF 40; x265's headers less 3 say 20 to 26 at CRF 23 and 33 to
39 at CRF 36.
"""

BAD_KEY_BITS, POOR_KEY_BITS = 0.125, 0.2
"""Bits per pixel of key frames below which a source is bad, or poor, if its texture is
wiped or its frames have blocks. Animation, dark and flat scenes need no more.
"""

HALVING_QP = 6.0
"""QP by which the bits of a stream about halve: the step of H.264 doubles. Key frames of
a setting source, rubico_football, have half the bits after 6.5 to 7."""

MUCH_WIPED = 0.45
"""Share of textured blocks without fine detail; sharp 1080p footage has 0.05 to 0.35."""

MUCH_BLOCKY, MUCH_BLURRED = 0.5, 0.9
"""Shares of blocky, or blurred, frames from which a source is bad."""

UNFILTERED = "mpeg2video"
"""The codec that smooths no borders of blocks.

On smooth grass its frames count as blocky at the best quantizers, with steps of 1.5
levels. In the others blocks at a good quantizer are those of an earlier compression.
"""

SOME_BLURRED = 0.4
"""Share of blurred frames that is warned of."""

STRONG_GRAIN = 8.0
"""Grain [8-bit levels] that is warned of: a network learns to make it."""

STRONG_HALO = 0.06
"""Overshoot [share of the step] that is warned of: footage has 0 to 0.03, and after an
unsharp mask of strength 0.5 0.03 to 0.065."""

SELDOM = 10.0
"""Seconds between key frames from which --select keyframe finds few frames."""

MIN_FRAMES = 4
"""With fewer frames, shares of them tell nothing."""


def with_verdict(passport: Passport) -> Passport:
    """Return the passport with its verdict."""
    return passport.model_copy(update={"verdict": verdict(passport)})


def is_unwanted(passport: Passport, selection: Selection) -> bool:
    """Return whether none of a source's frames are to be kept."""
    if selection.trust_sources or selection.keep_all:
        return False
    return passport.verdict.decision == "do not train"


def verdict(passport: Passport) -> Verdict:
    """Return whether to train on a source, with the reasons."""
    bad = tuple(_reasons_not_to(passport))
    poor = tuple(_reasons_for_better(passport))
    warnings = tuple(_warnings(passport))
    if bad:
        return Verdict(decision="do not train", reasons=bad, warnings=poor + warnings)

    true = passport.true_size
    if true is None and poor:
        return Verdict(decision=MIDDLE, reasons=poor, warnings=warnings)
    if true is None:
        return Verdict(decision="train", warnings=warnings)
    # Both sides shrink by the larger factor, so that nothing is distorted.
    factor = max(true.factor_x, true.factor_y)
    width, height = passport.size
    reason = f"enlarged x{factor:.3g} from {true.width}x{true.height} ({true.how})"
    return Verdict(
        decision="downscale",
        width=round(width / factor),
        height=round(height / factor),
        reasons=(reason,),
        warnings=poor + warnings,
    )


def _reasons_not_to(passport: Passport) -> Iterator[str]:
    """Yield why not to train on a source."""
    quantizer = passport.quantizer
    if quantizer and quantizer.qp >= BAD_QP:
        yield (
            f"{quantizer_text(passport)} in key frames; from QP {BAD_QP} on texture "
            "is wiped out"
        )
    if _is_wiped(passport) and _has_bits_below(passport, BAD_KEY_BITS):
        yield (
            f"{passport.key_bits_per_pixel:.3f} bit/pixel in key frames, less than "
            f"{BAD_KEY_BITS}, and {_wiped_text(passport)}"
        )
    # Enlarged frames are blurred, or have the blocks of repeated pixels.
    if passport.true_size and not passport.brought_back:
        return
    if _is_blocky(passport) and not _has_slight_blocks(passport):
        yield (
            f"{passport.blocky:.0%} of the frames have compression blocks, "
            f"{MUCH_BLOCKY:.0%} or more"
        )
    if _is_share_from(passport, passport.blurred, MUCH_BLURRED):
        yield (
            f"{passport.blurred:.0%} of the frames are blurred, {MUCH_BLURRED:.0%} or "
            "more"
        )


def _reasons_for_better(passport: Passport) -> Iterator[str]:
    """Yield why another source would be better: what compression took from this one."""
    quantizer = passport.quantizer
    if quantizer and POOR_QP <= quantizer.qp < BAD_QP:
        yield f"{quantizer_text(passport)} in key frames; good is like QP 26 or less"
    if _is_wiped(passport) and _has_bits_below(passport, POOR_KEY_BITS):
        if not _has_bits_below(passport, BAD_KEY_BITS):
            yield (
                f"{_wiped_text(passport)}, and {passport.key_bits_per_pixel:.3f} "
                f"bit/pixel in key frames are less than {POOR_KEY_BITS}"
            )
    elif _is_encoded_again(passport):
        yield (
            f"{_wiped_text(passport)}, though {quantizer_text(passport)} wipes none: "
            "look whether it was compressed before"
        )


def _warnings(passport: Passport) -> Iterator[str]:
    """Yield what else is not good, but no reason to look for another source."""
    between = passport.seconds_between_keys
    if _is_blocky(passport) and _has_slight_blocks(passport):
        yield (
            f"{passport.blocky:.0%} of the frames are dropped for slight blocks; "
            "--max_blockiness 2 keeps them"
        )
    if _is_share_from(passport, passport.blurred, SOME_BLURRED):
        yield f"{passport.blurred:.0%} of the frames are blurred"
    if passport.grain is not None and passport.grain >= STRONG_GRAIN:
        yield f"grain of {passport.grain:.1f} levels, {STRONG_GRAIN:.0f} or more"
    if passport.halo is not None and passport.halo >= STRONG_HALO:
        yield f"halos of {passport.halo:.0%} beside edges: it was sharpened"
    if between is not None and between >= SELDOM:
        yield f"{between:.0f} s between key frames: try --select scene"


def quantizer_text(passport: Passport) -> str:
    """Return the quantizer, such as "QP 24" or "q_index 70 (like QP 24)"."""
    found = passport.quantizer
    if found is None:
        return "unknown"
    if found.name == "QP":
        return f"QP {found.qp:.0f}"
    return f"{found.name} {found.value:.0f} (like QP {found.qp:.0f})"


def _is_blocky(passport: Passport) -> bool:
    return _is_share_from(passport, passport.blocky, MUCH_BLOCKY)


def _has_slight_blocks(passport: Passport) -> bool:
    """Return whether the blocks are those that a good quantizer of MPEG-2 makes."""
    quantizer = passport.quantizer
    is_good = quantizer is not None and quantizer.qp < POOR_QP
    return is_good and passport.codec == UNFILTERED and not _is_wiped(passport)


def _is_wiped(passport: Passport) -> bool:
    return passport.wiped is not None and passport.wiped >= MUCH_WIPED


def _is_encoded_again(passport: Passport) -> bool:
    """Return whether a good quantizer spends as few bits as if there were no detail.

    Those of a bad source encoded again at a high rate: by the bits it would have at
    `BAD_QP`, it would be bad.
    """
    quantizer, bits = passport.quantizer, passport.key_bits_per_pixel
    if quantizer is None or bits is None or quantizer.qp >= POOR_QP:
        return False
    bits_if_bad = bits * 2 ** ((quantizer.qp - BAD_QP) / HALVING_QP)
    return bits_if_bad < BAD_KEY_BITS and _is_wiped(passport)


def _wiped_text(passport: Passport) -> str:
    share = passport.wiped or 0.0
    return f"{share:.0%} of its texture has no fine detail, {MUCH_WIPED:.0%} or more"


def _has_bits_below(passport: Passport, least: float) -> bool:
    bits = passport.key_bits_per_pixel
    return bits is not None and bits < least


def _is_share_from(passport: Passport, share: float | None, least: float) -> bool:
    frames = passport.kept + sum(passport.dropped.values())
    return share is not None and frames >= MIN_FRAMES and share >= least
