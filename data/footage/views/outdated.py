"""Images made from frames that a later run dropped, or put into the other part."""

from pathlib import Path

from realesrgan_paddle.data.sets.made_folders import MANIFEST, VAL
from realesrgan_paddle.data.sets.manifest import EXTRACTED, is_kept, read_records
from realesrgan_paddle.utils.images import list_images


def remove_outdated(frames: Path, root: Path) -> None:
    """Remove what a training set holds of frames that are not where they were.

    So no image of a view for validation is trained on. Only files named after frames
    of the manifest are removed.

    Args:
        frames: folder of the frames, with the manifest.
        root: the training set: sub, multiscale, val/HR and val/LR are looked through.
    """
    training: set[str] = set()
    validation: set[str] = set()
    known: set[str] = set()
    for record in read_records(frames / MANIFEST, EXTRACTED):
        if "file" not in record:
            continue
        stem = Path(record["file"]).stem
        known.add(stem)
        if is_kept(record):
            is_val = record["file"].startswith(f"{VAL}/")
            (validation if is_val else training).add(stem)

    for folder in (root / "sub", root / "multiscale"):
        for path in _images(folder):
            # "match_000012.480_s003.png", or "..._s003T1.png" of a smaller version
            frame = path.name.rpartition("_s")[0]
            if frame in known - training:
                path.unlink()
    for folder in (root / VAL / "HR", root / VAL / "LR"):
        for path in _images(folder):
            if path.stem in known - validation:
                path.unlink()


def _images(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []
