"""The images that a run is judged on: general ones, crops of its own, real ones."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.loading.datasets import ValidationDataset, ValidationImage
from realesrgan_paddle.data.loading.held_out_crops import (
    SEED,
    HeldOutSet,
    ValidationSet,
)
from realesrgan_paddle.data.lq.folder import lq_options, make_lq
from realesrgan_paddle.data.lq.windows import RealImage, read_real
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import GENERAL, REAL
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.images import list_images, read_rgb8
from realesrgan_paddle.utils.spaced import evenly_spaced

COUNT = 6
"""Crops of a set: each validation upscales them all, so few."""
SIDE = 256
"""Width and height of a crop of the ground truth [pixels]."""
LARGEST_SIDE = 512
"""The same of crops that one looks at: the verdict's page, and real images, upscaled."""
SMALLEST = 32
"""Crops with a shorter side than this are left out: LPIPS needs 31 pixels."""
JPEG_QUALITY = 80
"""Of the low-quality version of general images: visible artifacts; chosen by eye."""
MOST_REAL = 12
"""Real images that are upscaled: as many as are shown on a page of tools/compare.py."""


@dataclass(frozen=True)
class GeneralImage:
    """A crop of a photograph of scikit-image, the same in versions 0.22 and 0.26."""

    file: str
    sha256: str
    crop: Crop


_ASTRONAUT = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
# In the public domain or CC0, as `skimage.data` says of each: NASA; the photographers
# R. Michetti and S. van der Walt; SpaceX; and linolafett. The last is gray, which shows
# a color cast best.
GENERAL_CROPS = (
    GeneralImage("astronaut.png", _ASTRONAUT, Crop(112, 16, SIDE, SIDE)),
    GeneralImage("astronaut.png", _ASTRONAUT, Crop(32, 240, SIDE, SIDE)),
    GeneralImage(
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        Crop(200, 40, SIDE, SIDE),
    ),
    GeneralImage(
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        Crop(90, 20, SIDE, SIDE),
    ),
    GeneralImage(
        "rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        Crop(200, 160, SIDE, SIDE),
    ),
    GeneralImage(
        "grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        Crop(128, 128, SIDE, SIDE),
    ),
)
"""Two of a person; things, an animal, a night scene, grass."""


def general_images(scale: int, dataroot: str | None = None) -> list[ValidationImage]:
    """Return small general images with their ground truth.

    They are downscaled (bicubic) and compressed as JPEG, always in the same way, so
    metrics of different runs can be compared.

    Args:
        scale: how much smaller the low-quality image is.
        dataroot: a folder, of which the most detailed crop of each of up to six images
            is taken; None: `GENERAL_CROPS`.

    Raises:
        UserError: the installed scikit-image lacks one of these, or has another file;
            or no image of the folder is large enough, or one cannot be read.
    """
    truths = _shipped() if dataroot is None else _most_detailed_of(dataroot, scale)
    return [_downscaled(name, gt, scale) for name, gt in truths]


