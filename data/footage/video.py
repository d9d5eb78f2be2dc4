"""Decode frames of videos with their times, in right colors and square pixels."""

import logging
import queue
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import ffmpeg
import numpy as np

from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import (
    MAX_PIXELS,
    FFmpegRun,
    VideoInfo,
    filter_has_option,
    find_ffmpeg,
    is_hd,
    video_input,
)
from realesrgan_paddle.utils.field_order import FieldOrder
from realesrgan_paddle.utils.hdr import refuse_hdr

TIME_TIMEOUT = 60
"""Seconds to wait for the line with a frame's time, which was printed before it."""

AT_MINUTES = 2
"""Time limit for decoding a single frame from the key frame before it on."""

SQUARE_TOLERANCE = 0.01
"""Pixels within 1 % of square are left alone: resampling would lose more."""

# Lines printed by ffmpeg's showinfo filter and its demuxers.
_FRAME = re.compile(r"n: *\d+ pts: *\S+ pts_time: *(\S+) .* s:\d+x\d+ ")
_CUT_SHORT = re.compile(r"partial file|File ended prematurely")


@dataclass(frozen=True)
class Sampling:
    """Which frames to take from a video, and how to treat interlaced videos."""

    select: Literal["keyframe", "scene", "interval"] = setting(
        "keyframe",
        "take key frames (fast, least compressed), the first frame of each scene, or "
        "one frame every --interval seconds",
        heading="which frames",
    )
    min_frames: int = setting(
        20,
        "of a video with fewer key frames take frames between them, too, so that it "
        "gives about so many if it has them (not with --keep_all); 0: key frames alone, "
        "if they are no more than 10 s apart",
        int_range(0, 1000),
    )
    interval: float = setting(
        1.0, "seconds between frames, for --select interval", float_range(0.001)
    )
    scene_change: float = setting(
        0.1,
        "difference from the previous frame that starts a scene, for --select scene; "
        "lower finds more scenes",
        float_range(0, 1),
    )
    """Compared with the `scene` score of ffmpeg's select filter.

    0.1 is also the default of its scdet filter (threshold 10 of 100).
    """
    interlaced: Literal["deinterlace", "skip", "keep"] = setting(
        "deinterlace",
        "what to do with interlaced videos; deinterlace is slow, as it decodes every "
        "frame",
    )
    max_minutes: float = setting(
        360.0, "give up on a video after this many minutes", float_range(0.001)
    )

    def expression(self) -> str:
        """Return the condition for ffmpeg's select filter.

        It compares presentation times, so the frame rate may vary.
        """
        if self.select == "keyframe":
            return "key"
        if self.select == "scene":
            return f"eq(n,0)+gt(scene,{self.scene_change:.6f})"

        # Take the first frame of each interval. The microsecond is for times such as
        # 0.29999999, which belong to the interval that begins at 0.3.
        current = self._interval_number("t")
        previous = self._interval_number("prev_selected_t")
        return f"isnan(prev_selected_t)+gt({current},{previous})"

    def _interval_number(self, time: str) -> str:
        return f"floor(({time}+0.000001)/{self.interval:.6f})"


@dataclass(frozen=True)
class SourceVideo:
    """A video whose frames go into a set."""

    path: Path
    """A local file."""
    name: str
    """Its name in the set, which the names of its frames begin with."""
    info: VideoInfo
    """What `probe` returned for it."""
    order: FieldOrder
    """Which field of an interlaced video is shown first; such a video is deinterlaced.
    """


class Frame(NamedTuple):
    """One frame of a video."""

    seconds: float
    """Presentation time from the start of the file."""
    image: np.ndarray
    """uint8 RGB (H, W, 3), full range, square pixels, upright."""


def frames(
    path: Path,
    info: VideoInfo,
    sampling: Sampling,
    order: FieldOrder = "progressive",
    pulldown: bool = False,
) -> Generator[Frame, None, None]:
    """Yield the selected frames of a video, in order, while ffmpeg decodes.

    Only a few are in memory at a time. Frames that an edit list cuts off are not
    yielded, just as players do not show them. Damaged frames are left out, with a
    warning.

    Args:
        path: a local file.
        info: what `probe` returned for it.
        sampling: which frames.
        order: which field of an interlaced video is shown first; such a video is
            deinterlaced.
        pulldown: such a video shows film; its fields are put together again instead.

    Raises:
        UserError: the video is HDR, cannot be decoded, has no such frame, takes too
            long, or is cut short; in the last two cases the frames before have been
            yielded.
    """
    refuse_hdr(path, info)
    times: queue.SimpleQueue[str] = queue.SimpleQueue()
    cuts: list[str] = []

    def watch(line: str) -> None:
        """Note the time of each frame, and whether the file is cut short."""
        if frame := _FRAME.search(line):
            times.put(frame[1])
        if cut := _CUT_SHORT.search(line):
            cuts.append(cut[0])

    count = 0
    output = _ppm_output(_selected_frames(path, sampling, order, pulldown), info)
    with FFmpegRun(output, path, watch, minutes=sampling.max_minutes) as run:
        for image in _read_ppm(run.stdout, path):
            yield Frame(_next_time(times, path), image)
            count += 1
        run.finish()

    frame_kind = "key frame" if sampling.select == "keyframe" else "frame"
    if cuts:
        raise UserError(
            f"{path}: cut short after {count} {frame_kind}s (ffmpeg: {cuts[0]})"
        )
    if not count:
        raise UserError(f"{path}: no {frame_kind} can be decoded ({run.first_error})")
    if run.errors:
        logging.getLogger(__name__).warning(
            "%s: frames that cannot be decoded were left out (%s)",
            printable(str(path)),
            printable(run.errors[0]),
        )


