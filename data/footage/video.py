"""Pictures out of videos, with their times, in right colours and geometry."""

import logging
import queue
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import ffmpeg
import numpy as np

from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import (
    FFmpegRun,
    filter_has_option,
    find_ffmpeg,
    video_input,
)
from realesrgan_paddle.utils.file_kinds import failed_download

_VIDEO_NAME = re.compile(
    r"[^.].*\.(3gp|asf|avi|dv|flv|gxf|ivf|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|nut|ogv|rm|rmvb|ts|vob|webm|wmv|wtv|y4m)",
    re.IGNORECASE | re.DOTALL,
)

FieldOrder = Literal["progressive", "tff", "bff"]
"""Of an interlaced video: which field is shown first, the top or the bottom one."""

HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}

MOST_PIXELS = 1 << 26
"""Of a frame; 8K has half as many. A tiny file may declare any size."""

# What ffmpeg's showinfo filter and its demuxers print.
_DURATION = re.compile(r" Duration: (\d+):(\d+):(\d+\.\d+)")
_FRAME = re.compile(r"n: *\d+ pts: *\S+ pts_time: *(\S+) .* s:(\d+)x(\d+) ")
_CHROMA_LOCATION = re.compile(r" cl:(left|center|topleft|top|bottomleft|bottom) ")
_MATRIX = re.compile(r"color_space:([a-z0-9]+)")
_TRANSFER = re.compile(r"color_trc:([a-z0-9-]+)")
_CUT_SHORT = re.compile(r"partial file|File ended prematurely")


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
    chroma_location: str
    """Where chroma samples lie among luma samples: "left" (H.264, HEVC, ... when they do not say), "center", ..."""


class Frame(NamedTuple):
    """One frame of a video."""

    seconds: float
    """Presentation time from the start of the file."""
    image: np.ndarray
    """uint8 RGB (H, W, 3), full range, square pixels, upright."""


