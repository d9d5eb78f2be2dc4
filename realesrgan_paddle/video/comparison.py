"""Results of a video side by side: figures, a page with two players, a file to share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from realesrgan_paddle.commands.compare import PAGE
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.judging.comparison import BICUBIC
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import atomic_path, make_folder
from realesrgan_paddle.utils.report.video_page import Figures, video_page
from realesrgan_paddle.utils.temporal.figures import (
    COLUMNS,
    UNKNOWN,
    Steadiness,
    steadiness_table,
)
from realesrgan_paddle.video.pictures import Excerpt, open_excerpt
from realesrgan_paddle.video.playable import playable
from realesrgan_paddle.video.side_by_side import Layout, whole_size, write_side_by_side
from realesrgan_paddle.video.steadiness import measure_clip

SHARED: Mapping[Layout, str] = {"beside": "side_by_side.mp4", "split": "split.mp4"}
"""The file to share, by its layout."""
UPSCALED_CRF = 12
"""Of results that are made to be compared: the network is to be seen, not the codec."""


@dataclass(frozen=True)
class VideoComparison:
    """What `compare_videos` wrote and measured."""

    page: Path
    shared: Path
    shared_size: tuple[int, int]
    figures: dict[str, Steadiness]
    """By method; empty where nothing was measured."""
    remarks: list[str]

    def __str__(self) -> str:
        """Return the figures and the files, a line each."""
        width, height = self.shared_size
        lines = [*self.remarks]
        if self.figures:
            lines += steadiness_table(self.figures)
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
    for number, (name, upscaler) in enumerate(upscalers.items(), 1):
        result = folder / "upscaled" / file_name(number, name)
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
    figures = {}
    if measured_frames:
        figures = measure(excerpts, gt, measured_frames, remarks)
    on_page = [*remarks]

    before = excerpts[0] if len(excerpts) == 2 else excerpts[1]
    after = excerpts[-1]
    shared = folder / SHARED[layout]
    size = write_side_by_side(shared, before, after, layout, sound_of=excerpts[0])
    full = whole_size(before.size, after.size, layout)
    if full != size:
        remarks.append(
            f"{shared.name} is scaled down from {full[0]}x{full[1]}, for many players "
            "show no more than 4K"
        )

    shown = [*excerpts, gt] if gt else [*excerpts]
    write_players(
        shown,
        folder / PAGE,
        chosen=(shown.index(before), shown.index(after)),
        figures=figures,
        remarks=on_page,
    )
    return VideoComparison(folder / PAGE, shared, size, figures, remarks)


def write_players(
    excerpts: Sequence[Excerpt],
    page: Path,
    *,
    chosen: tuple[int, int],
    figures: Mapping[str, Steadiness],
    remarks: Sequence[str],
) -> None:
    """Write the page with two players, and the videos beside it."""
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
        figures=_table(figures),
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
) -> dict[str, Steadiness]:
    """Return the steadiness of the results, by their names, and of bicubic enlargement.

    At the ground truth's size, else the largest result's.

    Args:
        excerpts: the input, then the results.
        gt: the ground truth.
        most_frames: so many are measured, from the middle.
        remarks: gets a line on what was measured, or why nothing.
    """
    everything = [*excerpts, gt] if gt else [*excerpts]
    counts = {excerpt.label: len(excerpt.times) - 1 for excerpt in everything}
    count = min(counts.values())
    if len(set(counts.values())) > 1 or count < 2:
        listed = ", ".join(f"{label} {count}" for label, count in counts.items())
        remarks.append(
            "steadiness is not measured: that needs the same frames of all, at least "
            f"two; they have {listed}"
        )
        return {}

    used = min(count, most_frames)
    width, height = gt.upright if gt else max(each.upright for each in excerpts[1:])
    remarks.append(f"steadiness of {used} of {count} frames, at {width}x{height}")
    source = excerpts[0].middle(used)
    frames_of = {BICUBIC: source.arrays(width, height)}
    for excerpt in excerpts[1:]:
        frames_of[excerpt.label] = excerpt.middle(used).arrays(width, height)
    return measure_clip(
        frames_of,
        gt=gt.middle(used).arrays(width, height) if gt else None,
        lq=source.arrays(*source.upright),
        remark=remarks.append,
    )


def _table(figures: Mapping[str, Steadiness]) -> Figures | None:
    """Return the figures as the page shows them; None without any."""
    means = {name: steadiness.mean for name, steadiness in figures.items()}
    columns = []
    for column in COLUMNS:
        texts = [column.text(mean) for mean in means.values()]
        if any(text != UNKNOWN for text in texts):
            columns.append(column)
    if not columns:
        return None

    lines = []
    for name, mean in means.items():
        lines.append((name, [column.text(mean) for column in columns]))
    meanings = [f"{column.name}: {column.meaning}" for column in columns]
    meanings.append("less is better, but for sharp")
    names = [column.name for column in columns]
    return Figures(names, lines, "; ".join(meanings))
