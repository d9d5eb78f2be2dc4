"""The folder of a tune: whose it is, how far it is, and whether the disk has room for it."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from realesrgan_paddle.commands.domain_set import folder_of_images
from realesrgan_paddle.data.footage.keyframes import find_videos
from realesrgan_paddle.data.footage.video_names import is_video_name, list_videos
from realesrgan_paddle.data.sets.generic import FOLDER as PICTURES_FOLDER
from realesrgan_paddle.data.sets.generic import NAME as PICTURES_NAME
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.read_generator import check_there, read_generator
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.files import (
    atomic_path,
    check_utf8,
    is_leftover,
    read_regular,
)
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.runlog.experiment import TUNE_NOTES

RUN = "run"
"""The training's name, and its folder in that of the tune."""

# Bytes on the disk, as of three soccer clips of 720p and 1080p, and half as much again.
FRAME_PIXEL, IMAGE = 1.5, 350_000
"""Of a pixel of a frame, and of one of its sub-images of 480x480."""
FRAMES_A_SECOND, FEWEST_FRAMES = 0.3, 20
"""Most frames of a video that are kept: 3 of 10 s, or so many of a short one."""
IMAGES_A_FRAME = 8
PARAMETER, RUN_BYTES = 120, 64e6
"""Of a run: four states and checkpoints for each parameter; and its images."""
PICTURES_BYTES = 1.5e9
"""Of generic pictures: archive, pictures, sub-images."""

Step = Literal["set", "train", "export"]


@dataclass(config=ConfigDict(extra="forbid"))
class Notes:
    """What a tune is made of, and how far it is.

    Attributes:
        inputs: the good videos or images, whole paths; none: generic pictures.
        lq: the poor footage, a whole path, if any.
        network: the network to start from, if not the usual one.
        minutes: that all of it may take.
        started_in: the folder that the paths in its set and run are relative to.
        done: the steps that are.
        failed: whether some of the inputs could not be used.
        seconds: what was spent before the sitting that is on, or was killed [s].
        began: when that began [s since 1970].
    """

    inputs: list[str]
    lq: str | None
    network: str | None
    minutes: float
    started_in: str
    done: list[Step] = field(default_factory=list)
    failed: bool = False
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    began: float = 0.0


def notes_of(folder: Path, wanted: Notes) -> Notes:
    """Return the notes of the tune in a folder, or `wanted` for a new one.

    Raises:
        UserError: the folder holds another tune, or something else.
    """
    check_utf8(folder)  # the options of a training name it
    path = folder / TUNE_NOTES
    if not path.exists():
        if folder.is_dir() and not all(map(_is_ours, folder.iterdir())):
            raise UserError(f"{folder}: holds other files; use another --output")
        return wanted
    try:
        known = TypeAdapter(Notes).validate_json(read_regular(path))
    except ValidationError:
        raise UserError(f"{path}: not the notes of a tune; move it away") from None

    differing = []
    run, images = folder / RUN, folder / "set"
    # What nothing was made of yet may be another.
    is_used = {
        "inputs": bool(known.done) or any(list_images(images, recursive=True)),
        "lq": run.exists(),
        "network": run.exists(),
        "minutes": any((run / "training_states").glob("*.state")),
    }
    for name in is_used:
        is_now, was = getattr(wanted, name), getattr(known, name)
        if is_now != was and is_used[name]:
            was = ", ".join(was) if isinstance(was, list) else was
            differing.append(f"{name}: {was}")
    if differing:
        raise UserError(
            f"{folder}: holds another tune ({'; '.join(differing)}); make this one with "
            "another --output"
        )
    if known.started_in != wanted.started_in:
        raise UserError(f"{folder}: was begun in {known.started_in}; go on from there")
    for name in is_used:
        setattr(known, name, getattr(wanted, name))
    return known


def check_given(
    inputs: Sequence[str | Path], lq: str | Path | None, network: str | None
) -> None:
    """Raise UserError if a tune cannot be made of what is given, which steps would say late.

    See `realesrgan_paddle.commands.tune.tune`.
    """
    named = [*inputs, *([lq] if lq is not None else [])]
    if not named:
        raise UserError(
            "nothing to learn from: name sharp videos or images, or poor ones alone: "
            "--lq FOOTAGE"
        )
    for path in named:
        if not Path(path).exists():
            raise UserError(f"{path}: no such file or folder")
    if lq is not None:
        _check_footage(Path(lq), inputs)
    if network is not None:
        _check_start(network)


