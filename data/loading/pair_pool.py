"""The pool of training pairs, which mixes degradations of different iterations."""

from collections.abc import Mapping, Sequence

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import to_uint8
from realesrgan_paddle.utils.machine.process_group import ALONE, ProcessGroup

Pair = tuple[Tensor, Tensor]
"""gt (3, H, W) and lq (3, h, w)."""


class PairPool:
    """A pool of (gt, lq) pairs: each batch is exchanged for random pairs of the pool.

    All samples of a batch share one resize factor, so a batch alone has little variety
    (Real-ESRGAN, realesrgan/models/realesrgan_model.py). There each GPU has a pool: so
    has each slice of a batch here.

    Args:
        size: pairs of a slice in the pool, at least as many as in the slice of a batch;
            0: batches are returned unchanged.
        slices: how many slices the batches have.

    Attributes:
        slices: the pairs of each slice.
    """

    def __init__(self, size: int, slices: int = 1) -> None:
        self._size = size
        self.slices: list[list[Pair]] = [[] for _ in range(slices)]

    def exchange(
        self, gt: Tensor, lq: Tensor, rngs: Sequence[np.random.Generator]
    ) -> tuple[Tensor, Tensor]:
        """Put a batch into the pool and return as many pairs.

        While the pool fills, that is the batch itself; later, random pairs of the pool,
        whose slots the batch takes. Equivalent to Real-ESRGAN's shuffling of the whole
        pool and overwriting of its head, without moving the rest.

        Args:
            gt: (N, 3, H, W), slice after slice.
            lq: (N, 3, h, w).
            rngs: draw the slots of each slice.
        """
        if not self._size:
            return gt, lq

        given = [(gt[i].clone(), lq[i].clone()) for i in range(gt.shape[0])]
        count = len(given) // len(self.slices)
        returned: list[Pair] = []
        slots: list[Sequence[int]] = []
        for number, (pairs, rng) in enumerate(zip(self.slices, rngs, strict=True)):
            if len(pairs) < self._size:
                returned += given[number * count : (number + 1) * count]
                slots.append(range(len(pairs), self._size)[:count])
            else:
                drawn = rng.choice(self._size, count, replace=False).tolist()
                returned += [pairs[slot] for slot in drawn]
                slots.append(drawn)
        returned_gt, returned_lq = zip(*returned, strict=True)
        batch = paddle.stack(returned_gt), paddle.stack(returned_lq)

        # Last: an error above, such as a lack of memory, leaves the pool as it was.
        for number, (pairs, places) in enumerate(zip(self.slices, slots, strict=True)):
            for slot, pair in zip(places, given[number * count :], strict=False):
                pairs[slot : slot + 1] = [pair]
        return batch

    def state(self, group: ProcessGroup = ALONE) -> dict[str, np.ndarray]:
        """Return the pairs, if any: `gt` (n, 3, H, W) and `lq` (n, 3, h, w), by slice.

        uint8 where that is exact, a quarter of the size, else float32. Of several slices
        there is `counts`, too: how many pairs each has.

        Args:
            group: the processes whose slices are wanted, which must all call this; they
                are returned in the one that writes files.
        """
        slices = self._gathered(group)
        pairs = [pair for pairs in slices for pair in pairs]
        if not pairs:
            return {}
        gts, lqs = zip(*pairs, strict=True)
        state = {"gt": _stored(gts), "lq": _stored(lqs)}
        if len(slices) > 1:
            state["counts"] = np.array([len(pairs) for pairs in slices], np.int64)
        return state

    def _gathered(
        self, group: ProcessGroup
    ) -> list[list[tuple[np.ndarray, np.ndarray]]]:
        """Return the pairs of each slice of all processes, one pair at a time."""
        own = self.slices
        if group.size == 1:
            return [[(gt.numpy(), lq.numpy()) for gt, lq in pairs] for pairs in own]

        lengths = paddle.to_tensor([len(pairs) for pairs in own], dtype="int64")
        counts = group.gather(lengths).tolist()
        first = next((pairs[0] for pairs in own if pairs), None)
        sides = [image.shape[-1] for image in first] if first else [0, 0]
        blank = [paddle.zeros([3, side, side]) for side in group.maximum(*sides)]
        slices: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in counts]
        for place, pairs in enumerate(own):
            for i in range(max(counts)):
                gt, lq = pairs[i] if i < len(pairs) else blank
                gts, lqs = group.gather(gt[None]), group.gather(lq[None])
                for rank in range(group.size * group.writes):
                    number = rank * len(own) + place
                    if i < counts[number]:
                        slices[number].append((gts[rank].numpy(), lqs[rank].numpy()))
        return slices

    def load_state(
        self,
        arrays: Mapping[str, np.ndarray],
        gt_size: int,
        part: slice = slice(None),
        slices: int | None = None,
    ) -> None:
        """Replace the pairs by those of `state`.

        If it was of another number of slices, its pairs are dealt out to these.

        Args:
            arrays: the state.
            gt_size: width and height of the `gt`.
            part: which of the slices of all processes this pool has.
            slices: how many those are; None: as many as this pool has.

        Raises:
            UserError: a slice has more pairs than the pool holds of it, or their `gt`
                are not `gt_size` pixels wide and high.
        """
        if not arrays:
            self.slices = [[] for _ in self.slices]
            return

        gts, lqs = arrays["gt"], arrays["lq"]
        if gts.shape[2:] != (gt_size, gt_size):
            side = gts.shape[-1]
            raise UserError(
                f"gt_size: {gt_size}, but the pairs of the training state are "
                f"{side} wide; set it to {side}"
            )
        slices = slices or len(self.slices)
        counts = counts_of(arrays)
        if len(counts) != slices:
            places = [range(i, len(gts), slices)[: self._size] for i in range(slices)]
        else:
            ends = np.cumsum(counts).tolist()
            places = [range(end - n, end) for n, end in zip(counts, ends, strict=True)]
            if max(counts) > self._size:
                raise UserError(
                    f"queue_size: {self._size} is smaller than the {max(counts)} pairs "
                    "of the training state"
                )
        self.slices = [
            [
                (paddle.to_tensor(_levels(gts[i])), paddle.to_tensor(_levels(lqs[i])))
                for i in own
            ]
            for own in places[part]
        ]