def list_videos(folder: Path) -> list[Path]:
    """Return the videos below `folder`, by suffix, sorted by path; hidden files are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if _VIDEO_NAME.fullmatch(path.name) and path.is_file()
    )


def probe(path: Path) -> VideoInfo:
    """Return what is known of a video after its first frame has been decoded.

    Raises:
        UserError: the file is no video that may be opened, or no frame of it can be
            decoded.
    """
    video = video_input(path)
    with path.open("rb") as file:
        if instead := failed_download(file.read(512)):
            raise UserError(f"{path}: not a readable video ({instead})")
    lines: list[str] = []
    output = ffmpeg.output(
        video.filter("showinfo"), "pipe:1", format="null", **{"frames:v": 1}
    )
    with FFmpegRun(output, path, lines.append, minutes=5) as run:
        run.finish()
    text = "\n".join(lines)
    duration, frame = _DURATION.search(text), _FRAME.search(text)
    matrix, transfer, chroma_location = (
        p.search(text) for p in (_MATRIX, _TRANSFER, _CHROMA_LOCATION)
    )
    if frame is None:
        raise UserError(
            f"{path}: no frame of it can be decoded ({'; '.join(run.errors[:1]) or 'it holds none'})"
        )
    return VideoInfo(
        seconds=int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3])
        if duration
        else None,
        width=int(frame[2]),
        height=int(frame[3]),
        matrix=matrix[1] if matrix else "unknown",
        transfer=transfer[1] if transfer else "unknown",
        chroma_location=chroma_location[1] if chroma_location else "left",
    )


def frames(
    path: Path, info: VideoInfo, sampling: Sampling, order: FieldOrder = "progressive"
) -> Iterator[Frame]:
    """Yield the frames of a video that `sampling` asks for, in order, while ffmpeg decodes.

    Only a few are in memory at a time, however long the video. Frames that an edit list
    cuts off are not shown by players and are not yielded. Damaged frames are left out,
    with a warning.

    Args:
        path: a local file.
        info: what `probe` returned for it.
        sampling: which frames.
        order: which field of an interlaced video is shown first; such a video is
            deinterlaced.

    Raises:
        UserError: the video is HDR, cannot be decoded, has no such frame, takes too
            long, or is cut short; in the last two cases the frames before have been
            yielded.
    """
    if info.transfer in HDR_TRANSFERS:
        raise UserError(
            f"{path}: HDR ({HDR_TRANSFERS[info.transfer]}) would come out washed-out; convert it to SDR"
        )
    times: queue.SimpleQueue[str] = queue.SimpleQueue()
    cuts: list[str] = []

    def watch(line: str) -> None:
        """Note the time of a frame that ffmpeg announces, and that the file ends early."""
        if frame := _FRAME.search(line):
            times.put(frame[1])
        if cut := _CUT_SHORT.search(line):
            cuts.append(cut[0])

    count = 0
    output = _ppm_output(_decode(path, sampling, order), info)
    with FFmpegRun(output, path, watch, minutes=sampling.max_minutes) as run:
        for image in _read_ppm(run.stdout, path):
            # ffmpeg prints a frame's time before it writes the frame, so this waits for
            # a thread, not for ffmpeg.
            yield Frame(_parse_time(times.get(timeout=60), path), image)
            count += 1
        run.finish()
    kind = "key frame" if sampling.select == "keyframe" else "frame"
    if cuts:
        raise UserError(f"{path}: cut short after {count} {kind}s (ffmpeg: {cuts[0]})")
    if not count:
        raise UserError(
            f"{path}: no {kind} can be decoded ({'; '.join(run.errors[:1]) or 'it holds none'})"
        )
    if run.errors:
        logging.getLogger(__name__).warning(
            "%s: what cannot be decoded was left out (%s)", path, run.errors[0]
        )


def _decode(path: Path, sampling: Sampling, order: FieldOrder) -> Any:
    """Return the ffmpeg graph of the frames that are asked for, deinterlaced if `order` says so."""
    # A deinterlaced frame is made of three, and how much a scene changes is told from
    # two: then all are decoded.
    alone = sampling.select == "keyframe" and order == "progressive"
    video = video_input(path, key_frames_only=alone, drop_damaged=True)
    if order != "progressive":
        video = video.filter("bwdif", mode="send_frame", parity=order, deint="all")
    return video.filter("select", sampling.expression()).filter("showinfo")


def _ppm_output(video: Any, info: VideoInfo) -> Any:
    """Return the ffmpeg graph that writes frames to its standard output as PPM files."""
    # Frame N at N ticks of 1000 s, a tick from frame to frame: ffmpeg drops none and
    # repeats none to keep a frame rate. (The option to say so, -vsync, became -fps_mode
    # in ffmpeg 5.1; this works with either.)
    video = video.filter("settb", 1000).filter("setpts", "N")
    # Without the two flags swscale rounds 10-bit samples down by 2 levels and repeats
    # chroma samples. A sample aspect ratio within 1 % of square is left alone:
    # resampling would cost more than it mends.
    video = video.filter(
        "scale",
        w="if(gt(abs(sar-1),0.01),max(1,round(iw*sar)),iw)",
        h="ih",
        flags="bicubic+accurate_rnd+full_chroma_int",
        in_color_matrix=_matrix(info),
        **_chroma_position(info),
    )
    return ffmpeg.output(
        video, "pipe:1", format="image2pipe", vcodec="ppm", pix_fmt="rgb24", r="1/1000"
    )


def _matrix(info: VideoInfo) -> str:
    """Return swscale's name of the matrix: as the video says, else BT.709 for HD, as players (mpv) guess.

    swscale itself takes BT.601 for all videos that do not say.
    """
    is_hd = info.width >= 1280 or info.height > 576
    return "bt709" if info.matrix == "unknown" and is_hd else "auto"


def _chroma_position(info: VideoInfo) -> dict[str, str | int]:
    """Return the option of the scale filter that says where chroma samples lie; swscale takes them for centred.

    ffmpeg 7.1 and later know the name of the location, older ones 1/256 of the distance
    of two luma columns.
    """
    if filter_has_option(find_ffmpeg(), "scale", "in_chroma_loc"):
        return {"in_chroma_loc": info.chroma_location}
    return {"in_h_chr_pos": 0 if "left" in info.chroma_location else 128}


def _read_ppm(stream: IO[bytes], path: Path) -> Iterator[np.ndarray]:
    """Yield the images, uint8 RGB (H, W, 3), of a stream of 8-bit binary PPM files as ffmpeg writes them."""
    while stream.readline() == b"P6\n":
        width, height = map(int, stream.readline().split())
        if width * height > MOST_PIXELS:
            raise UserError(
                f"{path}: a frame of {width}x{height}; {MOST_PIXELS:,} pixels are the most that is taken"
            )
        stream.readline()  # the largest sample value, 255
        data = stream.read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _parse_time(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{path}: its frames have no times; put it into a new container (ffmpeg -i ... -c copy)"
        ) from None
