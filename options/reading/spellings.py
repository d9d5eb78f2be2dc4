"""Other projects' spellings of the same options, rewritten as the schema spells them.

BasicSR's data sets have their own gt_size; the soccer project and its ancestor repeat
all synthesis keys inside datasets.train. PaddleGAN gives Adam's betas one by one,
numbers the VGG layers and says norm_img for range_norm.
"""

from collections.abc import Mapping
from typing import Any

from realesrgan_paddle.options.schema.synthesis import SynthesisOptions
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
TOP_LEVEL = {*SynthesisOptions.model_fields, *SWITCHES, "scale", "manual_seed"}


def our_spelling(data: Data, source: str) -> dict[str, Any]:
    """Return the options as the schema spells them; a UserError names `source` and two values that contradict."""
    data = _hoisted(data, source)
    train = _section(data, "train")
    rewritten = {
        "optim_g": _with_betas(_section(train, "optim_g"), f"{source}: train.optim_g"),
        "optim_d": _with_betas(_section(train, "optim_d"), f"{source}: train.optim_d"),
        "perceptual_opt": _with_layer_names(
            _section(train, "perceptual_opt"), f"{source}: train.perceptual_opt"
        ),
    }
    sections = {name: section for name, section in rewritten.items() if section}
    return {**data, "train": {**train, **sections}} if sections else dict(data)


def _hoisted(data: Data, source: str) -> Data:
    """Return the options with the top-level keys that stand in datasets.train moved to the top level."""
    datasets = _section(data, "datasets")
    train = _section(datasets, "train")
    hoisted = {key: value for key, value in train.items() if key in TOP_LEVEL}
    for key, value in hoisted.items():
        if data.get(key, value) != value:
            raise UserError(
                f"{source}: {key!r} is {data[key]!r} but 'datasets.train.{key}' is {value!r}; give it once"
            )
    if not hoisted:
        return data
    rest = {key: value for key, value in train.items() if key not in hoisted}
    return {**data, **hoisted, "datasets": {**datasets, "train": rest}}


def _with_betas(optimizer: Data, where: str) -> Data:
    """Return the optimizer's options with beta1 and beta2 as betas."""
    rest = {
        key: value for key, value in optimizer.items() if key not in ("beta1", "beta2")
    }
    if rest == optimizer:
        return optimizer
    if "betas" in rest or not {"beta1", "beta2"} <= set(optimizer):
        raise UserError(f"{where}: give betas: [beta1, beta2], or both beta1 and beta2")
    return {**rest, "betas": [optimizer["beta1"], optimizer["beta2"]]}


def _with_layer_names(loss: Data, where: str) -> Data:
    """Return the perceptual loss's options with layers by name, and norm_img as range_norm."""
    if "norm_img" in loss:
        if loss.get("range_norm", loss["norm_img"]) != loss["norm_img"]:
            raise UserError(
                f"{where}: range_norm and norm_img are the same option with two values; give it once"
            )
        loss = {
            ("range_norm" if key == "norm_img" else key): value
            for key, value in loss.items()
        }
    weights = _section(loss, "layer_weights")
    names = {number: name for name, number in VGG19_NUMBERS.items()}
    named = {names.get(key, key): value for key, value in weights.items()}
    if len(named) < len(weights):
        raise UserError(
            f"{where}.layer_weights: gives a layer by its name and by its number; give it once"
        )
    return {**loss, "layer_weights": named} if named else loss


def _section(data: Data, key: str) -> Data:
    """Return a section; an empty one where the key is missing or (the schema will say so) holds something else."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}