def _shipped() -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels of each of `GENERAL_CROPS`."""
    folder = Path(skimage.__file__).parent / "data"
    for image in GENERAL_CROPS:
        path = folder / image.file
        if not path.is_file() or sha256_of(path) != image.sha256:
            raise UserError(f"{path}: missing, or not the file that scikit-image ships")
        yield path.stem, image.crop.of(read_rgb8(path))


def _most_detailed_of(folder: str, scale: int) -> list[tuple[str, np.ndarray]]:
    """Return name and pixels of a crop of each of up to six images of a folder."""
    smallest = SMALLEST + scale
    found = []
    for path in evenly_spaced(list_images(folder, recursive=True), COUNT):
        image = read_rgb8(path)
        (crop,) = most_detailed(image, SIDE, 1)
        if min(crop.width, crop.height) >= smallest:
            found.append((path.stem, crop.of(image)))

    if not found:
        raise UserError(
            f"val.drift.dataroot: {folder}: no image of at least {smallest} pixels each "
            "way; choose a folder with larger ones"
        )
    return found


def _downscaled(name: str, gt: np.ndarray, scale: int) -> ValidationImage:
    """Return an image with its low-quality version: downscaled (bicubic), then JPEG."""
    height, width = (side // scale for side in gt.shape[:2])
    bottom = height * scale
    right = width * scale
    gt = gt[:bottom, :right]

    image = Image.fromarray(gt)
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    compressed = Image.open(jpeg)
    lq = np.array(compressed)
    return ValidationImage(name, lq, gt)


def open_judged_sets(cfg: Config) -> tuple[list[HeldOutSet], list[str]]:
    """Return the sets that a run is judged on besides those that it is validated on.

    General images, degraded as the run's own are, and real ones; and what the log says
    of them.

    Raises:
        UserError: val.real_lq or val.drift.dataroot cannot be used.
    """
    sets: list[HeldOutSet] = []
    remarks: list[str] = []
    if cfg.val is None:
        return sets, remarks

    drift = cfg.val.drift
    if drift is not None and drift.general is not None:
        try:
            images = general_images(cfg.scale, drift.dataroot)
        except UserError as error:
            if drift.dataroot is not None:
                raise
            remarks.append(
                f"neither drift nor the verdict looks at general images: {error}; "
                "val.drift.dataroot may name others"
            )
        else:
            degraded = degraded_as_in_training(cfg, images)
            sets.append(HeldOutSet(GENERAL, cfg.scale, degraded))

    if cfg.val.real_lq is not None:
        images, failures = real_images(Path(cfg.val.real_lq), cfg.scale)
        sets.append(HeldOutSet(REAL, cfg.scale, images))
        remarks += [f"val.real_lq: left out: {failure}" for failure in failures]
    return sets, remarks


def most_detailed_crops(dataset: ValidationSet, side: int = SIDE) -> HeldOutSet:
    """Return the most detailed crop of each of up to six images of a validation set.

    Of the ground truth a crop has up to `side` pixels each way.
    """
    if isinstance(dataset, ValidationDataset):
        dataset = replace(dataset, pairs=evenly_spaced(dataset.pairs, COUNT))
    else:
        dataset = replace(dataset, images=evenly_spaced(dataset.images, COUNT))

    images = []
    for image in dataset:
        (crop,) = most_detailed(image.lq, side // dataset.scale, 1)
        if min(crop.width, crop.height) * dataset.scale < SMALLEST:
            continue
        images.append(image.cut(crop, dataset.scale))
    return HeldOutSet(dataset.name, dataset.scale, images)


def degraded_as_in_training(
    cfg: Config, images: Sequence[ValidationImage]
) -> list[ValidationImage]:
    """Return general images, degraded as the run's images are.

    A run on given pairs synthesizes nothing: there they stay as they are.
    """
    if not cfg.high_order_degradation:
        return list(images)

    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    degraded = []
    for number, image in enumerate(images):
        assert image.gt is not None  # general images have theirs
        gt = image.gt.astype(np.float32) / 255
        name = f"{image.name}{number}"
        lq = make_lq(gt, name, options)
        degraded.append(replace(image, lq=lq))
    return degraded


def real_images(path: Path, scale: int) -> tuple[list[ValidationImage], list[str]]:
    """Return the most detailed crop of up to twelve real images, and what was left out.

    Frames of a video get names by which they are told to be of one clip.

    Args:
        path: a folder of images or videos, an image, or a video.
        scale: crops have at most `LARGEST_SIDE` pixels a side when upscaled by it.

    Raises:
        UserError: there is nothing to read, or none of it is readable.
    """
    pictures, failures = read_real(path)
    chosen = evenly_spaced(pictures, MOST_REAL)
    side = LARGEST_SIDE // scale
    images = []
    for number, picture in enumerate(chosen):
        (crop,) = most_detailed(picture.pixels, side, 1)
        lq = np.ascontiguousarray(crop.of(picture.pixels))
        images.append(ValidationImage(_real_name(picture, number), lq, None))
    return images, failures


def _real_name(picture: RealImage, number: int) -> str:
    """Return an image's own name, or one as tools/extract_keyframes.py names frames."""
    # A quarter of a video is "FILE#2".
    file = Path(picture.source.rpartition("#")[0] or picture.source)
    if is_video_name(file):
        return f"{file.stem}_{number:06}.000"
    return Path(picture.source).stem
