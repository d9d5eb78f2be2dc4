"""Videos in, upscaled videos out: what tools/infer.py and tools/predict.py do with them."""

import argparse
from collections.abc import Sequence

from realesrgan_paddle.commands.upscale_preview import preview
from realesrgan_paddle.commands.video_names import summary, target_of
from realesrgan_paddle.commands.video_record import VideoRecord
from realesrgan_paddle.inference.pictures.targets import Taken, is_written
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.utils.cli import group_of, say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line


def upscale_videos(
    upscaler: Upscaler, records: Sequence[VideoRecord], flags: argparse.Namespace
) -> None:
    """Upscale videos, or parts of them, as the flags say; note what became of them.

    One that fails does not stop the others, but a full disk does.
    """
    settings = group_of(flags, VideoSettings)
    taken = Taken([record.input for record in records])
    for record in records:
        try:
            if flags.preview or flags.preview_frames:
                preview(upscaler, record.input, settings, flags)
                record.status = "skipped"
            else:
                _upscale_one(upscaler, record, settings, flags, taken)
        except (UserError, OSError) as error:
            record.status = "failed"
            line = failure_line(record.input, error)
            record.error = line.removeprefix(f"{record.input}: ")
            say(f"{record.input.name}: failed: {record.error}")


def _upscale_one(
    upscaler: Upscaler,
    record: VideoRecord,
    settings: VideoSettings,
    flags: argparse.Namespace,
    taken: Taken,
) -> None:
    """Upscale one video."""
    target = target_of(record.input, flags)
    taken.take(target, record.input)
    if flags.skip_existing and is_written(target):
        record.output, record.status = target, "skipped"
        say(f"{record.input.name}: {target} was there before, and is left as it is")
        return

    outcome = upscaler.video(
        record.input, target, settings, outscale=flags.outscale, say=say
    )
    record.output = target
    record.note(outcome)
    say(summary(outcome))
    for remark in outcome.remarks:
        say(f"  {remark}")
