"""What upscale.py, infer.py and predict.py do: images and videos in, upscaled ones out."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Inputs, results_of, spares_names
from realesrgan_paddle.commands.upscale_rows import open_upscaler, picture_settings
from realesrgan_paddle.commands.upscale_shared import SharedRun
from realesrgan_paddle.commands.what_follows import after_part, after_video
from realesrgan_paddle.inference.pictures.files import TakenFiles
from realesrgan_paddle.inference.pictures.record import Record, check_report, reported
from realesrgan_paddle.inference.pictures.upscale_files import upscale_files
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import command_line, without_flags

if TYPE_CHECKING:
    from realesrgan_paddle.commands.upscale_videos import VideoRecord


def upscale(
    runner: Runner,
    reopen: "partial[Runner]",
    inputs: Inputs,
    flags: UpscaleFlags,
) -> int:
    """Upscale `inputs` as the flags say; return the exit code: 1 if one failed.

    Args:
        runner: runs the network.
        reopen: opens it in another process.
        inputs: what is upscaled.
        flags: of the command.
    """
    # Videos have a progress bar of their own.
    upscaler = open_upscaler(runner, flags, progress=not inputs.videos)
    device = getattr(upscaler.run, "device", runner.device)  # with --tta its mean
    say(f"{flags.model_path}: x{runner.scale}, on {device}")
    for remark in _about_a_state(upscaler, inputs, flags):
        say(remark)
    all_inputs = [*inputs.pictures, *inputs.videos]
    if flags.report is not None:
        check_report(flags.report, all_inputs)

    pictures = {path: Record(path) for path in inputs.pictures}
    videos = {}
    if inputs.videos:
        from realesrgan_paddle.commands.upscale_videos import VideoRecord

        videos = {path: VideoRecord(path) for path in inputs.videos}

    records = [*videos.values(), *pictures.values()]
    with reported(flags.report, records, flags.model_path):
        if flags.sharing:
            SharedRun(upscaler, inputs, flags, {**pictures, **videos}).run(reopen)
        else:
            _upscale_here(upscaler, inputs, flags, pictures, videos)

    failed = [record for record in records if record.error is not None]
    kind = "files" if inputs.videos else "images"
    if len(all_inputs) > 1 or not inputs.videos:
        done = len(all_inputs) - len(failed)
        places = (results_of(found, flags, runner.scale) for found in inputs.found)
        outputs = dict.fromkeys(str(place.output) for place in places)
        say(f"{done} of {len(all_inputs)} {kind} are in {' and '.join(outputs)}")
    return report_failures(f"{record.input}: {record.error}" for record in failed)


def _about_a_state(
    upscaler: Upscaler, inputs: Inputs, flags: UpscaleFlags
) -> Iterator[str]:
    """Yield what a network that carries a state does otherwise than may be expected."""
    from realesrgan_paddle.inference.video.recurrent import carries_state

    if not carries_state(upscaler.run):
        return
    if len(inputs.pictures) > 1:
        yield (
            "this network carries a state through videos; pictures are upscaled each "
            "alone, without it, even if they are frames of a video"
        )
    if flags.sharing and inputs.videos:
        yield (
            "this network carries a state, so each video is upscaled by one process, "
            "from its first frame to its last"
        )


def _upscale_here(
    upscaler: Upscaler,
    inputs: Inputs,
    flags: UpscaleFlags,
    pictures: dict[Path, Record],
    videos: "dict[Path, VideoRecord]",
) -> None:
    """Upscale in this process; note what became of each file in its record."""
    taken = TakenFiles([*inputs.pictures, *inputs.videos], spares=spares_names(flags))
    earlier = 0
    for found in inputs.found:
        results = results_of(found, flags, upscaler.scale)
        if found.pictures:
            own = [pictures[path] for path in found.pictures]
            upscale_files(
                upscaler,
                found.pictures,
                results.output,
                picture_settings(flags, results),
                root=results.root,
                records=own,
                taken=taken,
                earlier=earlier,
                total=len(pictures),
            )
            earlier += len(own)
        if found.videos:
            from realesrgan_paddle.commands.upscale_videos import upscale_videos

            films = [videos[path] for path in found.videos]
            upscale_videos(upscaler, films, results, flags, taken)

    skipped = sum(record.status == "skipped" for record in pictures.values())
    if skipped:
        say(
            f"results left as they are, because they were there before: {skipped}; "
            f"{flags.how_anew.format('them')}"
        )


def after_videos(
    script: str, argv: Sequence[str], inputs: Inputs, flags: UpscaleFlags, scale: float
) -> str | None:
    """Return what follows upscaled videos, or a preview of them; None without videos.

    Args:
        script: the running command's.
        argv: its words.
        inputs: what was upscaled.
        flags: what `argv` says.
        scale: the network's.
    """
    if not inputs.videos:
        return None
    if flags.preview or flags.preview_frames:
        rest = without_flags(argv, ("--preview", "--preview_frames"))
        return command_line(script, *rest)
    from realesrgan_paddle.commands.upscale_videos import target_of

    found = next(found for found in inputs.found if found.videos)
    video = found.videos[0]
    target = target_of(video, results_of(found, flags, scale), flags)
    part = flags.video.start, flags.video.end
    if part != (None, None):
        return after_part(video, target, flags.model_path, *part)
    return after_video(video, target)
