"""Finetune with a fitted degradation, with the true one, and with the presets.

python -m benchmarks.domain_gain.hidden --frames FRAMES --sub_images SUB_IMAGES
--train_clips A B C --test_clips D E F --weights realesr-animevideov3.pdparams
--work FOLDER --results benchmarks/domain_gain/results/hidden.jsonl

Frames and sub-images are named CLIP_.... Each case degrades the frames of one test clip
with a degradation that was drawn at random. `make_lq_data.py --fit` gets a few of these
images, and the training clips as ground truth. All finetunes are of the training
clips; they differ in the degradation alone. Judged are crops of other frames of the test
clip, degraded with the hidden one. What is in FOLDER and in the results is not made
again, so a run that was stopped goes on.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.finetune import CONVOLUTIONS, ROOT, Terms, finetune
from benchmarks.domain_gain.judge import (
    BICUBIC,
    Pair,
    Record,
    Weights,
    judge,
    no_weights,
)
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8, write_image
from realesrgan_paddle.utils.machine.devices import start_paddle

TRUTHS = sorted(Path(__file__).with_name("hidden_degradations").glob("*.yml"))
"""Drawn once as benchmarks/footage/hidden_degradations.py draws: blur, noise, codecs."""
IMAGES = 5
"""Low-quality images that the search gets, and frames that are judged."""
CROPS, CROP_SIZE = 4, 64
"""Judged in each frame [low-quality pixels]."""
PRESETS = {
    "published": ROOT / "options" / "generate_lq_data.yml",
    "mild": ROOT / "options" / "finetune_cpu.yml",
    "broadcast": ROOT / "options" / "generate_lq_broadcast.yml",
    "dashcam": ROOT / "options" / "generate_lq_dashcam.yml",
    "anime": ROOT / "options" / "generate_lq_anime.yml",
}
"""The option files that users have without a fit."""
LOWER_IS_BETTER = ("lpips", "dists")
GAINS = ("psnr", *LOWER_IS_BETTER)


def main() -> None:
    """Make what is missing, then print the table of all cases."""
    args = _arguments()
    start_paddle()
    all_records = []
    for truth in TRUTHS[: args.cases]:
        records = _judge(truth, args)
        print(f"\n{truth.stem}, clip {_clip(truth, args)}")
        _print(records)
        all_records += records
    print("\nall cases")
    _print(all_records)


def _judge(truth: Path, args: argparse.Namespace) -> list[Record]:
    """Return the figures of all arms of a case; what is not in the results is trained."""
    folder = args.work / truth.stem
    networks: dict[str, Weights] = {
        BICUBIC: no_weights,
        "released": lambda: args.weights,
        "true": partial(_finetune, truth, folder / "true", args),
        "fitted": partial(_fit_and_finetune, truth, args),
    }
    for name, yml in PRESETS.items():
        networks[name] = partial(_finetune, yml, args.work / name, args)
    return judge(networks, truth.stem, partial(_pairs, truth, args), args.results)


def _pairs(truth: Path, args: argparse.Namespace) -> list[Pair]:
    """Return what the networks of a case are judged on."""
    from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options

    clip = _clip(truth, args)
    hidden = read_lq_options(truth)
    pairs = []
    for path in _frames(clip, args)[IMAGES : 2 * IMAGES]:
        gt = read_rgb(path)
        lq = make_lq(gt, path.name, hidden)
        crops = most_detailed(lq, CROP_SIZE, CROPS)
        pairs.append(Pair(path.name, clip, lq, to_uint8(gt), crops))
    return pairs


def _fit_and_finetune(truth: Path, args: argparse.Namespace) -> Path:
    """Return the weights that a degradation leads to that is solved for."""
    from realesrgan_paddle.data.lq.folder import make_lq, read_lq_options

    folder = args.work / truth.stem
    fitted = folder / "fitted.yml"
    if not fitted.exists():
        hidden = read_lq_options(truth)
        for path in _frames(_clip(truth, args), args)[:IMAGES]:
            lq = make_lq(read_rgb(path), path.name, hidden)
            write_image(folder / "real" / f"{path.stem}.png", lq)
        command = [
            sys.executable,
            "make_lq_data.py",
            f"--fit={folder / 'real'}",
            f"--hr={_ground_truth(args)}",
            f"--write={fitted}",
        ]
        with (folder / "fit.txt").open("w", encoding="utf-8") as log:
            subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=log)
    return _finetune(fitted, folder / "fitted", args)


def _finetune(yml: Path, folder: Path, args: argparse.Namespace) -> Path:
    from realesrgan_paddle.data.lq.folder import read_lq_options

    images = list_images(args.sub_images)
    clips = tuple(args.train_clips)
    names = [path.name for path in images if path.name.startswith(clips)]
    terms = Terms(
        args.network, args.weights, args.iterations, args.cpu_ops, args.threads
    )
    degradation = read_lq_options(yml)
    return finetune(folder, args.sub_images, names, degradation, terms)


def _print(records: Sequence[Record]) -> None:
    """Print the means of each arm, and its share of the true file's gain."""
    values: dict[str, dict[str, list[float]]] = {}
    for record in records:
        arm = values.setdefault(record["network"], {metric: [] for metric in GAINS})
        for metric in GAINS:
            arm[metric] += [float(np.mean(record[metric]))]
    means = {}
    for name, arm in values.items():
        means[name] = {metric: float(np.mean(arm[metric])) for metric in GAINS}

    print(f"{'':12}" + "".join(f"{metric:>9}" for metric in GAINS) + "   share of gain")
    before, best = means["released"], means["true"]
    for name, mean in means.items():
        line = f"{name:12}" + "".join(f"{mean[metric]:9.4f}" for metric in GAINS)
        if name not in (BICUBIC, "released"):
            for metric in GAINS:
                gain = mean[metric] - before[metric]
                line += f"{gain / (best[metric] - before[metric]):8.0%}"
        print(line)


def _clip(truth: Path, args: argparse.Namespace) -> str:
    """Return the clip of a case: the cases take turns."""
    clip: str = args.test_clips[TRUTHS.index(truth) % len(args.test_clips)]
    return clip


def _frames(clip: str, args: argparse.Namespace) -> list[Path]:
    frames = list_images(args.frames)
    return [path for path in frames if path.name.startswith(clip)]


def _ground_truth(args: argparse.Namespace) -> Path:
    """Return a folder with the training clips' frames alone, links to them."""
    folder: Path = args.work / "gt"
    folder.mkdir(parents=True, exist_ok=True)
    for clip in args.train_clips:
        for path in _frames(clip, args):
            link = folder / path.name
            if not link.exists():
                link.symlink_to(path.resolve())
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--sub_images", type=Path, required=True)
    parser.add_argument("--train_clips", nargs="+", required=True)
    parser.add_argument("--test_clips", nargs="+", required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument(
        "--network", choices=CONVOLUTIONS, default="realesr-animevideov3"
    )
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--cpu_ops", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    args = parser.parse_args()
    for name in ("frames", "sub_images", "weights", "work", "results"):
        setattr(args, name, getattr(args, name).resolve())
    return args


if __name__ == "__main__":
    main()
