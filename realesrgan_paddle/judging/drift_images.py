"""The images that drift is measured on: general ones, crops of validation images."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage
from paddle import nn
from PIL import Image

from realesrgan_paddle.data.loading.datasets import ValidationDataset, ValidationImage
from realesrgan_paddle.data.loading.hold_out import ValidationSet
from realesrgan_paddle.inference.runners.predictors import DygraphRunner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.download import sha256_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8
from realesrgan_paddle.utils.report.contact_sheet import evenly_spaced

COUNT = 6
"""Images per set: each validation upscales them all, so few."""
SIDE = 256
"""Width and height of a crop of the ground truth [pixels]."""
SMALLEST = 32
"""Images with a shorter side than this are left out: LPIPS needs 31 pixels."""
JPEG_QUALITY = 80
"""Of the low-quality version of general images: visible artifacts; chosen by eye."""


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


def general_images(scale: int) -> list[ValidationImage]:
    """Return the crops of `GENERAL_CROPS`, with their ground truth.

    They are always the same, so metrics of different runs can be compared.

    Raises:
        UserError: the installed scikit-image lacks one, or has another file.
    """
    folder = Path(skimage.__file__).parent / "data"
    images = []
    for image in GENERAL_CROPS:
        path = folder / image.file
        if not path.is_file() or sha256_of(path) != image.sha256:
            raise UserError(f"{path}: missing, or not the file that scikit-image ships")
        gt = image.crop.of(to_uint8(read_rgb(path)))
        images.append(_degraded(path.stem, gt, scale))
    return images


def general_images_of(folder: str, scale: int) -> list[ValidationImage]:
    """Return the most detailed crop of each of up to six images of `folder`.

    Raises:
        UserError: no image is large enough, or one cannot be read.
    """
    smallest = SMALLEST + scale
    images = []
    for path in evenly_spaced(list_images(folder, recursive=True), COUNT):
        image = to_uint8(read_rgb(path))
        (crop,) = most_detailed(image, SIDE, 1)
        if min(crop.width, crop.height) >= smallest:
            images.append(_degraded(path.stem, crop.of(image), scale))

    if not images:
        raise UserError(
            f"val.drift.dataroot: {folder}: no image of at least {smallest} pixels each "
            "way; choose a folder with larger ones"
        )
    return images


def domain_images(dataset: ValidationSet) -> list[ValidationImage]:
    """Return the most detailed crop of each of up to six images of a validation set."""
    if isinstance(dataset, ValidationDataset):
        dataset = replace(dataset, pairs=evenly_spaced(dataset.pairs, COUNT))
    else:
        dataset = replace(dataset, images=evenly_spaced(dataset.images, COUNT))

    images = []
    for image in dataset:
        (crop,) = most_detailed(image.lq, SIDE // dataset.scale, 1)
        if min(crop.width, crop.height) * dataset.scale < SMALLEST:
            continue
        gt = None if image.gt is None else crop.of(image.gt, dataset.scale)
        images.append(ValidationImage(image.name, crop.of(image.lq), gt))
    return images


def upscaled(
    network: nn.Layer, scale: int, images: Sequence[ValidationImage]
) -> list[np.ndarray]:
    """Return the network's output for each low-quality image, uint8 RGB (H, W, 3)."""
    upscale = Upscaler(DygraphRunner(network, scale), scale)
    return [upscale(image.lq) for image in images]


def _degraded(name: str, gt: np.ndarray, scale: int) -> ValidationImage:
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
