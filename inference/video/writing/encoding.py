"""Encoders: which, in which pixel format, with which settings."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.inference.video.reading.colors import FromRGB, has_alpha
from realesrgan_paddle.inference.video.reading.source import (
    ColorTags,
    Timeline,
    VideoSource,
)
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.machine.devices import cpu_features

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "ffv1": "ffv1",
}
"""ffmpeg's names, by codec."""

CRF = {"h264": 17, "hevc": 19, "av1": 25, "vp9": 25}
"""Quality where none is asked for.

17 is what ffmpeg's guide to x264 calls visually lossless or nearly so. The others leave the
same PSNR to the frames that went in, within half a dB (docs/video.md).
"""
MOST_CRF = {"h264": 51, "hevc": 51, "av1": 63, "vp9": 63}

KEEPS_ALPHA = "ffv1"
"""The only codec that has it in its picture.

VP9 and HEVC have it beside the picture, where NUT has no place for it, and most decoders do
not look.
"""

NAMED_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
"""Of x264 and x265, the fastest first."""
NUMBERED_PRESETS = {"av1": 13, "vp9": 8}
"""The fastest preset of SVT-AV1, and the largest `cpu-used` of libvpx."""
PRESET = {"h264": "veryfast", "hevc": "veryfast", "av1": "9", "vp9": "5"}
"""Where none is asked for: slower ones gain little, and cost the network's time (docs/video.md)."""


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.

    Attributes:
        codec: one of `ENCODERS`.
        width: of the frames [pixels].
        height: of the frames [pixels].
        pixel_format: ffmpeg's name.
        aspect: sample aspect ratio.
        colors: tags of the stream.
        matrix: AVColorSpace that players take, told or guessed.
        crf: quality; None: the codec has none.
        preset: as the encoder names it; None: the codec has none.
        threads: of the encoder; its output depends on how many.
    """

    codec: str
    width: int
    height: int
    pixel_format: str
    aspect: Fraction
    colors: ColorTags
    matrix: int
    crf: int | None
    preset: str | None
    threads: int

    def options(self) -> dict[str, str]:
        """Return the encoder's own options."""
        crf = str(self.crf)
        preset = str(self.preset)
        if self.codec == "h264":
            return {"crf": crf, "preset": preset, **repeatable_x264()}
        if self.codec == "hevc":
            # A leading picture could refer to the segment before.
            params = "log-level=error:open-gop=0"
            return {"crf": crf, "preset": preset, "x265-params": params}
        if self.codec == "av1":
            return {"crf": crf, "preset": preset}
        if self.codec == "vp9":
            return {"crf": crf, "b": "0", "cpu-used": preset, "tile-columns": "2"}
        return {"level": "3", "slicecrc": "1"}


def repeatable_x264() -> dict[str, str]:
    """Return the options with which x264 gives the same packets each time.

    Its AVX-512 code does not: of the x264 in PyAV 18.1 on an AMD EPYC (Zen 4), 16 runs of one
    thread at the preset medium gave 7 results for 192x128 pixels, and 4 runs 2 results for
    854x480; with AVX2 they gave one each.
    """
    if "avx512f" in cpu_features():
        return {"x264-params": "asm=avx2"}
    return {}


def choose_codec(wanted: str, source: VideoSource, target: Path) -> str:
    """Return one of `ENCODERS`; `wanted` is one of them, or "auto"."""
    if wanted != "auto":
        return wanted
    if target.suffix.lower() == ".webm":
        return "vp9"
    return "hevc" if source.bits > 8 else "h264"


def choose_pixel_format(codec: str, wanted: str | None, source: VideoSource) -> str:
    """Return the pixel format: that asked for, the source's, or the nearest to it.

    Raises:
        UserError: the encoder has not what is asked for, or no alpha, which the source
            has; or its alpha is not read, and nothing is asked for.
    """
    formats = av.Codec(ENCODERS[codec], "w").video_formats or []
    known = [each.name for each in formats]
    if codec != KEEPS_ALPHA:
        known = [name for name in known if not has_alpha(name)]
    if wanted is not None:
        if wanted in known:
            return wanted
        raise UserError(
            f"--pix_fmt {wanted}: {codec} has {', '.join(known)}"
            f"{did_you_mean(wanted, known)}"
        )

    if source.alpha_beside:
        raise UserError(
            f"{source.path}: its pictures are transparent, by a second picture beside each, "
            "which is not read; drop it with --pix_fmt yuv420p"
        )
    for name in _nearest(source, codec):
        if name in known:
            return name
    raise UserError(
        f"{source.path}: its pictures are transparent ({source.pixel_format}), which "
        f"{codec} cannot keep; use --codec {KEEPS_ALPHA}, or drop it with --pix_fmt "
        "yuv420p"
    )


