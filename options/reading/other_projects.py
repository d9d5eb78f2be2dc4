"""Keys of other projects' option files: other spellings, and keys without effect.

BasicSR's data sets have a gt_size of their own; the soccer project and its ancestor
repeat all degradation keys inside datasets.train. PaddleGAN spells betas as beta1 and
beta2, numbers the VGG layers and calls range_norm norm_img. Keys that have no effect
are accepted and logged.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
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
        if key in data and data[key] != value:
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


Reasons = Mapping[str, str]
"""Pattern of a dotted key -> why the key has no effect."""

_LAUNCHER = (
    "python -m paddle.distributed.launch starts the processes; see docs/finetuning.md"
)
_WORKERS = "worker processes always read ahead; see num_worker_per_gpu"
_NO_DISCRIMINATOR = "RealESRNetModel has no discriminator"
_ONE_SWITCH = "RealESRNetModel has one switch for all losses, gt_usm"

IGNORED_BY_ALL: Reasons = {
    "num_gpu": "training uses the first GPU that Paddle sees, else the CPU; "
    + _LAUNCHER,
    "use_channels_last": "on a GPU the networks run in Paddle's own layout, NCHW",
    "dist_params": _LAUNCHER,
    "find_unused_parameters": "gradients are averaged after the whole backward pass",
    "datasets.*.num_gpu": "as num_gpu",
    "datasets.*.prefetch_mode": _WORKERS,
    "datasets.*.num_prefetch_queue": _WORKERS,
    "datasets.*.pin_memory": _WORKERS,
    "train.perceptual_opt.out_layer_name": "the keys of layer_weights name the layers",
    "val.pbar": "validation draws no progress bar",
    "logger.wandb": "the same values are written to metrics.jsonl",
}

IGNORED_BY_MODEL: Mapping[str, Reasons] = {
    "RealESRGANModel": {
        "gt_usm": "RealESRGANModel has a switch for each loss: "
        "l1_gt_usm, percep_gt_usm, gan_gt_usm",
    },
    "RealESRNetModel": {
        "l1_gt_usm": _ONE_SWITCH,
        "percep_gt_usm": _ONE_SWITCH,
        "gan_gt_usm": _ONE_SWITCH,
        "train.optim_d": _NO_DISCRIMINATOR,
        "train.net_d_iters": _NO_DISCRIMINATOR,
        "train.net_d_init_iters": _NO_DISCRIMINATOR,
        "train.net_d_init_until": _NO_DISCRIMINATOR,
        "train.net_d_init_detail": _NO_DISCRIMINATOR,
    },
}

IGNORED_BY_LQ: Reasons = {
    "l1_gt_usm": "there are no losses; gt_usm sharpens before the degradation",
    "percep_gt_usm": "as l1_gt_usm",
    "gan_gt_usm": "as l1_gt_usm",
    "gt_size": "whole images are degraded",
    "queue_size": "every image is written once",
}


def ignored_keys(
    data: Mapping[str, Any], reasons: Reasons, prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, reason) for every key of `data` that has no effect."""
    for name, value in data.items():
        key = prefix + name
        reason = _reason(key, reasons)
        if reason is not None:
            yield key, reason
        elif isinstance(value, Mapping):
            yield from ignored_keys(value, reasons, key + ".")


def _reason(key: str, reasons: Reasons) -> str | None:
    for pattern, reason in reasons.items():
        if fnmatchcase(key, pattern):
            return reason
    return None


def without(
    data: Mapping[str, Any], keys: Mapping[str, str], prefix: str = ""
) -> dict[str, Any]:
    """Return `data` without the dotted `keys`."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        key = prefix + name
        if key in keys:
            continue
        if isinstance(value, Mapping):
            kept[name] = without(value, keys, f"{key}.")
        else:
            kept[name] = value
    return kept
