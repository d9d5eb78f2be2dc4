"""Frames of videos by several processes: a row is a video (docs/scale.md)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.shared_work import Sharing, Work
from realesrgan_paddle.data.footage.keyframes import Settings, extract_one
from realesrgan_paddle.utils.errors import UserError

Extracted = tuple[set[str], bool]
"""See `extract_one`."""


@dataclass(frozen=True)
class Extraction(Work[Path, Extracted | None]):
    """What a process does with a video; None: it failed.

    Attributes:
        frames: folder of the frames.
        sheet: folder of their overview.
        settings: which frames are taken.
    """

    frames: Path
    sheet: Path
    settings: Settings

    def open(self) -> None:
        """Nothing is loaded."""

    def do(self, opened: None, batch: Path) -> Extracted | None:
        """Write the frames of a video."""
        try:
            return extract_one(batch, self.frames, self.settings, self.sheet)
        except (UserError, OSError):
            return None  # the first process meets it again, and says what it is


def shared_videos(
    frames: Path,
    sheet: Path,
    settings: Settings,
    sharing: Sharing,
    videos: Iterable[Path],
) -> Iterator[Extracted]:
    """Yield what other processes have made of videos that did not fail.

    Args:
        frames: folder of the frames.
        sheet: folder of their overview.
        settings: which frames are taken.
        sharing: which processes.
        videos: all of them, under paths that these understand.
    """
    work = Extraction(sharing.path(frames), sharing.path(sheet), settings)
    for _, done in sharing.done(work, videos, sharing.threads()):
        if isinstance(done, tuple):
            yield done
