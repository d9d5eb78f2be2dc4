"""What to run next: after each command, one line that a shell takes as it is.

The line names the files that were just written, from the current folder, quoted. It
holds for a CPU and a GPU: `train.py --recipe auto` looks at the machine itself.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import realesrgan_paddle
from realesrgan_paddle.data.sets.made_folders import (
    LQ_FILE,
    MANIFEST,
    SUBIMAGES_FILE,
    TRAIN,
    scale_of_set,
)
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.utils.cli import shell_join
from realesrgan_paddle.utils.errors import UserError, printable

if TYPE_CHECKING:
    from realesrgan_paddle.options.schema.config import Config

ROOT = Path(realesrgan_paddle.__file__).resolve().parents[1]
"""The checkout, or the folder of installed packages."""

USERS_IMAGES = Path("inputs")
"""Folder of the README's commands for the user's own images."""

YOUR_IMAGES = "FOLDER_OF_IMAGES"
"""Stands for images that only the user knows."""

# A path that YAML reads as a string without quotes.
_PLAIN_PATH = re.compile(r"[\w./-]*[/_][\w./-]*")

Value = str | int | Path | Sequence[str | Path]


def print_next(line: str) -> None:
    """Print the command that follows, and what it asks for before it can be run."""
    condition = ""
    if YOUR_IMAGES in line:
        condition = f", with your images in place of {YOUR_IMAGES}"
    elif not (ROOT / "train.py").is_file() and " -m realesrgan_paddle " not in line:
        condition = ", in a checkout of the project"
    sys.stdout.write(f"next{condition}: {line}\n")


def command(script: str, *overrides: str, **flags: Value) -> str:
    """Return the line that runs a command of the project from the current folder.

    Args:
        script: its path in the checkout, such as "tools/infer.py".
        overrides: words without a flag: options of the form a.b=c.
        flags: flags by their names; several values as a list, none as an empty one.
    """
    start = _start(script)
    rest = words(*overrides, **flags)
    return shell_join([*start, *rest])


def words(*overrides: str, **flags: Value) -> list[str]:
    """Return the words of a command after its script; arguments as of `command`."""
    result = []
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        texts = map(str, values)
        result += [f"--{name}", *map(_as_value, texts)]
    return [*result, *overrides]


def override(key: str, text: str | Path) -> str:
    """Return the word that sets the option `key` to a text: its value is YAML."""
    if _PLAIN_PATH.fullmatch(str(text)):
        return f"{key}={text}"
    value = ""
    for character in json.dumps(str(text), ensure_ascii=False):
        is_seen = printable(character) == character
        value += character if is_seen else f"\\U{ord(character):08x}"
    return f"{key}={value}"


def export(
    weights: str | Path,
    denoise_strength: float | None = None,
    dn_model: str | None = None,
) -> str:
    """Return what follows a generator's weights, or a released name: the export.

    Of the weights that `read_denoising` mixes, if a strength is given.
    """
    run = _run_folder(Path(weights))
    folder = Path(f"infer_{Path(weights).stem}") if run is None else run / "infer"
    flags: dict[str, Value] = {"model_dir": weights, "save_inference_dir": folder}
    if denoise_strength is not None:
        flags["denoise_strength"] = str(denoise_strength)
    if dn_model is not None:
        flags["dn_model"] = dn_model
    return command("tools/export_model.py", **flags)


def after_frames(output: Path) -> str:
    """Return what follows extracted frames: sub-images, of those for training."""
    part = output / TRAIN
    return command(
        "tools/extract_subimages.py",
        input=part if part.is_dir() else output,
        output=Path(f"{output}_sub"),
        manifest=output / MANIFEST,
    )


def after_sub_images(source: Path, output: Path) -> str:
    """Return what follows sub-images: their list, or for low-quality ones a check."""
    if (source / LQ_FILE).is_file():
        return command("tools/preflight.py", input=output, check=[])
    return after_images([output], output / "meta_info.txt")


def after_multiscale(source: Path, output: Path, manifest: Path | None) -> str:
    """Return what follows downscaled versions: sub-images, or a list with both."""
    if (source / SUBIMAGES_FILE).is_file():
        return after_images([source, output], Path(f"{output}_meta_info.txt"))
    flags: dict[str, Value] = {"input": output, "output": Path(f"{output}_sub")}
    if manifest is not None:
        flags["manifest"] = manifest
    return command("tools/extract_subimages.py", **flags)


def after_images(folders: Sequence[Path], listed: Path) -> str:
    """Return the command that lists the images of folders that can be decoded."""
    root = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    if len(folders) == 1:
        root = folders[0]
    return command(
        "tools/generate_meta_info.py",
        input=list(folders),
        root=root,
        meta_info=listed,
        check=[],
    )


def after_list(root: Path, listed: Path) -> str:
    """Return what follows a list of images: training on it."""
    return train_on(root, override("datasets.train.meta_info", listed))


def after_pairs(gt: Path, lq: Path, listed: Path | None = None, scale: int = 4) -> str:
    """Return what follows pairs, and their list if there is one: training on them."""
    overrides = [
        "high_order_degradation=false",
        "datasets.train.type=RealESRGANPairedDataset",
        override("datasets.train.dataroot_lq", lq),
        *_network_for(scale),
    ]
    if listed is not None:
        overrides.append(override("datasets.train.meta_info", listed))
    return train_on(gt, *overrides)


def after_check(folders: Sequence[Path], lq: Path | None, scale: int) -> str:
    """Return what follows a check of folders, or of pairs with those of `lq`."""
    if lq is not None:
        return after_pairs(folders[0], lq, scale=scale)
    if len(folders) == 1:
        return train_on(folders[0])
    return after_images(folders, Path("meta_info.txt"))


def after_set(root: Path) -> str:
    """Return what follows a set of tools/build_domain_set.py: training on it."""
    return train_on(root, *_network_for(scale_of_set(root)))


def train_on(folder: Path, *overrides: str) -> str:
    """Return the command that trains on a folder, by the recipe for this machine."""
    return command("train.py", *overrides, recipe="auto", dataroot_gt=folder)


def _network_for(scale: int) -> list[str]:
    """Return the options of the network for a scale; the recipe chooses that for x4."""
    if scale == 4:
        return []
    if scale == 2:
        return ["path.pretrain_network_g=RealESRGAN_x2plus"]
    # No other is released, so it starts from scratch.
    network = ["network_g.type=SRVGGNetCompact", f"network_g.upscale={scale}"]
    return [f"scale={scale}", *network]


def resume(config: Path) -> str:
    """Return the command that resumes a run: its folder has all of its options."""
    return command("train.py", yml_path=config, auto_resume=[])


def after_export(weights: str, folder: str) -> str:
    """Return what follows an export: upscaling with it.

    The images are the run's low-quality validation images, or one of its training
    images; without a run those in `inputs`, or else the user's, as a word to replace.
    """
    run = _run_of(Path(weights))
    images = _images_of(run) if run is not None else None
    if images is None:
        images = USERS_IMAGES if USERS_IMAGES.is_dir() else Path(YOUR_IMAGES)

    output = f"{Path(folder)}_results"
    return command("tools/infer.py", input=images, output=output, model_path=folder)


def after_inference(images: str, folder: str) -> str:
    """Return what follows upscaling with a graph: comparing it on the same images.

    With the network that its run began with and the ground truth, where they are known.
    """
    graph = Path(folder)
    if graph.suffix == ".pdmodel":
        graph = graph.parent
    run = _run_of(graph / "inference.pdmodel")
    models = [f"exported={folder}"]
    flags: dict[str, Value] = {"input": images}
    if run is not None:
        models = [*_start_of(run), f"finetuned={folder}"]
        for val in run.datasets.validation.values():
            if val.dataroot_gt and Path(val.dataroot_lq) == Path(images):
                flags["gt"] = val.dataroot_gt

    output = f"{graph}_compare"
    return command("tools/compare.py", **flags, models=models, output=output)


def after_evaluation(
    models: Sequence[tuple[str, str]],
    gt: Path,
    lq: Path | None,
    degrade: str | None,
    seed: int | None,
) -> str:
    """Return what follows figures: looking at the images that they are of.

    Of images that were degraded on the way, first the command that writes them; or else
    upscaling the user's images with the last network.

    Args:
        models: (name, model) of what was measured.
        gt: the ground truth of one set.
        lq: its low-quality images, by the same names; None: there are none.
        degrade: what made them; see `open_degradation`.
        seed: of its draws.
    """
    networks = [(name, model) for name, model in models if model != "bicubic"]
    if lq is not None and networks:
        named = [f"{name}={model}" for name, model in networks]
        return command("tools/compare.py", input=lq, gt=gt, models=named)
    if degrade not in (None, "bicubic"):
        flags: dict[str, Value] = {"yml_path": str(degrade), "input": gt}
        if seed is not None:
            flags["seed"] = seed
        return command("make_lq_data.py", save_dir=Path("LQ"), **flags)

    model = networks[-1][1] if networks else "RealESRGAN_x4plus"
    images = USERS_IMAGES if USERS_IMAGES.is_dir() else Path(YOUR_IMAGES)
    script = "tools/infer.py" if Path(model).is_dir() else "tools/predict.py"
    return command(script, input=images, output=Path("results"), model_path=model)


def after_video(source: Path, result: Path) -> str:
    """Return what follows an upscaled video: both on a page, side by side."""
    return command(
        "tools/compare.py",
        video=[],
        input=source,
        results=f"upscaled={result}",
        output=result.parent / f"{result.stem}_compare",
    )


def again_without(script: str, argv: Sequence[str], flags: Sequence[str]) -> str:
    """Return a command with the words `argv`, without some flags and their values."""
    rest = []
    leave_out = False
    for word in argv:
        name = word.partition("=")[0]
        if leave_out:
            leave_out = False
        elif name in flags:
            leave_out = name == word
        else:
            rest.append(word)
    return shell_join([*_start(script), *rest])


def after_quantization(model: Path) -> str:
    """Return what follows quantization: upscaling the user's images in int8."""
    return command(
        "tools/infer.py", input=USERS_IMAGES, model_path=model, precision="int8"
    )


