"""Results of a video side by side: metrics, pages with two players, a file to share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.reading.source import time_code
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.writing.containers import mp4_or_mkv
from realesrgan_paddle.metrics.clips import (
    consistency_lines,
    consistency_table,
    measure_clip,
)
from realesrgan_paddle.metrics.table import BICUBIC, INPUT
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.crops import Crop, most_different
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import atomic_path, make_folder
from realesrgan_paddle.utils.images import eight_bits, enlarge, write_image
from realesrgan_paddle.utils.metrics.temporal_consistency import ClipMetrics
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow
from realesrgan_paddle.utils.report.image_page import image_page
from realesrgan_paddle.utils.report.pages import PAGE
from realesrgan_paddle.utils.report.video_page import MetricsTable, video_page
from realesrgan_paddle.video.pictures import Excerpt, open_excerpt
from realesrgan_paddle.video.playable import playable
from realesrgan_paddle.video.side_by_side import (
    MOST_HEIGHT,
    MOST_WIDTH,
    Layout,
    whole_size,
    write_side_by_side,
)
from realesrgan_paddle.video.time_slice import TimeSlice

SLICES = "time_slices.png"
SHARED: Mapping[Layout, str] = {"beside": "side_by_side.mp4", "split": "split.mp4"}
"""The file to share, by its layout."""
UPSCALED_CRF = 12
"""Of results that are made to be compared: the network is to be seen, not the codec."""
CROPS, CROP_SIDE = 2, 80
"""Of each frame on a page of frames, and their width and height [input pixels]."""
RESULT = "result"
"""The label of what was upscaled, on pages that show the work of one network."""


@dataclass(frozen=True)
class VideoComparison:
    """What `compare_videos` wrote and measured."""

    page: Path
    shared: Path
    shared_size: tuple[int, int]
    metrics: dict[str, ClipMetrics]
    """By method; empty where nothing was measured."""
    remarks: list[str]

    def __str__(self) -> str:
        """Return the metrics and the files, a line each."""
        width, height = self.shared_size
        lines = [*self.remarks]
        lines += consistency_lines(self.metrics)
        lines.append(f"{self.shared}: {width}x{height}")
        lines.append(f"open {self.page} in a browser")
        return "\n".join(map(printable, lines))


def upscale_for_comparison(
    source: Path,
    upscalers: Mapping[str, Upscaler],
    folder: Path,
    part: VideoSettings,
) -> list[Excerpt]:
    """Upscale a part of a video by each network; the results are in `folder`."""
    settings = replace(part, codec="h264", crf=UPSCALED_CRF)
    excerpts = []
    suffix = mp4_or_mkv(source)
    for number, (name, upscaler) in enumerate(upscalers.items(), 1):
        result = (folder / "upscaled" / file_name(number, name)).with_suffix(suffix)
        upscaler.video(source, result, settings, say=say)
        excerpts.append(open_excerpt(name, result))
    return excerpts


def compare_videos(
    excerpts: Sequence[Excerpt],
    folder: Path,
    *,
    gt: Excerpt | None = None,
    layout: Layout = "beside",
    measured_frames: int = 100,
) -> VideoComparison:
    """Write the page and the file to share, and measure.

    Args:
        excerpts: the input, then the results.
        folder: created if missing; files of an earlier run are replaced.
        gt: the ground truth.
        layout: of the file to share.
        measured_frames: how many, from the middle; 0: nothing is measured.

    Raises:
        UserError: a video is damaged.
    """
    remarks: list[str] = []
    metrics = {}
    slices = TimeSlice()
    if measured_frames:
        metrics = measure(excerpts, gt, measured_frames, remarks, slices)
    if metrics:
        make_folder(folder)
        write_image(folder / SLICES, slices.sheet())
    on_page = [*remarks]

    before = excerpts[0] if len(excerpts) == 2 else excerpts[1]
    after = excerpts[-1]
    shared = folder / SHARED[layout]
    size = write_side_by_side(shared, before, after, layout, sound_of=excerpts[0])
    full = whole_size(before.size, after.size, layout)
    if full[0] > MOST_WIDTH or full[1] > MOST_HEIGHT:
        remarks.append(
            f"{shared.name} is scaled down from {full[0]}x{full[1]}, for many players "
            "show no more than 4K"
        )

    shown = [*excerpts, gt] if gt else [*excerpts]
    write_players(
        shown,
        folder / PAGE,
        chosen=(shown.index(before), shown.index(after)),
        metrics=metrics,
        remarks=on_page,
        slices=SLICES if metrics else "",
    )
    return VideoComparison(folder / PAGE, shared, size, metrics, remarks)


def write_players(
    excerpts: Sequence[Excerpt],
    page: Path,
    *,
    chosen: tuple[int, int],
    metrics: Mapping[str, ClipMetrics],
    remarks: Sequence[str],
    slices: str = "",
) -> None:
    """Write the page with two players, and the videos beside it.

    `slices` is the file of the time slices there, if any.
    """
    make_folder(page.parent)
    clips = []
    for number, excerpt in enumerate(excerpts):
        file = page.parent / file_name(number, excerpt.label)
        clips.append(playable(excerpt, file))

    source = excerpts[0].source
    text = video_page(
        clips,
        headline=f"Before and after: {source.path.name}",
        remarks=remarks,
        metrics=_table(metrics),
        slices=slices,
        left=chosen[0],
        right=chosen[1],
        start=excerpts[0].start - source.start,
    )
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_name(number: int, label: str) -> str:
    """Return the name of a video of the page: any label's, in letters of all systems."""
    letters = re.sub(r"[^A-Za-z0-9._-]+", "_", label)
    return f"{number}-{letters[:40]}.mp4"


