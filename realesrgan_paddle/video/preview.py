"""Pages that show a few seconds or frames of a video before and after."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from realesrgan_paddle.commands.compare import INPUT, PAGE
from realesrgan_paddle.inference.video.reading.source import time_code
from realesrgan_paddle.inference.video.settings import DEFAULTS, VideoSettings
from realesrgan_paddle.utils.files import atomic_path, make_folder
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.report.contact_sheet import Panel, Row
from realesrgan_paddle.utils.report.pages import html_page
from realesrgan_paddle.video.comparison import write_players
from realesrgan_paddle.video.pictures import open_excerpt

RESULT = "result"
"""The label of what was upscaled."""


def write_preview(
    source: Path,
    result: Path,
    folder: Path,
    settings: VideoSettings = DEFAULTS,
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
    write_players([before, after], page, chosen=(0, 1), figures={}, remarks=remarks)
    return page


def write_frames_page(
    frames: Sequence[tuple[Fraction, np.ndarray, np.ndarray]],
    folder: Path,
    *,
    headline: str,
    remark: str = "",
) -> Path:
    """Write a page with a before/after slider for each frame; return its path.

    The images are PNG files beside it.

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
        rows.append(Row(time_code(time), panels))

    text = html_page(
        rows,
        [],
        headline=headline,
        remark=remark,
        warnings=[],
        before=INPUT,
        after=RESULT,
        wide=True,
    )
    page = folder / PAGE
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return page
