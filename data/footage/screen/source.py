"""What lies on and around the picture in one video."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.screen.borders import Profile, content_of, profile
from realesrgan_paddle.data.footage.screen.frame_part import FrameParts
from realesrgan_paddle.data.footage.screen.overlays import Overlay, OverlayFinder
from realesrgan_paddle.data.footage.screen.side_fill import Sides
from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.utils.crops import Crop


@dataclass(frozen=True)
class ScreenReport:
    """What a video's passport tells about its screen; boxes in the video's frame."""

    borders: Crop | None
    """The part inside the bars in most shots; None if there are no bars."""
    side_fill: Sides | None
    """Blurred or still sides beside the picture; None if there are none."""
    overlays: list[Overlay]


class _Seen(NamedTuple):
    """A frame whose shot is not known yet."""

    image: np.ndarray
    """uint8 RGB (H, W, 3)."""
    luma: np.ndarray
    """uint8 (H, W)."""
    profile: Profile
    seconds: float


class SourceScreen:
    """Finds borders and overlays in the frames of one video, in the order of time.

    Args:
        borders: whether borders are cut off.
        keep_all: nothing is cut off.
    """

    def __init__(self, borders: Literal["crop", "keep"], *, keep_all: bool) -> None:
        self._cuts = borders == "crop" and not keep_all
        self._parts = FrameParts()
        self._finder = OverlayFinder()
        self._overlays: list[Overlay] | None = None
        self._seen: dict[str, _Seen] = {}
        self._whole: dict[str, np.ndarray] = {}
        self._size = (0, 0)

    def look(
        self, file: str, image: np.ndarray, luma: np.ndarray, seconds: float
    ) -> Crop:
        """Return the part of a frame to keep, as far as it can be told from it alone.

        The frame is held until `place` or `pass_over` is called for it.

        Args:
            file: the candidate's name.
            image: uint8 RGB (H, W, 3).
            luma: uint8 (H, W).
            seconds: its time.
        """
        height, width = luma.shape
        self._size = (width, height)
        seen = _Seen(image, luma, profile(luma), seconds)
        self._seen[file] = seen
        return content_of([seen.profile]) if self._cuts else Crop(0, 0, width, height)

    def place(self, file: str, shot: int) -> tuple[np.ndarray, Crop]:
        """Let a frame vote, now that its shot is known.

        The frame is held until `recropped` is called for it.

        Returns:
            Its luma, uint8 (H, W), and the picture in it, as the shot's frames so far
            agree on.
        """
        seen = self._seen.pop(file)
        luma = seen.luma
        content = self._parts.add(luma, seen.profile, shot)
        self._finder.add(luma, content, seen.seconds)

        if self._cuts:
            self._whole[file] = seen.image
        return luma, content

    def pass_over(self, file: str) -> None:
        """Forget a frame that may not vote: it is a mixture of two shots."""
        del self._seen[file]

    def recropped(self, candidate: Candidate) -> np.ndarray | None:
        """Return a decided frame, cropped as its whole shot voted.

        The candidate's crop is changed. None if it is dropped, or nothing is cut off.
        """
        whole = self._whole.pop(candidate.file, None)
        if whole is None or candidate.image is None:
            return None
        content = self.place_of_shot(candidate.shot)
        if content == candidate.crop:
            return candidate.image
        candidate.crop = content
        return content.of(whole)

    def place_of_shot(self, shot: int) -> Crop:
        """Return the part of the frame that holds the picture in a shot."""
        return self._parts.of_shot(shot)

    def boxes_at(self, seconds: float) -> list[Crop]:
        """Return the boxes of overlays at a time, once all frames are added."""
        return [
            overlay.box
            for overlay in self.overlays()
            if overlay.start <= seconds <= overlay.end
        ]

    def overlays(self) -> list[Overlay]:
        """Return all overlays, once all frames are added."""
        if self._overlays is None:
            self._overlays = self._finder.overlays(*self._size)
        return self._overlays

    def report(self) -> ScreenReport:
        """Return what the passport tells, once all frames are decided."""
        return ScreenReport(
            self._parts.borders(), self._parts.side_fill(), self.overlays()
        )