def _images_of(run: "Config") -> Path | None:
    """Return images to try the network of a run on, if they are still there."""
    for val in run.datasets.validation.values():
        if Path(val.dataroot_lq).is_dir():
            return Path(val.dataroot_lq)
    train = run.datasets.train
    try:
        return training_images(train.dataroot_gt, train.meta_info)[0]
    except UserError:
        return None


def _start_of(run: "Config") -> list[str]:
    """Return NAME=MODEL of the network that a run began with, if it can be had."""
    from realesrgan_paddle.models.weights.catalogue import is_released

    start = run.path.pretrain_network_g
    if start is None:
        return []
    if is_released(start):
        return [f"released={start}"]
    return [f"before={start}"] if Path(start).is_file() else []


def _run_folder(file: Path) -> Path | None:
    """Return the folder of the run whose sub-folder a file is in."""
    folder = file.parent.parent
    return folder if (folder / "config.yml").is_file() else None


def _run_of(file: Path) -> "Config | None":
    """Return the options of that run; None where they cannot be read."""
    folder = _run_folder(file)
    if folder is None:
        return None
    # Imported here: most commands end without a run, and all options take a tenth of a
    # second.
    from realesrgan_paddle.options.reading.load import load_config

    try:
        return load_config(folder / "config.yml")
    except UserError:
        return None


def _start(script: str) -> list[str]:
    """Return the words that start a script from the current folder."""
    python = _python()
    if not (ROOT / "train.py").is_file():
        if script.startswith("tools/"):
            return [python, "-m", "realesrgan_paddle", Path(script).stem]
        return [python, script]  # of a checkout: the package cannot train
    if Path.cwd() == ROOT:
        return [python, script]
    return [python, str(ROOT / script)]


def _python() -> str:
    """Return "python", or the path of this Python if that is another one or none."""
    this = Path(sys.executable)
    found = shutil.which("python")
    if found and Path(found).parent == this.parent:
        return "python"
    return str(this)


def _as_value(text: str) -> str:
    """Return a flag's value so that it is not taken for a flag."""
    return f"./{text}" if text.startswith("-") else text
