"""What one of several processes does: it opens the network, and upscales batches of rows."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.commands.shared_work import Work
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import Results, spares_names
from realesrgan_paddle.inference.pictures.files import TakenFiles
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.pictures.upscale_files import (
    PictureSettings,
    upscale_files,
)
from realesrgan_paddle.inference.runners.runner import (
    Runner,
    SelfEnsemble,
    network_digest,
)
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.rows import Row

if TYPE_CHECKING:
    from realesrgan_paddle.inference.video.shared_video import SharedVideo


@dataclass(frozen=True)
class Batch:
    """Rows that one process does at once.

    Attributes:
        rows: pictures, or one segment of a video, or one whole video.
        results: where results go.
        near: inputs that a result might be named like.
    """

    rows: tuple[Row, ...]
    results: Results
    near: tuple[Path, ...] = ()


@dataclass
class Done:
    """What became of a batch.

    Attributes:
        records: of its pictures, or of its whole video.
        row: of its segment, with the checksum.
        seconds: of a segment: decoding, network, encoding.
        error: of a segment.
    """

    records: list[Record] = field(default_factory=list)
    row: Row | None = None
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    error: str = ""


def open_upscaler(runner: Runner, flags: UpscaleFlags, *, progress: bool) -> Upscaler:
    """Return what upscales pictures and videos as the flags say."""
    if flags.tta:
        runner = SelfEnsemble(runner)
    return Upscaler(
        runner,
        runner.scale,
        tile=flags.tile,
        tile_pad=flags.tile_pad,
        pre_pad=flags.pre_pad,
        alpha_upsampler=flags.alpha_upsampler,
        progress=progress,
        log=say,
    )


def job_of(upscaler: Upscaler, flags: UpscaleFlags) -> str:
    """Return what tells the rows of one network and the same flags from others."""
    asked = (
        flags.tile,
        flags.tile_pad,
        flags.pre_pad,
        flags.alpha_upsampler,
        flags.outscale,
        flags.suffix,
        flags.ext,
        flags.all_frames,
        flags.container,
        flags.video,
    )
    digest = hashlib.sha256(f"{network_digest(upscaler.run)} {asked!r}".encode())
    return digest.hexdigest()[:12]


def elsewhere(
    reopen: "partial[Runner]", flags: UpscaleFlags
) -> tuple["partial[Runner]", UpscaleFlags]:
    """Return what opens the network in another process, and the flags which that needs.

    Args:
        reopen: opens it in this one.
        flags: of the command, which may have others besides; those may not be there.
    """
    words = {each.name: getattr(flags, each.name) for each in fields(UpscaleFlags)}
    threads = flags.sharing.threads(reopen.keywords.get("threads"))
    (model,) = reopen.args
    if Path(model).exists():  # other processes may be in other folders
        model = Path(model).absolute()
    keywords = {**reopen.keywords, "threads": threads}
    return partial(reopen.func, model, **keywords), UpscaleFlags(**words)


def picture_settings(flags: UpscaleFlags, results: Results) -> PictureSettings:
    """Return what the flags say of the pictures of one place."""
    return PictureSettings(
        outscale=flags.outscale,
        suffix=results.suffix,
        ext=flags.ext,
        all_frames=flags.all_frames,
        skip_existing=flags.skip_existing,
        max_pixels=flags.max_pixels,
    )


@dataclass(frozen=True)
class Upscaling(Work[Batch, Done]):
    """What a process does with batches.

    Attributes:
        reopen: opens the network.
        flags: of the command.
        encoder_threads: of the machine that plans: they change a video's bits.
    """

    reopen: "partial[Runner]"
    flags: UpscaleFlags
    encoder_threads: int

    def open(self) -> tuple[Upscaler, dict[str, "SharedVideo"]]:
        """Return the upscaler, and the last video that it made a segment of."""
        return open_upscaler(self.reopen(), self.flags, progress=False), {}

    def do(
        self, opened: tuple[Upscaler, dict[str, "SharedVideo"]], batch: Batch
    ) -> Done:
        """Upscale the pictures, the segment or the video of a batch."""
        upscaler, videos = opened
        kind = batch.rows[0].id.partition(":")[0]
        if kind == "picture":
            return self._pictures(upscaler, batch)
        try:
            if kind == "video":
                return self._video(upscaler, batch.rows[0])
            return self._segment(upscaler, videos, batch.rows[0])
        except (UserError, OSError) as error:
            return Done(error=failure_line(Path(batch.rows[0].source), error))

    def _pictures(self, upscaler: Upscaler, batch: Batch) -> Done:
        records = [Record(Path(row.source)) for row in batch.rows]
        paths = [record.input for record in records]
        results = batch.results
        upscale_files(
            upscaler,
            paths,
            results.output,
            # Who plans has looked; leftovers may be what another process writes now.
            replace(picture_settings(self.flags, results), skip_existing=False),
            root=results.root,
            records=records,
            taken=TakenFiles([*paths, *batch.near], spares=spares_names(self.flags)),
            report=lambda _: None,
        )
        return Done(records)

    def _video(self, upscaler: Upscaler, row: Row) -> Done:
        from realesrgan_paddle.commands.upscale_videos import VideoRecord

        record = VideoRecord(Path(row.source))
        record.note(
            upscaler.video(
                row.source, row.target, self.flags.video, outscale=self.flags.outscale
            )
        )
        record.output = Path(row.target)
        return Done([record])

    def _segment(
        self, upscaler: Upscaler, videos: dict[str, "SharedVideo"], row: Row
    ) -> Done:
        from realesrgan_paddle.inference.video.shared_video import SharedVideo

        if row.source not in videos:
            videos.clear()
            target = Path(row.target).parent.with_suffix("")  # without ".parts"
            videos[row.source] = SharedVideo(
                upscaler,
                Path(row.source),
                target,
                self.flags.video,
                self.flags.outscale,
                self.encoder_threads,
            )
        video = videos[row.source]
        before = video.seconds()
        made = video.make(replace(row, id=row.id.partition(":")[2]))
        after = video.seconds()
        decode, network, encode = (b - a for a, b in zip(before, after, strict=True))
        return Done(row=made, seconds=(decode, network, encode))
