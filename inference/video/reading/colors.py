"""Frames of a video to RGB and back, with the video's own matrix, range and chroma location.

The same conversion as that of extracted frames (data/footage/video.py): libswscale, bicubic,
rounded exactly, every chroma sample at its place.
"""

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from realesrgan_paddle.inference.video.reading.source import FULL, UNKNOWN, ColorTags

EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Of libswscale. Without them it repeats chroma samples, and rounds 10 bits down."""

MATRICES = {
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020nc",
    10: "bt2020nc",
}
"""Names of the scale filter for the values of AVColorSpace."""


def has_alpha(pixel_format: str) -> bool:
    """Return whether a pixel format, as ffmpeg names it, has transparency."""
    components = av.VideoFormat(pixel_format).components
    return any(component.is_alpha for component in components)


def input_options(tags: ColorTags, matrix: int, pixel_format: str) -> dict[str, str]:
    """Return what the scale filter is told of frames; nothing of those in RGB.

    Args:
        tags: of the video.
        matrix: AVColorSpace that it is shown with.
        pixel_format: of the frames, as ffmpeg names it.
    """
    kind = av.VideoFormat(pixel_format)
    if kind.is_rgb or kind.has_palette:
        return {}
    # yuvj420p and the like are full range by their name.
    is_full = tags.range == FULL or pixel_format.startswith("yuvj")
    return {
        "in_color_matrix": MATRICES[matrix],
        "in_range": "full" if is_full else "limited",
        "in_chroma_loc": tags.chroma_location,
    }


class ToRGB:
    """Turns frames into arrays.

    Args:
        tags: of the video.
        matrix: AVColorSpace that it is shown with.
        bits: of its samples; more than 8 become 16.
        alpha: whether the array has a fourth channel.
    """

    def __init__(self, tags: ColorTags, matrix: int, *, bits: int, alpha: bool) -> None:
        self._tags = tags
        self._matrix = matrix
        formats = {
            (False, False): "rgb24",
            (False, True): "rgba",
            (True, False): "rgb48le",
            (True, True): "rgba64le",
        }
        self._format = formats[bits > 8, alpha]
        self._converter = Converter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return uint8 or uint16 RGB(A), (H, W, 3 or 4), full range."""
        pixel_format = frame.format.name
        options = input_options(self._tags, self._matrix, pixel_format)
        converted = self._converter(frame, self._format, options)
        return converted.to_ndarray()


class FromRGB:
    """Turns arrays into frames.

    Args:
        tags: that the frames shall have.
        matrix: AVColorSpace that they are shown with.
        pixel_format: ffmpeg's name of theirs.
    """

    def __init__(self, tags: ColorTags, matrix: int, pixel_format: str) -> None:
        self._tags = tags
        self._matrix = matrix
        self._format = pixel_format
        self._converter = Converter()

    def __call__(self, image: np.ndarray) -> av.VideoFrame:
        """Return a frame for uint8 or uint16 RGB(A), (H, W, 3 or 4)."""
        depth = "rgb24" if image.shape[2] == 3 else "rgba"
        if image.dtype == np.uint16:
            depth = "rgb48le" if image.shape[2] == 3 else "rgba64le"
        frame = av.VideoFrame.from_ndarray(image, format=depth)
        if av.VideoFormat(self._format).is_rgb:
            return self._converter(frame, self._format, {})

        options = {
            "out_color_matrix": MATRICES[self._matrix],
            "out_range": "full" if self._tags.range == FULL else "limited",
            "out_chroma_loc": self._tags.chroma_location,
        }
        return self._converter(frame, self._format, options)


class Converter:
    """A scale filter that is set up for the first frame, and anew where frames change."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._kind: tuple[int, int, str] | None = None

    def __call__(
        self, frame: av.VideoFrame, pixel_format: str, options: dict[str, str]
    ) -> av.VideoFrame:
        """Return `frame` in another pixel format; `options` are the scale filter's."""
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is None or kind != self._kind:
            self._graph = _graph(frame, pixel_format, options)
            self._kind = kind

        # The filter reads these from the frame and refuses what contradicts its options.
        frame.colorspace = UNKNOWN
        frame.pts = 0
        frame.time_base = Fraction(1, 1000)
        self._graph.vpush(frame)
        return self._graph.vpull()


def _graph(frame: av.VideoFrame, pixel_format: str, options: dict[str, str]) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=Fraction(1, 1000),
    )
    scale = graph.add("scale", flags=EXACT, **options)
    wanted = graph.add("format", pixel_format)
    sink = graph.add("buffersink")
    graph.link_nodes(source, scale, wanted, sink).configure()
    return graph
