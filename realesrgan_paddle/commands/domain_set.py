"""Build a training set from videos or frames in one go.

Frames, sub-images, downscaled versions, meta info, header checks.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from realesrgan_paddle.commands.shared_extraction import shared_videos
from realesrgan_paddle.commands.shared_work import Sharing
from realesrgan_paddle.data.footage.enough import enough_lines
from realesrgan_paddle.data.footage.keyframes import (
    FrameSet,
    Settings,
    extract_key_frames,
    find_videos,
)
from realesrgan_paddle.data.footage.passport.page import summary_line
from realesrgan_paddle.data.footage.passport.passport import Passport
from realesrgan_paddle.data.footage.split import TRAIN, VAL
from realesrgan_paddle.data.footage.video_names import list_videos
from realesrgan_paddle.data.footage.views.set_images import remove_outdated
from realesrgan_paddle.data.loading.header_checks import check_headers
from realesrgan_paddle.data.sets.best_patches import extract_best_patches
from realesrgan_paddle.data.sets.made_folders import (
    DOMAIN_SET_FILE,
    MANIFEST,
    SET_LIST,
    check_images,
    is_cut_on_a_grid,
    keep_settings,
)
from realesrgan_paddle.data.sets.manifest import is_kept, read_records
from realesrgan_paddle.data.sets.meta_info import write_meta_info
from realesrgan_paddle.data.sets.multiscale import generate_multiscale
from realesrgan_paddle.data.sets.naming import check_outside, distinct_stems
from realesrgan_paddle.data.sets.subimages import (
    CropGrid,
    CutImages,
    Cutting,
    extract_subimages,
)
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import (
    check_utf8,
    is_leftover,
    make_folder,
    remove_leftovers,
)
from realesrgan_paddle.utils.images import list_images, read_image, write_image
from realesrgan_paddle.utils.jobs import run_each
from realesrgan_paddle.utils.machine.devices import start_paddle

NO_VALIDATION = "for validation: none; there is one shot only, or too few frames"
IMAGES_NOT_SPLIT = (
    "for validation: none; a folder of images is not split; tools/extract_keyframes.py "
    "--val_share splits a video's frames"
)


@dataclass(frozen=True)
class DomainOptions:
    """How a set is made from its frames."""

    crop_size: int = setting(480, "side of a sub-image", int_range(1))
    step: int = setting(
        240,
        "pixels from one sub-image to the next; less than --crop_size: overlap",
        int_range(1),
        heading="sub-images",
    )
    min_detail: float = setting(
        0.05,
        "drop sub-images with detail in less than this share: sky, blurred grass; "
        "0: keep all",
        float_range(0, 1),
    )
    patches: Literal["best", "grid"] = setting(
        "best",
        "best: sub-images with detail above the noise, in focus, that do not repeat; "
        "grid: all; a set made before keeps its way",
    )
    patches_per_frame: int = setting(
        8,
        "with --patches best: the most sub-images of one frame; a source of fewer than "
        "8 frames gives as many as 8 would",
        int_range(1),
    )
    max_patches: int = setting(
        0,
        "with --patches best: the most sub-images of all, spread over shots and "
        "content; 0: no limit",
        int_range(0),
    )
    multiscale: bool = setting(
        False,
        "add downscaled versions of the sub-images; best with a larger --crop_size",
    )
    scale: int = setting(
        4,
        "scale of the network: 1, 2 or 4; sizes of validation images are multiples of "
        "it",
        int_range(1, 4),
    )

    def __post_init__(self) -> None:
        if self.scale == 3:
            raise UserError("--scale must be 1, 2 or 4, not 3")


@dataclass
class DomainSet:
    """The result of `build_domain_set`."""

    root: Path
    frames: int = 0
    """Frames for training."""
    views: int = 0
    """Views that they show; 0: not known, as of a folder of images."""
    cut: CutImages = field(default_factory=CutImages)
    """Their sub-images."""
    smaller: int = 0
    """Downscaled versions of sub-images."""
    listed: int = 0
    """Images in the meta-info file."""
    val: int = 0
    """Validation images; of other views, shots or videos than the training images."""
    remark: str = ""
    """Why validation has another share than was asked for, or is empty; else ""."""
    passports: list[Passport] = field(default_factory=list)
    """Of the videos; none for a set of images."""
    failures: list[str] = field(default_factory=list)
    """One line for each video or image that could not be used."""

    @property
    def meta_info(self) -> Path:
        """The list of all training images."""
        return self.root / SET_LIST

    def remarks(self) -> list[str]:
        """Return what a user is told about videos, sub-images and validation."""
        lines = [summary_line(passport) for passport in self.passports]
        sub_images = f"{self.cut.count} sub-images, {self.cut.flat} flat ones dropped"
        lines.append(f"{self.root}: {self.frames} frames, {sub_images}")
        if reasons := self.cut.other_reasons():
            lines.append(f"also left out: {reasons}")
        if self.smaller:
            lines.append(f"smaller versions: {self.smaller}")
        if self.val:
            lines.append(f"for validation: {self.val} images of other views")
        if self.remark:
            lines.append(self.remark)
        if self.views:
            lines += enough_lines(self.passports, self.frames, self.views)
        return lines


def build_domain_set(
    inputs: Sequence[str | Path],
    output: Path,
    options: DomainOptions,
    settings: Settings,
    sharing: Sharing | None = None,
) -> DomainSet:
    """Build the set `output` from videos, or from one folder of frames.

    Each stage leaves existing files alone, so an interrupted build is resumed, and a
    set to which a video was added is completed, by running it again. Frames that
    tools/extract_keyframes.py has split become training and validation images.

    Args:
        inputs: videos and folders of videos, or one folder of images.
        output: folder of the set; new, empty or made by this function.
        options: how the frames are cut.
        settings: how frames are extracted from videos.
        sharing: which processes extract them; the rest is done by this one.

    Raises:
        UserError: an input does not exist, `output` has a name that is no UTF-8, holds
            other files or a set made with other options, or no image is left.
    """
    check_utf8(output)  # the options of a training name it
    frames = folder_of_images(inputs)
    if frames is not None:
        if sharing:
            raise UserError(
                f"{frames}: holds images, and --processes and --cluster share videos; "
                "leave them out"
            )
        check_outside(output, frames)
    videos = find_videos(inputs) if frames is None else []
    options = _claim(output, options)
    done = DomainSet(output)

    if frames is None:
        frames = output / "frames"
        sheet = output / "frames_sheet"
        share = None
        if sharing:
            share = partial(shared_videos, frames, sheet, settings, sharing)
            videos = list(map(sharing.path, videos))
        extracted = extract_key_frames(
            videos, frames, settings, sheet=sheet, share=share
        )
        _check_any_frame(extracted, frames, inputs)
        done.remark = extracted.remark
        remove_outdated(frames, output)
        done.passports = extracted.passports
        done.failures += extracted.failures
    is_split = _is_split(frames)

    folders = _write_training_images(frames, is_split, options, done)
    done.listed, _ = write_meta_info(folders, [output], done.meta_info)
    if is_split:
        done.val, failures = _write_validation(frames / VAL, output / "val", options)
        done.failures += failures
    if settings.split.val_share and not done.val:
        is_unsplit = not videos and not is_split
        done.remark = done.remark or (IMAGES_NOT_SPLIT if is_unsplit else NO_VALIDATION)

    images: list[Path] = []
    for folder in folders:
        images += list_images(folder, recursive=True)
    done.failures += check_headers(images).problems
    return done


def folder_of_images(inputs: Sequence[str | Path]) -> Path | None:
    """Return the only input if it is a folder with images, else None.

    Raises:
        UserError: the folder holds videos, too, or is refused by `check_images`.
    """
    folder = Path(inputs[0])
    if len(inputs) > 1 or not folder.is_dir():
        return None
    images = list_images(folder, recursive=True)
    if not images:
        return None
    if list_videos(folder):
        raise UserError(
            f"{folder}: holds videos and images; name the videos, or a folder with one "
            "kind"
        )
    if not _is_split(folder):
        check_images(folder, images)
    return folder


def _is_split(frames: Path) -> bool:
    """Return whether frames are in two parts, for training and for validation."""
    train = frames / TRAIN
    val = frames / VAL
    return train.is_dir() and val.is_dir()


def _claim(output: Path, options: DomainOptions) -> DomainOptions:
    """Mark `output` as a domain set made with `options`.

    Returns:
        The options; those of a set that was made before there were best patches say
        `grid`, so that it is completed as it was begun.

    Raises:
        UserError: it holds other files, or a set made with other options.
    """
    make_folder(output)
    marker = output / DOMAIN_SET_FILE
    # A build that was killed before the marker got its name left a temporary file.
    is_empty = all(map(is_leftover, output.iterdir()))
    if not marker.exists() and not is_empty:
        raise UserError(f"{output}: holds other files; use another --output")

    if is_cut_on_a_grid(marker):
        options = replace(options, patches="grid")
    settings = asdict(options)
    if options.patches == "grid":
        for name in ("patches", "patches_per_frame", "max_patches"):
            del settings[name]
    keep_settings(marker, settings, output)
    remove_leftovers(output)
    return options


def _check_any_frame(
    extracted: FrameSet, frames: Path, inputs: Sequence[str | Path]
) -> None:
    """Refuse to go on without a frame, and say why there is none.

    Raises:
        UserError: all videos failed, or all frames were dropped.
    """
    if extracted.written or extracted.present:
        return
    if extracted.failures:
        raise UserError(
            f"{frames}: no frame could be extracted; {len(extracted.failures)} videos "
            f"failed, such as {extracted.failures[0]}"
        )
    raise extracted.all_dropped(frames, inputs[0])


def _write_training_images(
    frames: Path, is_split: bool, options: DomainOptions, done: DomainSet
) -> list[Path]:
    """Write sub-images and their downscaled versions; return the two folders."""
    train = frames / TRAIN if is_split else frames
    done.frames = len(list_images(train, recursive=True))

    manifest = frames / MANIFEST
    if manifest.is_file():
        done.views = _count_views(manifest)
    cutting = Cutting(
        grid=CropGrid(options.crop_size, options.step),
        min_detail=options.min_detail,
        patches_per_frame=options.patches_per_frame,
        max_patches=options.max_patches,
        manifest=manifest if manifest.is_file() else None,
    )
    sub = done.root / "sub"
    if options.patches == "best":
        done.cut = extract_best_patches(train, sub, cutting, done.root / "sub_sheet")
    else:
        done.cut = extract_subimages(train, sub, cutting)
    done.failures += done.cut.failures

    folders = [sub]
    if options.multiscale and done.cut.count:
        folders.append(done.root / "multiscale")
        done.smaller, failures = generate_multiscale(*folders)
        done.failures += failures
    return folders


def _count_views(manifest: Path) -> int:
    """Return how many views, or else shots, the frames for training show."""
    views = set()
    for record in filter(is_kept, read_records(manifest)):
        if not record["file"].startswith(f"{VAL}/"):
            shot = (record["source"], record.get("shot", 0))
            views.add(record.get("view", shot))
    return len(views)


def _write_validation(
    frames: Path, output: Path, options: DomainOptions
) -> tuple[int, list[str]]:
    """Write center crops of the validation frames into HR, degraded ones into LR.

    Returns:
        The number of pairs, and one line for each image that failed.
    """
    start_paddle()
    from realesrgan_paddle.data.lq.folder import write_lq_folder  # it imports Paddle

    hr_folder = output / "HR"
    stems = distinct_stems(frames)
    work = partial(
        _write_center_crop,
        stems=stems,
        output=hr_folder,
        side=options.crop_size,
        scale=options.scale,
    )
    _, failures = run_each(work, list(stems))

    degradation = LQConfig.model_validate(
        {"dataroot_gt": str(hr_folder), "scale": options.scale}
    )
    written = write_lq_folder(degradation, output / "LR")
    return len(written.pairs), [*failures, *written.failures]


def _write_center_crop(
    path: Path, stems: dict[Path, Path], output: Path, side: int, scale: int
) -> None:
    """Write the center of an image, of a size that is a multiple of `scale`."""
    target = output / f"{stems[path]}.png"
    if target.exists():
        return
    image = read_image(path)
    height, width = (min(length, side) // scale * scale for length in image.shape[:2])
    if min(height, width) == 0:
        raise UserError(
            f"{path}: {image.shape[1]}x{image.shape[0]} pixels are too few to validate "
            "on"
        )

    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    write_image(target, image[top : top + height, left : left + width])
