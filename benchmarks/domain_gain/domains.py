"""The images of each domain: sub-images to train on, and frames of other clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.utils.images import list_images, read_rgb8, write_image

FILE = Path(__file__).with_name("domains.yml")
GRID = CropGrid(crop_size=480, step=480)
"""Small files load fast."""


@dataclass(frozen=True, eq=False)
class Domain:
    """One kind of footage."""

    name: str
    train: Sequence[Path]
    """Frames to train on."""
    test: Mapping[str, Sequence[Path]]
    """Frames of the clips that are held out, by clip."""
    crops: int
    """How many of each held-out clip are judged."""
    shrink: int
    """Frames are made smaller by this first."""


def read_domains(data: Path) -> dict[str, Domain]:
    """Return the domains of `FILE` that have images below `data`, by name."""
    domains = {}
    for name, entry in yaml.safe_load(FILE.read_text(encoding="utf-8")).items():
        if not (data / entry["folder"]).is_dir():
            continue
        images = list_images(data / entry["folder"])
        if not images:
            continue
        train = []
        for clip in entry["train"]:
            train += _of_clip(clip, images)
        test = {str(clip): _of_clip(clip, images) for clip in entry["test"]}
        if entry.get("alone"):
            test = {path.stem: [path] for frames in test.values() for path in frames}
        shrink = entry.get("shrink", 1)
        domains[name] = Domain(name, train, test, entry["crops"], shrink)
    return domains


def read_frame(path: Path, domain: Domain) -> np.ndarray:
    """Return a frame, uint8 RGB (H, W, 3), at the size that its domain is judged at."""
    image = read_rgb8(path)
    if domain.shrink == 1:
        return image
    height, width = (side // domain.shrink for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def sub_images(domain: Domain, folder: Path) -> list[str]:
    """Return the names of the sub-images to train on, cut into `folder` if missing."""
    listed = folder / "names.txt"
    if not listed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = []
        for path in domain.train:
            image = read_frame(path, domain)
            for number, crop in enumerate(GRID.crops(*image.shape[:2])):
                names.append(f"{path.stem}_{number}.png")
                write_image(folder / names[-1], np.ascontiguousarray(crop.of(image)))
        listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return listed.read_text(encoding="utf-8").split()


def halves(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the names of both, the fewer repeated so that each are about half."""
    fewer, more = sorted([names, others], key=len)
    times = round(len(more) / len(fewer))
    return [*fewer] * times + [*more]


def _of_clip(clip: object, images: Sequence[Path]) -> list[Path]:
    return [path for path in images if path.name.startswith(f"{clip}")]
