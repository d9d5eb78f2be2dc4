"""Run the whole chain in two checkouts and compare what they write, bit for bit.

For changes that should move no number, and to see what a change does move:

    git worktree add ../before COMMIT
    python benchmarks/same_results.py --before ../before --video A.mp4 B.mp4 --images inputs \
        --weights realesr-animevideov3.pth --work same

Both checkouts run with the Python that runs this file. Weights, images, frames of videos and
numbers of JSON files are compared; logs, pages and times are not. Exits with 1 where
something differs.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.utils.images import IMAGE_SUFFIXES, read_image
from realesrgan_paddle.utils.weights.reader import read_safetensors

ROOT = Path(__file__).resolve().parents[1]
TIMES = (
    "seconds",
    "time",
    "eta",
    "memory",
    "date",
    "version",
    "duration",
    "speed",
    "path",
)
"""Numbers of JSON files whose keys contain one of these words differ from run to run."""

TRAIN = "train.py --yml_path {options}"
CHAIN = (
    "tools/convert_torch.py --input {weights} --output net.pdparams",
    "tools/extract_keyframes.py --input {videos} --output frames",
    "tools/extract_subimages.py --input frames --output sub --crop_size 256 --step 256",
    "tools/generate_meta_info.py --input sub --root . --meta_info meta.txt",
    "make_lq_data.py --yml_path {options}/generate_lq_broadcast.yml --input frames --save_dir lq",
    # A GAN on Paddle's operators and on oneDNN's, with a state that is resumed.
    TRAIN + "/smoke_cpu.yml name=plain cpu_ops=plain datasets.train.dataroot_gt=sub",
    TRAIN
    + "/smoke_cpu.yml name=gan cpu_ops=onednn train.total_iter=2 datasets.train.dataroot_gt=sub",
    TRAIN
    + "/smoke_cpu.yml --auto_resume name=gan cpu_ops=onednn datasets.train.dataroot_gt=sub",
    # A finetune with a perceptual loss and a validation, and one in bfloat16 where the CPU has it.
    TRAIN + "/quickstart.yml {finetune} name=finetune cpu_ops=onednn",
    TRAIN + "/quickstart.yml {finetune} name=auto",
    "tools/export_model.py --model_dir net.pdparams --save_inference_dir infer",
    "tools/infer.py --input {images} --output infer_fp32 --model_path infer --precision fp32",
    "tools/infer.py --input {images} --output infer_tiles --model_path infer --tile 64",
    "tools/infer.py --input {images} --output infer_paddle --model_path infer --engine paddle",
    "tools/predict.py --input {images} --output predict --model_path net.pdparams --outscale 2.5",
    "tools/infer.py --input {video} --output video --model_path infer --end 0.1",
    "tools/evaluate.py --gt frames --degrade bicubic --models bicubic net.pdparams"
    " --metrics psnr ssim psnr_y ssim_y lpips --json evaluate.json",
)
GAN = "name=gan cpu_ops=onednn datasets.train.dataroot_gt=sub"
FINETUNE = (
    "datasets.train.dataroot_gt=sub datasets.val.dataroot_gt=frames datasets.val.dataroot_lq=lq"
    " path.pretrain_network_g=net.pdparams path.experiments_root=experiments"
    " train.total_iter=6 val.val_freq=3 logger.print_freq=1"
)


def run_chain(checkout: Path, folder: Path, words: dict[str, str]) -> None:
    """Run all commands of a checkout in `folder`; those whose work is there are run again."""
    folder.mkdir(parents=True, exist_ok=True)
    words = words | {
        "options": str(checkout / "options"),
        "gan": GAN,
        "finetune": FINETUNE,
    }
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    for step, command in enumerate(CHAIN):
        script, *flags = command.format(**words).split()
        done = folder / f"{step}.done"
        if done.exists():
            continue

        print(f"{folder.name}: {script} {' '.join(flags)}", flush=True)
        with (folder / f"{step}.log").open("w") as log:
            line = [sys.executable, str(checkout / script), *flags]
            result = subprocess.run(
                line, cwd=folder, env=environment, stdout=log, stderr=log
            )
        if result.returncode:
            sys.exit(f"{folder / f'{step}.log'}: exit code {result.returncode}")
        done.touch()


def numbers_in(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield all numbers within a JSON value that are not times, with their keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not any(word in str(key) for word in TIMES):
                yield from numbers_in(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from numbers_in(inner, f"{name}[{i}]")
    elif isinstance(value, int | float):
        yield name, value


def contents(path: Path) -> object:
    """Return what a file holds as something to compare; None: it is not compared."""
    digest = hashlib.sha256()
    if path.suffix in IMAGE_SUFFIXES:
        image = read_image(path)
        digest.update(f"{image.shape} {image.dtype}".encode() + image.tobytes())
    elif path.suffix in (".pdparams", ".pdiparams"):
        digest.update(path.read_bytes())
    elif path.suffix == ".state":
        for name, tensor in sorted(read_safetensors(path)[0].items()):
            digest.update(name.encode() + np.ascontiguousarray(tensor).tobytes())
    elif path.suffix in (".mp4", ".mkv"):
        with av.open(str(path)) as video:
            for frame in video.decode(video=0):
                digest.update(f"{frame.pts}".encode() + frame.to_ndarray().tobytes())
    elif path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").splitlines()
        return list(numbers_in([json.loads(line) for line in lines]))
    elif path.suffix == ".json":
        return list(numbers_in(json.loads(path.read_text(encoding="utf-8"))))
    else:
        return None
    return digest.hexdigest()


def compare(before: Path, after: Path) -> list[str]:
    """Return a line for each file that only one of the folders has, or that differs."""
    names = {path.relative_to(before) for path in before.rglob("*") if path.is_file()}
    others = {path.relative_to(after) for path in after.rglob("*") if path.is_file()}
    lines = [f"{name}: in one of both only" for name in sorted(names ^ others)]

    same = 0
    for name in sorted(names & others):
        first, second = contents(before / name), contents(after / name)
        if first != second:
            lines.append(f"{name}: differs")
        elif first is not None:
            same += 1
    print(f"{same} files hold the same, bit for bit")
    return lines


def main() -> None:
    """Run both chains and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="a checkout")
    parser.add_argument("--after", type=Path, default=ROOT, help="another; this one")
    parser.add_argument("--video", type=Path, nargs="+", required=True)
    parser.add_argument("--images", type=Path, required=True, help="a folder")
    parser.add_argument("--weights", type=Path, required=True, help="a released .pth")
    parser.add_argument("--work", type=Path, required=True, help="folder to work in")
    flags = parser.parse_args()

    videos = [str(path.resolve()) for path in flags.video]
    words = {
        "videos": " ".join(videos),
        "video": videos[0],
        "images": str(flags.images.resolve()),
        "weights": str(flags.weights.resolve()),
    }
    work = flags.work.resolve()
    run_chain(flags.before.resolve(), work / "before", words)
    run_chain(flags.after.resolve(), work / "after", words)
    lines = compare(work / "before", work / "after")
    print("\n".join(lines))
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
