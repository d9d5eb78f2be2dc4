"""Parts of videos to be shown: their pictures, upright and progressive, with times."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.frame import Frame
from tqdm import tqdm

from realesrgan_paddle.inference.video.plan import VideoPart, choose_part
from realesrgan_paddle.inference.video.reading.colors import (
    EXACT,
    MATRICES,
    input_options,
)
from realesrgan_paddle.inference.video.reading.frames import decode
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.source import (
    BT709,
    LIMITED,
    UNKNOWN,
    ColorTags,
    VideoSource,
)
from realesrgan_paddle.inference.video.settings import DEFAULTS, VideoSettings

Shown = tuple[Fraction, av.VideoFrame]
"""When a picture is shown [s], from the first one, and the picture."""


TURNS: Mapping[int, Sequence[str]] = {
    1: (),
    2: ("hflip",),
    3: ("hflip", "vflip"),
    4: ("vflip",),
    5: ("transpose=cclock_flip",),
    6: ("transpose=clock",),
    7: ("transpose=clock_flip",),
    8: ("transpose=cclock",),
}
"""The filters of ffmpeg that turn pictures upright, by `VideoSource.orientation`."""


@dataclass(frozen=True)
class Excerpt:
    """A part of a video, and its name."""

    label: str
    source: VideoSource
    part: VideoPart

    @cached_property
    def times(self) -> list[Fraction]:
        """When each picture is shown [s], from the first; then, when the last one ends."""
        timeline = self.part.timeline
        first = timeline.times[0]
        ticks = [*timeline.times, timeline.end]
        return [(tick - first) * timeline.time_base for tick in ticks]

    @property
    def start(self) -> Fraction:
        """When the first picture is shown [s], as the file counts."""
        timeline = self.part.timeline
        return timeline.times[0] * timeline.time_base

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the pictures, turned upright [samples]."""
        source = self.source
        if source.is_quarter_turn:
            return source.height, source.width
        return source.width, source.height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures as they are shown, in square pixels."""
        source = self.source
        width = round(source.width * source.aspect)
        if source.is_quarter_turn:
            return source.height, width
        return width, source.height

    @property
    def tags(self) -> ColorTags:
        """The colors of 8-bit pictures that are made of these."""
        source = self.source
        # RGB has none of its own.
        matrix = source.matrix if source.matrix in MATRICES else BT709
        return replace(
            source.colors, matrix=matrix, range=LIMITED, chroma_location="left"
        )

    def pictures(self, filters: Sequence[str]) -> Iterator[Shown]:
        """Yield the pictures, upright and progressive, each once.

        For one that cannot be decoded its neighbor is shown.

        Args:
            filters: the last filters of ffmpeg's, each as "name=options".
        """
        turns = TURNS[self.source.orientation]
        decoded = self._frames()
        frames = filtered(decoded, [*turns, *filters])
        return zip(self.times, frames, strict=False)  # the last time is the end

    def arrays(self, width: int, height: int) -> Iterator[np.ndarray]:
        """Yield the pictures as uint8 RGB (H, W, 3) of a size, bicubically."""
        filters = self.to_rgb(width, height)
        for _, picture in self.pictures(filters):
            yield picture.to_ndarray()

    def middle(self, count: int) -> "Excerpt":
        """Return the excerpt of `count` pictures in the middle of this one."""
        skipped = (len(self.part.timeline.times) - count) // 2
        return replace(self, part=self.part.cut(skipped, skipped + count))

    def to_rgb(self, width: int, height: int) -> list[str]:
        """Return the filters that make RGB24 pictures of a size, bicubically."""
        colors = self._colors_in
        scale = f"scale={width}:{height}:flags={EXACT}{colors}"
        return [scale, "format=rgb24"]

    def to_playable(self) -> list[str]:
        """Return the filters that make 8-bit 4:2:0 pictures, padded to even sides."""
        matrix = MATRICES[self.tags.matrix]
        colors_out = f"out_color_matrix={matrix}:out_range=limited:out_chroma_loc=left"
        width, height = self.upright
        padding = []
        if width % 2 or height % 2:
            # In 4:2:0 the filter would pad over the last column or line.
            padding = [
                "format=yuv444p",
                "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                f"fillborders=right={width % 2}:bottom={height % 2}:mode=smear",
                f"scale=out_chroma_loc=left:flags={EXACT}",
            ]
        first = f"scale={colors_out}:flags={EXACT}{self._colors_in}"
        return [first, *padding, "format=yuv420p", "setsar=1"]

    def progress(self, shown: Iterable[Shown], text: str) -> Iterable[Shown]:
        """Show a progress bar of the pictures on stderr if that is a terminal."""
        count = len(self.part.timeline.times)
        return tqdm(
            shown,
            desc=text,
            total=count,
            unit="frame",
            disable=None,
        )

    @property
    def _colors_in(self) -> str:
        """Options of the scale filter, each as ":name=value"."""
        source = self.source
        matrix = self.tags.matrix
        options = input_options(source.colors, matrix, source.pixel_format)
        texts = [f":{name}={value}" for name, value in options.items()]
        return "".join(texts)

    def _frames(self) -> Iterator[av.VideoFrame]:
        decoded = decode(self.source, self.part, bad_frames="repeat")
        with closing(decoded):
            for number, each in enumerate(decoded):
                each.frame.pts = number
                # The scale filter refuses a frame that contradicts its options.
                each.frame.colorspace = UNKNOWN
                yield each.frame


def open_excerpt(label: str, path: Path, settings: VideoSettings = DEFAULTS) -> Excerpt:
    """Open a video of which the part of `settings` is shown; see `open_video`."""
    source = open_video(path)
    part = choose_part(source, settings, remarks=[])
    return Excerpt(label, source, part)


def filtered(frames: Iterator[Frame], filters: Sequence[str]) -> Iterator[Frame]:
    """Yield the frames, all pictures or all sound, that come out of ffmpeg's filters."""
    first = next(frames, None)
    if first is None:
        return

    graph = Graph()
    is_picture = isinstance(first, av.VideoFrame)
    nodes = [_picture_entry(graph, first) if is_picture else _sound_entry(graph, first)]
    for text in filters:
        name, _, options = text.partition("=")
        nodes.append(graph.add(name, options))
    nodes.append(graph.add("buffersink" if is_picture else "abuffersink"))
    graph.link_nodes(*nodes).configure()

    for frame in chain([first], frames, [None]):
        nodes[0].push(frame)
        yield from _ready(nodes[-1])


def _picture_entry(graph: Graph, first: av.VideoFrame) -> FilterContext:
    return graph.add_buffer(
        width=first.width,
        height=first.height,
        format=first.format,
        time_base=first.time_base,
    )


def _sound_entry(graph: Graph, first: av.AudioFrame) -> FilterContext:
    return graph.add_abuffer(
        sample_rate=first.sample_rate,
        format=first.format.name,
        layout=first.layout.name,
        time_base=first.time_base,
    )


def _ready(sink: FilterContext) -> Iterator[Frame]:
    while True:
        try:
            yield sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
