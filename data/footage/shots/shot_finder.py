"""What the frames around a frame say about it: its shot, and whether it is a mixture.

And which frames are asked for where key frames are too few to stand for the video.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.packets import NO_PACKETS, Packets, read_packets
from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.data.footage.shots.blends import MARGIN, BlendFinder
from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.data.footage.shots.small_frames import SmallFrame
from realesrgan_paddle.data.footage.video import Sampling
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.field_order import FieldOrder, has_pulldown
from realesrgan_paddle.utils.likeness import shrink

LONG_GAP = 10.5
"""Seconds from a key frame to the next from which on too much lies between them.

By default x264 and x265 make a key frame every 250 frames at the latest, which are 10.4
seconds of film at 24 a second; hours of such videos are not decoded whole.
"""

MAX_LONG_SHARE = 0.25
"""Share of a video that may lie in longer gaps: a still title does not count."""

FEW_KEY_FRAMES = 3
FEW_GAP = 6.0
"""A video with fewer key frames is sparse with gaps of this length [s] already.

It is short then, so decoding it takes little.
"""

DENSE_INTERVAL, SHORT_INTERVAL = 2.0, 0.5
"""Seconds after which one more frame of a scene is taken; of a short video the fewer the
shorter it is, down to the second. In half a second players, a ball and a hand-held camera
move; what did not is dropped as a near-duplicate."""

SLIDES_RATE = 2.0
"""Frames a second up to which a video is a row of pictures; all of them are taken."""

SAME_FRAME = 0.25
"""Two times are of one frame if they are less than this share of a frame apart."""

MIN_INTERVAL = 0.001
"""Seconds; two packets may claim the same time."""


@dataclass(frozen=True)
class DenseSampling(Sampling):
    """The first frame of each scene, key frames, and one each `interval` seconds."""

    def expression(self) -> str:
        """Return the condition for ffmpeg's select filter."""
        late = f"gte(t-prev_selected_t,{self.interval:.6f}-0.001)"
        scene = f"gt(scene,{self.scene_change:.6f})"
        return f"isnan(prev_selected_t)+key+{scene}+{late}"


def has_sparse_keys(packets: Packets, min_frames: int) -> bool:
    """Return whether key frames stand too far apart to stand for the video.

    Or are fewer than `min_frames`: the video is short then, or they are seldom.
    """
    gaps = packets.gaps
    if not gaps.sum():
        return False
    if len(gaps) < FEW_KEY_FRAMES and gaps.max() > FEW_GAP:
        return True
    if is_slide_show(packets):
        return len(gaps) < len(packets.seconds)
    if len(gaps) < min_frames and gaps.max() > SHORT_INTERVAL:
        return True
    in_long_gaps = gaps[gaps > LONG_GAP].sum()
    return bool(in_long_gaps > MAX_LONG_SHARE * gaps.sum())


def is_slide_show(packets: Packets) -> bool:
    """Return whether there are so few frames a second that each may be a picture."""
    return 0 < packets.rate <= SLIDES_RATE


def dense_sampling(sampling: Sampling, packets: Packets) -> DenseSampling:
    """Return how to sample a video instead that has sparse key frames."""
    interval = DENSE_INTERVAL
    if sampling.min_frames:
        apart = float(packets.gaps.sum()) / sampling.min_frames
        interval = round(min(max(apart, SHORT_INTERVAL), DENSE_INTERVAL), 2)
    if is_slide_show(packets):
        interval = max(float(np.diff(packets.seconds).min()) / 2, MIN_INTERVAL)
    settings = asdict(sampling)
    return DenseSampling(**settings | {"select": "interval", "interval": interval})


def sparse_remark(packets: Packets, sampling: DenseSampling) -> str:
    """Return the line that tells of it."""
    gap = packets.gaps.max()
    taken = "the frames of scenes and one every"
    if is_slide_show(packets):
        return f"few key frames (up to {gap:.3g} s apart); took all frames"
    count = len(packets.gaps)
    keys = f"{count} key frames up to {gap:.3g} s apart"
    if count == 1:
        keys = f"one key frame in {gap:.3g} s"
    return f"{keys}; took {taken} {sampling.interval:g} s"


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
    is_dense: bool = False
    """Whether frames were taken between key frames, which are too sparse."""
    has_pulldown: bool = False
    """Whether telecine was undone."""
    packets: Packets = NO_PACKETS
    """Of the first half hour."""


class ShotFinder:
    """Finds the shot of each frame of a video, and frames in transitions.

    Both are known of a frame when the next one is.

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
        if self.sampling.select == "keyframe" and has_sparse_keys(
            packets, self.sampling.min_frames
        ):
            report.is_dense = True
            dense = dense_sampling(self.sampling, packets)
            self.sampling = dense
            self._all_start_shots = is_slide_show(packets)
            self._tell(sparse_remark(packets, dense))

    def is_key(self, seconds: float) -> bool:
        """Return whether the frame at a time is a key frame, where others are not."""
        packets = self.report.packets
        if not self.report.is_dense:
            return False
        to_key = np.abs(packets.key_times - seconds)
        return bool(to_key.min(initial=np.inf) < SAME_FRAME / packets.rate)

    def add(self, candidate: Candidate) -> Iterator[tuple[Candidate, float | None]]:
        """Yield the frame before `candidate`, with its shot, as `finish` does."""
        assert candidate.image is not None
        small = shrink(candidate.image)
        held, self._held = self._held, (candidate, small)
        if held:
            yield self._with_shot(*held, small, candidate.seconds)

    def finish(self) -> Iterator[tuple[Candidate, float | None]]:
        """Yield the last frame, and when [s] another one should be taken after it.

        That is the first clean one after a transition; None if there is no need.
        """
        held = self._held
        self._held = None
        if held:
            yield self._with_shot(*held, None, float("inf"))

    def assign_shot(self, candidate: Candidate) -> None:
        """Give a frame the number of its shot."""
        assert candidate.image is not None
        candidate.shot = self._shots.shot_of_next(
            candidate.image, candidate.seconds, starts_shot=self._all_start_shots
        )
        self.report.shots = self._shots.count

    def _with_shot(
        self,
        candidate: Candidate,
        small: np.ndarray,
        after: np.ndarray | None,
        next_seconds: float,
    ) -> tuple[Candidate, float | None]:
        before, self._before = self._before, small
        transition = None
        if self._blends and not candidate.reason:
            shown = SmallFrame(candidate.seconds, small)
            transition = self._blends.transition_of(before, shown, after)
            self.report.transitions = len(self._blends.transitions)
        if transition is None:
            self.assign_shot(candidate)
            return candidate, None

        candidate.shot = self._shots.current
        candidate.reason = IN_TRANSITION
        clean = transition.end + MARGIN
        return candidate, clean if clean + MIN_LEAD < next_seconds else None

    def _tell(self, remark: str) -> None:
        logging.getLogger(__name__).warning(
            "%s: %s", printable(str(self._path)), remark
        )