def measure(
    excerpts: Sequence[Excerpt],
    gt: Excerpt | None,
    most_frames: int,
    remarks: list[str],
    slices: TimeSlice,
) -> dict[str, ClipMetrics]:
    """Return the temporal consistency of the results, by their names, and of bicubic enlargement.

    At the ground truth's size, else the largest result's.

    Args:
        excerpts: the input, then the results.
        gt: the ground truth.
        most_frames: so many are measured, from the middle.
        remarks: gets a line on what was measured, or why nothing.
        slices: gets the frames that are measured.
    """
    everything = [*excerpts, gt] if gt else [*excerpts]
    counts = {excerpt.label: len(excerpt.times) - 1 for excerpt in everything}
    count = min(counts.values())
    if len(set(counts.values())) > 1 or count < 2:
        listed = ", ".join(f"{label} {count}" for label, count in counts.items())
        remarks.append(
            "temporal consistency is not measured: that needs the same frames of all, at least "
            f"two; they have {listed}"
        )
        return {}

    used = min(count, most_frames)
    width, height = gt.upright if gt else max(each.upright for each in excerpts[1:])
    remarks.append(
        f"temporal consistency of {used} of {count} frames, at {width}x{height}"
    )
    source = excerpts[0].middle(used)
    compared = {BICUBIC: source}
    compared |= {excerpt.label: excerpt.middle(used) for excerpt in excerpts[1:]}
    if gt:
        compared[gt.label] = gt.middle(used)
    frames_of = {
        label: slices.watched(label, excerpt.arrays(width, height))
        for label, excerpt in compared.items()
    }
    return measure_clip(
        frames_of,
        gt=frames_of.pop(gt.label) if gt else None,
        lq=source.arrays(*source.upright),
        remark=remarks.append,
    )


def _table(clips: Mapping[str, ClipMetrics]) -> MetricsTable | None:
    """Return the metrics as the page shows them; None without any."""
    rows, meanings = consistency_table(clips)
    if not rows:
        return None
    (_, *titles), *lines = rows
    meanings.append("less is better, but for sharpness")
    named = [(name, cells) for name, *cells in lines]
    return MetricsTable(titles, named, "; ".join(meanings))


def write_preview(
    source: Path,
    result: Path,
    folder: Path,
    settings: VideoSettings,
    *,
    remarks: Sequence[str] = (),
) -> Path:
    """Write a page with two players, the source and its result; return its path.

    The videos that it plays are written beside it.

    Args:
        source: the video.
        result: what was upscaled of it, whole.
        folder: where; created if missing, files of an earlier page are replaced.
        settings: `start`, `end` and `deinterlace` say which part of the source the
            result is of.
        remarks: lines that the page shows.

    Raises:
        UserError: a video cannot be read.
    """
    before = open_excerpt(INPUT, source, settings)
    after = open_excerpt(RESULT, result)
    page = folder / PAGE
    write_players([before, after], page, chosen=(0, 1), metrics={}, remarks=remarks)
    return page


def write_frames_page(
    frames: Sequence[tuple[Fraction, np.ndarray, np.ndarray]],
    folder: Path,
    *,
    headline: str,
    remark: str,
) -> Path:
    """Write a page with a before/after slider for each frame; return its path.

    The images are PNG files beside it. Below each frame are the crops where the result
    differs most from bicubic enlargement, if it is larger by a whole number.

    Args:
        frames: when each is shown [s], the input and the result: uint8 or uint16 RGB
            (H, W, 3), of which the second has the first one's aspect ratio.
        folder: where; created if missing, files of an earlier page are replaced.
        headline: the page's title.
        remark: a sentence below it.
    """
    make_folder(folder)
    rows = []
    for number, (time, *images) in enumerate(frames, 1):
        panels = []
        for label, image in zip((INPUT, RESULT), images, strict=True):
            file = f"{number:03}_{label}.png"
            write_image(folder / file, image)
            size = f"{image.shape[1]}x{image.shape[0]}"
            panels.append(Panel(label, image, size, file))
        before, after = map(eight_bits, images)
        crops = _telling_crops(before, after)
        height, width = before.shape[:2]
        boxes = [
            (c.x / width, c.y / height, c.width / width, c.height / height)
            for c in crops
        ]
        rows.append(SheetRow(time_code(time), panels, is_whole=True, boxes=boxes))
        rows += [_crop_row(before, after, crop) for crop in crops]

    text = image_page(
        rows,
        [],
        headline=headline,
        remark=remark,
        warnings=[],
        before=INPUT,
        after=RESULT,
    )
    page = folder / PAGE
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page


def _telling_crops(before: np.ndarray, after: np.ndarray) -> list[Crop]:
    """Return the crops of a frame, uint8 RGB, that show what was upscaled."""
    scale, rest = divmod(after.shape[0], before.shape[0])
    if rest or after.shape[1] != before.shape[1] * scale or scale < 2:
        return []
    return most_different(enlarge(before, scale), after, scale, CROP_SIDE, CROPS)


def _crop_row(before: np.ndarray, after: np.ndarray, crop: Crop) -> SheetRow:
    """Return a crop's pixels repeated, beside the upscaled ones."""
    scale = after.shape[0] // before.shape[0]
    pixels = crop.of(before).repeat(scale, 0).repeat(scale, 1)
    result = np.ascontiguousarray(crop.of(after, scale))
    panels = [Panel(INPUT, pixels, repeated=scale), Panel(RESULT, result)]
    title = f"{crop.width}x{crop.height} pixels at ({crop.x}, {crop.y})"
    return SheetRow(title, panels)
