"""Decode the frames of one video, score them, and decide which to keep."""

from collections.abc import Iterator
from pathlib import Path

import cv2
from tqdm import tqdm

from realesrgan_paddle.data.footage.frame_sheet import thumb_path, write_thumb
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.screen.borders import content_box
from realesrgan_paddle.data.footage.screen.overlays import OverlayFinder
from realesrgan_paddle.data.footage.selection import (
    Candidate,
    Picker,
    Selection,
    rejection_reason,
)
from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.data.footage.video import Frame, frames
from realesrgan_paddle.data.footage.views.hashes import HashIndex, perceptual_hash
from realesrgan_paddle.data.sets.image_scores import measure
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.video.field_order import FieldOrder
from realesrgan_paddle.utils.video.probe import VideoInfo


class VideoScorer:
    """Scores the frames of one video; holds only those in memory that may be kept.

    Args:
        name: name of the video in the set.
        sampling: which frames to decode.
        selection: which of them to keep.
        index: hashes of the frames that the set has; kept frames are added.
        sheet: folder for thumbnails of all frames.
    """

    def __init__(
        self,
        name: str,
        sampling: Sampling,
        selection: Selection,
        index: HashIndex,
        sheet: Path,
    ) -> None:
        self._name = name
        self._sampling = sampling
        self._selection = selection
        self._picker = Picker(selection, index)
        self._sheet = sheet
        self._shots = ShotCounter()
        self._overlays = OverlayFinder()
        self._size = (0, 0)

    def decide(
        self, video: Path, info: VideoInfo, order: FieldOrder
    ) -> Iterator[Candidate]:
        """Yield every frame as soon as it is kept or dropped; kept ones have an image.

        Raises:
            UserError: as `frames` does, after all frames before the error were yielded.
        """
        error: UserError | None = None
        progress = tqdm(
            total=info.seconds,
            unit="s",
            desc=printable(self._name),
            unit_scale=True,
            disable=None,
        )
        with progress:
            try:
                for frame in frames(video, info, self._sampling, order):
                    yield from self._picker.offer(self._score(frame))
                    progress.update(frame.seconds - progress.n)
            except UserError as caught:
                error = caught

        yield from self._picker.finish()
        if error:
            raise error

    def overlays(self) -> list[Crop]:
        """Return the boxes around overlays, once all frames are decided."""
        return self._overlays.boxes(*self._size)

    def _score(self, frame: Frame) -> Candidate:
        """Return the frame with its scores and the reason why it alone is rejected."""
        luma = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        height, width = luma.shape
        self._size = (width, height)

        content = content_box(luma)
        self._overlays.add(luma, content)
        crops_borders = self._selection.borders == "crop"
        if not crops_borders or self._selection.keep_all:
            content = Crop(0, 0, width, height)

        luma, image = content.of(luma), content.of(frame.image)
        candidate = Candidate(
            file=f"{self._name}_{frame.seconds:010.3f}.png",
            seconds=frame.seconds,
            image=image,
            scores=measure(luma),
            hash=perceptual_hash(luma),
            crop=content,
            shot=self._shots.shot_of_next(
                image, starts_shot=self._sampling.select == "scene"
            ),
        )
        if not self._selection.keep_all:
            candidate.reason = rejection_reason(
                candidate.scores, content, self._selection
            )

        write_thumb(thumb_path(self._sheet, candidate.file), image)
        return candidate
