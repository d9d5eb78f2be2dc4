"""Decode the frames of one video, score them, and decide which to keep."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from realesrgan_paddle.data.footage.frame_sheet import thumb_path, write_thumb
from realesrgan_paddle.data.footage.passport.picture import PictureMeter
from realesrgan_paddle.data.footage.passport.true_size import (
    TrueSize,
    TrueSizeFinder,
    at_true_size,
)
from realesrgan_paddle.data.footage.screen.source import SourceScreen
from realesrgan_paddle.data.footage.selection import (
    Candidate,
    Picker,
    Selection,
    rejection_reason,
)
from realesrgan_paddle.data.footage.shots.shot_finder import (
    IN_TRANSITION,
    ShotFinder,
    ShotReport,
)
from realesrgan_paddle.data.footage.video import (
    Frame,
    Sampling,
    SourceVideo,
    frame_at,
    frames,
)
from realesrgan_paddle.data.footage.views.features import perceptual_hash
from realesrgan_paddle.data.statistics.image_scores import measure
from realesrgan_paddle.utils.errors import UserError, printable


class VideoScorer:
    """Scores the frames of one video; holds only those in memory that may be kept.

    Args:
        video: the video.
        sampling: which frames to decode.
        selection: which of them to keep.
        sheet: folder for thumbnails of all frames.
        enlarged_from: the size that frames are brought back to; None: they stay.
    """

    def __init__(
        self,
        video: SourceVideo,
        sampling: Sampling,
        selection: Selection,
        sheet: Path,
        enlarged_from: TrueSize | None,
    ) -> None:
        self.video = video
        self._selection = selection
        self._picker = Picker(selection)
        self._sheet = sheet
        self.enlarged_from = enlarged_from
        if selection.keep_all:  # nothing is chosen, so there is no choice to be had
            sampling = replace(sampling, min_frames=0)
        self._finder = ShotFinder(
            video.path, sampling, check_blends=not selection.keep_all
        )
        self.screen = SourceScreen(selection.borders, keep_all=selection.keep_all)
        self._true_size = TrueSizeFinder()
        self.picture = PictureMeter()

    @property
    def shots(self) -> ShotReport:
        """What is known about the video's shots, once all frames are decided."""
        return self._finder.report

    def decide(self) -> Iterator[Candidate]:
        """Yield every frame as soon as it is kept or dropped; kept ones have an image.

        Raises:
            UserError: as `frames` does, after all frames before the error were yielded.
        """
        finder, video = self._finder, self.video
        finder.prepare(video.order, video.info.seconds)
        if finder.report.is_dense:
            seconds = float(finder.report.packets.gaps.sum())
            wanted = self._selection.of_short_video(seconds, finder.sampling.min_frames)
            self._picker = Picker(wanted)

        error: UserError | None = None
        progress = tqdm(
            total=video.info.seconds,
            unit="s",
            desc=printable(video.name),
            unit_scale=True,
            disable=None,
        )
        with progress:
            try:
                for frame in self._decoded():
                    for found in finder.add(self._score(frame)):
                        yield from map(self._final, self._offer(*found))
                    progress.update(frame.seconds - progress.n)
            except UserError as caught:
                error = caught

        for found in finder.finish():
            yield from map(self._final, self._offer(*found))
        yield from map(self._final, self._picker.finish())
        if error:
            raise error

    def _decoded(self) -> Iterator[Frame]:
        """Yield the frames of the video that are looked at.

        Of those whose times are the same to a millisecond, and so their files' names,
        only the first.
        """
        video, finder = self.video, self._finder
        pulldown = finder.report.has_pulldown
        decoded = frames(video.path, video.info, finder.sampling, video.order, pulldown)
        names = set()
        for frame in decoded:
            name = self._file_of(frame)
            if name not in names:
                names.add(name)
                yield frame

    def _file_of(self, frame: Frame) -> str:
        """Return what a frame's file is called."""
        return f"{self.video.name}_{frame.seconds:010.3f}.png"

    def _offer(
        self, candidate: Candidate, extra_seconds: float | None
    ) -> Iterator[Candidate]:
        """Offer a frame with its shot to the picker, and one after its transition."""
        self._place(candidate)
        yield from self._picker.offer(candidate)
        if extra_seconds is None:
            return
        video, pulldown = self.video, self.shots.has_pulldown
        frame = frame_at(
            video.path, video.info, extra_seconds, video.order, pulldown=pulldown
        )
        if frame:
            extra = self._score(frame)
            self._finder.assign_shot(extra)
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
            whole = at_true_size(whole, self.enlarged_from)
        luma = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)
        file = self._file_of(frame)
        content = self.screen.look(file, whole, luma, frame.seconds)

        luma, image = content.of(luma), content.of(whole)
        is_key = self._finder.is_key(frame.seconds)
        candidate = Candidate(
            file=file,
            seconds=frame.seconds,
            image=image,
            scores=measure(luma),
            hash=perceptual_hash(luma),
            crop=content,
            shot=0,  # found when the next frame is known
            is_key=is_key,
        )
        if not self._selection.keep_all:
            candidate.reason = rejection_reason(
                candidate.scores, content, self._selection
            )

        write_thumb(thumb_path(self._sheet, candidate.file), image)
        return candidate
