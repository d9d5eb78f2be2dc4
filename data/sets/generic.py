"""Generic sharp pictures, for those who have none of their own footage's kind."""

import zipfile
from pathlib import Path, PurePosixPath

from realesrgan_paddle.data.sets.subimages import CropGrid, Cutting, extract_subimages
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, make_folder
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.locks import locked

NAME = "DIV2K_valid_HR"
URL = f"https://data.vision.ee.ethz.ch/cvl/DIV2K/{NAME}.zip"
SHA256 = "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc"
SIZE = 448_993_893
"""100 photographs of about 2040 x 1400 pixels, of many things (Agustsson and Timofte 2017,
"NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study"), for academic
research only. Hash and size: those of TensorFlow Datasets (`datasets/div2k/checksums.tsv`).
"""
FOLDER = Path("datasets")
GRID = CropGrid(crop_size=480, step=480)
"""Whole pictures take long to decode for one crop."""
MIN_DETAIL = 0.05
"""As of tools/build_domain_set.py."""
PICTURES = "the 100 pictures of DIV2K's validation set (for academic research only)"


def generic_images() -> Path:
    """Return the folder of generic sub-images; downloaded and cut if it is not there.

    Pictures that were put into `FOLDER` / `NAME` by hand are taken instead. What was
    interrupted goes on.

    Raises:
        UserError: they cannot be downloaded; says how to do without.
    """
    pictures = FOLDER / NAME
    archive = FOLDER / f".{NAME}.zip"  # ours, and not one that a user has put there
    if not _is_there(pictures, archive):
        make_folder(FOLDER)
        with locked(FOLDER / f".{NAME}.lock"):
            if not _is_there(pictures, archive):
                _fetch(pictures, archive)

    sub = FOLDER / f"{NAME}_sub"
    cut = extract_subimages(pictures, sub, Cutting(grid=GRID, min_detail=MIN_DETAIL))
    if not cut.count:
        raise UserError(
            f"{pictures}: none of its pictures can be used: damaged, or without detail"
        )
    return sub


def _is_there(pictures: Path, archive: Path) -> bool:
    return not archive.exists() and pictures.is_dir() and bool(list_images(pictures))


def _fetch(pictures: Path, archive: Path) -> None:
    """Download the pictures and unpack them."""
    try:
        download(URL, archive, SHA256, SIZE)
    except UserError as error:
        raise UserError(
            f"no clean images are given, and {PICTURES} cannot be had: {error}; put sharp "
            f"pictures into {pictures}, or name their folder: tune FOLDER --lq ..., train "
            "--dataroot_gt FOLDER"
        ) from None
    _unpack(archive, pictures)
    archive.unlink()


def _unpack(archive: Path, pictures: Path) -> None:
    """Write the pictures of an archive into one folder; those that exist stay."""
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.namelist():
            target = pictures / PurePosixPath(member).name
            if target.suffix == ".png" and not target.exists():
                with atomic_path(target) as temporary:
                    temporary.write_bytes(zipped.read(member))
