"""The training pair pool, which mixes degradations that were synthesised in different iterations."""

from collections.abc import Mapping

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError


class PairPool:
    """A pool of (gt, lq) pairs: batches go in, and, once it is full, random pairs come out in their place.

    All samples of a batch share one resize factor, so a batch by itself has little
    variety (Real-ESRGAN, realesrgan/models/realesrgan_model.py).

    Args:
        size: pairs in the pool, at least one batch; 0: every batch comes out as it went
            in.
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
        """Return as many pairs as are given: the given ones while the pool fills, later random ones of the pool.

        Drawing slots without replacement and putting the new pairs there is what
        shuffling the pool, taking its head and overwriting it does, without moving the
        rest. Of the pairs that come out, only `part` is returned.
        """
        if not self._size:
            return gt[part], lq[part]
        given = [(gt[i].clone(), lq[i].clone()) for i in range(gt.shape[0])]
        if len(self._pairs) < self._size:
            self._pairs += given[: self._size - len(self._pairs)]
            return gt[part], lq[part]
        slots = rng.choice(self._size, len(given), replace=False)
        taken = [self._pairs[slot] for slot in slots]
        for slot, pair in zip(slots, given, strict=True):
            self._pairs[slot] = pair
        return paddle.stack([pair[0] for pair in taken[part]]), paddle.stack(
            [pair[1] for pair in taken[part]]
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return the pairs as `gt` (n, 3, H, W) and `lq` (n, 3, h, w), float32; nothing while the pool is empty."""
        if not self._pairs:
            return {}
        return {
            "gt": np.stack([gt.numpy() for gt, _ in self._pairs]),
            "lq": np.stack([lq.numpy() for _, lq in self._pairs]),
        }

    def load_state(self, arrays: Mapping[str, np.ndarray], gt_size: int) -> None:
        """Replace the pairs by those of `state`.

        Raises:
            UserError: there are more of them than the pool holds, or their `gt` are no
                squares of `gt_size` pixels.
        """
        if arrays and arrays["gt"].shape[2:] != (gt_size, gt_size):
            side = arrays["gt"].shape[-1]
            raise UserError(
                f"gt_size: {gt_size}, but the pairs of the training state are {side} wide; set it to {side}"
            )
        pairs = list(zip(arrays["gt"], arrays["lq"], strict=True)) if arrays else []
        if len(pairs) > self._size:
            raise UserError(
                f"queue_size: {self._size} is smaller than the {len(pairs)} pairs of the training state"
            )
        self._pairs = [(paddle.to_tensor(gt), paddle.to_tensor(lq)) for gt, lq in pairs]
