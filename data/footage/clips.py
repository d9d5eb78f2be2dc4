"""Clips of consecutive frames, cut out of videos where there is detail."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import chain, pairwise
from pathlib import Path

from realesrgan_paddle.data.footage.frame_writer import FrameWriter
from realesrgan_paddle.data.footage.packets import read_packets
from realesrgan_paddle.data.footage.shots.cuts import ShotCounter
from realesrgan_paddle.data.footage.video import Frame, Sampling, frames
from realesrgan_paddle.data.footage.views.moments import Moment, Moments
from realesrgan_paddle.data.sets.made_folders import keep_settings
from realesrgan_paddle.data.sets.naming import (
    LONGEST_STEP,
    SOURCES_FOLDER,
    claim_source_name,
)
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.crops import most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.field_order import field_order
from realesrgan_paddle.utils.files import make_folder, remove_leftovers
from realesrgan_paddle.utils.jobs import failure_line


@dataclass(frozen=True)
class ClipSettings:
    """Which clips are cut."""

    num_frame: int = setting(
        15,
        "frames of a clip; training may take fewer (datasets.train.num_frame), or "
        "strides of them",
        int_range(2, 100),
    )
    interval: float = setting(
        1.0, "seconds from the begin of a clip to that of the next", float_range(0.1)
    )
    crops: int = setting(
        2,
        "places that are cut out of each moment, the most detailed",
        int_range(1, 100),
    )
    crop_size: int = setting(320, "side of these [pixels]", int_range(64, 4096))
    max_minutes: float = setting(
        360.0, "give up on a video after this many minutes", float_range(0.001)
    )


@dataclass(frozen=True)
class RunSampling(Sampling):
    """`num_frame` successive frames of each `period`."""

    num_frame: int = 15
    period: int = 25

    def expression(self) -> str:
        """Return the condition for ffmpeg's select filter."""
        return f"lt(mod(n,{self.period}),{self.num_frame})"


@dataclass
class ClipSet:
    """What was cut."""

    clips: int = 0
    """Clips that are whole now."""
    broken: int = 0
    """Moments that were left out because the picture changes in them."""
    videos: int = 0
    """Videos that succeeded."""
    bytes: int = 0
    """Of all clips."""
    lesser: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Clips that were left out because a better video, the second, has these moments."""
    failures: list[str] = field(default_factory=list)
    """One line for each video that failed."""

    def line(self, output: Path, settings: ClipSettings) -> str:
        """Return what a command tells."""
        cuts = f"; {self.broken} moments with a cut or a gap" if self.broken else ""
        for (video, better), count in self.lesser.items():
            cuts += f"; left out {count} clips of {video}, which {better} shows better"
        return (
            f"{output}: {self.clips} clips of {settings.num_frame} frames of "
            f"{self.videos} videos, {self.bytes / 1e6:,.0f} MB{cuts}; "
            f"{len(self.failures)} videos failed"
        )


def extract_clips(
    videos: Sequence[Path],
    output: Path,
    settings: ClipSettings,
    *,
    max_gigabytes: float,
) -> ClipSet:
    """Cut clips out of `videos`: a folder of PNG files for each, below `output`.

    A folder is named after its video, its first frame's time and its place
    ("match_000012.480_s001"), the frames in it likewise, so that the hold-out knows what
    is of one moment. Existing files are left alone. A video that fails is reported and the
    others continue. Of two videos of one recording the lesser one gives no clip of what both
    show: trained on beside clips held out of the other, it would flatter the verdict.

    Raises:
        UserError: `output` is no folder and cannot become one, or has clips that were cut
            in another way.
        OSError: the disk is full, or `max_gigabytes` are written.
    """
    make_folder(output)
    kept = asdict(settings)
    del kept["max_minutes"]  # it does not change what is cut
    keep_settings(output / SOURCES_FOLDER / "clips.json", kept, output)
    remove_leftovers(output)
    done, moments = ClipSet(), Moments()
    with FrameWriter(output, max_gigabytes * 1e9) as writer:
        for video in videos:
            try:
                _extract(video, output, settings, writer, done, moments)
                done.videos += 1
            except (UserError, OSError) as error:
                writer.abandon()
                done.failures.append(failure_line(video, error))

    for moment, better in moments.lesser():
        done.lesser[moment.video, better] += len(moment.clips)
        done.clips -= len(moment.clips)
        for file in chain.from_iterable(moment.clips):
            done.bytes -= file.stat().st_size
            file.unlink()
        for clip in moment.clips:
            with suppress(OSError):  # something else is in it
                clip[0].parent.rmdir()
    return done


def _extract(
    video: Path,
    output: Path,
    settings: ClipSettings,
    writer: FrameWriter,
    done: ClipSet,
    moments: Moments,
) -> None:
    info = probe(video)
    order = field_order(video, info.seconds)
    rate = read_packets(video).rate
    if not rate:
        raise UserError(
            f"{video}: its frames have no times, so no frames follow others"
        )

    name = claim_source_name(video, output)
    sampling = RunSampling(
        select="interval",
        max_minutes=settings.max_minutes,
        num_frame=settings.num_frame,
        period=max(settings.num_frame, round(rate * settings.interval)),
    )
    before = done.clips
    runs = _runs(frames(video, info, sampling, order), settings.num_frame)
    for moment, run in enumerate(runs):
        if _has_gap(run) or _has_cut(run):
            done.broken += 1
            continue
        clips = []
        crops = most_detailed(run[0].image, settings.crop_size, settings.crops)
        for number, crop in enumerate(crops, start=1):
            place = f"s{number:03d}"
            folder = output / f"{name}_{run[0].seconds:010.3f}_{place}"
            files = [folder / f"{name}_{f.seconds:010.3f}_{place}.png" for f in run]
            for file, frame in zip(files, run, strict=True):
                if not file.exists():
                    writer.put(file, crop.of(frame.image).copy())
            writer.finish()
            clips.append(files)
            done.bytes += sum(file.stat().st_size for file in files)
        done.clips += len(clips)
        moments.add(Moment(name, moment, clips), run)
    if done.clips == before:
        raise UserError(
            f"{video}: no clip in it: nowhere {settings.num_frame} frames follow each "
            f"other without a cut or a gap of {LONGEST_STEP} s; see --num_frame"
        )


def _runs(found: Iterator[Frame], length: int) -> Iterator[list[Frame]]:
    """Yield frames in lists of `length`; fewer at the end are none."""
    run: deque[Frame] = deque()
    for frame in found:
        run.append(frame)
        if len(run) == length:
            yield list(run)
            run.clear()


def _has_gap(run: Sequence[Frame]) -> bool:
    """Return whether training would take the frames for two clips."""
    steps = (after.seconds - before.seconds for before, after in pairwise(run))
    return max(steps, default=0.0) > LONGEST_STEP


def _has_cut(run: Sequence[Frame]) -> bool:
    counter = ShotCounter()
    for frame in run:
        counter.shot_of_next(frame.image, frame.seconds)
    return counter.count > 1
