"""What is to be upscaled, and where its results go, as the flags say."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.data.footage.video_names import is_video_name, list_videos
from realesrgan_paddle.inference.pictures.files import (
    PICTURE_SUFFIXES,
    find_inputs,
    may_have_16_bits,
)
from realesrgan_paddle.inference.video.settings import DEFAULTS, require_av
from realesrgan_paddle.utils.errors import UserError

SUFFIX = "out"
"""Of results in a folder of their own, as Real-ESRGAN calls them."""


@dataclass(frozen=True)
class Found:
    """The images and videos of one place.

    Attributes:
        place: the folder that the user named, or that of the files that were named.
        is_folder: the folder itself was named.
    """

    place: Path
    is_folder: bool
    pictures: list[Path]
    videos: list[Path]


@dataclass(frozen=True)
class Inputs:
    """What is to be upscaled."""

    found: list[Found]

    @property
    def pictures(self) -> list[Path]:
        """All images."""
        return [path for found in self.found for path in found.pictures]

    @property
    def videos(self) -> list[Path]:
        """All videos."""
        return [path for found in self.found for path in found.videos]

    def may_have_16_bits(self, ext: str) -> bool:
        """Return whether a result may have more than 8 bits a sample."""
        if may_have_16_bits(self.pictures, ext):
            return True
        if not self.videos:
            return False
        from realesrgan_paddle.inference.video.reading.source import (
            has_more_than_8_bits,
        )

        return any(map(has_more_than_8_bits, self.videos))


@dataclass(frozen=True)
class Results:
    """Where the results of one place go.

    Attributes:
        output: their folder, or the file of a single one.
        suffix: `a.png` becomes `a_SUFFIX.png`; "" changes nothing.
        root: the folder whose subfolders `output` repeats; None: it has none.
    """

    output: Path
    suffix: str
    root: Path | None

    def folder_of(self, path: Path) -> Path:
        """Return the folder of an input's result."""
        if self.root is None:
            return self.output
        return self.output / path.parent.relative_to(self.root)


def find_all_inputs(flags: UpscaleFlags) -> Inputs:
    """Return the images and videos that the flags name.

    Raises:
        UserError: there is none, or flags do not fit them.
    """
    files: dict[Path, Found] = {}
    places: list[Found] = []
    seen: set[str] = set()
    for word in map(Path, flags.input):
        path = flags.sharing.path(word)
        whole = os.path.normpath(path.absolute())
        if whole in seen:
            continue
        seen.add(whole)
        if path.is_dir():
            places.append(_look_into(path, flags))
            continue

        find_inputs(path)  # there is such a file
        found = Found(path.parent, False, [], [])
        if path.parent not in files:
            places.append(found)
        found = files.setdefault(path.parent, found)
        kind = found.videos if is_video_name(path) else found.pictures
        kind.append(path)

    inputs = Inputs(places)
    if inputs.videos:
        require_av()
    _check_video_flags(flags, inputs)
    _check_output(flags, inputs)
    return inputs


def _look_into(folder: Path, flags: UpscaleFlags) -> Found:
    """Return the images and videos in a folder that was named.

    What lies in the folder of the results is none of them, unless that is the folder.
    """
    videos = list_videos(folder)
    if not flags.recursive:
        videos = [each for each in videos if each.parent == folder]
    elif flags.output is not None:
        results = Path(flags.output).resolve()
        if results != folder.resolve():
            videos = [each for each in videos if results not in each.resolve().parents]

    pictures = find_inputs(
        folder,
        suffixes=PICTURE_SUFFIXES,
        recursive=flags.recursive,
        without=flags.output,
        may_be_none=bool(videos),
    )
    return Found(folder, True, pictures, videos)


def _check_video_flags(flags: UpscaleFlags, inputs: Inputs) -> None:
    """Raise UserError for flags of videos without a video, or that exclude each other."""
    if flags.preview is not None and flags.preview_frames is not None:
        raise UserError("--preview and --preview_frames: give one of the two")
    if flags.sharing and (flags.preview or flags.preview_frames):
        raise UserError(
            "--preview is made by one process; leave out --processes and --cluster"
        )
    start, end = flags.video.start, flags.video.end
    if start is not None and end is not None and end <= start:
        raise UserError(f"--end {end:.12g} is not after --start {start:.12g}")
    if inputs.videos:
        return

    given = [
        field.name
        for field in dataclasses.fields(DEFAULTS)
        if getattr(flags.video, field.name) != getattr(DEFAULTS, field.name)
    ]
    given += [name for name in ("preview", "preview_frames") if getattr(flags, name)]
    if given:
        raise UserError(
            f"--{given[0]}: for videos, and {flags.input[0]} has none; images have "
            "--outscale and --ext"
        )


def _check_output(flags: UpscaleFlags, inputs: Inputs) -> None:
    """Raise UserError for a folder to make that is named like a picture or a video."""
    output = Path(flags.output or "")
    if output.is_dir():
        return

    # A single file may have a result of its own kind and any name.
    pictures, videos = inputs.pictures, inputs.videos
    is_single = len(pictures) + len(videos) == 1 and not inputs.found[0].is_folder
    is_picture = output.suffix.lower() in PICTURE_SUFFIXES
    is_video = is_video_name(output)
    fits = (is_picture and pictures) or (is_video and videos)
    if (is_picture or is_video) and not (is_single and fits):
        raise UserError(
            f"--output {output}: is named like a file; only a single picture or video has "
            "its result in a file of that kind, others in a folder, under their own names"
        )


def spares_names(flags: UpscaleFlags) -> bool:
    """Return whether results may not be named like those of other files; see `TakenFiles`.

    Where results that are there are left alone; a file that --output names may be any.
    """
    output = Path(flags.output or "")
    is_file = output.suffix.lower() in PICTURE_SUFFIXES or is_video_name(output)
    return flags.skip_existing and (output.is_dir() or not is_file)


def results_of(found: Found, flags: UpscaleFlags, scale: float) -> Results:
    """Return where the results of one place go.

    Without --output they lie beside the inputs: `a.png` becomes `a_x4.png`, and the
    results of the folder `photos` are in `photos_x4`, under their own names.

    Args:
        found: the place.
        flags: of the command.
        scale: the network's; --outscale wins over it.
    """
    root = found.place if found.is_folder and flags.recursive else None
    if flags.output is not None:
        suffix = SUFFIX if flags.suffix is None else flags.suffix
        output = flags.sharing.path(Path(flags.output))
        return Results(output, suffix, root)

    factor = f"x{flags.outscale or scale:g}"
    if not found.is_folder:
        suffix = factor if flags.suffix is None else flags.suffix
        return Results(found.place, suffix, None)
    folder = found.place
    if folder.name in ("", ".."):
        folder = folder.resolve()
    output = folder.with_name(f"{folder.name}_{factor}")
    return Results(output, flags.suffix or "", root)
