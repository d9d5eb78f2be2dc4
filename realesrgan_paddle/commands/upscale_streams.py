"""Inputs and results of `tools/upscale.py` that are no files: addresses and pipes."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.data.footage.video_names import VIDEO_SUFFIXES
from realesrgan_paddle.inference.pictures.files import PICTURE_SUFFIXES
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.fetch_file import fetch_file, is_url, without_query

PIPE = "-"
"""Stands for standard input, and as --output for standard output."""

HEAD_BYTES = 12
STARTS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"\x1aE\xdf\xa3": ".mkv",
    b"FLV": ".flv",
    b"OggS": ".ogv",
    b"YUV4MPEG2": ".y4m",
    b"\x00\x00\x01\xba": ".mpg",
    b"G": ".ts",
}
"""What a file of a kind begins with -> a suffix of that kind."""
RIFF = {b"WEBP": ".webp", b"AVI ": ".avi"}
"""Bytes 8 to 12 of a file that begins with RIFF."""

Flags = TypeVar("Flags", bound=UpscaleFlags)


@contextmanager
def only_files(flags: Flags) -> Iterator[Flags]:
    """Yield the flags with files in place of addresses and pipes.

    Addresses are fetched into the current folder, where their results go too. What comes
    by standard input is in a temporary folder. With `-o -` all that is printed goes to
    standard error, and the result to standard output in the end.

    Raises:
        UserError: something cannot be fetched, or is neither a picture nor a video; or
            flags do not go with pipes.
    """
    to_pipe = flags.output == PIPE
    from_pipe = PIPE in flags.input
    if to_pipe:
        _check_output_pipe(flags)
    elif from_pipe and flags.output is None:
        raise UserError("-: say where the result goes: -o FILE, or -o - for a pipe")

    folders = tempfile.TemporaryDirectory(prefix="realesrgan-")
    with folders as name, _messages_to_stderr(to_pipe) as pipe:
        folder = Path(name)
        words = [_as_file(word, folder) for word in dict.fromkeys(flags.input)]
        if not to_pipe:
            yield replace(flags, input=words)
            return

        results = folder / "results"
        yield replace(flags, input=words, output=str(results), skip_existing=False)
        # Imported here: it imports Paddle, which costs every --help.
        from realesrgan_paddle.commands.upscale_shared import MANIFEST

        made = sorted(results.iterdir()) if results.is_dir() else []
        made = [path for path in made if path.is_file() and path.name != MANIFEST]
        if len(made) == 1:
            with made[0].open("rb") as result, open(pipe, "wb", closefd=False) as out:
                shutil.copyfileobj(result, out)
            say(f"standard output has {made[0].name}, {made[0].stat().st_size:,} bytes")


def _check_output_pipe(flags: UpscaleFlags) -> None:
    """Raise UserError if a result cannot go to standard output."""
    (word, *others) = dict.fromkeys(flags.input)
    if others or Path(word).is_dir():
        raise UserError("-o -: takes one picture or video; name a folder for more")
    if flags.preview or flags.preview_frames:
        raise UserError("-o -: a preview is a page; name a folder")
    if sys.stdout.isatty():
        raise UserError(
            "-o -: standard output is the terminal; send it to a file or program, as in "
            "... -o - > large.png"
        )


@contextmanager
def _messages_to_stderr(wanted: bool) -> Iterator[int]:
    """Send what is printed to standard error; yield the descriptor of standard output.

    Libraries print too, so the descriptor is changed, not Python's `sys.stdout`.
    """
    if not wanted:
        yield 1
        return
    sys.stdout.flush()
    pipe = os.dup(1)
    os.dup2(2, 1)
    try:
        yield pipe
    finally:
        sys.stdout.flush()
        os.dup2(pipe, 1)
        os.close(pipe)


def _as_file(word: str, folder: Path) -> str:
    """Return the file that a word stands for; most name one."""
    if word == PIPE:
        return str(_from_pipe(sys.stdin.buffer, folder))
    if not is_url(word):
        return word

    path, was_there = fetch_file(word, Path(), (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES))
    if was_there:
        say(f"{path}: is there, as large as {without_query(word)}, so it is taken")
    else:
        say(f"{path}: fetched, {path.stat().st_size:,} bytes")
    return str(path)


def _from_pipe(source: BinaryIO, folder: Path) -> Path:
    """Write what a pipe brings into a file named by its kind."""
    if source.isatty():
        raise UserError("-: standard input is the terminal; pipe a picture or video in")
    head = source.read(HEAD_BYTES)
    path = folder / f"stdin{_suffix_of(head)}"
    with path.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(source, file)
    return path


def _suffix_of(head: bytes) -> str:
    """Return the suffix of a file that begins so."""
    if not head:
        raise UserError("-: standard input is empty")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return ".mp4"
    if head[:4] == b"RIFF" and head[8:] in RIFF:
        return RIFF[head[8:]]
    for start, suffix in STARTS.items():
        if head.startswith(start):
            return suffix
    raise UserError(
        "-: standard input is neither a picture nor a video of a known kind (PNG, JPEG, "
        "WebP, GIF, BMP, TIFF; MP4, MKV, WebM, TS, AVI, MPEG, FLV, OGG, Y4M)"
    )
