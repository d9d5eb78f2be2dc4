"""What lies on and around the picture in one video; its frames vote, shot by shot."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.screen.borders import (
    VOTERS,
    Profile,
    content_of,
    profile,
)
from realesrgan_paddle.data.footage.screen.overlays import Overlay, OverlayFinder
from realesrgan_paddle.data.footage.screen.side_fill import (
    Sides,
    analyzed,
    middle_of,
    side_fill,
)
from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.utils.crops import Crop

MAX_VOTES = 20
"""Frames of a shot that vote; with more, only each one in `LATER_VOTE` does."""

LATER_VOTE = 10

KEPT_SHOTS = 4
"""Shots that may still get votes; of others only the result is kept."""

SURE_CORRELATION = 0.85
"""Correlation of side fill with the middle from which one frame alone is believed."""

MIN_SIDE_VOTES = 0.5
"""Share of the frames of a shot that must show the same side fill."""

SAME_PLACE = 3
"""Pixels by which two frames' side fill may differ."""

MIN_FITTING = 0.85
"""Mean share of the lines around a box that must have the color of a bar."""


class FrameParts:
    """Finds bars and side fill in the frames of one video."""

    def __init__(self) -> None:
        self._shots: dict[int, _Votes] = {}
        self._closed: dict[int, Crop] = {}
        self._contents: Counter[Crop] = Counter()
        self._sides: Counter[Sides] = Counter()
        self._frame = Crop(0, 0, 0, 0)

    def add(self, luma: np.ndarray, one: Profile, shot: int) -> Crop:
        """Let a frame vote; return the part that the shot's frames so far agree on.

        Args:
            luma: uint8 (H, W).
            one: its profile.
            shot: its number.
        """
        self._frame = Crop(0, 0, luma.shape[1], luma.shape[0])
        if shot not in self._shots:
            # An earlier shot may come back after it was closed.
            if len(self._shots) == KEPT_SHOTS:
                self._close(min(self._shots))
            self._shots[shot] = _Votes()
        self._shots[shot].add(one, luma)
        return self.of_shot(shot)

    def of_shot(self, shot: int) -> Crop:
        """Return the part of the frame that holds the picture in a shot."""
        if shot in self._closed:
            return self._closed[shot]
        votes = self._shots[shot]
        bars = votes.inside_bars(list(self._contents), self._frame)
        sides = votes.sides()
        return middle_of(sides, bars) if sides else bars

    def borders(self) -> Crop | None:
        """Return the part inside the bars in most shots; None if there are no bars."""
        self._close_all()
        if not self._contents:
            return None
        ((content, _),) = self._contents.most_common(1)
        return None if content == self._frame else content

    def side_fill(self) -> Sides | None:
        """Return the side fill of the shots that have some; None if there is none."""
        self._close_all()
        return self._sides.most_common(1)[0][0] if self._sides else None

    def _close_all(self) -> None:
        for shot in list(self._shots):
            self._close(shot)

    def _close(self, shot: int) -> None:
        """Forget the frames of a shot; note what they agreed on."""
        self._closed[shot] = self.of_shot(shot)
        votes = self._shots.pop(shot)
        if votes.profiles:
            content = votes.inside_bars(list(self._contents), self._frame)
            self._contents[content] += len(votes.profiles)
        if sides := votes.sides():
            self._sides[sides] += len(votes.profiles)


class _Votes:
    """The votes of one shot."""

    def __init__(self) -> None:
        self.profiles: deque[Profile] = deque(maxlen=MAX_VOTES)
        self._count = 0
        self._dark: Profile | None = None
        self._found: deque[Sides | None] = deque(maxlen=MAX_VOTES)
        self._previous: np.ndarray | None = None
        self._content: Crop | None = None

    def add(self, one: Profile, luma: np.ndarray) -> None:
        """Let a frame vote, unless there is nothing to see in it."""
        if not one.may_vote:
            self._dark = one
            return
        self._count += 1
        if self._count > MAX_VOTES and self._count % LATER_VOTE:
            return

        self.profiles.append(one)
        content = content_of(list(self.profiles))
        if content != self._content:
            self._content, self._previous = content, None
        inside = content.of(luma)
        self._found.append(side_fill(inside, self._previous))
        self._previous = analyzed(inside)

    def inside_bars(self, known: Sequence[Crop], frame: Crop) -> Crop:
        """Return the part inside the bars.

        Args:
            known: what other shots of the video agreed on, which counts where this one
                has too few frames to tell.
            frame: the whole frame.
        """
        if self._content and len(self.profiles) >= VOTERS:
            return self._content

        shown = list(self.profiles)
        if not shown and self._dark:
            shown = [self._dark]
        fitting = [box for box in known if all(_fits(box, one) for one in shown)]
        if fitting:
            return min(fitting, key=lambda box: box.width * box.height)
        return self._content or frame

    def sides(self) -> Sides | None:
        """Return the side fill that the frames agree on; None if there is none."""
        found = [sides for sides in self._found if sides]
        if not found:
            return None
        middle = found[len(found) // 2]
        alike = [sides for sides in found if _are_alike(sides, middle)]
        is_sure = len(alike) > 1 or middle.correlation >= SURE_CORRELATION
        if not is_sure or len(alike) < MIN_SIDE_VOTES * len(self._found):
            return None
        return Sides(
            int(np.median([sides.left for sides in alike])),
            int(np.median([sides.right for sides in alike])),
            middle.is_below,
            float(np.mean([sides.correlation for sides in alike])),
        )


def _are_alike(one: Sides, other: Sides) -> bool:
    if one.is_below != other.is_below:
        return False
    left_distance = abs(one.left - other.left)
    right_distance = abs(one.right - other.right)
    return max(left_distance, right_distance) <= SAME_PLACE


def _fits(box: Crop, one: Profile) -> bool:
    """Return whether a frame has the color of a bar all around a box."""
    rows, columns = one.rows.share, one.columns.share
    outside = (
        rows[: box.y],
        rows[box.bottom :],
        columns[: box.x],
        columns[box.right :],
    )
    return all(float(np.mean(side)) >= MIN_FITTING for side in outside if len(side))


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
