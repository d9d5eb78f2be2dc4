"""How much networks flicker on videos, with ground truth and without.

    python benchmarks/video/flicker.py --videos VIDEO ... --models NAME=MODEL ... --output FOLDER

Of each video the first 40 frames of one shot, cut to 960x536 around the middle, are

* the ground truth of an input that is they, averaged over 4 x 4 pixels and compressed as
  one clip by H.264 at CRF 23: "h264";
* where they stand, 320x176 pixels around the middle, an input without ground truth: "as is".

Each network and bicubic interpolation enlarge the input by 4. FOLDER gets the figures of
each clip (JSON) and a sheet to look at. A clip whose figures are there is not measured
again, so a stopped run goes on.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.metrics.clips import MEANINGS, measure_clip, shown
from realesrgan_paddle.metrics.table import METRICS
from realesrgan_paddle.utils.cli import named_value
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.metrics.temporal_consistency import (
    ClipMetrics,
    StepMetrics,
)
from realesrgan_paddle.utils.metrics.temporal_steps import Frame
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet

FRAMES = 40
SCALE = 4
X264_DEFAULT = {"crf": "23"}
MATRIX = Colorspace.ITU709
EXACT = Interpolation.BICUBIC | 0x40000 | 0x2000 | 0x4000
"""With libswscale's accurate_rnd, full_chroma_int and full_chroma_inp, for which PyAV 17
has no names: without them a conversion there and back makes frames darker by a level."""
LARGEST = (960, 536)
AS_IS = (320, 176)
MULTIPLE = 2 * SCALE
"""Sides of the ground truth are multiples of this: 4:2:0 needs even inputs."""
PANEL = 224
"""Side of the crops on the sheets [pixels]."""

Method = Callable[[Frame], Frame]


@dataclass(frozen=True)
class Case:
    """An input, with its ground truth or without."""

    lq: list[Frame]
    gt: list[Frame] | None


def read_shot(path: Path) -> list[Frame]:
    """Return the first frames of one shot, uint8 RGB; fewer if no shot is that long."""
    shots = ShotCounter()
    longest: list[Frame] = []
    frames: list[Frame] = []
    shot = 0
    with av.open(str(path)) as container:
        for decoded in container.decode(video=0):
            frame = to_rgb(decoded)
            number = shots.shot_of_next(frame, decoded.time or 0.0)
            if number != shot:
                shot, frames = number, []
            frames.append(middle(frame, LARGEST))
            longest = max(longest, frames, key=len)
            if len(longest) == FRAMES:
                break
    return longest


def middle(frame: Frame, largest: tuple[int, int]) -> Frame:
    """Return the middle of a frame, at most `largest` (width, height)."""
    height, width = frame.shape[:2]
    inner_width = min(width, largest[0]) // MULTIPLE * MULTIPLE
    inner_height = min(height, largest[1]) // MULTIPLE * MULTIPLE
    left = (width - inner_width) // 2
    top = (height - inner_height) // 2
    return frame[top : top + inner_height, left : left + inner_width].copy()


def h264(path: Path) -> Case:
    """Return a shot of a video, and what H.264 makes of it when it is smaller."""
    shot = read_shot(path)
    height, width = shot[0].shape[:2]
    size = (width // SCALE, height // SCALE)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in shot]
    return Case(compressed(small), shot)


def as_is(path: Path) -> Case:
    """Return the middle of a video's shot as an input."""
    shot = read_shot(path)
    return Case([middle(frame, AS_IS) for frame in shot], None)


CONDITIONS = {"h264": h264, "as_is": as_is}


def compressed(
    frames: Sequence[Frame],
    codec: str = "libx264",
    settings: Mapping[str, str] = X264_DEFAULT,
) -> list[Frame]:
    """Return the frames after H.264 or another codec, encoded as one clip."""
    file = BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=25, options=dict(settings))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            rgb = av.VideoFrame.from_ndarray(frame, format="rgb24")
            yuv = rgb.reformat(
                format="yuv420p", dst_colorspace=MATRIX, interpolation=EXACT
            )
            container.mux(stream.encode(yuv))
        container.mux(stream.encode())

    file.seek(0)
    with av.open(file) as container:
        return [to_rgb(frame, MATRIX) for frame in container.decode(video=0)]


def to_rgb(frame: av.VideoFrame, matrix: Colorspace | None = None) -> Frame:
    """Return a decoded frame, uint8 RGB, by its own matrix or the one given."""
    rgb = frame.reformat(format="rgb24", src_colorspace=matrix, interpolation=EXACT)
    return rgb.to_ndarray()


