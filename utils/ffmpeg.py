"""The ffmpeg program: where it is, what it may open, how it is run and watched."""

import functools
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from realesrgan_paddle.utils.errors import UserError

CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mxf,gxf,nut,rm,wtv,dv,ivf,yuv4mpegpipe"
)
"""Names of the demuxers that may open a file.

Playlists (hls, dash, concat) are left out, for they open other files, and so are raw
streams, for they hold no timestamps.
"""

MOST_MEMORY = 1 << 30
"""The most that ffmpeg may take in one piece [bytes]; an 8K frame of 16-bit RGB takes 0.2 GB."""

_ERROR = re.compile(r"(?:\[[^\]]* @ \w+\] )*\[(?:error|fatal)\] (.*)")


def find_ffmpeg() -> str:
    """Return the path of the ffmpeg binary: the one on the PATH, else the one in the imageio-ffmpeg wheel."""
    try:
        return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UserError(
            "no ffmpeg on the PATH nor in imageio-ffmpeg; run: pip install imageio-ffmpeg"
        ) from error


@functools.cache
def filter_has_option(binary: str, name: str, option: str) -> bool:
    """Return whether the filter `name` of this ffmpeg knows an option."""
    command = [binary, "-hide_banner", "-h", f"filter={name}"]
    text = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    ).stdout.decode()
    return option in text.split()


def video_input(
    path: Path,
    *,
    key_frames_only: bool = False,
    drop_damaged: bool = False,
    start: float | None = None,
) -> Any:
    """Return the first video stream of a local file, for ffmpeg-python; cover art is no video stream.

    Args:
        path: the file.
        key_frames_only: the decoder skips all other frames (a few decoders, VP9's among
            them, cannot and deliver all).
        drop_damaged: the decoder drops a damaged frame instead of patching it up.
        start: begin at the key frame before this time [s].

    Raises:
        UserError: the name is no valid Unicode, which ffmpeg-python needs.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{path}: its name is not valid UTF-8; rename it") from error
    decoder: dict[str, str | float | None] = {}
    if key_frames_only:
        decoder["skip_frame"] = "nokey"
    if drop_damaged:
        decoder["err_detect"] = "explode"
    if start is not None:
        decoder.update(ss=start, noaccurate_seek=None)
    # "file:" keeps a name with a colon or a leading dash from being read as a protocol
    # or an option.
    source = ffmpeg.input(
        f"file:{path}",
        protocol_whitelist="file",
        format_whitelist=CONTAINERS,
        **decoder,
    )
    return source["V:0"]


class FFmpegRun:
    """One ffmpeg process: its output as a stream of bytes, its messages watched by a thread.

    A context manager; leaving it ends the process in any case.

    Args:
        output: what to run, built with ffmpeg-python.
        name: the file that errors are about.
        watch: called with each line that ffmpeg prints, in a thread of its own. Two
            threads of ffmpeg may write into one line; what one of them writes at a time
            stays together.
        minutes: how long it may run; a hostile file can keep a decoder busy for ever.
    """

    def __init__(
        self, output: Any, name: Path, watch: Callable[[str], None], *, minutes: float
    ) -> None:
        self.name = name
        self.errors: list[str] = []
        self._watch = watch
        self._minutes = minutes
        self._out_of_time = False
        # Frames that cannot be decoded are no failure: a broadcast recording starts
        # with dozens of them.
        lenient = ("-max_error_rate", "1", "-max_alloc", str(MOST_MEMORY))
        run = output.global_args(
            "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", *lenient
        )
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
        """What ffmpeg writes to `pipe:1`."""
        return self._process.stdout

    def finish(self) -> None:
        """Wait for the end.

        Raises:
            UserError: ffmpeg failed; the message is the first error it printed.
        """
        code = self._process.wait()
        self._thread.join()
        if self._out_of_time:
            raise UserError(
                f"{self.name}: given up after {self._minutes:g} minutes; --max_minutes allows more"
            )
        if any("matches no streams" in text for text in self.errors):
            raise UserError(f"{self.name}: no video stream in it")
        if any("not on whitelist" in text for text in self.errors):
            raise UserError(
                f"{self.name}: a playlist, raw stream or other kind that is not opened; use mp4, mkv, ..."
            )
        if code:
            # A negative code is the signal that ended ffmpeg; then its last words are
            # not the reason.
            reason = (
                self.errors[0]
                if self.errors and code > 0
                else f"ffmpeg ended with code {code}"
            )
            raise UserError(f"{self.name}: not a readable video ({reason})")

    def __enter__(self) -> "FFmpegRun":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _stop(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def _read_messages(self) -> None:
        for raw in iter(lambda: self._process.stderr.readline(65536), b""):
            line = raw.decode(errors="replace").rstrip()
            if (error := _ERROR.match(line)) and len(self.errors) < 100:
                self.errors.append(error[1])
            self._watch(line)
