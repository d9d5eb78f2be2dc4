"""A network without weights that carries a state, and clips of known frames for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from clips import ffmpeg
from scenes import scene

SCALE = 2
STATES = 2
WIDTH, HEIGHT = 48, 32


class Remembering:
    """What a network with a state is like: it depends on all that it gets.

    Attributes:
        steps: the shape of each frame that was computed.
        stop_at: the step that is interrupted; None: none.
    """

    num_state = STATES

    def __init__(self, stop_at: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.stop_at = stop_at

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return images.repeat(SCALE, axis=2).repeat(SCALE, axis=3)

    def step(
        self,
        frame: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        state: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        if len(self.steps) == self.stop_at:
            raise KeyboardInterrupt
        self.steps.append(frame.shape[1:])
        assert state.shape == (STATES, *frame.shape[1:])

        # Of the state a little of each frame is left after many.
        changes = 0.2 * (before - frame) - 0.3 * (after - frame)
        result = frame + changes + 0.5 * state.mean(0)
        state = np.float32(0.9) * state + np.float32(0.3) * (frame[:STATES] - 0.5)
        return self(result[None].astype(np.float32))[0], state.clip(-1, 1)


def shot(seed: int, count: int) -> list[np.ndarray]:
    """Return the frames of a camera that moves: uint8 RGB (HEIGHT, WIDTH, 3)."""
    return [scene(seed, n, width=WIDTH, height=HEIGHT) for n in range(count)]


def made_clip(path: Path, frames: Sequence[np.ndarray]) -> Path:
    """Write frames as a video without loss, 25 a second."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(b"".join(frame.tobytes() for frame in frames))
    size = f"{WIDTH}x{HEIGHT}"
    words = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", 25, "-i", raw)
    ffmpeg(*words, "-c:v", "ffv1", "-g", 1, "-pix_fmt", "gbrp", f"file:{path}")
    raw.unlink()
    return path