def subsampling(pixel_format: str) -> tuple[int, int]:
    """Return of how many columns and lines a pixel format has one chroma sample."""
    components = av.VideoFormat(pixel_format).components
    if len(components) < 3 or not components[1].is_chroma:
        return 1, 1
    # PyAV tells sizes of planes, not shifts: 16 pixels have 16, 8 or 4 samples.
    square = av.VideoFormat(pixel_format, 16, 16)
    chroma = square.components[1]
    return 16 // chroma.width, 16 // chroma.height


@contextmanager
def encoder(
    path: Path, encoding: Encoding, timeline: Timeline
) -> Iterator[Callable[[np.ndarray, int], None]]:
    """Yield what writes frames into the file `path`, which is whole at the block's end.

    It is called with each frame in order: uint8 or uint16 RGB(A), (H, W, 3 or 4), and
    when it is shown [ticks of `timeline`].
    """
    os.environ.setdefault("SVT_LOG", "1")  # errors only; it prints by itself
    # Or all times would be shifted, so that no packet is decoded before 0.
    as_they_are = {"avoid_negative_ts": "disabled"}
    with av.open(
        str(path), "w", format="nut", container_options=as_they_are
    ) as container:
        stream = container.add_stream(
            ENCODERS[encoding.codec], timeline.written_rate, options=encoding.options()
        )
        stream.width, stream.height = encoding.width, encoding.height
        stream.pix_fmt = encoding.pixel_format
        stream.time_base = timeline.time_base

        context = stream.codec_context
        context.time_base = timeline.time_base
        context.sample_aspect_ratio = encoding.aspect
        context.thread_count = encoding.threads
        context.color_primaries = encoding.colors.primaries
        context.color_trc = encoding.colors.transfer
        context.colorspace = encoding.colors.matrix
        context.color_range = encoding.colors.range

        from_rgb = FromRGB(encoding.colors, encoding.matrix, encoding.pixel_format)

        def encode(image: np.ndarray, time: int) -> None:
            """Encode a frame, shown at `time`, and write what is ready."""
            frame = from_rgb(image)
            # NUT has no times below 0, which an edit list or a joined file may have.
            frame.pts = time - timeline.times[0]
            frame.time_base = timeline.time_base
            try:
                packets = stream.encode(frame)
            except av.ExternalError as error:  # no more is said by the encoder
                raise UserError(
                    f"{path}: {ENCODERS[encoding.codec]} does not encode {encoding.width}x"
                    f"{encoding.height} pixels here, probably for lack of memory; a "
                    "smaller --outscale or another --codec takes less"
                ) from error
            container.mux(packets)

        yield encode
        container.mux(stream.encode(None))


def _nearest(source: VideoSource, codec: str) -> list[str]:
    """Return the pixel formats that may stand for the source's, the best first."""
    name = source.pixel_format.replace("yuvj", "yuv")
    depth = "" if source.bits <= 8 else "10le"
    pixel_format = av.VideoFormat(source.pixel_format)
    if source.alpha and pixel_format.is_rgb:
        return [name, "bgra" if source.bits <= 8 else "gbrap16le"]
    if source.alpha:
        return [name, f"yuva444p{depth}", f"yuva420p{depth}", "bgra", "yuva444p16le"]

    # Rarer ones, such as 4:4:0, become 4:2:0.
    kinds = {(1, 1): "444", (2, 1): "422"}
    chroma = kinds.get(subsampling(source.pixel_format), "420")
    is_gray = len(pixel_format.components) < 3
    is_gray &= not pixel_format.has_palette
    if is_gray and codec != "ffv1":
        # Few players know gray H.264.
        return [f"yuv420p{depth}", "yuv420p"]
    return [name, f"yuv{chroma}p{depth}", f"yuv420p{depth}", "yuv420p"]


def choose_crf(codec: str, wanted: int | None) -> int | None:
    """Return the quality; UserError if the codec has not the one asked for."""
    most = MOST_CRF.get(codec)
    if wanted is None:
        return CRF.get(codec)
    if most is None:
        raise UserError(f"--crf {wanted}: {codec} is lossless; leave --crf out")
    if wanted > most:
        raise UserError(f"--crf {wanted}: {codec} has 0 (best) to {most}")
    return wanted


def choose_preset(codec: str, wanted: str | None) -> str | None:
    """Return the preset; UserError if the codec has not the one asked for."""
    if wanted is None:
        return PRESET.get(codec)
    known: tuple[str, ...] = NAMED_PRESETS
    if codec not in PRESET:
        raise UserError(f"--preset {wanted}: {codec} has none; leave --preset out")
    if codec in NUMBERED_PRESETS:
        known = tuple(map(str, range(NUMBERED_PRESETS[codec] + 1)))
    if wanted not in known:
        raise UserError(
            f"--preset {wanted}: {codec} has {', '.join(known)}"
            f"{did_you_mean(wanted, known)}"
        )
    return wanted
