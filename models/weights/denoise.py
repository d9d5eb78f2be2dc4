"""Denoise strength: weights between those of two networks.

As `--denoise_strength` of Real-ESRGAN's inference_realesrgan.py, which mixes the weights
of realesr-general-x4v3 and realesr-general-wdn-x4v3 ("weak denoise"): Wang et al. 2019,
"Deep Network Interpolation for Continuous Imagery Effect Transition", equation 2.
"""

import re
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.layouts import Tensors
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.errors import UserError

_GENERAL = re.compile(r"(realesr-general)(-x4v3)", re.IGNORECASE)
"""The network that has a weak-denoise companion; `-wdn` between the groups names it."""


def read_denoising(
    model: str | Path,
    strength: float | None = None,
    dn_model: str | Path | None = None,
    block: int | None = None,
) -> tuple[Generator, Tensors]:
    """Return the generator of `model`, and its tensors mixed with those of `dn_model`.

    Args:
        model: denoises strongly; see `read_generator`.
        strength: its part in the mean, from 0 (keep noise: `dn_model` alone) to 1 (this
            network alone); None: 1.
        dn_model: denoises weakly; None: realesr-general-wdn-x4v3 for
            realesr-general-x4v3, by name or in the same folder.
        block: see `read_generator`.

    Raises:
        UserError: there is no second network, or it is another one.
    """
    network, tensors = read_generator(model, block)
    if strength is None and dn_model is not None:
        raise UserError(f"--dn_model {dn_model}: give --denoise_strength too, 0 to 1")
    if strength is None or strength == 1:
        return network, tensors

    weak_model = companion(model) if dn_model is None else dn_model
    weak_network, weak = read_generator(weak_model, block)
    if weak_network != network:
        raise UserError(
            f"{weak_model}: holds {weak_network}, and {model} {network}; weights can only "
            "be mixed between networks of one shape"
        )

    part, rest = np.float32(strength), np.float32(1 - strength)
    return network, {name: part * tensors[name] + rest * weak[name] for name in tensors}


def companion(model: str | Path) -> Path | str:
    """Return the weak-denoise network of realesr-general-x4v3.

    Raises:
        UserError: `model` is another network, or its companion is not beside it.
    """
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
