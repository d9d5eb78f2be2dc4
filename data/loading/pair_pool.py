"""The pool of training pairs, which mixes degradations of different iterations."""

from collections.abc import Mapping, Sequence

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import to_uint8


class PairPool:
    """A pool of (gt, lq) pairs: each batch is exchanged for random pairs of the pool.

    All samples of a batch share one resize factor, so a batch alone has little variety
    (Real-ESRGAN, realesrgan/models/realesrgan_model.py).

    Args:
        size: pairs in the pool, at least one batch; 0: batches are returned unchanged.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._pairs: list[tuple[Tensor, Tensor]] = []

    def exchange(
        self,
        gt: Tensor,
        lq: Tensor,
        rng: np.random.Generator,
        part: slice = slice(None),
    ) -> tuple[Tensor, Tensor]:
        """Put a batch into the pool and return as many pairs.

        While the pool fills, that is the batch itself; later, random pairs of the pool,
        whose slots the batch takes. Equivalent to Real-ESRGAN's shuffling of the whole
        pool and overwriting of its head, without moving the rest.

        Args:
            gt: (N, 3, H, W).
            lq: (N, 3, h, w).
            rng: draws the slots.
            part: which of the N pairs to return.
        """
        if not self._size:
            return gt[part], lq[part]

        given = [(gt[i].clone(), lq[i].clone()) for i in range(gt.shape[0])]
        room = self._size - len(self._pairs)
        if room > 0:
            self._pairs += given[:room]
            return gt[part], lq[part]

        slots = rng.choice(self._size, len(given), replace=False)
        taken = [self._pairs[slot] for slot in slots]
        taken_gt, taken_lq = zip(*taken[part], strict=True)
        returned = paddle.stack(taken_gt), paddle.stack(taken_lq)

        # Last: an error above, such as a lack of memory, leaves the pool as it was.
        for slot, pair in zip(slots, given, strict=True):
            self._pairs[slot] = pair
        return returned

    def state(self) -> dict[str, np.ndarray]:
        """Return the pairs, if any: `gt` (n, 3, H, W) and `lq` (n, 3, h, w).

        uint8 where that is exact, a quarter of the size, else float32.
        """
        if not self._pairs:
            return {}
        gts, lqs = zip(*self._pairs, strict=True)
        return {"gt": _stored(gts), "lq": _stored(lqs)}

    def load_state(self, arrays: Mapping[str, np.ndarray], gt_size: int) -> None:
        """Replace the pairs by those of `state`.

        Raises:
            UserError: there are more pairs than the pool holds, or their `gt` are not
                `gt_size` pixels wide and high.
        """
        if not arrays:
            self._pairs = []
            return

        gts, lqs = arrays["gt"], arrays["lq"]
        if gts.shape[2:] != (gt_size, gt_size):
            side = gts.shape[-1]
            raise UserError(
                f"gt_size: {gt_size}, but the pairs of the training state are "
                f"{side} wide; set it to {side}"
            )
        if len(gts) > self._size:
            raise UserError(
                f"queue_size: {self._size} is smaller than the {len(gts)} pairs "
                "of the training state"
            )
        self._pairs = [
            (paddle.to_tensor(_levels(gt)), paddle.to_tensor(_levels(lq)))
            for gt, lq in zip(gts, lqs, strict=True)
        ]


def check_pairs(arrays: Mapping[str, np.ndarray], scale: int, source: str) -> None:
    """Raise UserError unless `arrays` are what a pool's `state()` returns.

    Args:
        arrays: none, or `gt` and `lq`.
        scale: how many times `gt` is as wide and high as `lq`.
        source: what the message begins with.
    """
    if not arrays:
        return
    if arrays.keys() != {"gt", "lq"}:
        raise UserError(f"{source}: the pair pool holds {', '.join(sorted(arrays))}")

    gt, lq = arrays["gt"], arrays["lq"]
    count, side = len(lq), lq.shape[-1]
    is_square = lq.shape == (count, 3, side, side)
    fits = gt.shape == (count, 3, scale * side, scale * side)
    if not (is_square and fits):
        raise UserError(
            f"{source}: the pair pool holds gt {list(gt.shape)} and lq {list(lq.shape)} "
            f"at scale {scale}"
        )
    for name, array in arrays.items():
        known = array.dtype in (np.uint8, np.float32)
        if not known or not np.isfinite(array).all():
            raise UserError(
                f"{source}: the pair pool's {name} is neither uint8 nor finite float32 "
                f"({array.dtype})"
            )


def _stored(images: Sequence[Tensor]) -> np.ndarray:
    """Return images (3, H, W) as uint8 (n, 3, H, W) if `_levels` restores every bit."""
    arrays = [image.numpy() for image in images]
    stacked = np.stack(arrays)
    in_8_bits = to_uint8(stacked)

    exact = np.array_equal(_levels(in_8_bits), stacked)
    return in_8_bits if exact else stacked


def _levels(stored: np.ndarray) -> np.ndarray:
    """Return stored images as float32; uint8 becomes levels of 1/255."""
    if stored.dtype != np.uint8:
        return stored
    return stored.astype(np.float32) / np.float32(255)
