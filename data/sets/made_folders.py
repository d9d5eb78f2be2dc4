"""Folders that the commands wrote, told by the files in them, and how they were made.

A command that is given one takes the images that are meant for it, or names the folder
that it should be given.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, parse_object, read_regular
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.next_steps import command_line

MANIFEST = "manifest.jsonl"
"""The list of all frames beside those of tools/extract_keyframes.py."""
DOMAIN_SET_FILE = ".domain_set.json"
"""Marks a set of tools/build_domain_set.py, and says how it was made."""
SET_LIST = "meta_info.txt"
"""The training images of such a set."""
SUBIMAGES_FILE = ".subimages.json"
"""Marks a folder of tools/extract_subimages.py, and says how they were cut."""
LQ_FILE = ".lq_images.json"
"""Marks a folder of make_lq_data.py, and says what scale its images have."""

TRAIN, VAL = "train", "val"
"""Folders of the two parts of frames; VAL is that of a set's validation images, too."""


def only_poor(footage: str | Path) -> str:
    """Return what to do with footage of which nothing is good enough to train on."""
    line = command_line("tools/tune.py", "--lq", str(footage))
    return (
        "Poor footage is what a network restores, not what it learns from: to train one "
        f"for it on generic pictures that are degraded alike: {line}"
    )


def list_of_set(folder: Path) -> Path | None:
    """Return the list of the training images of a set; None for any other folder.

    Raises:
        UserError: the set has none, because it was not built to its end.
    """
    if not (folder / DOMAIN_SET_FILE).is_file():
        return None
    path = folder / SET_LIST
    if not path.is_file():
        if (folder / "frames" / MANIFEST).is_file() and not list_images(
            folder / "frames", recursive=True
        ):
            raise UserError(
                f"{folder}: no frame was good enough. {only_poor('FOOTAGE')}"
            )
        raise UserError(
            f"{folder}: a set without its list, {path.name}; run "
            "tools/build_domain_set.py again, with the same flags, to complete it"
        )
    return path


def scale_of_set(folder: Path) -> int:
    """Return the scale that the validation images of a set were degraded for.

    Raises:
        UserError: the file that describes the set has been changed.
    """
    path = folder / DOMAIN_SET_FILE
    try:
        settings = parse_object(read_regular(path))
        scale = settings["scale"]
        return int(scale)
    except (ValueError, LookupError, TypeError):
        raise UserError(
            f"{path}: not the settings of a set; build the set again"
        ) from None


def validation_of_set(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of a set's validation images and of their low-quality versions.

    None if it has none, and for any folder that is no set.
    """
    if not (folder / DOMAIN_SET_FILE).is_file():
        return None
    hr = folder / VAL / "HR"
    lr = folder / VAL / "LR"
    if not hr.is_dir() or not lr.is_dir():
        return None
    return hr, lr


def images_to_compare(
    inputs: Sequence[str], gt: Path | None
) -> tuple[Sequence[str | Path], Path | None]:
    """Return low-quality images and ground truth; of a set, its validation images."""
    validation = validation_of_set(Path(inputs[0]))
    if validation is None or len(inputs) > 1:
        return inputs, gt
    hr, lr = validation
    return [lr], gt or hr


def check_images(folder: Path, paths: Iterable[Path]) -> None:
    """Refuse a folder whose images are not all of one kind.

    Args:
        folder: the folder that the user named.
        paths: the images that were found below it.

    Raises:
        UserError: it is a set, or frames split in two parts, or the overview of frames,
            a training run or a comparison; or it holds one of them.
    """
    for inner in _folders(folder, paths):
        _refuse(folder, inner, _mixture(inner))
    for outer in (folder.absolute().parent, folder.absolute().parent.parent):
        if _is_run(outer):
            _refuse(folder, folder, f"lies in the training run {outer}; {_NAME_IMAGES}")


def check_ground_truth(folder: Path, paths: Iterable[Path]) -> None:
    """As `check_images`; also refuse what make_lq_data.py wrote."""
    paths = list(paths)
    check_images(folder, paths)
    for inner in _folders(folder, paths):
        if (inner / LQ_FILE).is_file():
            _refuse(
                folder,
                inner,
                "low-quality images, made by make_lq_data.py; name the folder of their "
                "ground truth",
            )


_NAME_IMAGES = "name the folder of the images to train on"


def _mixture(folder: Path) -> str:
    """Return what a folder is whose images do not belong together, or nothing."""
    if (folder / DOMAIN_SET_FILE).is_file():
        return (
            "a training set of tools/build_domain_set.py; its training images are in "
            f"{folder / 'sub'}"
        )
    is_split = (folder / TRAIN).is_dir() and (folder / VAL).is_dir()
    if is_split and (folder / MANIFEST).is_file():
        return (
            "frames for training and for validation; name one part of them, "
            f"{folder / TRAIN} or {folder / VAL}"
        )
    if _is_run(folder):
        return f"a training run; {_NAME_IMAGES}"
    if (folder / "index.html").is_file():
        if (folder / "contact_sheet.png").is_file():
            return (
                "the overview of tools/extract_keyframes.py, not the frames; name the "
                "folder of the frames"
            )
        if (folder / "sheet.png").is_file():
            return f"a comparison of tools/compare.py; {_NAME_IMAGES}"
    return ""


def _is_run(folder: Path) -> bool:
    return (folder / "config.yml").is_file() and (folder / "models").is_dir()


def _folders(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Return `folder` and those within it that hold some of the images."""
    folders = {folder}
    for path in paths:
        for parent in path.parents:
            if parent in folders:
                break
            folders.add(parent)
    return sorted(folders)


def _refuse(folder: Path, inner: Path, what: str) -> None:
    """Raise UserError if there is something to say of `inner`, a part of `folder`."""
    if what and inner == folder:
        raise UserError(f"{folder}: {what}")
    if what:
        raise UserError(f"{folder}: holds {inner}: {what}")


def keep_settings(path: Path, settings: Mapping[str, Any], output: Path) -> None:
    """Write `settings` into the JSON file `path`, or compare them with those in it.

    Raises:
        UserError: the set `output` was made with other settings; names them. Or the
            file is damaged.
    """
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(settings))
        return

    before = _read_settings(path)
    differing = []
    for key in {**before, **settings}:
        old, new = before.get(key), settings.get(key)
        if old != new:
            differing.append(f"{key} {old}, not {new}")
    if differing:
        raise UserError(
            f"{output}: was made with {', '.join(differing)}; use another --output"
        )


def is_cut_on_a_grid(path: Path) -> bool:
    """Return whether there are settings in `path`, of a set without best patches.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return False
    return "patches" not in _read_settings(path)


def _read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in `path`; raises UserError if it is damaged."""
    try:
        return parse_object(read_regular(path))
    except ValueError as error:
        raise UserError(
            f"{path}: not the settings of a set ({error}); use another --output"
        ) from None
