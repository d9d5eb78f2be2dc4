"""A video upscaled for the page: by the command, in a process of its own that can be ended."""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from realesrgan_paddle.serve.service import Limits, check_awaited
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.next_steps import start_command

ASKED_EVERY_S = 0.5
"""How often it is asked whether somebody still waits [s]."""
FRAMES = re.compile(r"([\d,]+)(?:/| of )([\d,]+)(?: frames| \[)")
"""Frames that are done and all of them, in a bar or a line of the command."""

FAILED = re.compile("error: |failed: ")
"""How a line begins that says why there is no result."""

Tell = Callable[[float, str], None]
"""Gets the share that is done, and what the command said last."""


def check_video(path: Path, limits: Limits) -> str:
    """Return a video's size and length; UserError if it is none, or exceeds a limit."""
    megabytes = path.stat().st_size / 1e6
    if megabytes > limits.video_megabytes:
        raise UserError(
            f"{path.name}: {megabytes:.1f} MB; up to {limits.video_megabytes} MB are allowed"
        )
    from realesrgan_paddle.inference.video.reading.open_video import open_video

    try:
        info = probe(path)
        # By its frames: a file may declare any length, or none as browsers record it.
        timeline = open_video(path, detect_fields=False).timeline
    except UserError as error:
        raise UserError(str(error).replace(str(path), path.name)) from error
    seconds = float((timeline.end - timeline.times[0]) * timeline.time_base)
    if seconds > limits.video_seconds:
        raise UserError(
            f"{path.name}: {seconds:.0f} s; up to {limits.video_seconds:g} s are allowed"
        )
    pixels = info.width * info.height
    if pixels > limits.megapixels * 1e6:
        raise UserError(
            f"{path.name}: frames of {info.width}x{info.height}; up to "
            f"{limits.megapixels:g} megapixels are allowed"
        )
    return f"{info.width}x{info.height} pixels, {seconds:.1f} s"


def upscale_video(
    path: Path,
    model: str,
    folder: Path,
    flags: list[str],
    is_awaited: Callable[[], bool],
    tell: Tell,
) -> Path:
    """Upscale a video into `folder`, and return the result, an mp4 where that holds it.

    Args:
        path: the video.
        model: what the command's `--model_path` takes.
        folder: it exists.
        flags: more of the command's.
        is_awaited: whether somebody waits for the result.
        tell: see `Tell`.

    Raises:
        UserError: the command failed, or nobody waits any more.
    """
    from realesrgan_paddle.inference.video.writing.containers import mp4_or_mkv

    result = folder / f"{path.stem}_out{mp4_or_mkv(path)}"
    words = [str(path), "--model_path", model, "--output", str(result), *flags]
    # A command shows its bar on a terminal only.
    ours, its = os.openpty() if hasattr(os, "openpty") else os.pipe()
    process = start_command("tools/upscale.py", words, its, NO_COLOR="1", COLUMNS="100")
    os.close(its)
    said: list[str] = []
    reader = threading.Thread(target=_read, args=(ours, said), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            check_awaited(is_awaited)
            tell(*_progress(said))
            time.sleep(ASKED_EVERY_S)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    reader.join(5)
    if process.returncode or not result.is_file():
        failed = (each for each in reversed(said) if FAILED.match(each))
        why = FAILED.sub("", next(failed, "it failed"))
        raise UserError(why.replace(str(path), path.name))
    return result


def _read(terminal: int, said: list[str]) -> None:
    """Add what a process prints to `said`, line by line, until it has ended."""
    rest = ""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                data = file.read(4096)
            except OSError:  # Linux: the other end of the terminal is closed
                data = b""
            if not data:
                return
            *lines, rest = re.split(r"[\r\n]+", rest + data.decode("utf-8", "replace"))
            said += [printable(line.strip()) for line in lines if line.strip()]
            del said[:-50]


def _progress(said: list[str]) -> tuple[float, str]:
    for line in reversed(said):
        if found := FRAMES.search(line):
            done, total = (int(number.replace(",", "")) for number in found.groups())
            return done / max(1, total), f"{done:,} of {total:,} frames"
    return 0.0, said[-1] if said else "starting"
