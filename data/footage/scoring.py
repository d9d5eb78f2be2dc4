"""Decode the frames of one video, score them, and decide which to keep."""

from collections.abc import Iterator
from pathlib import Path

import cv2
from tqdm import tqdm

from realesrgan_paddle.data.footage.frame_sheet import thumb_path, write_thumb
from realesrgan_paddle.data.footage.passport.look_ahead import brought_back
from realesrgan_paddle.data.footage.passport.picture import PictureMeter
from realesrgan_paddle.data.footage.passport.true_size import TrueSize, TrueSizeFinder
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.screen.source import SourceScreen
from realesrgan_paddle.data.footage.selection import (
    Candidate,
    Picker,
    Selection,
    rejection_reason,
)
from realesrgan_paddle.data.footage.shots.settling import (
    IN_TRANSITION,
    Settler,
    ShotReport,
)
from realesrgan_paddle.data.footage.video import Frame, frame_at, frames
from realesrgan_paddle.data.footage.views.hashes import HashIndex, perceptual_hash
from realesrgan_paddle.data.statistics.image_scores import measure
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.ffmpeg import VideoInfo
from realesrgan_paddle.utils.field_order import FieldOrder


class VideoScorer:
    """Scores the frames of one video; holds only those in memory that may be kept.

    Args:
        name: name of the video in the set.
        sampling: which frames to decode.
        selection: which of them to keep.
        index: hashes of the frames that the set has; kept frames are added.
        sheet: folder for thumbnails of all frames.
        enlarged_from: the size that frames are brought back to; None: they stay.
    """

    def __init__(
        self,
        name: str,
        sampling: Sampling,
        selection: Selection,
        index: HashIndex,
        sheet: Path,
        enlarged_from: TrueSize | None = None,
    ) -> None:
        self._name = name
        self._sampling = sampling
        self._selection = selection
        self._picker = Picker(selection, index)
        self._sheet = sheet
        self.enlarged_from = enlarged_from
        self.shots = ShotReport()
        """What is known about the video's shots, once all frames are decided."""
        self.screen = SourceScreen(selection.borders, keep_all=selection.keep_all)
        self._true_size = TrueSizeFinder()
        self.picture = PictureMeter()

    def decide(
        self, video: Path, info: VideoInfo, order: FieldOrder
    ) -> Iterator[Candidate]:
        """Yield every frame as soon as it is kept or dropped; kept ones have an image.

        Raises:
            UserError: as `frames` does, after all frames before the error were yielded.
        """
        settler = Settler(
            video, self._sampling, check_blends=not self._selection.keep_all
        )
        self.shots = settler.report
        settler.prepare(order, info.seconds)
        pulldown = settler.report.has_pulldown

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
                for frame in frames(video, info, settler.sampling, order, pulldown):
                    for settled in settler.settle(self._score(frame)):
                        decided = self._offer(settled, settler, video, info, order)
                        yield from map(self._final, decided)
                    progress.update(frame.seconds - progress.n)
            except UserError as caught:
                error = caught

        for settled in settler.finish():
            decided = self._offer(settled, settler, video, info, order)
            yield from map(self._final, decided)
        yield from map(self._final, self._picker.finish())
        if error:
            raise error

    def _offer(
        self,
        settled: tuple[Candidate, float | None],
        settler: Settler,
        video: Path,
        info: VideoInfo,
        order: FieldOrder,
    ) -> Iterator[Candidate]:
        """Offer a settled frame to the picker, and one after its transition, if any."""
        candidate, extra_seconds = settled
        self._place(candidate)
        yield from self._picker.offer(candidate)
        if extra_seconds is None:
            return
        pulldown = settler.report.has_pulldown
        frame = frame_at(video, info, extra_seconds, order, pulldown=pulldown)
        if frame:
            extra = self._score(frame)
            settler.number(extra)
            self._place(extra)
            yield from self._picker.offer(extra)

    def _place(self, candidate: Candidate) -> None:
        """Let a frame vote on borders and overlays; measure what lies inside of them."""
        if candidate.reason == IN_TRANSITION:
            self.screen.pass_over(candidate.file)
            return
        luma, content = self.screen.place(candidate.file, candidate.shot)
        self._true_size.add(luma, content)
        self.picture.offer(content.of(luma))

    def _final(self, candidate: Candidate) -> Candidate:
        """Return a decided frame, cropped as its whole shot voted."""
        image = self.screen.recropped(candidate)
        if image is None or image is candidate.image:
            return candidate
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        candidate.image, candidate.scores = image, measure(luma)
        candidate.hash = perceptual_hash(luma)
        return candidate

    def bandwidth(self) -> tuple[float, float] | None:
        """Return where detail ends across and down [cycles/pixel]; None: no texture."""
        return self._true_size.bandwidth()

    def true_size(self) -> TrueSize | None:
        """Return what the video was enlarged from, once all frames are decided."""
        return self.enlarged_from or self._true_size.find()

    def _score(self, frame: Frame) -> Candidate:
        """Return the frame with its scores and the reason why it alone is rejected."""
        whole = frame.image
        if self.enlarged_from:
            whole = brought_back(whole, self.enlarged_from)
        luma = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)
        file = f"{self._name}_{frame.seconds:010.3f}.png"
        content = self.screen.look(file, whole, luma, frame.seconds)

        luma, image = content.of(luma), content.of(whole)
        candidate = Candidate(
            file=file,
            seconds=frame.seconds,
            image=image,
            scores=measure(luma),
            hash=perceptual_hash(luma),
            crop=content,
            shot=0,  # settled when the next frame is known
        )
        if not self._selection.keep_all:
            candidate.reason = rejection_reason(
                candidate.scores, content, self._selection
            )

        write_thumb(thumb_path(self._sheet, candidate.file), image)
        return candidate
