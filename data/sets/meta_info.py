"""Meta-info files: the images of a training set, one a line, relative to the set's root.

The format is Real-ESRGAN's: "sub/name.png", or "gt.png, lq.png" for pairs. BasicSR's
files for DIV2K put the size after the name, "name.png (480,480,3)"; it is read past.
UTF-8.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_image
from realesrgan_paddle.utils.jobs import run_each

PAIR_SEPARATOR = ", "

_SIZE = re.compile(r" \(\d+,\d+,\d+\)$")
_DOWNSAMPLED = re.compile(r"x\d+$")


def read_meta_info(path: str | Path) -> list[str]:
    """Return the lines of a meta-info file without the sizes that may stand behind the names.

    Empty lines are left out; names may hold spaces.

    Raises:
        UserError: the file does not exist, is no text, or names nothing.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such meta-info file; tools/generate_meta_info.py writes one"
        ) from None
    except IsADirectoryError:
        raise UserError(
            f"{path}: a folder; name a meta-info file, or none to take every image of dataroot_gt"
        ) from None
    lines = [
        _SIZE.sub("", line.rstrip("\r")) for line in text.split("\n") if line.strip()
    ]
    if not lines or any("\0" in line for line in lines):
        raise UserError(
            f"{path}: not a meta-info file; it must hold one relative image path per line"
        )
    return lines


def image_paths(dataroot: str | Path, meta_info: str | Path | None) -> list[Path]:
    """Return the images of a training set. A file that is named need not be there: who reads it will say so.

    Args:
        dataroot: folder of the set.
        meta_info: file that names the images (of pairs, the first of each); None: every
            image below `dataroot`.

    Raises:
        UserError: a folder or file does not exist, or there is no image.
    """
    root = Path(dataroot)
    if meta_info is None:
        paths = list_images(root, recursive=True)
        if not paths:
            raise UserError(f"{root}: no images in it")
        return paths
    paths = [root / line.split(PAIR_SEPARATOR)[0] for line in read_meta_info(meta_info)]
    if not any(path.is_file() for path in paths):
        raise UserError(
            f"{meta_info}: none of its {len(paths):,} images is there, such as {paths[0]}; they are named from {root}"
        )
    return paths


def write_meta_info(
    folders: Sequence[Path], roots: Sequence[Path], path: Path, *, check: bool = False
) -> tuple[int, list[str]]:
    """Write the images below `folders` into the meta-info file `path`, sorted within each folder.

    Args:
        folders: folders of images; images in folders inside them count too.
        roots: what the names are relative to, one for all folders or one for each.
        path: the file to write.
        check: decode every image and leave the unreadable ones out.

    Returns:
        How many images the file names, and one line for each that was left out.

    Raises:
        UserError: a folder is not inside its root, two images get one name, or there is
            no image to name.
    """
    names: dict[str, Path] = {}
    for folder, root in zip(folders, _one_each(roots, folders), strict=True):
        for image in list_images(folder, recursive=True):
            name = _relative_name(image, root)
            if names.setdefault(name, image).resolve() != image.resolve():
                raise UserError(
                    f"{image} and {names[name]} are both {name!r} from their roots; give one common root"
                )
    good, failures = (
        run_each(check_image, list(names.values()))
        if check
        else (list(names.values()), [])
    )
    kept = set(good)
    lines = [name for name, image in names.items() if image in kept]
    if not lines:
        first = f" (such as {failures[0]})" if failures else ""
        raise UserError(
            f"{', '.join(map(str, folders))}: no readable images to name{first}"
        )
    _write_lines(path, lines)
    return len(lines), failures


def write_pair_meta_info(
    folders: Sequence[Path], roots: Sequence[Path], path: Path
) -> int:
    """Write a meta-info file of pairs from two folders, ground truth first; return how many pairs.

    The images are paired in sorted order. Their names must agree, but for an ending
    such as "x4" of the low-quality one.

    Raises:
        UserError: the folders hold different numbers of images, or names that do not
            agree.
    """
    if len(folders) != 2:
        raise UserError(
            f"--input needs two folders, ground truth and low quality; got {len(folders)}"
        )
    gt_images, lq_images = (list_images(folder, recursive=True) for folder in folders)
    if not gt_images:
        raise UserError(f"{folders[0]}: no images in it")
    if len(gt_images) != len(lq_images):
        found = f"{folders[0]} holds {len(gt_images)} images and {folders[1]} {len(lq_images)}"
        raise UserError(
            f"{found}; there must be one low-quality image for each ground truth"
        )
    lines = []
    gt_root, lq_root = _one_each(roots, folders)
    for gt, lq in zip(gt_images, lq_images, strict=True):
        if gt.stem not in (lq.stem, _DOWNSAMPLED.sub("", lq.stem)):
            raise UserError(f"{gt} and {lq} would be a pair, but their names differ")
        lines.append(
            _relative_name(gt, gt_root) + PAIR_SEPARATOR + _relative_name(lq, lq_root)
        )
    _write_lines(path, lines)
    return len(lines)


def check_image(path: Path) -> Path:
    """Return `path` if its image can be decoded to the last byte.

    OpenCV, which training uses, fills up what is missing of a truncated JPEG; Pillow
    refuses it, and checks PNG checksums.

    Raises:
        UserError: the image is damaged, or of a kind that training cannot use.
    """
    read_image(path)
    try:
        with Image.open(path) as image:
            image.load()
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"{path}: damaged image ({error})") from error
    return path


def _one_each(roots: Sequence[Path], folders: Sequence[Path]) -> Sequence[Path]:
    if len(roots) not in (1, len(folders)):
        raise UserError(
            f"--root: {len(roots)} given for {len(folders)} inputs; give one, or one for each"
        )
    return roots if len(roots) == len(folders) else list(roots) * len(folders)


def _relative_name(image: Path, root: Path) -> str:
    """Return `image` relative to `root`, with forward slashes; links are not followed."""
    if not image.absolute().is_relative_to(root.absolute()):
        raise UserError(f"{image}: not inside its root {root}")
    name = image.absolute().relative_to(root.absolute()).as_posix()
    if "\n" in name or PAIR_SEPARATOR in name:
        raise UserError(
            f"{image}: a meta-info file cannot hold a name with a line break or ', '; rename it"
        )
    return name


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(
            "".join(f"{line}\n" for line in lines),
            encoding="utf-8",
            errors="surrogateescape",
        )
