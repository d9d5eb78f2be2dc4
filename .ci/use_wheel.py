"""Use the installed wheel outside a checkout: its contents, command line and Python API.

Without PyAV pictures must work, and with it videos.
"""

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

import realesrgan_paddle
from realesrgan_paddle.commands.quickstart import CLIP, fetch_clip
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg
from realesrgan_paddle.utils.images import write_image

CHECKOUT = Path(sys.argv[1])
FOLDERS = ("data", "inference", "loss", "models", "ops", "options", "tools", "utils")
IN_THE_WHEEL = (".py", ".yml", ".json", ".typed", ".css", ".js")
MODEL = "realesr-animevideov3"
TRIED = (
    f"path.pretrain_network_g=weights/{MODEL}.pdparams",
    "datasets.train.dataroot_gt=hr",
    "network_g.num_conv=16",
    "val=null",
    "train.lpips_opt=null",
    "gt_size=64",
    "train.total_iter=4",
)
"""What makes the training a short one."""
THREE_LINES = f"""
from realesrgan_paddle import Upscaler, tune
made = tune(["{Path(CLIP.path).name}"], network="{MODEL}", minutes=2)
Upscaler(made.folder).video("a.mp4", "e.mp4")
"""
HAS_PYAV = importlib.util.find_spec("av") is not None
OF_VIDEOS = (
    "realesrgan_paddle.commands.upscale_videos",
    "realesrgan_paddle.commands.video_previews",
    "realesrgan_paddle.inference.video.",
    "realesrgan_paddle.video.",
)


def check_contents() -> None:
    """Compare the wheel's files with the checkout's code and option files."""
    files = {str(file) for file in metadata.files("realesrgan-paddle") or []}
    own = ("realesrgan_paddle/", "realesrgan_paddle-", "../")
    foreign = [file for file in files if not file.startswith(own)]
    assert not foreign, f"the wheel puts these outside its package: {foreign}"

    package = CHECKOUT / "realesrgan_paddle"
    expected = [source.relative_to(package) for source in package.rglob("*")]
    for folder in FOLDERS:
        sources = (CHECKOUT / folder).rglob("*")
        expected += [source.relative_to(CHECKOUT) for source in sources]
    for source in expected:
        if source.suffix in IN_THE_WHEEL:
            assert f"realesrgan_paddle/{source}" in files, f"no {source} in the wheel"

    imported = Path(realesrgan_paddle.__file__)
    assert CHECKOUT not in imported.parents, "this is the checkout, not the wheel"


def check_imports() -> None:
    """Import every module of the wheel, at any depth, without the extras.

    Where PyAV is not installed, modules about videos may ask for it, and no others.
    """
    names = [
        module.name
        for module in pkgutil.walk_packages(
            realesrgan_paddle.__path__, "realesrgan_paddle."
        )
    ]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if HAS_PYAV or error.name != "av" or not name.startswith(OF_VIDEOS):
                raise
    print(f"{len(names)} packages and modules can be imported")


def use_pictures(folder: Path, command: Callable[..., None]) -> None:
    """Convert, train, degrade, export and upscale."""
    command("convert", MODEL)
    random = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        write_image(
            folder / "hr" / name, random.integers(0, 256, (96, 96, 3), np.uint8)
        )
    command("train", "--yml_path", "finetune_cpu", "name=tried", *TRIED)
    command(
        "degrade", "--yml_path", "generate_lq_data", "--input", "hr", "--save_dir", "lq"
    )
    assert sorted(path.name for path in (folder / "lq").glob("*.png")) == [
        "a.png",
        "b.png",
    ]
    weights = "experiments/tried/models/net_g_latest.pdparams"
    command("export", "--model-dir", weights, "--save-inference-dir", "infer")

    upscaler = realesrgan_paddle.Upscaler.load(folder / "infer")
    image = random.integers(0, 256, (20, 30, 3), np.uint8)
    assert upscaler(image).shape == (80, 120, 3)


def use_videos(folder: Path, command: Callable[..., None]) -> None:
    """Upscale, and make a network of a clip in the shortest time; then by Python."""
    picture = ["-f", "lavfi", "-i", "testsrc2=s=32x24:d=0.4"]
    subprocess.run(
        [find_ffmpeg(), "-v", "error", *picture, "a.mp4"], check=True, cwd=folder
    )
    command("convert", MODEL)
    weights = f"weights/{MODEL}.pdparams"
    command("export", "--model-dir", weights, "--save-inference-dir", "infer")
    command("infer", "--input", "a.mp4", "--output", "b.mp4", "--model_path", "infer")
    assert (folder / "b.mp4").stat().st_size
    command("upscale", "a.mp4", "-m", MODEL, "--output", "c.mp4")

    clip = fetch_clip(folder)
    command("tune", clip.name, "--network", MODEL, "--minutes", "2")
    tuned = folder / "tuned" / clip.stem
    assert (tuned / "verdict.html").stat().st_size
    command("upscale", "a.mp4", "-m", f"tuned/{clip.stem}", "--output", "d.mp4")
    assert (folder / "d.mp4").stat().st_size

    # A second call finds it done.
    subprocess.run([sys.executable, "-c", THREE_LINES], check=True, cwd=folder)
    assert (folder / "e.mp4").stat().st_size


def use(folder: Path) -> None:
    """Run the commands in a folder that has nothing else."""

    def command(*words: str) -> None:
        """Run one of the package's commands."""
        program = Path(sys.executable).with_name("realesrgan-paddle")
        subprocess.run([program, *words], check=True, cwd=folder)

    command("--help")
    if HAS_PYAV:
        use_videos(folder, command)
    else:
        use_pictures(folder, command)


check_contents()
check_imports()
print("models:", ", ".join(realesrgan_paddle.list_models()))
with tempfile.TemporaryDirectory() as name:
    use(Path(name))
print("the wheel works")
