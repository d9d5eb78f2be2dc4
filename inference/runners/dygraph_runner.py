"""What runs a network in Paddle's dygraph mode, straight from its weights.

Called like an exported graph (`graph_process.py`): float32 RGB (N, 3, H, W) in [0, 1]
gives (N, 3, scale * H, scale * W), not clipped, as NumPy arrays. MemoryError if an image
does not fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from realesrgan_paddle.inference.graph.exported_files import require_weights
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.models.weights.weight_options import AS_THEY_ARE, WeightOptions
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.ops.plain import PLAIN, Ops
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import pick_device

LIBRARY_OUT_OF_MEMORY = "_STATUS_ALLOC_FAILED"
"""In Paddle's errors of cuBLAS and cuDNN, whose names for it end so."""


class DygraphRunner:
    """Runs a network in dygraph mode.

    Attributes:
        scale: its upscaling factor.
        device: where it runs, and why.
        num_state: channels of the state; only of a network that has one.
    """

    def __init__(self, network: nn.Layer, scale: int, device: str = "") -> None:
        network.eval()
        self.network = network
        self.scale = scale
        self.device = device
        description = getattr(network, "description", None)
        if isinstance(description, RecurrentSRVGG):
            self.num_state = description.num_state

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images."""
        with _for_inference():
            return self.network(paddle.to_tensor(images)).numpy()

    def step(
        self,
        frame: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        state: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an upscaled frame, and the state for the one after it; see `Runner`."""
        with _for_inference():
            arrays = (frame, before, after, state)
            tensors = [paddle.to_tensor(array[None]) for array in arrays]
            result, next_state = self.network.step(*tensors)
            return result[0].numpy(), next_state[0].numpy()


@contextmanager
def _for_inference() -> Iterator[None]:
    """Keep nothing for gradients; raise MemoryError where a library lacks memory."""
    try:
        with paddle.no_grad():
            yield
    except OSError as error:
        # Paddle's own allocator raises MemoryError.
        if LIBRARY_OUT_OF_MEMORY not in str(error):
            raise
        raise MemoryError(str(error)) from error


def require_rgb(network: Generator, source: str) -> None:
    """Raise UserError unless the network's input and output are RGB, as images are."""
    if (network.num_in_ch, network.num_out_ch) != (3, 3):
        raise UserError(
            f"{source}: {network}; only networks from RGB to RGB can upscale images"
        )


def load_dygraph(
    model: str | Path,
    weights: WeightOptions = AS_THEY_ARE,
    *,
    device: str = "auto",
    fast: bool = False,
) -> DygraphRunner:
    """Return a runner of the network in a weight file, or of a released model's name.

    Args:
        model: see `read_generator`.
        weights: how they are read.
        device: "auto", "cpu" or "gpu"; becomes Paddle's current device.
        fast: take oneDNN's operators on a CPU where they work; see `choose_ops`.
    """
    require_weights(model)
    description, tensors = weights.read(model)
    require_rgb(description, str(model))

    chosen, reason = pick_device(device)
    paddle.set_device(chosen)
    network = Network(description)
    load_weights(network, tensors, source=str(model))
    if fast and chosen == "cpu":
        network.ops = _fast_ops()
    if network.ops is not PLAIN:
        reason += "; oneDNN's operators"
    return DygraphRunner(network, description.scale, f"{chosen} ({reason})")


def _fast_ops() -> Ops:
    """Return oneDNN's operators, or Paddle's own where they do not work."""
    try:
        ops, _ = choose_ops("onednn")
    except UserError:
        return PLAIN
    return ops
