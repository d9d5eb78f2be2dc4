"""One finetune on equal terms: the same network, file and iterations for all arms."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)

ROOT = Path(__file__).parents[2]
BASE = ROOT / "options" / "finetune_cpu.yml"
"""Losses, batch, crops, optimizer."""
CONVOLUTIONS: Mapping[str, int] = {
    "realesr-animevideov3": 16,
    "realesr-general-x4v3": 32,
}
"""Depth of the released networks of which finetunes start."""
STEPS = 5
"""States are written so often in a run: a stopped one loses at most a fifth."""


@dataclass(frozen=True)
class Terms:
    """What all arms have in common."""

    network: str
    """A key of `CONVOLUTIONS`."""
    weights: Path
    """The released weights, `.pdparams`."""
    iterations: int
    operators: str
    """As the option `cpu_ops`."""
    threads: int


def folder_of(work: Path, name: str) -> Path:
    """Return the folder in which an arm of this name is trained."""
    return work / name.replace(", ", "_").replace(" ", "_")


def finetune(
    folder: Path,
    gt: Path,
    images: Sequence[str],
    degradation: LQConfig,
    terms: Terms,
    seed: int = 0,
    base: Path = BASE,
    keys: Mapping[str, Any] | None = None,
) -> Path:
    """Return the weights of a finetune, made or gone on with if they are not there.

    Args:
        folder: of this run alone.
        gt: folder of the ground truth.
        images: the files in it to train on.
        degradation: makes the low-quality images; only that is read of it.
        terms: what this run shares with all others.
        seed: of the run.
        base: the option file; all that the others do not say.
        keys: values of the option file that are other than those of all runs.
    """
    weights = folder / "run" / "models" / f"net_g_{terms.iterations}.pdparams"
    if weights.exists():
        return weights

    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "images.txt"
    listed.write_text("".join(f"{name}\n" for name in images), encoding="utf-8")
    options = merged(given_options(base), degradation_keys(degradation))
    options = merged(options, _run_keys(folder, gt, listed, terms, seed))
    options = merged(options, keys or {})
    yml = folder / "options.yml"
    yml.write_text(yaml.safe_dump(options), encoding="utf-8")

    command = [sys.executable, "train.py", "--yml_path", str(yml), "--auto_resume"]
    environment = os.environ | {"OMP_NUM_THREADS": str(terms.threads)}
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=log, stderr=log
        )
    return weights


def degradation_keys(degradation: LQConfig) -> dict[str, Any]:
    """Return a degradation as the keys of a training's option file, every one.

    The size of crops and of the pool of pairs are not a part of it: they are among the
    terms that all runs share.
    """
    fields = {*SynthesisOptions.model_fields} - {"gt_size", "queue_size"}
    synthesis = degradation.model_dump(mode="json", include=fields)
    kernels = degradation.model_dump(mode="json", include={*KernelOptions.model_fields})
    return synthesis | {"datasets": {"train": kernels}}


def _run_keys(
    folder: Path, gt: Path, listed: Path, terms: Terms, seed: int
) -> dict[str, Any]:
    total = terms.iterations
    return {
        "name": "run",
        "manual_seed": seed,
        "cpu_ops": terms.operators,
        "datasets": {"train": {"dataroot_gt": str(gt), "meta_info": str(listed)}},
        "network_g": {
            "type": "SRVGGNetCompact",
            "num_conv": CONVOLUTIONS[terms.network],
        },
        "path": {
            "pretrain_network_g": str(terms.weights),
            "experiments_root": str(folder),
        },
        "train": {"total_iter": total, "scheduler": {"T_max": total}},
        "val": None,
        "logger": {"save_checkpoint_freq": total // STEPS, "keep_checkpoints": 1},
    }
