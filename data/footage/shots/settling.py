"""What the frames around a frame say about it: its shot, and whether it is a blend."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.packets import NO_PACKETS, Packets, read_packets
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.data.footage.shots.blends import MARGIN, BlendFinder
from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.data.footage.shots.glances import Glance, glance_of
from realesrgan_paddle.data.footage.shots.sparse import (
    dense_sampling,
    has_sparse_keys,
    is_slide_show,
    longest_gap,
    sparse_remark,
)
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.field_order import FieldOrder, has_pulldown

IN_TRANSITION = "in a transition"
"""Why a frame that is a mixture of two shots is dropped."""

MIN_LEAD = 0.5
"""Seconds from the end of a transition to the next frame that is decoded anyway, up to
which no other frame is needed: a key frame is the better one."""


@dataclass
class ShotReport:
    """What is known about the shots of a video, once its frames are decided."""

    shots: int = 0
    """Shots that decoded frames fell into."""
    transitions: int = 0
    """Dissolves, wipes and fades that decoded frames fell into."""
    key_frames: int = 0
    """Key frames of the first half hour."""
    key_frame_gap: float = 0.0
    """Most seconds without a key frame in it."""
    is_dense: bool = False
    """Whether frames were taken between key frames, which are too sparse."""
    has_pulldown: bool = False
    """Whether telecine was undone."""
    packets: Packets = NO_PACKETS
    """Of the first half hour."""


class Settler:
    """Settles the shot and the blending of a video's frames when the next is known.

    Args:
        path: the video.
        sampling: which of its frames are asked for.
        check_blends: whether to look for frames in transitions.
    """

    def __init__(self, path: Path, sampling: Sampling, *, check_blends: bool) -> None:
        self.report = ShotReport()
        self.sampling = sampling
        """Which of its frames are to be decoded."""
        self._path = path
        self._shots = ShotCounter()
        self._blends = BlendFinder(path) if check_blends else None
        self._held: tuple[Candidate, np.ndarray] | None = None
        self._before: np.ndarray | None = None
        self._all_start_shots = sampling.select == "scene"

    def prepare(self, order: FieldOrder, seconds: float | None) -> None:
        """Read the packets; set `sampling` and `report.has_pulldown`; tell of both.

        Args:
            order: the field order that the video is decoded with.
            seconds: its duration; None: not known.
        """
        report = self.report
        if order != "progressive":
            report.has_pulldown = has_pulldown(self._path, seconds)
        if report.has_pulldown:
            self._tell("film in interlaced video (telecine); undone")

        packets = read_packets(self._path)
        report.packets = packets
        report.key_frames = int(packets.are_keys.sum())
        report.key_frame_gap = longest_gap(packets)
        if self.sampling.select == "keyframe" and has_sparse_keys(packets):
            report.is_dense = True
            dense = dense_sampling(self.sampling, packets)
            self.sampling = dense
            self._all_start_shots = is_slide_show(packets)
            self._tell(sparse_remark(packets, dense))

    def settle(self, candidate: Candidate) -> Iterator[tuple[Candidate, float | None]]:
        """Yield the frame before `candidate`, settled, as `finish` does."""
        assert candidate.image is not None
        small = glance_of(candidate.image)
        held, self._held = self._held, (candidate, small)
        if held:
            yield self._settled(*held, small, candidate.seconds)

    def finish(self) -> Iterator[tuple[Candidate, float | None]]:
        """Yield the last frame, settled, and when [s] a frame should be taken after it.

        That is the first clean one after a transition; None if there is no need.
        """
        held = self._held
        self._held = None
        if held:
            yield self._settled(*held, None, float("inf"))

    def number(self, candidate: Candidate) -> None:
        """Give a frame the number of its shot."""
        assert candidate.image is not None
        candidate.shot = self._shots.shot_of_next(
            candidate.image, candidate.seconds, starts_shot=self._all_start_shots
        )
        self.report.shots = self._shots.count

    def _settled(
        self,
        candidate: Candidate,
        small: np.ndarray,
        after: np.ndarray | None,
        next_seconds: float,
    ) -> tuple[Candidate, float | None]:
        before, self._before = self._before, small
        transition = None
        if self._blends and not candidate.reason:
            glance = Glance(candidate.seconds, small)
            transition = self._blends.transition_of(before, glance, after)
            self.report.transitions = len(self._blends.transitions)
        if transition is None:
            self.number(candidate)
            return candidate, None

        candidate.shot = self._shots.current
        candidate.reason = IN_TRANSITION
        clean = transition.end + MARGIN
        return candidate, clean if clean + MIN_LEAD < next_seconds else None

    def _tell(self, remark: str) -> None:
        logging.getLogger(__name__).warning(
            "%s: %s", printable(str(self._path)), remark
        )
