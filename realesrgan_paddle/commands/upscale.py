"""What tools/infer.py and tools/predict.py do: images and videos in, upscaled ones out."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.what_follows import after_video
from realesrgan_paddle.data.footage.video_names import is_video_name, list_videos
from realesrgan_paddle.inference.pictures.files import (
    PICTURE_SUFFIXES,
    find_inputs,
    may_have_16_bits,
)
from realesrgan_paddle.inference.pictures.record import Record, check_report, reported
from realesrgan_paddle.inference.pictures.upscale_files import (
    PictureSettings,
    upscale_files,
)
from realesrgan_paddle.inference.runners.runner import Runner, SelfEnsemble
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import DEFAULTS, require_av
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import command_line, without_flags


@dataclass(frozen=True)
class Inputs:
    """What is to be upscaled."""

    pictures: list[Path]
    videos: list[Path]

    def __len__(self) -> int:
        return len(self.pictures) + len(self.videos)

    def may_have_16_bits(self, ext: str) -> bool:
        """Return whether a result may have more than 8 bits a sample."""
        if may_have_16_bits(self.pictures, ext):
            return True
        if not self.videos:
            return False
        from realesrgan_paddle.commands.upscale_videos import has_more_than_8_bits

        return any(map(has_more_than_8_bits, self.videos))


def find_all_inputs(flags: UpscaleFlags) -> Inputs:
    """Return the images and videos that the flags name.

    Raises:
        UserError: there is none, or flags do not fit them.
    """
    videos = _find_videos(flags)
    if videos:
        require_av()
    _check_video_flags(flags, has_videos=bool(videos))
    _check_output(Path(flags.output), has_videos=bool(videos))
    pictures = []
    if not videos or Path(flags.input).is_dir():
        pictures = find_inputs(
            flags.input,
            suffixes=PICTURE_SUFFIXES,
            recursive=flags.recursive,
            without=flags.output,
            may_be_none=bool(videos),
        )
    return Inputs(pictures, videos)


def _find_videos(flags: UpscaleFlags) -> list[Path]:
    """Return --input itself if it is named like a video, or the videos of that folder.

    What lies in the folder of the results is none of them, unless that is --input.
    """
    path, results = Path(flags.input), Path(flags.output).resolve()
    if not path.is_dir():
        is_there = path.exists() and is_video_name(path)
        return [path] if is_there else []

    found = list_videos(path)
    if not flags.recursive:
        return [each for each in found if each.parent == path]
    if results == path.resolve():
        return found
    return [each for each in found if results not in each.resolve().parents]


def _check_video_flags(flags: UpscaleFlags, *, has_videos: bool) -> None:
    """Raise UserError for flags of videos without a video, or that exclude each other."""
    if flags.preview is not None and flags.preview_frames is not None:
        raise UserError("--preview and --preview_frames: give one of the two")
    if has_videos:
        return

    given = [
        field.name
        for field in dataclasses.fields(DEFAULTS)
        if getattr(flags.video, field.name) != getattr(DEFAULTS, field.name)
    ]
    given += [name for name in ("preview", "preview_frames") if getattr(flags, name)]
    if given:
        raise UserError(
            f"--{given[0]}: for videos, and {flags.input} has none; images have "
            "--outscale and --ext"
        )


def _check_output(output: Path, *, has_videos: bool) -> None:
    """Raise UserError for a folder to make that is named like a picture or a video."""
    is_picture = output.suffix.lower() in PICTURE_SUFFIXES
    is_video = is_video_name(output) and not has_videos
    if (is_picture or is_video) and not output.is_dir():
        raise UserError(
            f"--output {output}: is named like a file; the results of pictures go into a "
            "folder, under their own names"
        )


def upscale(runner: Runner, inputs: Inputs, flags: UpscaleFlags) -> int:
    """Upscale `inputs` as the flags say; return the exit code: 1 if one failed."""
    if flags.tta:
        runner = SelfEnsemble(runner)
    say(f"{flags.model_path}: x{runner.scale}, on {runner.device}")
    upscaler = Upscaler(
        runner,
        runner.scale,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        pre_pad=flags.pre_pad,
        alpha_upsampler=flags.alpha_upsampler,
        progress=not inputs.videos,  # these have a progress bar of their own
        log=say,
    )
    if flags.report is not None:
        check_report(flags.report, [*inputs.pictures, *inputs.videos])

    videos = []
    if inputs.videos:
        # PyAV is optional, and who upscales pictures does not wait for it.
        from realesrgan_paddle.commands.upscale_videos import VideoRecord

        videos = list(map(VideoRecord, inputs.videos))

    records: list[Record] = [*videos]
    with reported(flags.report, records, flags.model_path):
        if inputs.pictures:
            _upscale_pictures(upscaler, inputs.pictures, flags, records)
        if videos:
            from realesrgan_paddle.commands.upscale_videos import upscale_videos

            upscale_videos(upscaler, videos, flags)

    failed = [record for record in records if record.error is not None]
    kind = "files" if videos else "images"
    if len(inputs) > 1 or not videos:
        done = len(inputs) - len(failed)
        say(f"{done} of {len(inputs)} {kind} are in {flags.output}")
    return report_failures(f"{record.input}: {record.error}" for record in failed)


def _upscale_pictures(
    upscaler: Upscaler,
    pictures: Sequence[Path],
    flags: UpscaleFlags,
    records: list[Record],
) -> None:
    """Upscale pictures as the flags say."""
    keeps_folders = flags.recursive and Path(flags.input).is_dir()
    settings = PictureSettings(
        outscale=flags.outscale,
        suffix=flags.suffix,
        ext=flags.ext,
        all_frames=flags.all_frames,
        skip_existing=flags.skip_existing,
        max_pixels=flags.max_pixels,
    )
    root = Path(flags.input) if keeps_folders else None
    upscale_files(
        upscaler, pictures, flags.output, settings, root=root, records=records
    )


def after_videos(
    script: str, argv: Sequence[str], inputs: Inputs, flags: UpscaleFlags
) -> str | None:
    """Return what follows upscaled videos, or a preview of them; None without videos.

    Args:
        script: the running command's.
        argv: its words.
        inputs: what was upscaled.
        flags: what `argv` says.
    """
    if not inputs.videos:
        return None
    if flags.preview or flags.preview_frames:
        rest = without_flags(argv, ("--preview", "--preview_frames"))
        return command_line(script, *rest)
    from realesrgan_paddle.commands.upscale_videos import target_of

    video = inputs.videos[0]
    return after_video(video, target_of(video, flags))
