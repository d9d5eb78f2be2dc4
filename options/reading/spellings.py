"""Rewrites other projects' spellings of the same options as the schema spells them.

BasicSR's data sets have a gt_size of their own; the soccer project and its ancestor
repeat all degradation keys inside datasets.train. PaddleGAN spells betas as beta1 and
beta2, numbers the VGG layers and calls range_norm norm_img.
"""

from collections.abc import Mapping
from typing import Any

from realesrgan_paddle.options.schema.degradation import SynthesisOptions
from realesrgan_paddle.options.schema.training import VGG19_NUMBERS
from realesrgan_paddle.utils.errors import UserError

Data = Mapping[str, Any]

SWITCHES = (
    "l1_gt_usm",
    "percep_gt_usm",
    "gan_gt_usm",
    "gt_usm",
    "high_order_degradation",
)
TOP_LEVEL = (*SynthesisOptions.model_fields, *SWITCHES, "scale", "manual_seed")
"""Top-level keys that datasets.train may hold instead."""
BETAS = ("beta1", "beta2")
LAYER_NAMES = {number: name for name, number in VGG19_NUMBERS.items()}
"""VGG19's layers by PaddleGAN's numbers."""


def our_spelling(data: Data, source: str) -> dict[str, Any]:
    """Return the options as the schema spells them.

    Raises:
        UserError: one line with `source` and the two values that contradict each other.
    """
    data = _hoisted(data, source)
    train = _section(data, "train")

    where = f"{source}: train"
    rewritten = {
        "optim_g": _with_betas(_section(train, "optim_g"), f"{where}.optim_g"),
        "optim_d": _with_betas(_section(train, "optim_d"), f"{where}.optim_d"),
        "perceptual_opt": _perceptual(
            _section(train, "perceptual_opt"), f"{where}.perceptual_opt"
        ),
    }
    sections = {name: section for name, section in rewritten.items() if section}
    if not sections:
        return dict(data)
    return {**data, "train": {**train, **sections}}


def _hoisted(data: Data, source: str) -> Data:
    """Return the options with the top-level keys of datasets.train at the top level."""
    datasets = _section(data, "datasets")
    train = _section(datasets, "train")

    hoisted = {}
    rest = {}
    for key, value in train.items():
        if key not in TOP_LEVEL:
            rest[key] = value
            continue
        hoisted[key] = value
        if data.get(key, value) != value:
            raise UserError(
                f"{source}: {key!r} is {data[key]!r} "
                f"but 'datasets.train.{key}' is {value!r}; give it once"
            )

    if not hoisted:
        return data
    return {**data, **hoisted, "datasets": {**datasets, "train": rest}}


def _with_betas(optimizer: Data, where: str) -> Data:
    """Return the optimizer's options with beta1 and beta2 as betas."""
    rest = {key: value for key, value in optimizer.items() if key not in BETAS}
    given = len(optimizer) - len(rest)
    if not given:
        return optimizer
    if given == 1 or "betas" in rest:
        raise UserError(f"{where}: give betas: [beta1, beta2], or both beta1 and beta2")
    return {**rest, "betas": [optimizer[beta] for beta in BETAS]}


def _perceptual(loss: Data, where: str) -> Data:
    """Return the perceptual loss's options with range_norm and with layers by name."""
    loss = _with_range_norm(loss, where)
    weights = _section(loss, "layer_weights")
    named = {LAYER_NAMES.get(key, key): value for key, value in weights.items()}
    if len(named) < len(weights):
        raise UserError(
            f"{where}.layer_weights: gives a layer by its name and by its number; "
            "give it once"
        )
    return {**loss, "layer_weights": named} if named else loss


def _with_range_norm(loss: Data, where: str) -> Data:
    if "norm_img" not in loss:
        return loss
    value = loss["norm_img"]
    if loss.get("range_norm", value) != value:
        raise UserError(
            f"{where}: range_norm and norm_img are the same option with two values; "
            "give it once"
        )
    rest = {key: value for key, value in loss.items() if key != "norm_img"}
    return {**rest, "range_norm": value}


def _section(data: Data, key: str) -> Data:
    """Return a section, or an empty one where the key is missing or is no section.

    The schema will refuse what is no section.
    """
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}
