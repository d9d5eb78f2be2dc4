"""The clips of record_temporal_consistency.py and its tests."""

import formulas
import numpy as np

FRAMES = 9
WIDTH, HEIGHT = 120, 91
"""Neither is a multiple of 32; TecoGAN leaves out 12 columns and 13 or 14 rows."""
CUT = 2
"""Frames that TecoGAN leaves out at the beginning and at the end of a clip."""


def ground_truth() -> list[np.ndarray]:
    """Return a view that moves right and down, ever faster: uint8 RGB frames."""
    room = FRAMES**2
    shape = (1, 3, HEIGHT + room, WIDTH + room)
    world = formulas.picture("steadiness", shape)[0].transpose(1, 2, 0)
    frames = []
    for number in range(FRAMES):
        top, left = number, number**2 // 2
        view = world[top : top + HEIGHT, left : left + WIDTH]
        frames.append(np.uint8(np.rint(view * 255)))
    return frames


def result() -> list[np.ndarray]:
    """Return the same view blurred by a box of 3 x 3, with new noise in each frame."""
    frames = []
    for number, frame in enumerate(ground_truth()):
        shifted = [
            np.roll(frame, (down, right), (0, 1)).astype(np.float32)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
        ]
        noise = 4 * formulas.noise(f"result {number}", frame.shape)
        noisy = np.mean(shifted, axis=0) + noise
        frames.append(np.uint8(np.rint(noisy.clip(0, 255))))
    return frames