def frame_at(
    path: Path,
    info: VideoInfo,
    seconds: float,
    order: FieldOrder = "progressive",
    *,
    pulldown: bool = False,
) -> Frame | None:
    """Return the first frame from a time on, as `frames` would; None if there is none.

    Decodes from the key frame before.
    """
    video = video_input(path, start=seconds, drop_damaged=True)
    video = _progressive(video, order, pulldown).filter("select", "gte(t,-0.0005)")
    output = _ppm_output(video.filter("trim", end_frame=1), info)
    with FFmpegRun(output, path, minutes=AT_MINUTES) as run:
        image = next(_read_ppm(run.stdout, path), None)
    return None if image is None else Frame(seconds, image)


def _selected_frames(
    path: Path, sampling: Sampling, order: FieldOrder, pulldown: bool
) -> Any:
    """Return the ffmpeg graph of the selected frames, deinterlaced if necessary."""
    # Deinterlacing takes three frames and scene detection two; then all are decoded.
    is_progressive = order == "progressive"
    key_frames_only = sampling.select == "keyframe" and is_progressive
    video = video_input(path, key_frames_only=key_frames_only, drop_damaged=True)

    video = _progressive(video, order, pulldown)
    return video.filter("select", sampling.expression()).filter("showinfo")


def _progressive(video: Any, order: FieldOrder, pulldown: bool) -> Any:
    """Return the ffmpeg graph without interlacing."""
    if order == "progressive":
        return video
    if not pulldown:
        return video.filter("bwdif", mode="send_frame", parity=order, deint="all")

    # Frames that stay woven, as at a cut, are marked as interlaced. A frame of film that
    # the pulldown shows twice stays; it is a near-duplicate.
    matched = video.filter("fieldmatch", order=order, combmatch="full")
    return matched.filter("bwdif", mode="send_frame", parity=order, deint="interlaced")


def _ppm_output(video: Any, info: VideoInfo) -> Any:
    """Return the ffmpeg graph that writes frames to standard output as PPM files."""
    # Frame N gets time N, in ticks of 1000 s at one frame a tick: ffmpeg drops none and
    # repeats none to keep a frame rate. (The option to say so, -vsync, became -fps_mode
    # in ffmpeg 5.1; this works with either.)
    video = video.filter("settb", 1000).filter("setpts", "N")

    # Without the two flags swscale rounds 10-bit samples down by 2 levels and repeats
    # chroma samples.
    video = video.filter(
        "scale",
        w=f"if(gt(abs(sar-1),{SQUARE_TOLERANCE}),max(1,round(iw*sar)),iw)",
        h="ih",
        flags="bicubic+accurate_rnd+full_chroma_int",
        in_color_matrix=_matrix(info),
        **_chroma_position(info),
    )
    return ffmpeg.output(
        video, "pipe:1", format="image2pipe", vcodec="ppm", pix_fmt="rgb24", r="1/1000"
    )


def _matrix(info: VideoInfo) -> str:
    """Return swscale's name for the YCbCr matrix of a video.

    Where the video does not tell, BT.709 for HD, as players such as mpv guess; swscale
    itself would take BT.601.
    """
    if info.matrix == "unknown" and is_hd(info.width, info.height):
        return "bt709"
    return "auto"


def _chroma_position(info: VideoInfo) -> dict[str, str | int]:
    """Return the scale filter's option for the place of chroma samples.

    Without it swscale takes them for centered. ffmpeg 7.1 and later know the name of
    the location, older ones 1/256 of the distance of two luma columns.
    """
    if filter_has_option(find_ffmpeg(), "scale", "in_chroma_loc"):
        return {"in_chroma_loc": info.chroma_location}
    return {"in_h_chr_pos": 0 if "left" in info.chroma_location else 128}


def _read_ppm(stream: IO[bytes], path: Path) -> Iterator[np.ndarray]:
    """Yield the images, uint8 RGB (H, W, 3), of a stream of binary PPM files.

    Raises:
        UserError: an image has more than `MAX_PIXELS`.
    """
    while stream.readline() == b"P6\n":
        width, height = map(int, stream.readline().split())
        if width * height > MAX_PIXELS:
            raise UserError(
                f"{path}: a frame of {width}x{height}; at most {MAX_PIXELS:,} pixels "
                "are allowed"
            )
        stream.readline()  # the largest sample value, 255

        data = stream.read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _next_time(times: "queue.SimpleQueue[str]", path: Path) -> float:
    """Return the time of the frame that has just been read.

    ffmpeg prints a frame's time before it writes the frame, so this waits for the
    thread that reads the lines, not for ffmpeg.
    """
    try:
        return _parse_time(times.get(timeout=TIME_TIMEOUT), path)
    except queue.Empty:
        raise UserError(
            f"{path}: ffmpeg does not say when a frame of it is shown"
        ) from None


def _parse_time(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{path}: its frames have no times; "
            "put it into a new container (ffmpeg -i ... -c copy)"
        ) from None
