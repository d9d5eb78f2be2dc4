"""How weights are read, where a model is no exported graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.utils.cli import float_range, int_range, setting

if TYPE_CHECKING:
    from realesrgan_paddle.models.networks.description import Generator
    from realesrgan_paddle.models.weights.layouts import Tensors


@dataclass(frozen=True)
class DenoiseOptions:
    """How the weights of two networks are mixed; each field is a flag too."""

    denoise_strength: float | None = setting(
        None,
        "0 keeps noise, 1 removes most; realesr-general-x4v3 only, or with --dn_model",
        float_range(0, 1),
        also=["-dn"],
    )
    dn_model: str | Path | None = setting(
        None,
        "weights of the same network that denoise weakly; those of "
        "realesr-general-wdn-x4v3 if not given",
    )


@dataclass(frozen=True)
class WeightOptions(DenoiseOptions):
    """How weights are read; the arguments of `read_denoising`."""

    block: int | None = setting(
        None,
        "number of RRDB blocks that the weights must have; not needed",
        int_range(1),
    )

    def read(self, model: str | Path) -> "tuple[Generator, Tensors]":
        """Return the generator of `model`, and its tensors."""
        # Imported here: readers and downloads take a quarter of a second, and an exported
        # graph needs neither.
        from realesrgan_paddle.models.weights.denoise import read_denoising

        return read_denoising(model, self.denoise_strength, self.dn_model, self.block)


AS_THEY_ARE = WeightOptions()