def _check_footage(path: Path, inputs: Sequence[str | Path]) -> None:
    """Raise UserError if poor footage is among the inputs, or cannot be read.

    One image's header, or one video's first frame, suffices.
    """
    whole = path.resolve()
    if any(whole.is_relative_to(Path(each).resolve()) for each in inputs):
        raise UserError(
            f"--lq {path}: is what is learned from, too; if it is sharp, leave --lq out; if "
            "it is poor, name it with --lq alone"
        )
    files = [path]
    if path.is_dir():
        files = [*list_images(path, recursive=True), *list_videos(path)]
    problem: object = "there are no images or videos in it"
    for file in files:
        try:
            probe(file) if is_video_name(file) else read_checked_header(file)
        except UserError as error:
            problem = error
        else:
            return
    raise UserError(f"--lq {path}: none of it can be read: {problem}")


def _check_start(network: str) -> None:
    """Raise UserError if a tune, which trains on pictures, cannot start from a network."""
    check_there(network)
    if is_released(network):
        return
    kind, _ = read_generator(network)
    if isinstance(kind, RecurrentSRVGG):
        raise UserError(
            f"{network}: carries a state from frame to frame, and learns from clips; a tune "
            "trains on pictures: take a network without a state, or train.py --recipe auto "
            "--video"
        )


def whole_path(path: str | Path) -> str:
    """Return the whole path of a file, as it may stand in json and in messages."""
    return printable(str(Path(path).resolve()))


def _is_ours(path: Path) -> bool:
    """Return whether a tune that was killed at its start may have left a file."""
    return is_leftover(path) or path.name == ".tune.lock"


def write_notes(folder: Path, notes: Notes) -> None:
    """Write the notes of a tune into its folder."""
    with atomic_path(folder / TUNE_NOTES) as temporary:
        text = json.dumps(asdict(notes), indent=1, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def check_disk(folder: Path, needs: Mapping[str, float]) -> None:
    """Say what a tune will take of the disk.

    Raises:
        UserError: there is less room.
    """
    nearest = next(
        each for each in (folder, *folder.absolute().parents) if each.is_dir()
    )
    free = shutil.disk_usage(nearest).free
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    parts = ", ".join(f"{name} {size / 1e9:.1f} GB" for name, size in needs.items())
    if sum(needs.values()) - there > free:
        raise UserError(
            f"{nearest}: {free / 1e9:.1f} GB are free, and a tune may take more: {parts}; "
            "make room, or take another disk with --output"
        )
    say(f"on the disk: at most {parts}; {free / 1e9:.1f} GB are free")


def disk_use(inputs: Sequence[str | Path], network: str | None) -> dict[str, float]:
    """Return the bytes that a tune takes at most, by what takes them; an estimate.

    Raises:
        UserError: an input is missing or is of no use.
    """
    parameters = 1.3e6  # of realesr-general-x4v3
    if network is not None and is_released(network):
        shapes = find(network).network.tensor_shapes().values()
        parameters = sum(map(math.prod, shapes))
    elif network is not None:
        parameters = Path(network).stat().st_size / 4
    needs = {"the run": PARAMETER * parameters + RUN_BYTES}

    images = folder_of_images(inputs) if inputs else None
    if images is not None:
        count = len(list_images(images, recursive=True))
        needs["the set"] = count * IMAGES_A_FRAME * IMAGE
    elif inputs:
        needs["the set"] = sum(map(_set_of_video, find_videos(inputs)))
    elif not (PICTURES_FOLDER / PICTURES_NAME).is_dir():
        needs["generic pictures"] = PICTURES_BYTES
    return needs


def _set_of_video(video: Path) -> float:
    """Return the bytes of frames and sub-images; 0 of what the set's step will refuse."""
    try:
        info = probe(video)
    except UserError:
        return 0.0
    frames = max(FEWEST_FRAMES, FRAMES_A_SECOND * (info.seconds or 3600))
    pixels = info.width * info.height
    return frames * (FRAME_PIXEL * pixels + IMAGES_A_FRAME * IMAGE)
