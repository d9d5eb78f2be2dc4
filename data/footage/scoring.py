"""The frames of one video: measured, judged, picked, while it is decoded."""

from collections.abc import Iterator
from pathlib import Path

import cv2
from tqdm import tqdm

from realesrgan_paddle.data.footage.borders import content
from realesrgan_paddle.data.footage.duplicates import HashIndex, perceptual_hash
from realesrgan_paddle.data.footage.frame_scores import measure
from realesrgan_paddle.data.footage.frame_sheet import thumb_path, write_thumb
from realesrgan_paddle.data.footage.overlays import OverlayFinder
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.selection import Candidate, Picker, Selection, flaw
from realesrgan_paddle.data.footage.shots import ShotCounter
from realesrgan_paddle.data.footage.video import FieldOrder, Frame, VideoInfo, frames
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError


class VideoJudge:
    """Judges the frames of one video; only those that may yet be kept are held.

    Args:
        name: what the video is called in the set.
        sampling: which frames to look at.
        selection: which of them to keep.
        index: the frames that the set has already; those that are kept are added.
        sheet: folder for small pictures of all frames.
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

    def decided(
        self, video: Path, info: VideoInfo, order: FieldOrder
    ) -> Iterator[Candidate]:
        """Yield all frames as they are decided on; those with a reason are dropped, the others have their picture.

        Raises:
            UserError: as `frames` does, after all frames before have been yielded.
        """
        error: UserError | None = None
        with tqdm(
            total=info.seconds, unit="s", desc=self._name, unit_scale=True, disable=None
        ) as bar:
            try:
                for frame in frames(video, info, self._sampling, order):
                    yield from self._picker.offer(self._judge(frame))
                    bar.update(frame.seconds - bar.n)
            except UserError as caught:
                error = caught
        yield from self._picker.finish()
        if error:
            raise error

    def overlays(self) -> list[Crop]:
        """Return the boxes, in the video's frame, of what did not move; known when all frames are decided on."""
        return self._overlays.boxes(*self._size)

    def _judge(self, frame: Frame) -> Candidate:
        """Return the frame with its measures and what is wrong with it by itself."""
        luma = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        self._size = (luma.shape[1], luma.shape[0])
        inside = content(luma)
        self._overlays.add(luma, inside)
        selection = self._selection
        crop = (
            inside
            if selection.borders == "crop" and not selection.keep_all
            else Crop(0, 0, *self._size)
        )
        luma, image = crop.of(luma), crop.of(frame.image)
        scores = measure(luma)
        candidate = Candidate(
            file=f"{self._name}_{frame.seconds:010.3f}.png",
            seconds=frame.seconds,
            image=image,
            scores=scores,
            hash=perceptual_hash(luma),
            crop=crop,
            shot=self._shots.number(image, begins=self._sampling.select == "scene"),
            reason="" if selection.keep_all else flaw(scores, crop, selection),
        )
        write_thumb(thumb_path(self._sheet, candidate.file), image)
        return candidate
