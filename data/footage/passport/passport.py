"""The passport of a source: what its frames are like, and whether to train on them."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict

from realesrgan_paddle.data.footage.frame_sheet import outcome
from realesrgan_paddle.data.footage.passport.compression import Quantizer, compression
from realesrgan_paddle.data.footage.passport.true_size import TrueSize
from realesrgan_paddle.data.footage.scoring import VideoScorer
from realesrgan_paddle.data.footage.screen.overlays import Overlay
from realesrgan_paddle.data.footage.screen.side_fill import Sides
from realesrgan_paddle.data.sets.manifest import KEPT, Record
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import Size

Box = tuple[int, int, int, int]
"""In the video's frame [pixels]: x, y, width, height."""

MIDDLE: Literal["train if nothing better"] = "train if nothing better"
"""The decision on a poor source, which helps where there is no other."""
Decision = Literal["train", "downscale", "train if nothing better", "do not train"]

BLURRED, BLOCKY = "blurred", "blocky"
"""Reasons to drop a frame, as `selection.rejection_reason` spells them."""


class _Part(BaseModel):
    """A part of a passport; fields that a later version adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EnlargedFrom(_Part):
    """What a source was enlarged from."""

    width: int
    height: int
    factor_x: float
    factor_y: float
    how: str


class OverlayFound(_Part):
    """Something that was put over the picture."""

    box: Box
    kind: str


class QuantizerFigures(_Part):
    """The quantizer of key frames; see `quantizer.Quantizer`."""

    name: str
    value: float
    qp: float


class Verdict(_Part):
    """Whether to train on a source."""

    decision: Decision
    width: int | None = None
    height: int | None = None
    """The size to downscale to."""
    reasons: tuple[str, ...] = ()
    """Why not to train on it, not at its size, or on another: figure and threshold."""
    warnings: tuple[str, ...] = ()
    """What is not good, but no reason to leave the source out."""

    def __str__(self) -> str:
        if self.decision == "downscale":
            return f"train on it downscaled to {self.width}x{self.height}"
        if self.decision == MIDDLE:
            return "train on it if you have nothing better"
        return f"{self.decision} on it"


class Passport(_Part):
    """What is known of a source; None: not known, or not measured."""

    source: str
    name: str
    """The name of the source in the set, which its frames begin with."""
    size: Size
    seconds: float | None = None
    true_size: EnlargedFrom | None = None
    brought_back: bool = False
    """Whether its frames in the set have their true size."""
    detail_ends: float | None = None
    """Where detail ends [cycles/pixel], the better of both axes; 0.5 is the most."""
    codec: str = "unknown"
    bits_per_pixel: float | None = None
    key_bits_per_pixel: float | None = None
    quantizer: QuantizerFigures | None = None
    seconds_between_keys: float | None = None
    grain: float | None = None
    """Standard deviation in calm places [8-bit levels], median of the frames."""
    halo: float | None = None
    """Overshoot beside strong edges [share of the step]."""
    wiped: float | None = None
    """Share of textured blocks without fine detail."""
    blurred: float | None = None
    """Share of the frames."""
    blocky: float | None = None
    """Share of the frames."""
    sharpness: float | None = None
    """Median of the frames."""
    contrast: float | None = None
    """Median of the frames [8-bit levels]."""
    shots: int = 0
    transitions: int | None = None
    """Dissolves, wipes and fades that frames fell into."""
    interlacing: str = "progressive"
    """Or "tff", "bff", or the pulldown that was undone."""
    borders: Box | None = None
    """The picture inside black bars: x, y, width, height."""
    side_fill: str = ""
    """Where blurred or still picture fills the sides, in words; "": nowhere."""
    overlays: tuple[OverlayFound, ...] = ()
    copies: dict[str, int] | None = None
    """Frames that other sources have, too, by their names."""
    kept: int = 0
    dropped: dict[str, int] = {}
    """Dropped frames by reason."""
    verdict: Verdict = Verdict(decision="train")


def passport_of(scorer: VideoScorer, records: Sequence[Record]) -> Passport:
    """Return the passport of a source, still without a verdict.

    Args:
        scorer: what has seen all its frames.
        records: the manifest's records of all frames.
    """
    video, shots = scorer.video, scorer.shots
    stream = compression(video.path, video.info, shots.packets)
    outcomes = Counter(map(outcome, records))
    picture = scorer.picture.figures()
    screen = scorer.screen.report()
    ends = scorer.bandwidth()
    passport = Passport(
        source=str(video.path),
        name=video.name,
        size=(video.info.width, video.info.height),
        seconds=video.info.seconds,
        true_size=_enlarged_from(scorer.true_size()),
        brought_back=scorer.enlarged_from is not None,
        detail_ends=round(max(ends), 3) if ends else None,
        codec=stream.codec,
        bits_per_pixel=stream.bits_per_pixel,
        key_bits_per_pixel=stream.key_bits_per_pixel,
        quantizer=_quantizer_figures(stream.quantizer),
        seconds_between_keys=stream.seconds_between_keys,
        grain=_median(records, "noise"),
        halo=picture.halo,
        wiped=picture.wiped,
        blurred=_share(outcomes[BLURRED], records),
        blocky=_share(outcomes[BLOCKY], records),
        sharpness=_median(records, "sharpness"),
        contrast=_median(records, "contrast"),
        shots=shots.shots,
        transitions=shots.transitions,
        interlacing="telecine, undone" if shots.has_pulldown else video.order,
        borders=_box(screen.borders) if screen.borders else None,
        side_fill=_side_fill(screen.side_fill),
        overlays=tuple(map(_overlay_found, screen.overlays)),
    )
    return with_frames(passport, records)


def with_frames(passport: Passport, records: Sequence[Record]) -> Passport:
    """Return the passport with the counts of kept and dropped frames of `records`."""
    outcomes = Counter(map(outcome, records))
    kept = outcomes.pop(KEPT, 0)
    dropped = dict(outcomes.most_common())
    return passport.model_copy(update={"kept": kept, "dropped": dropped})


def _enlarged_from(found: TrueSize | None) -> EnlargedFrom | None:
    if found is None:
        return None
    return EnlargedFrom(
        width=found.width,
        height=found.height,
        factor_x=round(found.factor_x, 3),
        factor_y=round(found.factor_y, 3),
        how=found.how,
    )


def _quantizer_figures(found: Quantizer | None) -> QuantizerFigures | None:
    if found is None:
        return None
    return QuantizerFigures(name=found.name, value=found.value, qp=found.qp)


def _median(records: Sequence[Record], key: str) -> float | None:
    """Return the median of a figure of all frames; None without frames."""
    values = [record[key] for record in records]
    if not values:
        return None
    middle = median(values)
    return round(middle, 3)


def _share(count: int, records: Sequence[Record]) -> float | None:
    if not records:
        return None
    share = count / len(records)
    return round(share, 3)


def _side_fill(sides: Sides | None) -> str:
    if sides is None:
        return ""
    if sides.is_below:
        return f"{sides.left} rows above, {sides.right} below"
    return f"{sides.left} columns on the left, {sides.right} on the right"


def _overlay_found(overlay: Overlay) -> OverlayFound:
    return OverlayFound(box=_box(overlay.box), kind=overlay.kind)


def _box(crop: Crop) -> Box:
    return crop.x, crop.y, crop.width, crop.height
