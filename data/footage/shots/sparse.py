"""Videos with too few key frames to stand for what they show."""

from dataclasses import asdict, dataclass

import numpy as np

from realesrgan_paddle.data.footage.packets import Packets
from realesrgan_paddle.data.footage.sampling import Sampling

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

DENSE_INTERVAL = 2.0
"""Seconds after which one more frame of a scene is taken."""

SLIDES_RATE = 2.0
"""Frames a second up to which a video is a row of pictures; all of them are taken."""

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


def longest_gap(packets: Packets) -> float:
    """Return the most seconds without a key frame; 0 if there are none."""
    return float(max(packets.gaps, default=0.0))


def has_sparse_keys(packets: Packets) -> bool:
    """Return whether key frames stand too far apart to stand for the video."""
    gaps = packets.gaps
    if not gaps.sum():
        return False
    if len(gaps) < FEW_KEY_FRAMES and gaps.max() > FEW_GAP:
        return True
    if is_slide_show(packets):
        return len(gaps) < len(packets.seconds)
    in_long_gaps = gaps[gaps > LONG_GAP].sum()
    return bool(in_long_gaps > MAX_LONG_SHARE * gaps.sum())


def is_slide_show(packets: Packets) -> bool:
    """Return whether there are so few frames a second that each may be a picture."""
    return 0 < packets.rate <= SLIDES_RATE


def dense_sampling(sampling: Sampling, packets: Packets) -> DenseSampling:
    """Return how to sample a video instead that has sparse key frames."""
    interval = DENSE_INTERVAL
    if is_slide_show(packets):
        interval = max(float(np.diff(packets.seconds).min()) / 2, MIN_INTERVAL)
    settings = asdict(sampling)
    return DenseSampling(**settings | {"select": "interval", "interval": interval})


def sparse_remark(packets: Packets, sampling: DenseSampling) -> str:
    """Return the line that tells of it."""
    gap = longest_gap(packets)
    taken = "the frames of scenes and one every"
    if is_slide_show(packets):
        return f"few key frames (up to {gap:.3g} s apart); took all frames"
    return f"key frames up to {gap:.3g} s apart; took {taken} {sampling.interval:g} s"
