"""Pictures out of videos, with their times, in right colours and geometry."""

import logging
import queue
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import ffmpeg
import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input

_VIDEO_NAME = re.compile(
    r"[^.].*\.(3gp|asf|avi|dv|flv|gxf|ivf|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|nut|ogv|rm|rmvb|ts|vob|webm|wmv|wtv|y4m)",
    re.IGNORECASE | re.DOTALL,
)

HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}

_DURATION = re.compile(r"\[info\] +Duration: (\d+):(\d+):(\d+\.\d+)")
_SHOWINFO = r"\[Parsed_showinfo_\d+ @ \w+\] \[info\] "
_FRAME = re.compile(_SHOWINFO + r"n: *\d+ pts: *\S+ pts_time: *(\S+) .* s:(\d+)x(\d+) ")
_COLOR = re.compile(_SHOWINFO + r"color_range:\S+ color_space:(\S+) .*color_trc:(\S+)")


@dataclass(frozen=True)
class VideoInfo:
    """What ffmpeg says of a video and of its first frame."""

    seconds: float | None
    """Duration; None where the container does not tell."""
    width: int
    """Samples per line, after rotation and before the sample aspect ratio is applied."""
    height: int
    matrix: str
    """YCbCr matrix as ffmpeg spells it ("bt709", "smpte170m", ...), or "unknown"."""
    transfer: str
    """Transfer characteristics ("bt709", "smpte2084", ...), or "unknown"."""
    chroma_is_centred: bool
    """Whether chroma samples lie midway between luma columns (MJPEG), not on the left one (H.264, HEVC, ...)."""


class KeyFrame(NamedTuple):
    """One key frame of a video."""

    seconds: float
    """Presentation time from the start of the file."""
    image: np.ndarray
    """uint8 RGB (H, W, 3), full range, square pixels, upright."""


def list_videos(folder: Path) -> list[Path]:
    """Return the videos below `folder`, by suffix, sorted by path; hidden files are left out."""
    return sorted(path for path in folder.rglob("*") if _VIDEO_NAME.fullmatch(path.name) and path.is_file())


def probe(path: Path) -> VideoInfo:
    """Return what is known of a video after its first frame has been decoded.

    Raises:
        UserError: the file is no video that may be opened, or no frame of it can be decoded.
    """
    lines: list[str] = []
    output = ffmpeg.output(video_input(path).filter("showinfo"), "pipe:1", format="null", **{"frames:v": 1})
    with FFmpegRun(output, path, lines.append) as run:
        run.finish()
    duration, frame, color = (_first(pattern, lines) for pattern in (_DURATION, _FRAME, _COLOR))
    if frame is None or color is None:
        raise UserError(f"{path}: no frame of it can be decoded ({'; '.join(run.errors[:1]) or 'it holds none'})")
    return VideoInfo(
        seconds=int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None,
        width=int(frame[2]),
        height=int(frame[3]),
        matrix=color[1],
        transfer=color[2],
        chroma_is_centred=" cl:center " in frame[0],
    )


def key_frames(path: Path, info: VideoInfo) -> Iterator[KeyFrame]:
    """Yield the key frames of a video in order, while ffmpeg decodes; only a few are in memory at a time.

    Frames that an edit list cuts off are not shown by players and are not yielded. Damaged key frames
    are left out, with a warning.

    Args:
        path: a local file.
        info: what `probe` returned for it.

    Raises:
        UserError: the video is HDR, cannot be decoded, has no key frame, or is cut short; in the last
            case the frames before the cut have been yielded.
    """
    if info.transfer in HDR_TRANSFERS:
        raise UserError(f"{path}: HDR ({HDR_TRANSFERS[info.transfer]}) would come out washed-out; convert it to SDR")
    times: queue.SimpleQueue[str] = queue.SimpleQueue()

    def note_time(line: str) -> None:
        """Put the time of a frame that ffmpeg announces into `times`."""
        if frame := _FRAME.match(line):
            times.put(frame[1])

    count = 0
    with FFmpegRun(_ppm_output(path, info), path, note_time) as run:
        for image in _read_ppm(run.stdout):
            # ffmpeg prints a frame's time before it writes the frame, so this waits for a thread, not for ffmpeg.
            yield KeyFrame(_parse_time(times.get(timeout=60), path), image)
            count += 1
        run.finish()
    if run.container_error:
        raise UserError(f"{path}: damaged or cut short after {count} key frames ({run.container_error})")
    if not count:
        raise UserError(f"{path}: no key frame can be decoded ({'; '.join(run.errors[:1]) or 'it holds none'})")
    if run.errors:
        logging.getLogger(__name__).warning("%s: what cannot be decoded was left out (%s)", path, run.errors[0])


def _ppm_output(path: Path, info: VideoInfo) -> Any:
    """Return the ffmpeg graph that writes all key frames of a video to its standard output as PPM files."""
    frames = video_input(path, key_frames_only=True).filter("select", "key").filter("showinfo")
    # Frame N at N ticks of 1000 s, a tick from frame to frame: ffmpeg drops none and repeats none to keep a
    # frame rate. (The option to say so, -vsync, became -fps_mode in ffmpeg 5.1; this works with either.)
    frames = frames.filter("settb", 1000).filter("setpts", "N")
    # Without the two flags swscale rounds 10-bit samples down by 2 levels and repeats chroma samples; without
    # in_h_chr_pos it takes all chroma to be centred (128 is midway between two luma columns).
    # A sample aspect ratio within 1 % of square is left alone: resampling would cost more than it mends.
    frames = frames.filter(
        "scale",
        w="if(gt(abs(sar-1),0.01),max(1,round(iw*sar)),iw)",
        h="ih",
        flags="bicubic+accurate_rnd+full_chroma_int",
        in_color_matrix=_matrix(info),
        in_h_chr_pos=128 if info.chroma_is_centred else 0,
    )
    return ffmpeg.output(frames, "pipe:1", format="image2pipe", vcodec="ppm", pix_fmt="rgb24", r="1/1000")


def _matrix(info: VideoInfo) -> str:
    """Return swscale's name of the matrix: as the video says, else BT.709 for HD, as players (mpv) guess.

    swscale itself takes BT.601 for all videos that do not say.
    """
    is_hd = info.width >= 1280 or info.height > 576
    return "bt709" if info.matrix == "unknown" and is_hd else "auto"


def _read_ppm(stream: IO[bytes]) -> Iterator[np.ndarray]:
    """Yield the images, uint8 RGB (H, W, 3), of a stream of 8-bit binary PPM files as ffmpeg writes them."""
    while stream.readline() == b"P6\n":
        width, height = map(int, stream.readline().split())
        stream.readline()  # the largest sample value, 255
        data = stream.read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _first(pattern: re.Pattern[str], lines: list[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.match(line))), None)


def _parse_time(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{path}: its frames have no times; put it into a new container (ffmpeg -i ... -c copy)"
        ) from None
