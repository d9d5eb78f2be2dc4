"""The ffmpeg program: where it is, which files it may open, how it is run, what it tells."""

import errno
import functools
import logging
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import (
    check_regular,
    check_utf8,
    failed_download,
    open_regular,
)

logger = logging.getLogger(__name__)

OLDEST_VERSION = (6, 1)
"""Of ffmpeg: older ones abort at a damaged key frame (4.2.2, 4.4.1, 5.1.9 do)."""

CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,gxf,nut,rm,wtv,dv,ivf,yuv4mpegpipe"
)
"""Names of the demuxers that may open a file.

Playlists (hls, dash, concat) are excluded because they open other files, and raw
streams because they have no timestamps.
"""

MAX_STREAMS = 100
"""Of a file; a DVD has at most 41. 900 tracks fit into 17 kB, and took 41 s to open."""

MAX_ALLOCATION = 1 << 30
"""Largest block that ffmpeg may allocate [bytes]; an 8K frame in RGB48 takes 0.2 GB."""

MAX_ERRORS = 100
"""How many error messages of one run are kept."""

TOO_MANY_STREAMS = "exceeds max_streams"
"""Of ffmpeg's message. Some containers go on without the other streams."""

OTHER_KIND = "a picture, playlist, raw stream or other kind that is not opened; use mp4, mkv, ..."

MAX_PIXELS = 1 << 26
"""Of a frame; twice as many as 8K has. A tiny file may declare any size."""

PROBE_MINUTES = 5
"""Time limit for decoding the first frame; a hostile file can keep a decoder busy."""

HD_WIDTH, HD_HEIGHT = 1280, 576
"""A video from this width on, or higher than this, is HD; 576 lines are PAL."""

# Lines printed by ffmpeg's showinfo filter and its demuxers.
_CODEC = re.compile(r"Stream #\S+.* Video: (\w+)")
_DURATION = re.compile(r" Duration: (\d+):(\d+):(\d+\.\d+)")
_SIZE = re.compile(r"n: *\d+ pts: .* s:(\d+)x(\d+) ")
_CHROMA_LOCATION = re.compile(r" cl:(left|center|topleft|top|bottomleft|bottom) ")
_MATRIX = re.compile(r"color_space:([a-z0-9]+)")
_TRANSFER = re.compile(r"color_trc:([a-z0-9-]+)")
_ERROR = re.compile(r"(?:\[[^\]]* @ \w+\] )*\[(?:error|fatal)\] (.*)")


def find_ffmpeg() -> str:
    """Return the path of ffmpeg, the same on every machine unless asked otherwise.

    The one that the environment variable IMAGEIO_FFMPEG_EXE names; else that in
    imageio-ffmpeg; else, where that package was installed without one, the PATH's.

    Raises:
        UserError: there is none, or what the variable names is no program.
    """
    try:
        name = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UserError(
            "no ffmpeg in imageio-ffmpeg nor on the PATH; "
            "install one, or name it by IMAGEIO_FFMPEG_EXE"
        ) from error

    binary = shutil.which(name)
    if binary is None:
        raise UserError(f"{name}: not a program; IMAGEIO_FFMPEG_EXE names it as ffmpeg")
    if name == "ffmpeg":
        _warn_if_old(binary)
    return binary


