"""The low-quality image as a frame of a compressed video: H.264, HEVC, MPEG-2 or VP9, by PyAV.

Of three frames the last is taken: one frame alone would be an intra frame, and most
frames of a video are predicted from others, with other artefacts (skipped blocks,
residuals of a coarse quantiser, detail that is dragged along). The frames are the image
moved by fractions of a pixel, as a pan moves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING

import cv2
import numpy as np

from realesrgan_paddle.options.schema.config import CodecName, SynthesisOptions
from realesrgan_paddle.utils.errors import UserError

if TYPE_CHECKING:
    from av import Packet, VideoFrame

FRAMES, FRAME_RATE = 3, 25
MULTIPLE, LEAST = 16, 64
"""Sides that every encoder takes [pixels]; smaller and odd images are continued by reflection.

Of images smaller than its largest block, 64 x 64, x265 makes something else each
time."""
ENCODERS: dict[CodecName, str] = {
    "h264": "libx264",
    "hevc": "libx265",
    "mpeg2": "mpeg2video",
    "vp9": "libvpx-vp9",
}
DECODERS: dict[CodecName, str] = {
    "h264": "h264",
    "hevc": "hevc",
    "mpeg2": "mpeg2video",
    "vp9": "vp9",
}
# One thread and no look-ahead: the same bits each time, and no frame is held back.
SETTINGS: dict[CodecName, dict[str, str]] = {
    "h264": {"preset": "veryfast", "tune": "zerolatency"},
    "hevc": {
        "preset": "ultrafast",
        "x265-params": "pools=none:frame-threads=1:bframes=0:rc-lookahead=0:log-level=none",
    },
    "mpeg2": {"bf": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "0"},
}
VP9_INTRA = "150"
"""The most that VP9's first frame takes of a limited rate, in percent of a frame's share."""

# ITU-R BT.709-6, items 3.2 to 3.5: Y'CbCr of R'G'B' in [0, 255], in 8-bit levels of
# limited range.
TO_YCBCR = (
    np.array(
        [
            [0.2126 * 219, 0.7152 * 219, 0.0722 * 219],
            [-0.2126 / 1.8556 * 224, -0.7152 / 1.8556 * 224, 0.9278 / 1.8556 * 224],
            [0.7874 / 1.5748 * 224, -0.7152 / 1.5748 * 224, -0.0722 / 1.5748 * 224],
        ]
    )
    / 255
)
TO_RGB = np.linalg.inv(TO_YCBCR)
OFFSET = np.array([16.0, 128.0, 128.0])


@dataclass(frozen=True)
class Video:
    """What is random in the video of one image."""

    codec: CodecName
    quality: int
    """CRF, or MPEG-2's quantiser."""
    half_height: bool
    """Chroma of half the width has half the height too (4:2:0)."""
    motion: tuple[float, float]
    """From one frame to the next, right and down [pixels]."""
    bits_per_pixel: float | None = None
    """What the encoder may take in the mean of the frames, in place of `quality`; None: no limit."""

    def __str__(self) -> str:
        amount = (
            self.quality
            if self.bits_per_pixel is None
            else f"{self.bits_per_pixel:.2g} bits/px"
        )
        return f"{self.codec} {amount}{'' if self.half_height else ' 4:2:2'}"


def check_installed(options: SynthesisOptions) -> None:
    """Raise a UserError if videos are asked for and PyAV is not installed."""
    if options.video_prob and find_spec("av") is None:
        raise UserError(
            f"video_prob {options.video_prob:g}: videos are compressed by PyAV, which is not installed: pip install av"
        )


def draw_video(options: SynthesisOptions, rng: np.random.Generator) -> Video:
    """Return the random choices for one image."""
    chances = np.asarray(options.codec_prob) / np.sum(options.codec_prob)
    codec = options.codec_list[rng.choice(len(chances), p=chances)]
    right, down = rng.uniform(-options.video_motion, options.video_motion, 2)
    video = Video(
        codec=codec,
        quality=round(rng.uniform(*options.codec_qualities[codec])),
        half_height=rng.random() >= options.chroma_422_prob,
        motion=(right, down),
    )
    # Without the option nothing is drawn, so that it moves no other draw.
    if options.video_bitrate_prob and rng.random() < options.video_bitrate_prob:
        return replace(
            video,
            bits_per_pixel=float(
                np.exp(rng.uniform(*np.log(options.video_bits_per_pixel)))
            ),
        )
    return video


