"""How weights are read, where a model is no exported graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realesrgan_paddle.models.networks.description import Generator
    from realesrgan_paddle.models.weights.layouts import Tensors


@dataclass(frozen=True)
class WeightOptions:
    """How weights are read; the arguments of `read_denoising`."""

    strength: float | None = None
    dn_model: str | Path | None = None
    block: int | None = None

    def read(self, model: str | Path) -> "tuple[Generator, Tensors]":
        """Return the generator of `model`, and its tensors."""
        # Imported here: readers and downloads take a quarter of a second, and an exported
        # graph needs neither.
        from realesrgan_paddle.models.weights.denoise import read_denoising

        return read_denoising(model, self.strength, self.dn_model, self.block)


AS_THEY_ARE = WeightOptions()
