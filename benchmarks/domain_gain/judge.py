"""Figures of networks on pairs of images, kept in a file so that a stopped run goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.metrics.table import measure_image, open_metric
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e, sharpness

SCALE = 4
METRICS = ("psnr", "ssim", "lpips", "dists")
FURTHER = ("delta_e", "sharpness", "grid")
OF_LUMA = {"psnr": "psnr_y", "ssim": "ssim_y"}
"""What the records call psnr and ssim."""
BICUBIC = "bicubic"

Record = dict[str, Any]
"""The figures of one network on one kind of input: lists, an item for each crop."""


Weights = Callable[[], Path | None]
"""Returns the file of a network's weights; None is bicubic interpolation."""


@dataclass(frozen=True)
class Pair:
    """A low-quality image, its ground truth, and the parts of it that are judged."""

    name: str
    group: str
    """The clip it is of: figures of one clip's images are not independent."""
    lq: np.ndarray
    """uint8 RGB (H, W, 3)."""
    gt: np.ndarray
    """uint8 RGB (SCALE * H, SCALE * W, 3)."""
    crops: Sequence[Crop]
    """Of `lq`; one, where several kinds of input are judged together."""


def judge(
    networks: Mapping[str, Weights],
    label: str,
    pairs: Callable[[], Sequence[Pair]],
    results: Path,
) -> list[Record]:
    """Return the figures of each network; those in `results` are not measured again.

    Args:
        networks: by name, what returns their weights; a network is trained by that.
        label: of the inputs, in the records.
        pairs: makes them.
        results: JSON lines; new ones are appended.
    """
    records = read_records(results)
    done = {each["network"] for each in records if each["input"] == label}
    if not done.issuperset(networks):
        kinds = {label: pairs()}
        for name, weights in networks.items():
            judge_kinds(name, weights, kinds, results)
        records = read_records(results)
    of_label = [each for each in records if each["input"] == label]
    return [each for each in of_label if each["network"] in networks]


def judge_kinds(
    name: str,
    weights: Weights,
    kinds: Mapping[str, Sequence[Pair]],
    results: Path,
) -> None:
    """Add a network's figures on several kinds of input to `results`, if missing.

    Args:
        name: of the network.
        weights: returns its weights; trains it.
        kinds: by label, the same parts, in one order, with inputs of each kind.
        results: JSON lines; several processes may add to them.
    """
    done = {(each["network"], each["input"]) for each in read_records(results)}
    missing = [label for label in kinds if (name, label) not in done]
    if not missing:
        return

    # Part by part: the ground truth's features are computed once for all kinds.
    turns = zip(*(kinds[label] for label in missing), strict=True)
    pairs = [pair for turn in turns for pair in turn]
    found = figures(weights(), pairs)
    lines = ""
    for number, label in enumerate(missing):
        own = {key: values[number :: len(missing)] for key, values in found.items()}
        lines += json.dumps({"network": name, "input": label} | own) + "\n"
    # At once: the lines of several processes must not mix.
    with results.open("ab", buffering=0) as file:
        file.write(lines.encode())


def read_records(results: Path) -> list[Record]:
    """Return the records of a file, none if it is not there."""
    if not results.exists():
        return []
    lines = results.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def figures(weights: Path | None, pairs: Sequence[Pair]) -> Record:
    """Return the figures of a network on each crop, and which clips the crops are of.

    PSNR and SSIM are of the Y channel, without `SCALE` pixels at each border; sharpness
    and grid index are the result's, relative to the ground truth's.
    """
    upscaler = Upscaler.load(weights, precision="fp32") if weights else None
    metrics = {n: open_metric(OF_LUMA.get(n, n), SCALE) for n in METRICS}
    found: Record = {name: [] for name in ("group", *METRICS, *FURTHER)}
    for pair in pairs:
        for crop in pair.crops:
            lq = np.ascontiguousarray(crop.of(pair.lq))
            gt = np.ascontiguousarray(crop.of(pair.gt, SCALE))
            sr = upscaler(lq, outscale=SCALE) if upscaler else enlarge(lq, SCALE)
            values = measure_image(sr, gt, metrics)
            values["delta_e"] = mean_delta_e(sr, gt)
            values["sharpness"] = sharpness(sr, gt)
            values["grid"] = grid_index(sr, SCALE) / grid_index(gt, SCALE)
            found["group"].append(pair.group)
            for name, value in values.items():
                found[name].append(round(value, 4))
    return found


def no_weights() -> None:
    """Return None, for bicubic interpolation."""
