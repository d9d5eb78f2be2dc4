"""A video whose segments are made by several processes: one holds its folder, others write into it.

Each segment is a row. A segment is the same wherever it is made, so a row that is made
twice, as after a process was killed, does no harm. What a network carries from frame to
frame goes through the whole video, which is one row then.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from platform import node

from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.video.plan import make_plan
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.segment_maker import SegmentMaker, UpscaledVideo
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.upscale_video import job_record, join_segments
from realesrgan_paddle.inference.video.writing.segments import SegmentFolder
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import make_folder, sha256_of
from realesrgan_paddle.utils.rows import Row

ALIKE = "; take machines and installations that are alike, or --precision fp32"
"""What to do where two of them compute different bits."""


class SharedVideo:
    """A video, opened to have its segments made; by `begin` and `end`, or by `make`.

    Args:
        upscaler: upscales the frames.
        source: the video.
        target: the file of the result.
        settings: see `VideoSettings`.
        outscale: the upscaling factor; None: the network's.
        threads: of the encoder, which change its bits; None: as many as this machine has
            cores.

    Raises:
        UserError: as `upscale_video`.
    """

    def __init__(
        self,
        upscaler: ArrayUpscaler,
        source: Path,
        target: Path,
        settings: VideoSettings,
        outscale: float | None,
        threads: int | None = None,
    ) -> None:
        plan = make_plan(
            open_video(source), target, settings, outscale or upscaler.scale
        )
        self._parts = SegmentFolder(source, target, plan.segments)
        plan = plan.with_threads(self._parts.threads() or threads)
        self.plan = plan
        self._settings = settings
        self._maker = SegmentMaker(upscaler, plan, settings, say=None)
        self._job = job_record(plan, upscaler, settings)
        self._held = ExitStack()

    @property
    def outcome(self) -> UpscaledVideo:
        """What became of the video so far."""
        return self._maker.outcome

    def begin(self) -> list[Row]:
        """Hold the folder of the segments; return the rows of those that are missing.

        Raises:
            UserError: it is another job's, or another process has it.
        """
        make_folder(self.plan.target.parent)
        held = self._parts.held(self._job, self._maker.decide_tiles)
        self._held.enter_context(held)
        missing, damaged = self._parts.missing()
        for name in damaged:
            self._maker.remark(f"{name} is damaged, so it is made again")
        left = sum(segment.frames for segment in missing)
        self.outcome.resumed = self.outcome.frames - left
        return [self._parts.row(segment) for segment in missing]

    def make(self, row: Row) -> Row:
        """Write the segment of a row, in any process; return the row with its checksum.

        Raises:
            UserError: nobody holds the folder, or for another job: the network computes
                something else here, or the row is of another video.
        """
        own = {self._parts.row(each): each for each in self.plan.segments}
        if row not in own:
            raise UserError(f"{row.id}: no segment of {self.plan.target}")
        tiles = self._parts.decided(self._job, f"on {node()}{ALIKE}")
        with self._maker.tiles_fixed(tiles, self._parts):
            self._maker.make_one(own[row], self._parts)
        return replace(row, sha256=sha256_of(row.target))

    def seconds(self) -> tuple[float, float, float]:
        """Return how long was decoded, computed and encoded so far."""
        seconds = self.outcome.seconds
        return seconds.decode, seconds.network, seconds.encode

    def note(self, row: Row, seconds: tuple[float, float, float]) -> None:
        """Note that a row is done, and the seconds that it took.

        Raises:
            UserError: its file is not what was made.
        """
        segment = next(each for each in self.plan.segments if each.name == row.id)
        if sha256_of(self._parts.path(segment)) != row.sha256:
            raise UserError(
                f"{row.target}: not as it was written; do all machines see one folder?"
            )
        self._parts.add(segment)
        total = self.outcome.seconds
        before = self.seconds()
        total.decode, total.network, total.encode = map(
            sum, zip(before, seconds, strict=True)
        )

    def end(self) -> UpscaledVideo:
        """Put the result together, and let go of the folder, which is removed."""
        with self._held:
            join_segments(self.plan, self._parts, self._settings, self._maker)
        return self.outcome

    def close(self) -> None:
        """Let go of the folder, for a later run that goes on."""
        self._held.close()
