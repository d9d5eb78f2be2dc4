"""Video compression of a low-quality image: H.264, HEVC, MPEG-2 or VP9, by PyAV.

The image becomes a short video that pans onto it, and the last frame is returned. A
single frame would be an intra frame, but most frames of a video are predicted from
others and have other artifacts: skipped blocks, coarsely quantized residuals, detail
dragged along.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING

import cv2
import numpy as np

from realesrgan_paddle.options.schema.degradation import CodecName, SynthesisOptions
from realesrgan_paddle.utils.errors import UserError

if TYPE_CHECKING:
    from av import Packet, VideoFrame

FRAMES = 3
"""Frames of the video: one intra frame and two that are predicted."""
FRAME_RATE = 25
"""Frames per second; it only scales the bitrate."""
SIDE_MULTIPLE = 16
SMALLEST_SIDE = 64
"""Sides that every encoder takes [pixels]; smaller images are padded by reflection.

x265 is not deterministic on images smaller than its largest block, 64 x 64.
"""
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
# One thread and no look-ahead: deterministic, and no frame is delayed.
SETTINGS: dict[CodecName, dict[str, str]] = {
    "h264": {"preset": "veryfast", "tune": "zerolatency"},
    "hevc": {
        "preset": "ultrafast",
        "x265-params": "pools=none:frame-threads=1:bframes=0:rc-lookahead=0:"
        "log-level=none",
    },
    "mpeg2": {"bf": "0"},
    "vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "0"},
}
VP9_INTRA = "150"
"""Largest size of VP9's first frame at a bitrate [percent of the mean frame size]."""

# ITU-R BT.709-6, items 3.2 to 3.5: R'G'B' in [0, 255] to Y'CbCr in 8-bit levels of
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
    """The random values of the video of one image."""

    codec: CodecName
    quality: int
    """CRF, or MPEG-2's quantizer."""
    chroma_420: bool
    """Chroma has half the width and height (4:2:0), else half the width (4:2:2)."""
    motion: tuple[float, float]
    """Motion from one frame to the next, right and down [pixels]."""
    bits_per_pixel: float | None = None
    """Mean size of the frames, used in place of `quality`; None: not limited."""

    def __str__(self) -> str:
        amount = str(self.quality)
        if self.bits_per_pixel is not None:
            amount = f"{self.bits_per_pixel:.2g} bits/px"
        chroma = "" if self.chroma_420 else " 4:2:2"
        return f"{self.codec} {amount}{chroma}"


def check_installed(options: SynthesisOptions) -> None:
    """Raise a UserError if `options` use videos and PyAV is not installed."""
    if options.video_prob and find_spec("av") is None:
        raise UserError(
            f"video_prob {options.video_prob:g}: videos are compressed by PyAV, "
            "which is not installed: pip install av"
        )


def draw_video(options: SynthesisOptions, rng: np.random.Generator) -> Video:
    """Return the random values for one image."""
    probabilities = np.asarray(options.codec_prob) / np.sum(options.codec_prob)
    codec = options.codec_list[rng.choice(len(probabilities), p=probabilities)]
    right, down = rng.uniform(-options.video_motion, options.video_motion, 2)
    video = Video(
        codec=codec,
        quality=round(rng.uniform(*options.codec_qualities[codec])),
        chroma_420=rng.random() >= options.chroma_422_prob,
        motion=(right, down),
    )

    # Drawn only where the option is used, so that it changes no other draw.
    if options.video_bitrate_prob and rng.random() < options.video_bitrate_prob:
        logarithm = rng.uniform(*np.log(options.video_bits_per_pixel))
        return replace(video, bits_per_pixel=float(np.exp(logarithm)))
    return video


def compress(image: np.ndarray, video: Video) -> np.ndarray:
    """Return `image`, uint8 RGB (H, W, 3), as the last frame of a compressed video.

    Deterministic for one version of PyAV.
    """
    height, width = image.shape[:2]
    frames = _moving_frames(_padded(image), video.motion)
    return _last_of(frames, video)[:height, :width]


def compress_clip(frames: Sequence[np.ndarray], video: Video) -> list[np.ndarray]:
    """Return the frames of a clip, uint8 RGB (H, W, 3), compressed as a video.

    It begins with the clip's next frames, backwards: so the first frame is predicted,
    too, as most frames of a video are.
    """
    height, width = frames[0].shape[:2]
    padded = [_padded(frame) for frame in frames]
    lead = padded[FRAMES - 1 : 0 : -1]
    decoded = _decode(_encode([*lead, *padded], video), video)
    return [_to_rgb(frame)[:height, :width] for frame in decoded[len(lead) :]]


def compress_together(windows: np.ndarray, video: Video) -> np.ndarray:
    """Return windows, uint8 RGB (N, S, S, 3), compressed as tiles of one video.

    Encoders spread their bits over a frame: windows that are encoded one by one lose
    more than as parts of a frame (HEVC: as if the CRF were 3 higher at 40).

    Args:
        windows: uint8 RGB (N, S, S, 3); S a multiple of 16.
        video: the random values; each window moves for itself.
    """
    side = windows.shape[1]
    columns = math.ceil(math.sqrt(len(windows)))
    rows = math.ceil(len(windows) / columns)
    of_windows = [_moving_frames(window, video.motion) for window in windows]
    missing = rows * columns - len(windows)
    of_windows += of_windows[:missing]  # no more than there are, for rows are few

    tiles = np.array(of_windows).reshape(rows, columns, FRAMES, side, side, 3)
    by_frame = tiles.transpose(2, 0, 3, 1, 4, 5)
    frames = by_frame.reshape(FRAMES, rows * side, columns * side, 3)
    last = _last_of(list(frames), video)
    parts = last.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return parts.reshape(-1, side, side, 3)[: len(windows)]


