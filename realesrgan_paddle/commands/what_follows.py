"""What the next command is given: where a run's images are, what network a scale needs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.sets.made_folders import (
    LQ_FILE,
    MANIFEST,
    SUBIMAGES_FILE,
    TRAIN,
    VAL,
    scale_of_set,
)
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import (
    YOUR_FILES,
    YOUR_VIDEOS,
    next_line,
    override,
)
from realesrgan_paddle.utils.runlog.experiment import Experiment

if TYPE_CHECKING:
    from realesrgan_paddle.models.networks.description import Generator
    from realesrgan_paddle.options.schema.config import Config

USERS_IMAGES = Path("inputs")
"""Folder of the README's commands for the user's own images."""


def after_frames(output: Path) -> str:
    """Return what follows extracted frames: sub-images, of those for training."""
    part = output / TRAIN
    return next_line(
        "frames",
        images=part if part.is_dir() else output,
        output=output,
        manifest=output / MANIFEST,
    )


def after_sub_images(source: Path, output: Path) -> str:
    """Return what follows sub-images: their list, or for low-quality ones a check."""
    if (source / LQ_FILE).is_file():
        return next_line("low-quality images", folder=output)
    return after_images([output], output / "meta_info.txt")


def after_multiscale(source: Path, output: Path, manifest: Path | None) -> str:
    """Return what follows downscaled versions: sub-images, or a list with both."""
    if (source / SUBIMAGES_FILE).is_file():
        return after_images([source, output], Path(f"{output}_meta_info.txt"))
    return next_line("frames", images=output, output=output, manifest=manifest)


def after_images(folders: Sequence[Path], listed: Path) -> str:
    """Return the command that lists the images of folders that can be decoded."""
    root = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    if len(folders) == 1:
        root = folders[0]
    return next_line("images", folders=list(folders), root=root, listed=listed)


def after_list(root: Path, listed: Path) -> str:
    """Return what follows a list of images: training on it."""
    overrides = [override("datasets.train.meta_info", listed)]
    return next_line("training images", gt=root, overrides=overrides)


def after_pairs(gt: Path, lq: Path, listed: Path | None = None, scale: int = 4) -> str:
    """Return what follows pairs, and their list if there is one: training on them.

    Those of a folder "val", as of the sets and the documentation, are for judging.
    """
    if gt.parent.name == VAL and scale == 4:
        models, output = ["realesr-general-x4v3"], f"{gt.parent}_compare"
        return next_line("results", images=lq, gt=gt, models=models, output=output)
    overrides = [
        "high_order_degradation=false",
        "datasets.train.type=RealESRGANPairedDataset",
        override("datasets.train.dataroot_lq", lq),
        *_network_for(scale),
    ]
    if listed is not None:
        overrides.append(override("datasets.train.meta_info", listed))
    return next_line("training images", gt=gt, overrides=overrides)


def after_set(root: Path) -> str:
    """Return what follows a set of tools/build_domain_set.py: training on it."""
    network = _network_for(scale_of_set(root))
    return next_line("training images", gt=root, overrides=network)


def after_check(folders: Sequence[Path], lq: Path | None, scale: int) -> str:
    """Return what follows a check of folders, or of pairs with those of `lq`."""
    if lq is not None:
        return after_pairs(folders[0], lq, scale=scale)
    if len(folders) == 1:
        return next_line("training images", gt=folders[0])
    return after_images(folders, Path("meta_info.txt"))


def _network_for(scale: int) -> list[str]:
    """Return the options of the network for a scale; the recipe chooses that for x4."""
    if scale == 4:
        return []
    if scale == 2:
        return ["path.pretrain_network_g=RealESRGAN_x2plus"]
    # No other is released, so it starts from scratch.
    network = ["network_g.type=SRVGGNetCompact", f"network_g.upscale={scale}"]
    return [f"scale={scale}", *network]


def after_training(cfg: "Config", experiment: Experiment) -> str:
    """Return what follows a run: the export; a network with a state is used as it is."""
    if isinstance(cfg.network_g, RecurrentSRVGG):
        real = cfg.val.real_lq if cfg.val is not None else None
        is_video = real is not None and is_video_name(Path(real))
        videos = real if is_video else YOUR_VIDEOS
        weights = experiment.latest
        return next_line("weights for video", videos=videos, weights=weights)
    return next_line("weights", weights=experiment.latest, folder=experiment.exported)


def after_weights(
    weights: str | Path,
    denoise_strength: float | None = None,
    dn_model: str | Path | None = None,
) -> str:
    """Return what follows a generator's weights, or a released name: the export.

    Of the weights that `WeightOptions.read` mixes, if a strength is given. Those of a run
    are exported into its folder.
    """
    run = _run_folder(Path(weights))
    folder = Path(f"infer_{Path(weights).stem}")
    if run is not None:
        folder = Experiment(run).exported
    return next_line(
        "weights",
        weights=weights,
        folder=folder,
        denoise_strength=denoise_strength,
        dn_model=dn_model,
    )


def after_export(network: "Generator", weights: str, folder: str) -> str:
    """Return what follows an export: upscaling with it; videos, if it carries a state.

    The images are the run's low-quality validation images, or one of its training
    images; without a run those in `inputs`, or else the user's, as a word to replace.
    """
    if isinstance(network, RecurrentSRVGG):
        return next_line("weights for video", videos=YOUR_VIDEOS, weights=folder)
    run = _run_of(Path(weights))
    images = _images_of(run) if run is not None else None
    return next_line("graph", images=images or _users_images(), folder=Path(folder))


def after_inference(images: str, folder: str) -> str:
    """Return what follows upscaling with a graph: comparing it on the same images.

    With the network that its run began with and the ground truth, where they are known.
    """
    graph = Path(folder)
    if graph.suffix == ".pdmodel":
        graph = graph.parent
    run = _run_of(graph / "inference.pdmodel")
    models = [f"exported={folder}"]
    gt = None
    if run is not None:
        models = [*_start_of(run), f"finetuned={folder}"]
        for val in run.datasets.validation.values():
            if val.dataroot_gt and Path(val.dataroot_lq) == Path(images):
                gt = val.dataroot_gt

    output = f"{graph}_compare"
    return next_line("results", images=images, gt=gt, models=models, output=output)


def after_untold(images: str, folder: Path, run: Path) -> str:
    """Return what follows a tune that may be no better: a page beside its start."""
    options = _options_of(run)
    start = _start_of(options) if options is not None else []
    made = "part of a video" if is_video_name(Path(images)) else "results"
    return next_line(
        made,
        images=images,
        source=images,
        models=[*start, f"tuned={folder}"],
        output=f"{folder}_compare",
    )


def after_upscale(images: Path, model: str) -> str:
    """Return what follows upscaled images: a page that compares them with bicubic ones."""
    if is_exported(model):
        return after_inference(str(images), model)
    name = Path(model).stem.replace("=", "_")
    output = f"{name}_compare"
    models = [f"{name}={model}"]
    return next_line("results", images=images, models=models, output=output)


def after_video(source: Path, result: Path) -> str:
    """Return what follows an upscaled video: both on a page, side by side."""
    output = result.parent / f"{result.stem}_compare"
    return next_line("upscaled video", source=source, result=result, output=output)


def after_part(
    source: Path, result: Path, model: str, start: float | None, end: float | None
) -> str:
    """Return what follows a part of a video: that part, upscaled again for the page.

    Comparing files would cut the part out of the result, which is the part alone.
    """
    output = result.parent / f"{result.stem}_compare"
    times = {"start": start, "end": end}
    seconds = {name: f"{time:.12g}" for name, time in times.items() if time is not None}
    return next_line(
        "part of a video",
        source=source,
        models=f"upscaled={model}",
        output=output,
        **seconds,
    )


def after_evaluation(
    models: Sequence[tuple[str, str]],
    gt: Path,
    lq: Path | None,
    degrade: str | None,
    seed: int | None,
) -> str:
    """Return what follows metrics: looking at the images that they are of.

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
        return next_line("results", images=lq, gt=gt, models=named)
    if degrade not in (None, "bicubic"):
        return next_line(
            "preview of pairs",
            yml_path=degrade,
            save_dir=Path("LQ"),
            input=gt,
            seed=seed,
        )

    model = networks[-1][1] if networks else "RealESRGAN_x4plus"
    script = "tools/infer.py" if Path(model).is_dir() else "tools/predict.py"
    return next_line("metrics", script=script, images=_users_images(), model=model)


def _users_images() -> Path:
    """Return the folder of the user's images, or a word that stands for it."""
    return USERS_IMAGES if USERS_IMAGES.is_dir() else Path(YOUR_FILES)


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
    return _options_of(folder) if folder is not None else None


def _options_of(run: Path) -> "Config | None":
    """Return the options of the run in a folder; None where they cannot be read."""
    # Imported here: most commands end without a run, and all options take a tenth of a
    # second.
    from realesrgan_paddle.options.reading.load import load_config

    try:
        return load_config(run / "config.yml")
    except UserError:
        return None
