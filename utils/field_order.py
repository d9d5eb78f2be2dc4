"""Interlacing, detected from the frames, because the flags in files are often wrong."""

import re
from pathlib import Path
from typing import Literal, NamedTuple

import ffmpeg

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input

FieldOrder = Literal["progressive", "tff", "bff"]
"""Which field of an interlaced video is shown first: the top or the bottom one."""

MIN_INTERLACED_SHARE = 0.2
"""Share of interlaced frames above which a video is interlaced.

Half of what telecined film has: of 24 frames a second turned into 60 fields, 2 of 5
frames are woven of two.
"""

IDET_THRESHOLD = 1.1
"""Of ffmpeg's idet filter; its default, 1.04, takes fine horizontal lines for fields.

Chosen on the clips of tests/footage/test_sampling.py.
"""

FRAMES = 50
"""Frames that are decoded at each sampled position; 2 seconds of 25 a second."""

LONG_SECONDS = 20
"""Longer videos are sampled at `POSITIONS`, shorter ones at the start only."""

POSITIONS = (0.1, 0.5, 0.8)
"""Shares of the duration: the beginning may be an intro with other field order."""

MAX_MINUTES = 5
"""Time limit of one position; a hostile file can keep a decoder busy for ever."""

REPEAT_THRESHOLD = 2.0
"""Of idet too: how much less a field differs from that before than the other one does.

Its default, 3, misses repeated fields where little moves and noise was encoded.
"""

PULLDOWN_PERIOD = 5
"""Five frames show four of film: one repeats its top and another its bottom field."""

MIN_REPEATS = 3
MIN_IN_STEP = 0.7
"""How many frames must repeat a field, top and bottom each, and which share of those
one place in the period must have.

Measured on telecined clips of the setting sources, also of animation with 12 drawings a
second: 10 of 51, 0.77 to 1 in step; on true interlaced footage 0 to 1.
"""

_KINDS = r"TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)"
_COUNTS = re.compile(rf"Multi frame detection: {_KINDS}")
_SINGLE = re.compile(rf"Single frame detection: {_KINDS}")
_REPEATED_KEY = "lavfi.idet.repeated.current_frame"
_REPEATED = re.compile(rf"{_REPEATED_KEY}=(neither|top|bottom)")


class FieldCounts(NamedTuple):
    """How many frames of a sample are of which kind, as ffmpeg's idet counts them."""

    tff: int = 0
    bff: int = 0
    progressive: int = 0
    single_tff: int = 0
    """Judged by itself; the counts above are smoothed over neighbors."""
    single_bff: int = 0
    single_progressive: int = 0
    repeats: tuple[str, ...] = ()
    """Of each frame, which field is that of the frame before: "top", "bottom" or
    "neither"."""

    @property
    def is_pulldown(self) -> bool:
        """Whether fields repeat as those of film in interlaced video do."""
        woven = self.single_tff + self.single_bff
        if woven <= MIN_INTERLACED_SHARE * (woven + self.single_progressive):
            return False
        return _are_in_step(self.repeats, "top") and _are_in_step(
            self.repeats, "bottom"
        )

    @property
    def is_interlaced(self) -> bool:
        """Whether many frames are woven of two times."""
        woven = self.tff + self.bff
        return woven > MIN_INTERLACED_SHARE * (woven + self.progressive)


def field_order(path: Path, seconds: float | None) -> FieldOrder:
    """Return the field order of a video, or "progressive", as ffmpeg's idet detects it.

    A still image shows no fields and counts as progressive, and so does a file that
    cannot be decoded: extracting its frames will report the error.

    Args:
        path: a local file.
        seconds: its duration; None: not known.
    """
    samples = sample_fields(path, seconds)
    if any(sample.is_pulldown for sample in samples):
        # Between the woven frames of film are whole ones, which smoothing may prefer.
        top = sum(sample.single_tff for sample in samples)
        bottom = sum(sample.single_bff for sample in samples)
        return "tff" if top >= bottom else "bff"

    tff = sum(sample.tff for sample in samples)
    bff = sum(sample.bff for sample in samples)
    progressive = sum(sample.progressive for sample in samples)
    if not FieldCounts(tff, bff, progressive).is_interlaced:
        return "progressive"
    return "tff" if tff >= bff else "bff"


def has_pulldown(path: Path, seconds: float | None) -> bool:
    """Return whether an interlaced video shows film by repeated fields (telecine).

    All sampled positions that are interlaced must: a video that mixes film and
    interlaced footage has to be deinterlaced.

    Args:
        path: a local file.
        seconds: its duration; None: not known.
    """
    samples = sample_fields(path, seconds)
    are_pulldown = []
    for sample in samples:
        if sample.is_interlaced or sample.is_pulldown:
            are_pulldown.append(sample.is_pulldown)
    return bool(are_pulldown) and all(are_pulldown)


def sample_fields(path: Path, seconds: float | None) -> list[FieldCounts]:
    """Return the counts at each sampled position of a video."""
    if seconds is None or seconds <= LONG_SECONDS:
        counts = _count_fields(path, None)
        return [counts]
    starts = [seconds * share for share in POSITIONS]
    return [_count_fields(path, start) for start in starts]


def _count_fields(path: Path, start: float | None) -> FieldCounts:
    """Return the counts of the frames from `start` on; zeros if none can be decoded."""
    video = video_input(path, start=start).filter(
        "idet", intl_thres=IDET_THRESHOLD, rep_thres=REPEAT_THRESHOLD
    )
    video = video.filter("metadata", mode="print", key=_REPEATED_KEY)
    output = ffmpeg.output(video, "pipe:1", format="null", **{"frames:v": FRAMES})
    lines: list[str] = []
    try:
        with FFmpegRun(output, path, lines.append, minutes=MAX_MINUTES) as run:
            run.finish()
    except UserError:
        return FieldCounts()

    smoothed = _last_counts(_COUNTS, lines)
    single = _last_counts(_SINGLE, lines)
    repeats = (match[1] for line in lines if (match := _REPEATED.search(line)))
    return FieldCounts(*smoothed, *single, tuple(repeats))


def _are_in_step(repeats: tuple[str, ...], field: str) -> bool:
    """Return whether a field is repeated at one place of each period."""
    repeated = [n for n, kind in enumerate(repeats) if kind == field]
    places = [n % PULLDOWN_PERIOD for n in repeated]
    repeats_at = map(places.count, range(PULLDOWN_PERIOD))
    most = max(repeats_at)
    share = MIN_IN_STEP * len(places)
    least = max(MIN_REPEATS, share)
    return most >= least


def _last_counts(pattern: re.Pattern[str], lines: list[str]) -> tuple[int, int, int]:
    """Return the three numbers of the last line that matches; zeros if none does.

    ffmpeg may set up its filters twice; the last counts are those of the frames.
    """
    counts = (0, 0, 0)
    for line in lines:
        match = pattern.search(line)
        if match:
            first, second, third = map(int, match.groups())
            counts = (first, second, third)
    return counts
