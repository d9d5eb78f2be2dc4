"""Frames through the upscaler; what is identical to the frame before is not computed again.

Where enough tiles stay the same, as in screen recordings and drawn films, frames are cut
into small tiles whose padding is all that the network sees. A tile that equals one of the
frame before, with its padding, is copied: exactly that which would be computed.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from realesrgan_paddle.inference.tiles import Cut
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.tiling.plan import TilePlan
from realesrgan_paddle.inference.tiling.tile_loop import MirroredImage

COMPARED_PAIRS = 8
"""Pairs of successive frames, evenly spread over a video, that are compared."""

TILE = 128
"""Longest side of a tile that may repeat [pixels].

Of a made screen of 1280x720 on which a pointer, a line of text or a window moves, tiles of 128
compute 8, 5 and 53 % (padding 18), tiles of 64 6, 5 and 54 % in four times as many runs, and
tiles of 256 17, 12 and 76 %.
"""
MOST_COMPUTED = 0.8
"""Small tiles must promise to compute no more than this share of what whole frames do."""


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
        reach: frames before and after a frame that the network looks at.
        state: of a network that carries one, after the last frame; None: it has none, or
            there was no frame.
    """

    reach = 0

    def __init__(
        self, upscaler: ArrayUpscaler, size: tuple[int, int], *, reuse: bool
    ) -> None:
        self.repeats = Repeats()
        self.state: np.ndarray | None = None
        self._upscaler = upscaler
        self._size = size
        self._reuse = reuse
        self._before: np.ndarray | None = None
        self._result: np.ndarray | None = None

    def __call__(
        self, image: np.ndarray, after: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the upscaled frame, of the dtype and channels of `image`.

        It is the same array as that before if the frames are identical, so nobody may
        write into it.

        Args:
            image: as decoded.
            after: the frame after it; None: there is none.
        """
        if self.is_repeated(image) and self._result is not None:
            self.repeats.frames += 1
            return self._result

        result = self._upscale(image, after)
        self._before, self._result = image, result
        return result

    def begin(
        self,
        before: np.ndarray | None,
        state: np.ndarray | None,
        result: np.ndarray | None = None,
    ) -> None:
        """Take the next frame as the one after `before`.

        Args:
            before: as decoded; None: there is none.
            state: after that.
            result: what it became; None: not known, so the next one is computed in any
                case.
        """
        self._before, self._result, self.state = before, result, state

    def known(self, image: np.ndarray, result: np.ndarray) -> None:
        """Take over the result of a frame that an earlier run upscaled."""
        self._before, self._result = image, result

    def _upscale(self, image: np.ndarray, after: np.ndarray | None) -> np.ndarray:
        """Return the upscaled frame; `after` is for networks that look at it."""
        upscaler = self._upscaler
        result = upscaler.to_size(image, self._size, after=self._reuse)
        self.repeats.tiles += upscaler.counts.repeated
        self.repeats.tiles_computed += upscaler.counts.computed
        return result

    def is_repeated(self, image: np.ndarray) -> bool:
        """Return whether a frame is copied, because it is the one before."""
        before = self._before
        return self._reuse and before is not None and np.array_equal(image, before)


def choose_tiles(
    upscaler: ArrayUpscaler,
    pairs: Iterator[list[np.ndarray]],
    size: tuple[int, int],
) -> TilePlan | None:
    """Return exact small tiles if enough of them repeat from frame to frame, or None.

    Args:
        upscaler: upscales the frames.
        pairs: two frames that follow each other, uint8 or uint16 (H, W, 3 or 4), from
            all over the video.
        size: (width, height) of the result.
    """
    radius = getattr(upscaler.run, "radius", None)
    if radius is None:
        return None

    shares = []
    for before, now in pairs:
        height, width = now.shape[:2]
        if size != (width * upscaler.scale, height * upscaler.scale):
            return None  # results that are resized are put together in strips
        whole = upscaler.plan(now, size)
        tiles = _small_tiles(upscaler, now, radius)
        share = _changed(upscaler, tiles, before, now)
        shares.append(share * tiles.computed / whole.computed)

    if not shares or float(np.mean(shares)) > MOST_COMPUTED:
        return None
    return tiles


def tile_plan_from(record: dict[str, Any]) -> TilePlan:
    """Return a plan that was written as plain values, and may have been changed since.

    Raises:
        ValueError: it is none that can be worked with.
    """
    try:
        plan = TilePlan(Cut(**record["rows"]), Cut(**record["columns"]))
    except (KeyError, TypeError) as error:
        raise ValueError("no rows and columns of tiles") from error

    for cut in (plan.rows, plan.columns):
        sizes = astuple(cut)
        are_whole = all(type(size) is int and size >= 0 for size in sizes)
        if not are_whole or not cut.length or not cut.multiple:
            raise ValueError(f"tiles with sizes that none has: {sizes}")
    return plan


def _small_tiles(upscaler: ArrayUpscaler, image: np.ndarray, radius: int) -> TilePlan:
    """Return tiles that see as much as the network does, so that each is exact."""
    of_scale = upscaler.multiple
    of_network = getattr(upscaler.run, "multiple", 1)
    multiple = max(of_scale, of_network)
    mirrored = MirroredImage(image, upscaler.pre_pad, of_scale)

    rows = Cut(mirrored.height, TILE, radius, multiple)
    columns = Cut(mirrored.width, TILE, radius, multiple)
    return TilePlan(rows, columns)


def _changed(
    upscaler: ArrayUpscaler, plan: TilePlan, before: np.ndarray, now: np.ndarray
) -> float:
    """Return the share of the tiles that differ from those of the frame before."""
    old = MirroredImage(before, upscaler.pre_pad, upscaler.multiple)
    new = MirroredImage(now, upscaler.pre_pad, upscaler.multiple)
    columns = [span.window() for span in plan.columns.spans()]

    changed = []
    for span in plan.rows.spans():
        rows = span.window()
        for each in columns:
            is_equal = np.array_equal(old.window(rows, each), new.window(rows, each))
            changed.append(not is_equal)
    return float(np.mean(changed))
