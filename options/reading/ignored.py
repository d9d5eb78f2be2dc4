"""Keys of other projects' option files that have no effect: accepted and logged."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

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