def counts_of(arrays: Mapping[str, np.ndarray]) -> list[int]:
    """Return how many pairs each slice has in what `PairPool.state` returned."""
    if "counts" in arrays:
        return arrays["counts"].tolist()
    return [len(arrays["gt"])] if arrays else []


def check_pairs(arrays: Mapping[str, np.ndarray], scale: int, source: str) -> None:
    """Raise UserError unless `arrays` are what `PairPool.state` returns.

    Args:
        arrays: none, or `gt` and `lq`, and `counts` of several slices.
        scale: how many times `gt` is as wide and high as `lq`.
        source: what the message begins with.
    """
    if not arrays:
        return
    if arrays.keys() - {"counts"} != {"gt", "lq"}:
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
    counts = arrays.get("counts", np.array([count]))
    whole = counts.dtype == np.int64 and counts.ndim == 1
    if not whole or counts.min(initial=0) < 0 or counts.sum() != count:
        raise UserError(
            f"{source}: the pair pool's counts, {str(counts)[:60]}, are not those of "
            f"{count} pairs"
        )
    for name, array in (("gt", gt), ("lq", lq)):
        known = array.dtype in (np.uint8, np.float32)
        if not known or not np.isfinite(array).all():
            raise UserError(
                f"{source}: the pair pool's {name} is neither uint8 nor finite float32 "
                f"({array.dtype})"
            )


def _stored(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images (3, H, W) as uint8 (n, 3, H, W) if `_levels` restores every bit."""
    stacked = np.stack(images)
    in_8_bits = to_uint8(stacked)

    exact = np.array_equal(_levels(in_8_bits), stacked)
    return in_8_bits if exact else stacked


def _levels(stored: np.ndarray) -> np.ndarray:
    """Return stored images as float32; uint8 becomes levels of 1/255."""
    if stored.dtype != np.uint8:
        return stored
    return stored.astype(np.float32) / np.float32(255)