def measure(
    path: Path, condition: str, methods: Mapping[str, Method], folder: Path
) -> None:
    """Write a video's figures and its sheet, unless its figures are there."""
    name = f"{path.stem}.{condition}"
    target = folder / f"{name}.json"
    if target.exists():
        return

    case = CONDITIONS[condition](path)
    crops: dict[str, list[Frame]] = {}
    clips = {}
    for label, method in methods.items():
        crops[label] = []
        clips[label] = enlarged(case.lq, method, crops[label])
    measured = measure_clip(clips, gt=case.gt, lq=case.lq)

    if case.gt:
        crops["ground truth"] = list(map(panel, case.gt))
    write_image(folder / f"{name}.png", sheet(name, crops, measured))
    means = {method: asdict(clip.mean) for method, clip in measured.items()}
    target.write_text(json.dumps(means, indent=1), encoding="utf-8")
    print(f"{name} measured", flush=True)


def enlarged(
    lq: Iterable[Frame], method: Method, crops: list[Frame]
) -> Iterator[Frame]:
    """Yield the enlarged frames; put a crop of each into `crops`."""
    for frame in lq:
        result = method(frame)
        crops.append(panel(result))
        yield result


def panel(frame: Frame) -> Frame:
    """Return the middle of a frame, as shown on the sheet."""
    return middle(frame, (PANEL, PANEL))


def sheet(
    name: str,
    crops: Mapping[str, Sequence[Frame]],
    measured: Mapping[str, ClipMetrics],
) -> np.ndarray:
    """Return frames of each method, how they change, and one line of pixels over time."""
    notes = {method: str(clip) for method, clip in measured.items()}
    rows = []
    for number in (0, 1, FRAMES - 1):
        shown = {method: clip[number] for method, clip in crops.items()}
        rows.append(panels(f"{name}, frame {number}", shown))

    changes = {}
    lines = {}
    for method, clip in crops.items():
        change = clip[1].astype(int) - clip[0]
        changes[method] = np.uint8(np.clip(128 + 4 * change, 0, 255))
        over_time = [frame[PANEL // 2] for frame in clip]
        lines[method] = np.repeat(over_time, 4, axis=0)
    rows.append(panels("frame 1 minus frame 0, four times", changes))
    rows.append(panels("one line of each frame, from top to bottom over time", lines))
    lines_of_text = [f"{method}: {note}" for method, note in notes.items()]
    return contact_sheet(rows, [], name, lines_of_text)


def panels(title: str, images: Mapping[str, np.ndarray]) -> SheetRow:
    """Return a row of one image for each method."""
    return SheetRow(title, [Panel(method, image) for method, image in images.items()])


def tables(folder: Path, condition: str) -> list[str]:
    """Return a condition's figures as Markdown: each clip's, then the means of all."""
    columns = [METRICS[metric].label for metric in MEANINGS]
    lines = ["| clip | | " + " | ".join([*columns, "still"]) + " |"]
    lines.append("|---|---|" + "--:|" * (len(columns) + 1))
    all_figures: dict[str, list[StepMetrics]] = {}
    for path in sorted(folder.glob(f"*.{condition}.json")):
        clip = path.name.removesuffix(f".{condition}.json")
        means = json.loads(path.read_text(encoding="utf-8"))
        for method, values in means.items():
            figures = StepMetrics(**values)
            all_figures.setdefault(method, []).append(figures)
            lines.append(row(clip, method, figures))
    for method, found in all_figures.items():
        lines.append(row(f"mean of {len(found)}", method, ClipMetrics(found).mean))
    return lines


def row(clip: str, method: str, figures: StepMetrics) -> str:
    """Return one line of the table."""
    texts = [shown(metric, figures) for metric in MEANINGS]
    return " | ".join([f"| {clip}", method, *texts, f"{figures.still:.0%} |"])


def main() -> None:
    """Measure each clip that is not, and print all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", nargs="+", type=Path, required=True)
    parser.add_argument("--models", nargs="+", type=named_value, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    start_paddle()
    methods: dict[str, Method] = {"bicubic": lambda frame: enlarge(frame, SCALE)}
    for name, model in arguments.models:
        methods[name] = Upscaler.load(model, precision="fp32")
    for condition in CONDITIONS:
        for path in arguments.videos:
            measure(path, condition, methods, arguments.output)

    for condition in CONDITIONS:
        print(*tables(arguments.output, condition), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
