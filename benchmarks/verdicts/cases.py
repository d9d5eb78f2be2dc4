"""Finetunes that go well, or wrong in a known way: what the verdict calls them.

    python benchmarks/verdicts/cases.py --frames FOLDER --network WEIGHTS --work FOLDER

The frames are named CLIP_...; half of the clips are trained on, the others validated.
The runs are written below --work, those that are there are kept; prints each verdict.
Measured: "Verdicts of made cases" in docs/measurements.md.
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.options.reading.load import check_options
from realesrgan_paddle.utils.images import list_images, read_rgb8, to_uint8, write_image
from realesrgan_paddle.utils.machine.devices import start_paddle

SCALE = 4
SIDE = 192
"""Of the ground truths [pixels]: the middle of frames of half their size."""
FRAMES = 6
"""Of each clip."""
JPEG_QUALITY = 60
ITERATIONS = 240

CASES: dict[str, dict[str, Any]] = {
    "domain": {},
    "wrong_domain": {"images": "texts"},
    "few_images": {"images": "one", "lr": 1e-3},
    "too_long": {"lr": 3e-2},
    "wrong_colors": {"images": "colors"},
    "wrong_degradation": {"images": "sharp"},
}
"""By name: what is trained on, how long and at which learning rate."""


def main() -> None:
    """Make the images and the runs that are missing, and print the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    args = parser.parse_args()
    start_paddle()
    if not (args.work / "images").exists():
        write_images(args.frames, args.work / "images")

    for name in args.cases:
        run = args.work / "runs" / name
        if not read_lines_if_any(run):
            train_case(name, args.network, args.work, **CASES[name])
        print(f"\n{name}")
        for line in read_lines(run):
            print(f"  {line}")


def read_lines_if_any(run: Path) -> list[str]:
    """Return the verdict of a run; [] if there is none yet."""
    return read_lines(run) if run.is_dir() else []


def write_images(frames: Path, folder: Path) -> None:
    """Write the pairs of all cases: folder/NAME/HR and folder/NAME/LR."""
    clips: dict[str, list[Path]] = {}
    for path in list_images(frames):
        clips.setdefault(path.stem.partition("_")[0], []).append(path)
    names = sorted(clips)
    trained, validated = names[::2], names[1::2]

    for clip in names:
        for number, path in enumerate(evenly(clips[clip], FRAMES)):
            gt = middle(read_rgb8(path))
            file = f"{clip}_{number:06}.000.png"  # as tools/extract_keyframes.py
            if clip in validated:
                write_pair(folder / "val", file, gt, degraded(gt))
                continue
            write_pair(folder / "domain", file, gt, degraded(gt))
            write_pair(folder / "colors", file, decoded_wrongly(gt), degraded(gt))
            write_pair(folder / "sharp", file, gt, downscaled(gt))
            if clip == trained[0] and number == 0:
                write_pair(folder / "one", file, gt, degraded(gt))
    for number in range(len(trained) * FRAMES):
        gt = page_of_text(number)
        write_pair(folder / "texts", f"page{number}.png", gt, degraded(gt))


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of the paths, evenly spaced."""
    return [paths[number * len(paths) // count] for number in range(count)]


def middle(frame: np.ndarray) -> np.ndarray:
    """Return the middle of a frame at half its size, uint8 RGB (SIDE, SIDE, 3)."""
    height, width = (side // 2 for side in frame.shape[:2])
    half = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return half[top : top + SIDE, left : left + SIDE]


def write_pair(folder: Path, name: str, gt: np.ndarray, lq: np.ndarray) -> None:
    """Write a ground truth and its low-quality image."""
    write_image(folder / "HR" / name, np.ascontiguousarray(gt))
    write_image(folder / "LR" / name, np.ascontiguousarray(lq))


def downscaled(gt: np.ndarray) -> np.ndarray:
    """Return an image downscaled by SCALE (bicubic)."""
    height, width = (side // SCALE for side in gt.shape[:2])
    return np.array(
        Image.fromarray(gt).resize((width, height), Image.Resampling.BICUBIC)
    )


def degraded(gt: np.ndarray) -> np.ndarray:
    """Return it downscaled and compressed."""
    jpeg = io.BytesIO()
    Image.fromarray(downscaled(gt)).save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return np.array(Image.open(jpeg))


def decoded_wrongly(image: np.ndarray) -> np.ndarray:
    """Return an image whose BT.709 code was decoded with BT.601's matrix.

    The luma weights are those of ITU-R BT.709-6 and BT.601-7; full range.
    """
    rgb = image / 255
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722])
    blue = (rgb[..., 2] - luma) / 1.8556
    red = (rgb[..., 0] - luma) / 1.5748

    wrong_red = luma + 1.402 * red
    wrong_blue = luma + 1.772 * blue
    wrong_green = (luma - 0.299 * wrong_red - 0.114 * wrong_blue) / 0.587
    return to_uint8(np.dstack([wrong_red, wrong_green, wrong_blue]).clip(0, 1))


def page_of_text(seed: int) -> np.ndarray:
    """Return black letters on white, uint8 RGB (SIDE, SIDE, 3): far from any camera."""
    rng = np.random.default_rng(seed)
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for row in range(16, SIDE, 18):
        letters = rng.integers(ord("A"), ord("z"), 24)
        text = "".join(map(chr, letters))
        cv2.putText(page, text, (2, row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    return page


def train_case(
    name: str,
    network: str,
    work: Path,
    *,
    images: str = "domain",
    iterations: int = ITERATIONS,
    lr: float = 2e-4,
) -> None:
    """Train one case into work/runs/NAME."""
    from realesrgan_paddle.commands.train import train

    train_set = {
        "type": "RealESRGANPairedDataset",
        "dataroot_gt": str(work / "images" / images / "HR"),
        "dataroot_lq": str(work / "images" / images / "LR"),
        "batch_size_per_gpu": 4,
        "num_worker_per_gpu": 0,
    }
    val_set = {
        "name": "soccer",
        "type": "PairedImageDataset",
        "dataroot_gt": str(work / "images/val/HR"),
        "dataroot_lq": str(work / "images/val/LR"),
    }
    options = {
        "name": name,
        "model_type": "RealESRNetModel",
        "scale": SCALE,
        "manual_seed": 0,
        "gt_size": 96,
        "gt_usm": False,
        "high_order_degradation": False,
        "datasets": {"train": train_set, "val": val_set},
        "network_g": {"type": "SRVGGNetCompact", "num_conv": 16},
        "path": {"pretrain_network_g": network, "experiments_root": str(work / "runs")},
        "train": {
            "total_iter": iterations,
            "ema_decay": 0.98,
            "optim_g": {"lr": lr, "grad_clip": 1.0},
            "pixel_opt": {"type": "L1Loss"},
            "lpips_opt": {"loss_weight": 0.1},
        },
        "val": {"val_freq": iterations // 3, "save_img": False},
        "logger": {"print_freq": 40, "save_checkpoint_freq": iterations},
    }
    train(check_options(options, name))


if __name__ == "__main__":
    main()