@functools.cache
def _warn_if_old(binary: str) -> None:
    command = [binary, "-hide_banner", "-version"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    version = re.match(rb"ffmpeg version n?(\d+)\.(\d+)", done.stdout)
    if version and (int(version[1]), int(version[2])) < OLDEST_VERSION:
        logger.warning(
            "%s from the PATH (%s): before 6.1 a damaged key frame ends a video; "
            "IMAGEIO_FFMPEG_EXE can name a newer one",
            version[0].decode(),
            binary,
        )


@functools.cache
def filter_has_option(binary: str, name: str, option: str) -> bool:
    """Return whether the filter `name` of this ffmpeg binary has an option."""
    command = [binary, "-hide_banner", "-h", f"filter={name}"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return option in done.stdout.decode().split()


def video_input(
    path: Path,
    *,
    key_frames_only: bool = False,
    drop_damaged: bool = False,
    start: float | None = None,
    export_quantizers: bool = False,
    rough: bool = False,
) -> Any:
    """Return the first video stream of a file for ffmpeg-python; cover art is none.

    Args:
        path: the file.
        key_frames_only: the decoder skips all other frames. A few decoders, such as
            VP9's, cannot and deliver all.
        drop_damaged: the decoder drops a damaged frame instead of concealing the
            damage.
        start: begin at the key frame before this time [s].
        export_quantizers: frames carry the quantizers of their blocks, for the filter
            codecview. For H.264 and MPEG-2.
        rough: blocks are not smoothed, which saves a sixth of the time; for frames that
            are made very small.

    Raises:
        UserError: the name is no valid Unicode, which ffmpeg-python needs.
    """
    check_utf8(path)
    check_regular(path)

    decoder: dict[str, str | float | None] = {}
    if key_frames_only:
        decoder["skip_frame"] = "nokey"
    if drop_damaged:
        decoder["err_detect"] = "explode"
    if export_quantizers:
        decoder["export_side_data"] = "+venc_params"
    if rough:
        decoder["skip_loop_filter"] = "all"
    if start is not None:
        decoder.update(ss=start, noaccurate_seek=None)

    # "file:" keeps a name with a colon or a leading dash from being read as a protocol
    # or an option.
    source = ffmpeg.input(
        f"file:{path}",
        protocol_whitelist="file",
        format_whitelist=CONTAINERS,
        max_streams=MAX_STREAMS,
        **decoder,
    )
    return source["V:0"]


class FFmpegRun:
    """One ffmpeg process with its output as a byte stream; a thread reads its messages.

    A context manager that kills the process on leaving.

    Args:
        output: what to run, built with ffmpeg-python.
        name: the file that errors name.
        watch: called with each line that ffmpeg prints, in a separate thread. Two
            threads of ffmpeg may write into one line, but each of their writes stays in
            one piece.
        minutes: time limit; a hostile file can keep a decoder busy forever.
    """

    def __init__(
        self,
        output: Any,
        name: Path,
        watch: Callable[[str], None] | None = None,
        *,
        minutes: float,
    ) -> None:
        self.name = name
        self.errors: list[str] = []
        self._watch = watch
        self._minutes = minutes
        self._out_of_time = False

        # Frames that cannot be decoded are no failure: a broadcast recording starts
        # with dozens of them.
        limits = ("-max_error_rate", "1", "-max_alloc", str(MAX_ALLOCATION))
        messages = ("-hide_banner", "-nostats", "-loglevel", "level+info")
        run = output.global_args("-nostdin", *messages, *limits)
        self._process = ffmpeg.run_async(
            run, cmd=find_ffmpeg(), pipe_stdout=True, pipe_stderr=True
        )

        self._thread = threading.Thread(target=self._read_messages, daemon=True)
        self._thread.start()
        self._timer = threading.Timer(60 * minutes, self._stop)
        self._timer.daemon = True
        self._timer.start()

    @property
    def stdout(self) -> IO[bytes]:
        """The stream that ffmpeg writes to as `pipe:1`."""
        return self._process.stdout

    @property
    def first_error(self) -> str:
        """Why no frame came."""
        return self.errors[0] if self.errors else "it holds none"

    def finish(self) -> None:
        """Wait for the process to end.

        Raises:
            UserError: ffmpeg failed; the message is the first error it printed.
        """
        code = self._process.wait()
        self._thread.join()

        if self._out_of_time:
            raise UserError(
                f"{self.name}: given up after {self._minutes:g} minutes; "
                "--max_minutes allows more"
            )
        if self._printed_error(TOO_MANY_STREAMS):
            raise UserError(
                f"{self.name}: has more than {MAX_STREAMS} streams, the most that are "
                "read; copy those that you need into another file"
            )
        if self._printed_error("matches no streams"):
            raise UserError(f"{self.name}: no video stream in it")
        if self._printed_error("not on whitelist"):
            raise UserError(f"{self.name}: {OTHER_KIND}")
        if code:
            reason = f"ffmpeg ended with code {code}"
            # A negative code is the signal that killed ffmpeg. Its messages are not the
            # reason then.
            if self.errors and code > 0:
                reason = self.errors[0]
            raise UserError(f"{self.name}: not a readable video ({reason})")

    def __enter__(self) -> "FFmpegRun":
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _stop(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def _printed_error(self, text: str) -> bool:
        return any(text in error for error in self.errors)

    def _read_messages(self) -> None:
        read_line = functools.partial(self._process.stderr.readline, 65536)
        for raw in iter(read_line, b""):
            line = raw.decode(errors="replace").rstrip()
            error = _ERROR.match(line)
            if error and len(self.errors) < MAX_ERRORS:
                self.errors.append(error[1])
            if self._watch is not None:
                self._watch(line)


@dataclass(frozen=True)
class VideoInfo:
    """What ffmpeg reports about a video and its first frame."""

    codec: str
    """ffmpeg's name of the first video stream's ("h264", "mpeg2video", ...), or "unknown"."""
    seconds: float | None
    """Duration; None where the container does not tell."""
    width: int
    """Samples per line, after rotation, before the sample aspect ratio is applied."""
    height: int
    matrix: str
    """YCbCr matrix as ffmpeg spells it ("bt709", "smpte170m", ...), or "unknown"."""
    transfer: str
    """Transfer characteristics ("bt709", "smpte2084", ...), or "unknown"."""
    chroma_location: str
    """Place of the chroma samples among the luma samples: "left", "center", ...

    "left" if the video does not tell, as H.264 and HEVC prescribe.
    """


def probe(path: Path) -> VideoInfo:
    """Return the properties of a video, after its first frame has been decoded.

    Raises:
        UserError: the file is no video that may be opened, or no frame of it can be
            decoded.
    """
    video = video_input(path)
    with open_regular(path) as file:
        if found := failed_download(file.read(512)):
            raise UserError(f"{path}: not a readable video ({found})")

    lines: list[str] = []
    video = video.filter("showinfo")
    output = ffmpeg.output(video, "pipe:1", format="null", **{"frames:v": 1})
    with FFmpegRun(output, path, lines.append, minutes=PROBE_MINUTES) as run:
        run.finish()

    text = "\n".join(lines)
    size = _SIZE.search(text)
    if size is None:
        raise UserError(f"{path}: no frame of it can be decoded ({run.first_error})")
    return VideoInfo(
        codec=_first_group(_CODEC, text, "unknown"),
        seconds=_parse_duration(text),
        width=int(size[1]),
        height=int(size[2]),
        matrix=_first_group(_MATRIX, text, "unknown"),
        transfer=_first_group(_TRANSFER, text, "unknown"),
        chroma_location=_first_group(_CHROMA_LOCATION, text, "left"),
    )


def not_opened(path: Path, error: Any) -> UserError:
    """Return what to say of a file that libavformat did not open, as `probe` says it.

    Args:
        path: the file.
        error: PyAV's.
    """
    if error.errno == errno.EINVAL:  # its kind is not in `CONTAINERS`
        return UserError(f"{path}: {OTHER_KIND}")
    with open_regular(path) as file:
        reason = failed_download(file.read(512)) or error.strerror
    if isinstance(error, EOFError):
        reason = "cut short; copy it again"
    elif error.errno == errno.ENOMEM:
        # All that libavformat says of it, other than a line on stderr.
        reason += f", or more than {MAX_STREAMS} streams"
    return UserError(f"{path}: not a readable video ({reason})")


def _parse_duration(text: str) -> float | None:
    match = _DURATION.search(text)
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _first_group(pattern: re.Pattern[str], text: str, default: str) -> str:
    match = pattern.search(text)
    return match[1] if match else default


def is_hd(width: int, height: int) -> bool:
    """Return whether a video that does not tell its matrix is taken for BT.709.

    Others are taken for BT.601, as players such as mpv guess.
    """
    return width >= HD_WIDTH or height > HD_HEIGHT
