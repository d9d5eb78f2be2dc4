"""Extract the frames of videos that are worth training on into a folder."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from realesrgan_paddle.data.footage.frame_sheet import outcome, write_sheet
from realesrgan_paddle.data.footage.frame_writer import FrameWriter
from realesrgan_paddle.data.footage.passport.files import apply_verdict, write_passports
from realesrgan_paddle.data.footage.passport.page import about_sources, summary_line
from realesrgan_paddle.data.footage.passport.passport import Passport
from realesrgan_paddle.data.footage.passport.true_size import find_true_size
from realesrgan_paddle.data.footage.scoring import VideoScorer
from realesrgan_paddle.data.footage.selection import Candidate, Selection, frame_record
from realesrgan_paddle.data.footage.split import VAL, SplitOptions
from realesrgan_paddle.data.footage.video import Sampling, SourceVideo
from realesrgan_paddle.data.footage.video_names import list_videos
from realesrgan_paddle.data.footage.views.decide import decide
from realesrgan_paddle.data.footage.views.decisions import base_name, read_decisions
from realesrgan_paddle.data.footage.views.set_images import Miniatures, find_image
from realesrgan_paddle.data.sets.made_folders import keep_settings, only_poor
from realesrgan_paddle.data.sets.manifest import (
    MANIFEST,
    Record,
    failure_record,
    interlaced_record,
    is_kept,
    read_records,
    source_list,
    write_manifest,
    write_records,
)
from realesrgan_paddle.data.sets.naming import (
    SOURCES_FOLDER,
    check_outside,
    claim_source_name,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import VideoInfo, probe
from realesrgan_paddle.utils.field_order import FieldOrder, field_order
from realesrgan_paddle.utils.files import check_regular, make_folder, remove_leftovers
from realesrgan_paddle.utils.jobs import failure_line

MAX_GIGABYTES = 500.0
"""Of frames, at most."""
Share = Callable[[Iterable[Path]], Iterable[tuple[set[str], bool]]]
"""Has videos done by others; yields what `extract_one` returned for those that did not fail."""


@dataclass(frozen=True)
class Settings:
    """How frames are extracted; the same for all videos of a set."""

    sampling: Sampling = field(default_factory=Sampling)
    selection: Selection = field(default_factory=Selection)
    split: SplitOptions = field(default_factory=SplitOptions)


@dataclass
class FrameSet:
    """The result of an extraction."""

    videos: int = 0
    """Videos that succeeded."""
    written: int = 0
    """Frames written."""
    present: int = 0
    """Frames that existed already and were left alone."""
    val: int = 0
    """Frames for validation, among those written and present."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Dropped frames by reason; a whole video that was skipped counts as one."""
    failures: list[str] = field(default_factory=list)
    """One line for each video that failed; frames before the failure are kept."""
    remark: str = ""
    """Why validation has another share than was asked for; "" if it has that."""
    has_others: bool = False
    """Whether frames between key frames were taken, which were few."""
    sheet: Path | None = None
    """The page that shows all frames; None if there are none."""
    passports: list[Passport] = field(default_factory=list)
    """Of all sources of the set."""

    @property
    def validation(self) -> str:
        """How many frames are for validation, and why not as many as asked for."""
        count = str(self.val)
        if self.remark:
            return f"{count}; {self.remark}"
        return count

    @property
    def remarks(self) -> list[str]:
        """Return a line for each source, then one for each reason to drop frames."""
        lines = list(map(summary_line, self.passports))
        for reason, count in self.dropped.most_common():
            lines.append(f"dropped: {count} {reason}")
        return lines

    def lines(self, output: Path, settings: Settings) -> list[str]:
        """Return what a command tells of the extraction into `output`."""
        is_keys = settings.sampling.select == "keyframe" and not self.has_others
        kind = "key frames" if is_keys else "frames"
        present = f" ({self.present} of them there before)" if self.present else ""
        frames = f"{self.written + self.present} {kind}{present}"
        videos = f"{self.videos} videos; {len(self.failures)} videos failed"

        lines = [f"{output}: {frames} of {videos}"]
        if settings.split.val_share:
            lines.append(f"for validation: {self.validation}")
        lines += self.remarks
        if self.sheet:
            lines.append(f"look at them: {self.sheet}")
        return lines

    def all_dropped(self, output: Path, footage: str | Path) -> UserError:
        """Return what to say of footage of which no frame was kept."""
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in self.dropped.items()
        )
        return UserError(
            f"{output}: all frames were dropped ({reasons}); see {self.sheet}. "
            f"{only_poor(footage)}"
        )


