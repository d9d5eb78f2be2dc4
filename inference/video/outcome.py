"""What became of a video, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from realesrgan_paddle.inference.video.frame_upscaler import Repeats
from realesrgan_paddle.inference.video.plan import VideoPlan


@dataclass
class Seconds:
    """How long each stage worked; those of the first three overlap."""

    decode: float = 0.0
    network: float = 0.0
    encode: float = 0.0
    mux: float = 0.0
    total: float = 0.0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            setattr(self, stage, getattr(self, stage) + taken)


@dataclass
class Outcome:
    """What became of a video.

    Attributes:
        plan: what was made of it.
        frames: of the result.
        resumed: of these, done by earlier runs.
        bad: of those decoded now, repeated because they cannot be decoded.
        repeats: what was not computed again.
        seconds: of this run.
        bytes: of the result's file.
        remarks: what a user should know.
    """

    plan: VideoPlan
    frames: int
    resumed: int = 0
    bad: int = 0
    repeats: Repeats = field(default_factory=Repeats)
    seconds: Seconds = field(default_factory=Seconds)
    bytes: int = 0
    remarks: list[str] = field(default_factory=list)