def compress(image: np.ndarray, video: Video) -> np.ndarray:
    """Return `image`, uint8 RGB (H, W, 3), as the last frame of a video that moves onto it.

    Equal arguments give equal results, with one version of PyAV.
    """
    height, width = image.shape[:2]
    bottom, right = (
        max(LEAST, -(-side // MULTIPLE) * MULTIPLE) - side for side in (height, width)
    )
    whole = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT)
    last = _decode(_encode(_moving(whole, video.motion), video), video)
    return _rgb(last)[:height, :width]


def _moving(image: np.ndarray, motion: tuple[float, float]) -> list[np.ndarray]:
    """Return the frames; the last is the image."""
    size = image.shape[1], image.shape[0]
    steps = [
        np.array([[1, 0, -n * motion[0]], [0, 1, -n * motion[1]]], np.float64)
        for n in range(FRAMES - 1, 0, -1)
    ]
    return [
        cv2.warpAffine(image, step, size, borderMode=cv2.BORDER_REFLECT)
        for step in steps
    ] + [image]


def _encode(frames: Sequence[np.ndarray], video: Video) -> "list[Packet]":
    import av  # only who asks for videos needs it

    encoder = av.CodecContext.create(ENCODERS[video.codec], "w")
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt = "yuv420p" if video.half_height else "yuv422p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAME_RATE), Fraction(FRAME_RATE)
    encoder.thread_count = 1
    encoder.options = SETTINGS[video.codec] | _rate_control(
        video, encoder.width * encoder.height
    )
    packets = []
    for number, frame in enumerate(frames):
        packets += encoder.encode(_frame(frame, number, encoder.pix_fmt))
    return packets + encoder.encode(None)


def _rate_control(video: Video, pixels: int) -> dict[str, str]:
    """Return ffmpeg's options for the quality of a video, or for its bits: one pass, and a buffer of all the frames.

    The first frame, which is predicted from nothing, may so take what the others leave,
    but no more. libvpx must be told: it would give the first frame more than that, or
    starve the others at a constant rate.
    """
    if video.bits_per_pixel is None:
        quality = str(video.quality)
        return (
            {"qmin": quality, "qmax": quality}
            if video.codec == "mpeg2"
            else {"crf": quality}
        )
    frame = video.bits_per_pixel * pixels
    rate, buffer = str(round(frame * FRAME_RATE)), str(round(frame * FRAMES))
    limits = {"b": rate, "maxrate": rate, "bufsize": buffer}
    return limits | {"max-intra-rate": VP9_INTRA} if video.codec == "vp9" else limits


def _decode(packets: "Sequence[Packet]", video: Video) -> "VideoFrame":
    """Return the last frame."""
    import av

    decoder = av.CodecContext.create(DECODERS[video.codec], "r")
    decoder.thread_count = 1
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return frames[-1]


def _frame(image: np.ndarray, number: int, pixel_format: str) -> "VideoFrame":
    """Return `image`, uint8 RGB (H, W, 3), as a frame of Y'CbCr.

    Not by ffmpeg's own conversion: it loses more than a level of brightness on the way
    there and back (-1.2 of 255 in the mean of photographs), which a network would learn
    to add.
    """
    import av

    frame = av.VideoFrame(image.shape[1], image.shape[0], pixel_format)
    frame.pts = number
    full = cv2.transform(image.astype(np.float32), np.column_stack([TO_YCBCR, OFFSET]))
    for number, plane in enumerate(frame.planes):
        values = cv2.resize(
            full[..., number], (plane.width, plane.height), interpolation=cv2.INTER_AREA
        )
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : plane.width] = np.rint(values)
        plane.update(lines.tobytes())
    return frame


def _rgb(frame: "VideoFrame") -> np.ndarray:
    """Return a frame as uint8 RGB (H, W, 3)."""
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        values = lines[: plane.height, : plane.width].astype(np.float32)
        planes.append(
            cv2.resize(
                values, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR
            )
        )
    rgb = cv2.transform(cv2.merge(planes) - np.float32(OFFSET), TO_RGB)
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)