def find_videos(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the given files and the videos below the given folders, each once.

    Raises:
        UserError: a path does not exist or is no file, or a folder holds no video.
    """
    videos: dict[Path, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        if not path.is_dir():
            check_regular(path)
        found = list_videos(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no videos in this folder")

        for video in found:
            videos.setdefault(video.resolve(), video)
    return list(videos.values())


def extract_key_frames(
    videos: Sequence[Path],
    output: Path,
    settings: Settings,
    *,
    sheet: Path,
    max_gigabytes: float = MAX_GIGABYTES,
    share: Share | None = None,
) -> FrameSet:
    """Write frames of `videos` as PNG files into `output`.

    A file is named after its video and its time in seconds, "match_000012.480.png".
    Existing files are left alone, and finished videos are not decoded again, so an
    interrupted extraction is resumed by running it again. A video that fails is
    reported and the others continue. At the end, the worse ones of copies are removed
    and the others moved into the parts of the split, see `decide`.
    `output`/manifest.jsonl lists all frames with their scores and why they were
    dropped. Shows a progress bar on a terminal.

    Args:
        videos: local files.
        output: folder for the frames.
        settings: which frames to extract.
        sheet: folder for the page and the contact sheet that show all frames.
        max_gigabytes: stop when more is written.
        share: has videos done by other processes, each by `extract_one`, before they are
            looked at here; those that fail there are tried again.

    Raises:
        UserError: `output` is no folder and cannot become one, or it was made with
            other settings, or `sheet` is in it.
        OSError: the disk is full, or `max_gigabytes` are written.
    """
    _check_output(output, sheet, settings)
    # A killed run leaves temporary files. That of a video's records would be read as
    # the list of another video, and all frames would be dropped as its duplicates.
    remove_leftovers(output)
    remove_leftovers(sheet)

    failures: list[Record] = []
    with FrameWriter(output, max_gigabytes * 1e9) as writer:
        extraction = _Extraction(output, settings, sheet, writer)
        done = extraction.done
        try:
            if share is not None:
                extraction.note(share(extraction.unfinished(videos)))
            for video in videos:
                try:
                    extraction.add(video)
                    done.videos += 1
                except (UserError, OSError) as error:
                    writer.abandon()
                    done.failures.append(failure_line(video, error))
                    failures.append(failure_record(video, done.failures[-1]))
            extraction.decide()
        finally:
            write_manifest(output, failures, read_decisions(output).applied_to)

    done.written += writer.written
    done.passports = write_passports(output, read_decisions(output))
    done.sheet = write_sheet(output, sheet, about_sources(done.passports))
    return done


def extract_one(
    video: Path, output: Path, settings: Settings, sheet: Path
) -> tuple[set[str], bool]:
    """Write the frames of a video into a set that another process makes.

    Returns:
        Which frames were written, and whether frames between key frames were taken.

    Raises:
        UserError: as `extract_key_frames`.
        OSError: as `extract_key_frames`.
    """
    with FrameWriter(output, MAX_GIGABYTES * 1e9) as writer:
        extraction = _Extraction(output, settings, sheet, writer)
        extraction.add(video)
    return extraction.new, extraction.done.has_others


def _check_output(output: Path, sheet: Path, settings: Settings) -> None:
    """Make the folder of the set, or refuse one that is of something else."""
    check_outside(sheet, output)
    make_folder(output)
    manifest = output / MANIFEST
    if manifest.exists():
        next(read_records(manifest), None)  # raises if it is another file
    _keep_settings(output, settings)


class _Extraction:
    """An extraction in progress: what the set holds, and the result so far."""

    def __init__(
        self, output: Path, settings: Settings, sheet: Path, writer: FrameWriter
    ) -> None:
        self.done = FrameSet()
        self._output = output
        self._settings = settings
        self._sheet = sheet
        self._writer = writer
        self._miniatures = Miniatures(output)
        self._decisions = read_decisions(output)
        self._names: list[str] = []
        self.new: set[str] = set()

    def unfinished(self, videos: Iterable[Path]) -> Iterator[Path]:
        """Yield videos that no earlier run has finished; name them in their order.

        Of copies, which have one name, the first.
        """
        names = set()
        for video in videos:
            try:
                probe(video)
                name = claim_source_name(video, self._output)
            except (UserError, OSError):
                continue  # told when it is added
            if name not in names and not source_list(self._output, name).exists():
                yield video
            names.add(name)

    def note(self, results: Iterable[tuple[set[str], bool]]) -> None:
        """Take down what other processes have done."""
        for written, has_others in results:
            self.new |= written
            self.done.written += len(written)
            self.done.has_others |= has_others

    def add(self, video: Path) -> None:
        """Extract the frames of a video, unless an earlier run has finished it."""
        info = probe(video)
        name = claim_source_name(video, self._output)
        self._names.append(name)
        finished = source_list(self._output, name)
        records = list(read_records(finished)) if finished.exists() else []
        if records and self._all_present(records):
            return
        order = self._field_order(video, info)
        if order is None:
            write_records(finished, [interlaced_record(video)])
        else:
            self._extract(SourceVideo(video, name, info, order))

    def decide(self) -> None:
        """Decide over all videos which frames stay, and in which part; count them."""
        done, settings = self.done, self._settings
        decisions = decide(self._output, settings.selection, settings.split)
        done.remark = decisions.remark
        for name in self._names:
            for finished in (True, False):
                path = source_list(self._output, name, finished=finished)
                if path.exists():
                    self._count(map(decisions.applied_to, read_records(path)))

    def _count(self, records: Iterable[Record]) -> None:
        """Count the frames of a video that are kept and dropped."""
        done = self.done
        for record in records:
            if is_kept(record):
                done.present += base_name(record) not in self.new
                done.val += record["file"].startswith(f"{VAL}/")
            else:
                done.dropped[outcome(record)] += 1
                done.written -= record.get("file") in self.new

    def _extract(self, video: SourceVideo) -> None:
        """Write the frames of a video that are kept, then its records."""
        finished = source_list(self._output, video.name)
        unfinished = source_list(self._output, video.name, finished=False)
        sampling, selection = self._settings.sampling, self._settings.selection
        enlarged_from = None
        if selection.true_size:
            enlarged_from = find_true_size(video, sampling)
        scorer = VideoScorer(video, sampling, selection, self._sheet, enlarged_from)
        decided: list[Candidate] = []
        error: UserError | None = None
        try:
            for frame in scorer.decide():
                if not frame.reason:
                    self._keep(frame)
                decided.append(frame)
        except UserError as caught:
            error = caught

        self.done.has_others |= scorer.shots.is_dense

        # The records are written last: where they exist, the frames do.
        self._writer.finish()
        records = []
        for frame in decided:
            overlays = scorer.screen.boxes_at(frame.seconds)
            records.append(frame_record(frame, video.path, overlays))
        records = apply_verdict(scorer, records, self._output, selection)
        write_records(unfinished if error else finished, records)
        if error:
            raise error
        unfinished.unlink(missing_ok=True)

    def _field_order(self, video: Path, info: VideoInfo) -> FieldOrder | None:
        """Return the field order to decode with; None if the video is to be skipped."""
        choice = self._settings.sampling.interlaced
        if choice == "keep":
            return "progressive"
        order = field_order(video, info.seconds)
        if choice == "skip" and order != "progressive":
            return None
        return order

    def _keep(self, frame: Candidate) -> None:
        """Write a frame in the background unless its file exists; free its image."""
        assert frame.image is not None
        self._miniatures.write(frame.file, frame.image)
        if find_image(self._output, frame.file) is None:
            self.new.add(frame.file)
            self._writer.put(self._output / frame.file, frame.image)
        frame.image = None

    def _all_present(self, records: Iterable[Record]) -> bool:
        """Return whether the images of all kept frames exist, but for dropped copies."""
        for record in filter(is_kept, records):
            name = base_name(record)
            if name in self._decisions.copies:
                continue
            if find_image(self._output, name) is None:
                return False
        return True


def _keep_settings(output: Path, settings: Settings) -> None:
    """Write the settings of `output`, or refuse others than the written ones."""
    all_settings = {
        **asdict(settings.sampling),
        **asdict(settings.selection),
        **asdict(settings.split),
    }
    del all_settings["max_minutes"]  # it does not change which frames are taken
    if all_settings["min_frames"] == Sampling.min_frames:
        del all_settings["min_frames"]  # sets made before take it from now on
    for flag in ("true_size", "trust_sources"):
        if not all_settings[flag]:
            del all_settings[flag]  # older sets were made without it
    keep_settings(output / SOURCES_FOLDER / "settings.json", all_settings, output)
