"""Meta-info files: the images of a training set, one a line, relative to its root.

The format is Real-ESRGAN's: "sub/name.png", or "gt.png, lq.png" for pairs. The sizes in
BasicSR's files for DIV2K, "name.png (480,480,3)", are ignored. UTF-8.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.data.sets.made_folders import (
    check_ground_truth,
    check_images,
    list_of_set,
)
from realesrgan_paddle.data.sets.sources import (
    is_stored,
    is_there,
    list_source,
    read_bytes,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, open_regular, read_regular
from realesrgan_paddle.utils.image_headers import FORMATS
from realesrgan_paddle.utils.images import list_images, read_image
from realesrgan_paddle.utils.jobs import run_each

PAIR_SEPARATOR = ", "

MAX_LINES = 1_000_000
"""Of a meta-info file. So many sub-images of 480 x 480 pixels take about 300 GB."""

_SIZE = re.compile(r" \(\d+,\d+,\d+\)$")
_SCALE_ENDING = re.compile(r"x\d+$")


def read_meta_info(path: str | Path) -> list[str]:
    """Return the lines of a meta-info file, without the sizes after the names.

    Empty lines are left out; names may contain spaces.

    Raises:
        UserError: the file does not exist, is no text, is empty, or has too many lines.
    """
    try:
        data = read_bytes(path) if is_stored(path) else read_regular(path)
        text = data.decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such meta-info file; tools/generate_meta_info.py writes one"
        ) from None
    except IsADirectoryError:
        raise UserError(
            f"{path}: a folder; name a meta-info file, or none to take every image of "
            "dataroot_gt"
        ) from None

    lines = [line.rstrip("\r") for line in text.split("\n") if line.strip()]
    if not lines or any("\0" in line for line in lines):
        raise UserError(
            f"{path}: not a meta-info file; it must hold one relative image path per "
            "line"
        )
    if len(lines) > MAX_LINES:
        raise UserError(
            f"{path}: {len(lines):,} lines; a meta-info file has at most {MAX_LINES:,}"
        )
    return [_SIZE.sub("", line) for line in lines]


def image_paths(dataroot: str | Path, meta_info: str | Path | None) -> ImageList:
    """Return the images of a training set.

    A file that the meta-info file names need not exist; reading it reports the error.

    Args:
        dataroot: folder of the set, or of tar shards, or a URL; see `sources`.
        meta_info: file that lists the images (of pairs, the first of each); None: every
            image below `dataroot`.

    Raises:
        UserError: a folder or file does not exist, or there is no image.
    """
    root = Path(dataroot)
    if meta_info is None:
        paths = list_source(root)
        if not paths:
            raise UserError(f"{root}: no images in it")
        return paths

    names = [line.split(PAIR_SEPARATOR)[0] for line in read_meta_info(meta_info)]
    if is_stored(root):
        return _listed(list_source(root), names, meta_info)
    paths = ImageList(root, names)
    if not any(map(is_there, paths)):
        raise UserError(
            f"{meta_info}: none of its {len(paths):,} images exists, such as "
            f"{paths[0]}; they are relative to {root}"
        )
    return paths


def _listed(
    stored: ImageList, names: Sequence[str], meta_info: str | Path
) -> ImageList:
    """Return those images of shards or object storage that a meta-info file names."""
    places = {name: place for place, name in enumerate(stored.names())}
    missing = [name for name in names if name not in places]
    if missing:
        raise UserError(
            f"{meta_info}: {len(missing):,} of its {len(names):,} images are not in "
            f"{stored.root}, such as {missing[0]}"
        )
    return stored.select(np.array([places[name] for name in names]))


def training_images(dataroot: str | Path, meta_info: str | Path | None) -> ImageList:
    """Return the ground truths of a training set; as `image_paths`, with more care.

    Without a meta-info file, of a set of tools/build_domain_set.py those in its list.

    Raises:
        UserError: as `image_paths`; or without a meta-info file the folder, or one
            below it, was written by a command and is no ground truth.
    """
    root = Path(dataroot)
    if is_stored(root):
        return image_paths(root, meta_info)
    meta_info = meta_info or list_of_set(root)
    paths = image_paths(root, meta_info)
    if meta_info is None:
        # One image of each folder tells what the folder is.
        of_folders = {name.rpartition("/")[0]: name for name in paths.names()}
        check_ground_truth(root, [root / name for name in of_folders.values()])
    return paths


def write_meta_info(
    folders: Sequence[Path], roots: Sequence[Path], path: Path, *, check: bool = False
) -> tuple[int, list[str]]:
    """Write the images below `folders` into the meta-info file `path`.

    They are sorted within each folder.

    Args:
        folders: folders of images, searched recursively.
        roots: what the names are relative to, one for all folders or one for each.
        path: the file to write.
        check: decode every image and leave the unreadable ones out.

    Returns:
        The number of images in the file, and one line for each that was left out.

    Raises:
        UserError: a folder is not inside its root, two images get one name, or there is
            no image to list.
    """
    images: dict[str, Path] = {}
    for folder, root in zip(folders, _root_of_each(roots, folders), strict=True):
        found = list_images(folder, recursive=True)
        check_images(folder, found)
        for image in found:
            name = _relative_name(image, root)
            other = images.setdefault(name, image)
            if other.resolve() != image.resolve():
                raise UserError(
                    f"{image} and {other} are both {name!r} from their roots; give one "
                    "common root"
                )

    names = list(images)
    failures: list[str] = []
    if check:
        readable, failures = run_each(check_image, list(images.values()))
        readable_paths = set(readable)
        names = [name for name, image in images.items() if image in readable_paths]

    if not names:
        example = f" (such as {failures[0]})" if failures else ""
        searched = ", ".join(map(str, folders))
        raise UserError(f"{searched}: no readable images to name{example}")
    _write_lines(path, names)
    return len(names), failures


def write_pair_meta_info(
    folders: Sequence[Path], roots: Sequence[Path], path: Path
) -> int:
    """Write a meta-info file of pairs from two folders; return the number of pairs.

    The images are paired in sorted order. Their names must agree, except for an ending
    such as "x4" of the low-quality image.

    Args:
        folders: the folder of the ground truth, then that of the low-quality images.
        roots: what the names are relative to, one for both folders or one for each.
        path: the file to write.

    Raises:
        UserError: the folders hold different numbers of images, or names that do not
            agree.
    """
    if len(folders) != 2:
        raise UserError(
            f"--input needs two folders, ground truth and low quality; got "
            f"{len(folders)}"
        )
    gt_images, lq_images = (list_images(folder, recursive=True) for folder in folders)
    check_ground_truth(folders[0], gt_images)
    check_images(folders[1], lq_images)
    if not gt_images:
        raise UserError(f"{folders[0]}: no images in it")
    if len(gt_images) != len(lq_images):
        raise UserError(
            f"{folders[0]} holds {len(gt_images)} images and {folders[1]} "
            f"{len(lq_images)}; there must be one low-quality image for each ground "
            "truth"
        )

    lines = []
    gt_root, lq_root = _root_of_each(roots, folders)
    for gt, lq in zip(gt_images, lq_images, strict=True):
        if gt.stem not in (lq.stem, _SCALE_ENDING.sub("", lq.stem)):
            raise UserError(f"{gt} and {lq} would be a pair, but their names differ")
        names = (_relative_name(gt, gt_root), _relative_name(lq, lq_root))
        lines.append(PAIR_SEPARATOR.join(names))
    _write_lines(path, lines)
    return len(lines)


def check_image(path: Path) -> Path:
    """Return `path` if its image can be decoded to the last byte.

    OpenCV, which training uses, fills in what is missing of a truncated JPEG; Pillow
    refuses it, and verifies PNG checksums.

    Raises:
        UserError: the image is damaged, or of a type that training cannot use.
    """
    read_image(path)
    try:
        with open_regular(path) as file:
            Image.open(file, formats=FORMATS).load()
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"{path}: damaged image ({error})") from error
    return path


def _root_of_each(roots: Sequence[Path], folders: Sequence[Path]) -> Sequence[Path]:
    """Return one root for each folder."""
    if len(roots) == len(folders):
        return roots
    if len(roots) == 1:
        return list(roots) * len(folders)
    raise UserError(
        f"--root: {len(roots)} given for {len(folders)} inputs; give one, or one for "
        "each"
    )


def _relative_name(image: Path, root: Path) -> str:
    """Return `image` relative to `root`, with forward slashes; links stay links."""
    path, parent = image.absolute(), root.absolute()
    if not path.is_relative_to(parent):
        raise UserError(f"{image}: not inside its root {root}")
    name = path.relative_to(parent).as_posix()
    if "\n" in name or PAIR_SEPARATOR in name:
        raise UserError(
            f"{image}: a meta-info file cannot hold a name with a line break or ', '; "
            "rename it"
        )
    return name


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
