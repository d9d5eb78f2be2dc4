"""What runs a graph in this process: pictures; or frames of a video, with a state.

The graph of a network that carries a state is one step of it (graph/step_names.py).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.graph.step_names import STEP_INPUTS, STEP_OUTPUTS
from realesrgan_paddle.utils.errors import UserError

MOST_STATE = 4096
"""Channels of a state, as many as an option file may ask for."""


class GraphInProcess:
    """Runs a graph; called like `DygraphRunner`. Its subclasses say by which library.

    Attributes:
        scale: its upscaling factor, found by running it once.
        device: where it runs, and why; for messages.
        num_state: channels of the state; only of a graph that takes one.
    """

    scale: int
    device: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images.

        Raises:
            UserError: the graph cannot be run on images of this size.
            MemoryError: they do not fit.
        """
        return self._run(self._of_pictures(images))[0]

    def step(
        self,
        frame: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        state: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an upscaled frame, and the state for the one after it; see runner.py."""
        arrays = (frame, before, after, state)
        batches = [np.ascontiguousarray(array[None]) for array in arrays]
        inputs = dict(zip(STEP_INPUTS, batches, strict=True))
        result, next_state = self._run(inputs)
        return result[0], next_state[0]

    def _run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs for {name: array}, the images first."""
        raise NotImplementedError

    def _know(
        self, source: Path, shapes: Mapping[str, Sequence[object]], outputs: int
    ) -> None:
        """Note what the graph takes.

        Args:
            source: the graph's file, for messages.
            shapes: {name of an input: its shape}; sizes that are free may be anything.
            outputs: how many it has.

        Raises:
            UserError: that is not what an upscaler takes and makes.
        """
        if set(shapes) == set(STEP_INPUTS) and outputs == len(STEP_OUTPUTS):
            self.num_state = _channels(source, shapes["state"])
        elif len(shapes) != 1 or outputs != 1:
            raise UserError(
                f"{source}: has {len(shapes)} inputs and {outputs} outputs; an upscaler "
                f"has one of each, or takes {', '.join(STEP_INPUTS)} and makes two"
            )
        self._first = next(iter(shapes))

    def _of_pictures(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs for pictures (N, 3, H, W), which have nothing beside them."""
        if not hasattr(self, "num_state"):
            return {self._first: images}
        shape = (len(images), self.num_state, *images.shape[2:])
        arrays = (images, images, images, np.zeros(shape, np.float32))
        return dict(zip(STEP_INPUTS, arrays, strict=True))


def _channels(source: Path, shape: Sequence[object]) -> int:
    """Return the channels of a state (N, C, H, W)."""
    channels = shape[1] if len(shape) == 4 else None
    if not isinstance(channels, int) or not 1 <= channels <= MOST_STATE:
        raise UserError(
            f"{source}: its state has the shape {list(shape)}; that of an upscaler is "
            f"[N, channels, H, W], with 1 to {MOST_STATE} channels"
        )
    return channels
