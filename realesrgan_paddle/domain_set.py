"""From footage or frames to a set to train on, in one go: frames, sub-images, smaller versions, list, look at all."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from realesrgan_paddle.data.footage.keyframes import (
    Settings,
    extract_key_frames,
    find_videos,
)
from realesrgan_paddle.data.footage.split import TRAIN, VAL
from realesrgan_paddle.data.footage.video import list_videos
from realesrgan_paddle.data.loading.header_checks import check_headers
from realesrgan_paddle.data.sets.manifest import MANIFEST
from realesrgan_paddle.data.sets.meta_info import write_meta_info
from realesrgan_paddle.data.sets.multiscale import generate_multiscale
from realesrgan_paddle.data.sets.naming import check_apart, distinct_stems
from realesrgan_paddle.data.sets.settings_file import keep_settings
from realesrgan_paddle.data.sets.subimages import CropGrid, extract_subimages
from realesrgan_paddle.options.schema.config import LQConfig
from realesrgan_paddle.utils.atomic import make_folder, remove_leftovers
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_image, write_image
from realesrgan_paddle.utils.jobs import run_each
from realesrgan_paddle.utils.machine.cpu import start_paddle

SETTINGS_FILE = ".domain_set.json"
"""File that says that a folder is a domain set, and how it was made."""

OPTION_FILE = "options/finetune_realesr_general_x4v3.yml"
"""What the next command trains with."""


@dataclass(frozen=True)
class DomainOptions:
    """How a set is made of its frames."""

    crop_size: int = setting(480, "side of a sub-image", int_range(1))
    step: int = setting(240, "pixels from one sub-image to the next", int_range(1))
    min_detail: float = setting(
        0.05,
        "drop sub-images of which less than this share has detail: sky, blurred grass; 0 drops none",
        float_range(0, 1),
    )
    multiscale: bool = setting(
        False, "add smaller versions of the sub-images; best with a larger --crop_size"
    )
    scale: int = setting(
        4,
        "of the network; sizes of the validation set are multiples of it",
        int_range(1, 4),
    )

    def __post_init__(self) -> None:
        if self.scale == 3:
            raise UserError("--scale must be 1, 2 or 4, not 3")


@dataclass
class DomainSet:
    """What `build_domain_set` made."""

    root: Path
    frames: int = 0
    sub_images: int = 0
    flat: int = 0
    """Sub-images that were left out, for they show next to nothing."""
    smaller: int = 0
    """Smaller versions of sub-images."""
    listed: int = 0
    val: int = 0
    """Validation images; they are of other shots or videos than what is trained on."""
    failures: list[str] = field(default_factory=list)
    """One line for each video or image that could not be used."""

    @property
    def meta_info(self) -> Path:
        """The list of all images to train on."""
        return self.root / "meta_info.txt"

    def command(self) -> str:
        """Return the command that trains on the set."""
        options = {"train.dataroot_gt": self.root, "train.meta_info": self.meta_info}
        if self.val:
            pairs = {
                "dataroot_gt": self.root / "val" / "HR",
                "dataroot_lq": self.root / "val" / "LR",
            }
            options |= {
                "val.type": Path("PairedImageDataset"),
                **{f"val.{key}": path for key, path in pairs.items()},
            }
        words = [
            f"datasets.{key}={_yaml(str(value))}" for key, value in options.items()
        ]
        return f"python train.py --yml_path {OPTION_FILE} {shlex.join(words)}"


def build_domain_set(
    inputs: Sequence[str | Path],
    output: Path,
    options: DomainOptions,
    settings: Settings,
) -> DomainSet:
    """Make the set `output` of videos, or of one folder of frames, and return what is in it.

    Each stage leaves alone what is there, so a set that was interrupted, or to which a
    video is added, is built on by running it again. Frames that
    tools/extract_keyframes.py has split become training and validation images.

    Args:
        inputs: videos and folders of videos, or one folder of images.
        output: folder of the set; new, empty or made by this.
        options: how the frames are cut.
        settings: how frames are taken out of videos.

    Raises:
        UserError: an input does not exist, `output` holds other things or a set made in
            another way, or no image is left.
    """
    frames = _folder_of_images(inputs)
    if frames is not None:
        check_apart(output, frames)
    videos = [] if frames is not None else find_videos(inputs)
    _claim(output, options)
    done = DomainSet(output)
    if frames is None:
        frames = output / "frames"
        extracted = extract_key_frames(
            videos, frames, settings, sheet=output / "frames_sheet"
        )
        done.failures += extracted.failures
    split = (frames / TRAIN).is_dir() and (frames / VAL).is_dir()
    train = frames / TRAIN if split else frames
    manifest = frames / MANIFEST if (frames / MANIFEST).is_file() else None
    done.frames = len(list_images(train, recursive=True))
    grid = CropGrid(options.crop_size, options.step)
    cut = extract_subimages(
        train, output / "sub", grid, manifest=manifest, min_detail=options.min_detail
    )
    done.sub_images, done.flat = cut.count, cut.flat
    done.failures += cut.failures
    folders = [output / "sub"]
    if options.multiscale and cut.count:
        folders.append(output / "multiscale")
        done.smaller, failures = generate_multiscale(*folders)
        done.failures += failures
    done.listed, _ = write_meta_info(folders, [output], done.meta_info)
    if split:
        done.val, failures = _write_validation(frames / VAL, output / "val", options)
        done.failures += failures
    done.failures += check_headers(
        [path for folder in folders for path in list_images(folder, recursive=True)]
    ).problems
    return done


def _yaml(text: str) -> str:
    """Return text as yml: quoted if it is more than a plain path."""
    return (
        text
        if re.fullmatch(r"[\w./-]*[/_][\w./-]*", text)
        else json.dumps(text, ensure_ascii=False)
    )


def _folder_of_images(inputs: Sequence[str | Path]) -> Path | None:
    """Return the one input, if it is a folder with images in it.

    Raises:
        UserError: it holds videos, too.
    """
    folder = Path(inputs[0])
    if (
        len(inputs) > 1
        or not folder.is_dir()
        or not list_images(folder, recursive=True)
    ):
        return None
    if list_videos(folder):
        raise UserError(
            f"{folder}: holds videos and images; name the videos, or a folder with one kind"
        )
    return folder


def _claim(output: Path, options: DomainOptions) -> None:
    """Mark `output` as a domain set, or refuse: it holds other things, or is a set made in another way."""
    make_folder(output)
    marker = output / SETTINGS_FILE
    if not marker.exists() and next(output.iterdir(), None) is not None:
        raise UserError(f"{output}: holds other files; use another --output")
    keep_settings(marker, asdict(options), output)
    remove_leftovers(output)


def _write_validation(
    frames: Path, output: Path, options: DomainOptions
) -> tuple[int, list[str]]:
    """Write the middles of the frames for validation into HR, and their degraded versions into LR."""
    start_paddle()
    from realesrgan_paddle.data.lq.folder import write_lq_folder  # it loads Paddle

    stems = distinct_stems(frames)
    work = partial(
        _write_middle,
        stems=stems,
        output=output / "HR",
        side=options.crop_size,
        scale=options.scale,
    )
    _, failures = run_each(work, list(stems))
    degradation = LQConfig.model_validate(
        {"dataroot_gt": str(output / "HR"), "scale": options.scale}
    )
    written = write_lq_folder(degradation, output / "LR")
    return len(written.pairs), [*failures, *written.failures]


def _write_middle(
    path: Path, stems: dict[Path, Path], output: Path, side: int, scale: int
) -> None:
    target = output / f"{stems[path]}.png"
    if target.exists():
        return
    image = read_image(path)
    height, width = (min(length, side) // scale * scale for length in image.shape[:2])
    if min(height, width) == 0:
        raise UserError(
            f"{path}: {image.shape[1]}x{image.shape[0]} pixels are too few to validate on"
        )
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    write_image(target, image[top : top + height, left : left + width])
