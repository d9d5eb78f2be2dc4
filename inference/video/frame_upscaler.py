"""Frames through the upscaler; what is identical to the frame before is not computed again."""

from dataclasses import dataclass

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler


@dataclass
class Repeats:
    """What was not computed again.

    Attributes:
        frames: identical to the frame before.
        tiles: of other frames, identical with their padding to one of the frame before.
        tiles_computed: of other frames.
    """

    frames: int = 0
    tiles: int = 0
    tiles_computed: int = 0


class FrameUpscaler:
    """Upscales the frames of a video, in order.

    Args:
        upscaler: upscales one image.
        size: (width, height) of the results [pixels].
        reuse: do not compute again what is identical to the frame before.

    Attributes:
        repeats: what was not computed again.
    """

    def __init__(
        self, upscaler: Upscaler, size: tuple[int, int], *, reuse: bool
    ) -> None:
        self.repeats = Repeats()
        self._upscaler = upscaler
        self._size = size
        self._reuse = reuse
        self._before: np.ndarray | None = None
        self._result: np.ndarray | None = None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the upscaled frame, of the dtype and channels of `image`.

        It is the same array as that before if the frames are identical, so nobody may
        write into it.
        """
        if self._is_repeated(image) and self._result is not None:
            self.repeats.frames += 1
            return self._result

        upscaler = self._upscaler
        result = upscaler.to_size(image, self._size, after=self._reuse)
        self.repeats.tiles += upscaler.counts.repeated
        self.repeats.tiles_computed += upscaler.counts.computed
        self._before, self._result = image, result
        return result

    def _is_repeated(self, image: np.ndarray) -> bool:
        before = self._before
        return self._reuse and before is not None and np.array_equal(image, before)
