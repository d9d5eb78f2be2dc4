"""How weights are read, where a model is no exported graph.

Denoise strength: weights between those of two networks, as `--denoise_strength` of
Real-ESRGAN's inference_realesrgan.py, which mixes the weights of realesr-general-x4v3
and realesr-general-wdn-x4v3 ("weak denoise"): Wang et al. 2019, "Deep Network
Interpolation for Continuous Imagery Effect Transition", equation 2.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.errors import UserError

if TYPE_CHECKING:
    from realesrgan_paddle.models.networks.description import Generator
    from realesrgan_paddle.models.weights.layouts import Tensors


_GENERAL = re.compile(r"(realesr-general)(-x4v3)", re.IGNORECASE)
"""The network that has a weak-denoise companion; `-wdn` between the groups names it."""


@dataclass(frozen=True)
class DenoiseOptions:
    """How the weights of two networks are mixed; each field is a flag too."""

    denoise_strength: float | None = setting(
        None,
        "0 keeps noise, 1 removes most; realesr-general-x4v3 only, or with --dn_model",
        float_range(0, 1),
        also=["-dn"],
        rare=True,
        heading="weights",
    )
    dn_model: str | Path | None = setting(
        None,
        "weights of the same network that denoise weakly; those of "
        "realesr-general-wdn-x4v3 if not given",
        rare=True,
    )

    def check_exported(self) -> None:
        """Raise UserError if weights of an exported model should be mixed."""
        if self.denoise_strength is None and self.dn_model is None:
            return
        raise UserError(
            "--denoise_strength and --dn_model: the weights of an exported graph are "
            "fixed; give these flags to tools/export_model.py, and run the graph that it "
            "writes"
        )


@dataclass(frozen=True)
class WeightOptions(DenoiseOptions):
    """How weights are read; of a model with weights."""

    block: int | None = setting(
        None,
        "number of RRDB blocks that the weights must have; not needed",
        int_range(1),
        rare=True,
    )

    def read(self, model: str | Path) -> "tuple[Generator, Tensors]":
        """Return the generator of `model`, and its tensors mixed with those of `dn_model`.

        Their part in the mean is `denoise_strength`: with 0 noise is kept (`dn_model`
        alone), with 1 or None this network alone is used. Where no `dn_model` is given,
        it is realesr-general-wdn-x4v3 for realesr-general-x4v3, by name or in the same
        folder.

        Raises:
            UserError: as `read_generator`; there is no second network, or it is another
                one.
        """
        # Imported here: readers and downloads take a tenth of a second, and an exported
        # graph needs neither.
        from realesrgan_paddle.models.weights.read_generator import read_generator

        network, tensors = read_generator(model, self.block)
        strength = self.denoise_strength
        if strength is None and self.dn_model is not None:
            raise UserError(
                f"--dn_model {self.dn_model}: give --denoise_strength too, 0 to 1"
            )
        if strength is None or strength == 1:
            return network, tensors

        weak_model = companion(model) if self.dn_model is None else self.dn_model
        weak_network, weak = read_generator(weak_model, self.block)
        if weak_network != network:
            raise UserError(
                f"{weak_model}: holds {weak_network}, and {model} {network}; weights can "
                "only be mixed between networks of one shape"
            )

        part, rest = np.float32(strength), np.float32(1 - strength)
        mixed = {name: part * tensors[name] + rest * weak[name] for name in tensors}
        return network, mixed


AS_THEY_ARE = WeightOptions()


def companion(model: str | Path) -> Path | str:
    """Return the weak-denoise network of realesr-general-x4v3.

    Raises:
        UserError: `model` is another network, or its companion is not beside it.
    """
    from realesrgan_paddle.models.weights.catalogue import find, is_released

    path = Path(model)
    is_name = not path.exists() and is_released(str(model))
    own_name = find(str(model)).name if is_name else path.name
    name, found = _GENERAL.subn(r"\1-wdn\2", own_name)
    if not found:
        raise UserError(
            f"{model}: --denoise_strength needs a second network, of weaker denoising; "
            "name its weights with --dn_model (realesr-general-x4v3 has one, others do "
            "not)"
        )
    if is_name:
        return name

    beside = path.with_name(name)
    if not beside.exists():
        raise UserError(
            f"{beside}: no such file; --denoise_strength mixes its weights with those of "
            f"{model}, so put it there or name it with --dn_model"
        )
    return beside
