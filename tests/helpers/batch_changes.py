"""Training batches that go wrong: what no image file can bring about."""

from collections.abc import Callable

from realesrgan_paddle.models.step.pixel_step import Batch
from realesrgan_paddle.training.batches import TrainingBatches

Change = Callable[[Batch, int], Batch]
"""Returns what is made of a training batch, given its number."""


def changed_batches(change: Change) -> Callable[[TrainingBatches], Batch]:
    """Return a `TrainingBatches.__next__` that passes every batch through `change`."""
    make = TrainingBatches.__next__

    def make_and_change(batches: TrainingBatches) -> Batch:
        batch = make(batches)
        return change(batch, batches.number)

    return make_and_change
