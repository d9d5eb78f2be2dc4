"""What drift is measured on: six general pictures that everybody has, and pieces of the domain's validation images."""

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
from realesrgan_paddle.models.inference.predictors import DygraphRunner
from realesrgan_paddle.models.inference.upscaler import Upscaler
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.downloads.http import sha256_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8
from realesrgan_paddle.utils.report.panels import evenly_spaced

COUNT = 6
SIDE = 256
"""Pieces of the ground truth have sides of so many pixels."""
SMALLEST = 32
"""Pictures with fewer pixels along a side are left out: LPIPS cannot see them."""
JPEG_QUALITY = 80


@dataclass(frozen=True)
class GeneralPicture:
    """A piece of a photograph that scikit-image brings along, the same in 0.22 and 0.26."""

    file: str
    sha256: str
    crop: Crop


_ASTRONAUT = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
# In the public domain or CC0, as `skimage.data` says of each: NASA; the photographers
# R. Michetti and S. van der Walt; SpaceX; and the last, which is gray and shows a cast
# best, by linolafett.
GENERAL = (
    GeneralPicture("astronaut.png", _ASTRONAUT, Crop(112, 16, SIDE, SIDE)),
    GeneralPicture("astronaut.png", _ASTRONAUT, Crop(32, 240, SIDE, SIDE)),
    GeneralPicture(
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        Crop(200, 40, SIDE, SIDE),
    ),
    GeneralPicture(
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        Crop(90, 20, SIDE, SIDE),
    ),
    GeneralPicture(
        "rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        Crop(200, 160, SIDE, SIDE),
    ),
    GeneralPicture(
        "grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        Crop(128, 128, SIDE, SIDE),
    ),
)


def general_pictures(scale: int) -> list[ValidationImage]:
    """Return pieces of photographs of people, things, an animal, a night and grass, with their ground truth.

    They are always the same, so that figures of different runs compare.

    Raises:
        UserError: the installed scikit-image lacks one, or has another.
    """
    folder = Path(skimage.__file__).parent / "data"
    images = []
    for picture in GENERAL:
        path = folder / picture.file
        if not path.is_file() or sha256_of(path) != picture.sha256:
            raise UserError(
                f"{path}: not there, or another file than scikit-image has there"
            )
        images.append(
            _degraded(path.stem, picture.crop.of(to_uint8(read_rgb(path))), scale)
        )
    return images


def general_pictures_of(folder: str, scale: int) -> list[ValidationImage]:
    """Return the most detailed piece of each of up to six pictures of `folder`, with its ground truth.

    Raises:
        UserError: there is no picture of a fair size, or one cannot be read.
    """
    paths = list_images(folder, recursive=True)
    pictures = [
        (path.stem, to_uint8(read_rgb(path))) for path in evenly_spaced(paths, COUNT)
    ]
    pieces = [
        (name, most_detailed(picture, SIDE, 1)[0].of(picture))
        for name, picture in pictures
    ]
    images = [
        _degraded(name, piece, scale)
        for name, piece in pieces
        if min(piece.shape[:2]) >= SMALLEST + scale
    ]
    if not images:
        raise UserError(
            f"val.drift.dataroot: {folder}: no picture of at least {SMALLEST + scale} pixels each way"
        )
    return images


def domain_pictures(dataset: ValidationSet) -> list[ValidationImage]:
    """Return the most detailed piece of each of up to six images of a validation set."""
    if isinstance(dataset, ValidationDataset):
        dataset = replace(dataset, pairs=evenly_spaced(dataset.pairs, COUNT))
    else:
        dataset = replace(dataset, images=evenly_spaced(dataset.images, COUNT))
    pieces = [
        (image, most_detailed(image.lq, SIDE // dataset.scale, 1)[0])
        for image in dataset
    ]
    return [
        ValidationImage(
            image.name,
            piece.of(image.lq),
            None if image.gt is None else piece.of(image.gt, dataset.scale),
        )
        for image, piece in pieces
        if min(piece.width, piece.height) * dataset.scale >= SMALLEST
    ]


def enlarged(
    network: nn.Layer, scale: int, pictures: Sequence[ValidationImage]
) -> list[np.ndarray]:
    """Return what the network makes of each picture's low-quality image, uint8 RGB (H, W, 3)."""
    upscale = Upscaler(DygraphRunner(network, scale), scale)
    return [upscale(picture.lq) for picture in pictures]


def _degraded(name: str, gt: np.ndarray, scale: int) -> ValidationImage:
    """Return a picture with its low-quality version: made smaller (bicubic), then JPEG of quality 80."""
    height, width = (side // scale for side in gt.shape[:2])
    gt = gt[: height * scale, : width * scale]
    jpeg = io.BytesIO()
    Image.fromarray(gt).resize((width, height), Image.Resampling.BICUBIC).save(
        jpeg, "JPEG", quality=JPEG_QUALITY
    )
    return ValidationImage(name, np.array(Image.open(jpeg)), gt)