def _last_of(frames: Sequence[np.ndarray], video: Video) -> np.ndarray:
    """Return the last frame after compression, uint8 RGB (H, W, 3)."""
    packets = _encode(frames, video)
    return _to_rgb(_decode(packets, video)[-1])


def _padded(image: np.ndarray) -> np.ndarray:
    """Return an image with mirrored pixels at the bottom and right, as encoders need."""
    height, width = image.shape[:2]
    bottom = _padded_side(height) - height
    right = _padded_side(width) - width
    return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT)


def _padded_side(side: int) -> int:
    """Return the smallest side of at least `side` pixels that every encoder takes."""
    blocks = -(-side // SIDE_MULTIPLE)
    return max(SMALLEST_SIDE, blocks * SIDE_MULTIPLE)


def _moving_frames(image: np.ndarray, motion: tuple[float, float]) -> list[np.ndarray]:
    """Return `FRAMES` frames, each moved on by `motion`; the last is `image`."""
    height, width = image.shape[:2]
    right, down = motion
    frames = []
    for before in range(FRAMES - 1, 0, -1):
        rows = [[1, 0, -before * right], [0, 1, -before * down]]
        shift = np.array(rows, np.float64)
        moved = cv2.warpAffine(
            image, shift, (width, height), borderMode=cv2.BORDER_REFLECT
        )
        frames.append(moved)
    return [*frames, image]


def _encode(frames: Sequence[np.ndarray], video: Video) -> "list[Packet]":
    import av  # optional

    encoder = av.CodecContext.create(ENCODERS[video.codec], "w")
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt = "yuv420p" if video.chroma_420 else "yuv422p"
    encoder.time_base = Fraction(1, FRAME_RATE)
    encoder.framerate = Fraction(FRAME_RATE)
    encoder.thread_count = 1
    pixels = encoder.width * encoder.height
    rate_control = _rate_control(video, pixels, len(frames))
    encoder.options = SETTINGS[video.codec] | rate_control

    packets = []
    for number, frame in enumerate(frames):
        packets += encoder.encode(_to_frame(frame, number, encoder.pix_fmt))
    return packets + encoder.encode(None)


def _rate_control(video: Video, pixels: int, frames: int) -> dict[str, str]:
    """Return ffmpeg's options for the quality of a video, or for its bitrate.

    The bitrate is limited in one pass, with a buffer of all frames: the first frame,
    which is not predicted, may take what the others leave, but no more. libvpx needs
    its own limit: it would give the first frame more than that, or starve the others at
    a constant rate.
    """
    if video.bits_per_pixel is None:
        quality = str(video.quality)
        if video.codec == "mpeg2":
            return {"qmin": quality, "qmax": quality}
        return {"crf": quality}

    frame_bits = video.bits_per_pixel * pixels
    rate = str(round(frame_bits * FRAME_RATE))
    buffer = str(round(frame_bits * frames))
    limits = {"b": rate, "maxrate": rate, "bufsize": buffer}
    if video.codec == "vp9":
        limits["max-intra-rate"] = VP9_INTRA
    return limits


def _decode(packets: "Sequence[Packet]", video: Video) -> "list[VideoFrame]":
    """Return the frames."""
    import av

    decoder = av.CodecContext.create(DECODERS[video.codec], "r")
    decoder.thread_count = 1
    frames: list[VideoFrame] = []
    for packet in [*packets, None]:  # None: the end, so that no frame is held back
        frames += decoder.decode(packet)
    return frames


def _to_frame(image: np.ndarray, number: int, pixel_format: str) -> "VideoFrame":
    """Return `image`, uint8 RGB (H, W, 3), as a Y'CbCr frame.

    Not by ffmpeg's own conversion: there and back it loses more than a level of
    brightness (-1.2 of 255 on average over photographs), which a network would learn to
    add.
    """
    import av

    height, width = image.shape[:2]
    frame = av.VideoFrame(width, height, pixel_format)
    frame.pts = number

    matrix = np.column_stack([TO_YCBCR, OFFSET])
    ycbcr = cv2.transform(image.astype(np.float32), matrix)
    for channel, plane in enumerate(frame.planes):
        size = (plane.width, plane.height)
        values = cv2.resize(ycbcr[..., channel], size, interpolation=cv2.INTER_AREA)
        # A line of a plane may be longer than its pixels.
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : plane.width] = np.rint(values)
        plane.update(lines.tobytes())
    return frame


def _to_rgb(frame: "VideoFrame") -> np.ndarray:
    """Return a Y'CbCr frame as uint8 RGB (H, W, 3)."""
    size = (frame.width, frame.height)
    channels = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, np.uint8)
        lines = lines.reshape(-1, plane.line_size)
        values = lines[: plane.height, : plane.width]
        channel = cv2.resize(
            values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR
        )
        channels.append(channel)

    ycbcr = cv2.merge(channels) - np.float32(OFFSET)
    rgb = cv2.transform(ycbcr, TO_RGB)
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)
