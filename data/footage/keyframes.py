"""Extract the frames of videos that are worth training on into a folder."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from realesrgan_paddle.data.footage.frame_record import frame_record
from realesrgan_paddle.data.footage.frame_sheet import outcome, write_sheet
from realesrgan_paddle.data.footage.frame_writer import FrameWriter
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.scoring import VideoScorer
from realesrgan_paddle.data.footage.selection import Candidate, Selection
from realesrgan_paddle.data.footage.split import TRAIN, VAL, Split, SplitOptions
from realesrgan_paddle.data.footage.video import list_videos
from realesrgan_paddle.data.footage.views.hashes import HashIndex
from realesrgan_paddle.data.sets.manifest import (
    DROPPED,
    EXTRACTED,
    MANIFEST,
    Record,
    all_lists,
    failure_record,
    hash_of,
    is_kept,
    read_records,
    skip_record,
    source_list,
    write_manifest,
    write_records,
)
from realesrgan_paddle.data.sets.naming import (
    SOURCES_FOLDER,
    check_outside,
    claim_source_name,
)
from realesrgan_paddle.data.sets.settings_file import keep_settings
from realesrgan_paddle.utils.atomic import make_folder, remove_leftovers
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files.regular import check_regular
from realesrgan_paddle.utils.jobs import failure_line
from realesrgan_paddle.utils.video.field_order import FieldOrder, field_order
from realesrgan_paddle.utils.video.probe import VideoInfo, probe


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
    sheet: Path | None = None
    """The page that shows all frames; None if there are none."""


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
    max_gigabytes: float = 500.0,
) -> FrameSet:
    """Write frames of `videos` as PNG files into `output`.

    A file is named after its video and its time in seconds, "match_000012.480.png".
    Existing files are left alone, and finished videos are not decoded again, so an
    interrupted extraction is resumed by running it again. A video that fails is
    reported and the others continue. `output`/manifest.jsonl lists all frames with
    their scores and why they were dropped. Shows a progress bar on a terminal.

    Args:
        videos: local files.
        output: folder for the frames.
        settings: which frames to extract.
        sheet: folder for the page and the contact sheet that show all frames.
        max_gigabytes: stop when more is written.

    Raises:
        UserError: `output` is no folder and cannot become one, or it was made with
            other settings, or `sheet` is in it.
        OSError: the disk is full, or `max_gigabytes` are written.
    """
    check_outside(sheet, output)
    make_folder(output)
    if (output / MANIFEST).exists():
        next(read_records(output / MANIFEST), None)  # raises if it is another file
    _keep_settings(output, settings)
    # A killed run leaves temporary files. That of a video's records would be read as
    # the list of another video, and all frames would be dropped as its duplicates.
    remove_leftovers(output)
    remove_leftovers(sheet)

    failures: list[Record] = []
    with FrameWriter(output, max_gigabytes * 1e9) as writer:
        extraction = _Extraction(output, settings, sheet, writer)
        done = extraction.done
        try:
            for video in videos:
                try:
                    extraction.add(video)
                    done.videos += 1
                except (UserError, OSError) as error:
                    writer.abandon()
                    done.failures.append(failure_line(video, error))
                    failures.append(failure_record(video, done.failures[-1]))
        finally:
            write_manifest(output, failures)

    done.written = writer.written
    done.sheet = write_sheet(output, sheet)
    return done


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
        self._load()

    def add(self, video: Path) -> None:
        """Extract the frames of a video, unless an earlier run has finished it."""
        info = probe(video)
        name = claim_source_name(video, self._output)
        finished = source_list(self._output, name)
        unfinished = source_list(self._output, name, finished=False)

        records = list(read_records(finished)) if finished.exists() else []
        if records and self._all_present(records):
            self.done.present += sum(map(is_kept, records))
        else:
            if records or unfinished.exists():
                self._load(without=name)
            records = self._extract(video, info, name)

        self.done.val += sum(map(_is_val, records))
        for record in records:
            if record["decision"] == DROPPED:
                self.done.dropped[outcome(record)] += 1

    def _extract(self, video: Path, info: VideoInfo, name: str) -> list[Record]:
        """Write the frames of a video that are kept, then its records; return those."""
        finished = source_list(self._output, name)
        unfinished = source_list(self._output, name, finished=False)
        order = self._field_order(video, info)
        if order is None:
            records = [skip_record(video, "interlaced video")]
            write_records(finished, records)
            return records

        scorer = VideoScorer(
            name,
            self._settings.sampling,
            self._settings.selection,
            self._index,
            self._sheet,
        )
        decided: list[Candidate] = []
        error: UserError | None = None
        try:
            for frame in scorer.decide(video, info, order):
                if not frame.reason:
                    self._keep(frame, name)
                decided.append(frame)
        except UserError as caught:
            error = caught

        # The records are written last: where they exist, the frames do.
        self._writer.finish()
        overlays = scorer.overlays()
        records = [frame_record(frame, video, overlays) for frame in decided]
        write_records(unfinished if error else finished, records)
        if error:
            raise error
        unfinished.unlink(missing_ok=True)
        return records

    def _field_order(self, video: Path, info: VideoInfo) -> FieldOrder | None:
        """Return the field order to decode with; None if the video is to be skipped."""
        choice = self._settings.sampling.interlaced
        if choice == "keep":
            return "progressive"
        order = field_order(video, info.seconds)
        if choice == "skip" and order != "progressive":
            return None
        return order

    def _keep(self, frame: Candidate, name: str) -> None:
        """Write a frame in the background unless its file exists; free its image."""
        frame.file = self._split.place(frame.file, name, frame.shot)
        target = self._output / frame.file
        if target.exists():
            self.done.present += 1
        else:
            assert frame.image is not None
            self._writer.put(target, frame.image)
        frame.image = None

    def _load(self, without: str = "") -> None:
        """Read the hashes and the split of the set's frames.

        Args:
            without: name of a video that will be extracted anew: of it, only which of
                its shots are for validation.
        """
        own = {
            source_list(self._output, without),
            source_list(self._output, without, finished=False),
        }
        lists = all_lists(self._output)
        others = [path for path in lists if path not in own]

        self._index = HashIndex()
        kept = val = 0
        for record in _kept_records(others):
            self._index.add(record["file"], hash_of(record))
            kept += 1
            val += _is_val(record)

        self._split = Split(self._settings.split, kept, val)
        for record in _kept_records(path for path in lists if path in own):
            part = VAL if _is_val(record) else TRAIN
            self._split.remember(part, without, record["shot"])

    def _all_present(self, records: Iterable[Record]) -> bool:
        """Return whether the files of all kept frames exist."""
        for record in filter(is_kept, records):
            file = self._output / record["file"]
            if not file.exists():
                return False
        return True


def _kept_records(lists: Iterable[Path]) -> Iterator[Record]:
    """Yield the records of the kept frames in several record files."""
    for path in lists:
        yield from filter(is_kept, read_records(path, EXTRACTED))


def _is_val(record: Record) -> bool:
    """Return whether a record is that of a frame for validation."""
    if not is_kept(record):
        return False
    return record["file"].startswith(f"{VAL}/")


def _keep_settings(output: Path, settings: Settings) -> None:
    """Write the settings of `output`, or refuse others than the written ones."""
    all_settings = {
        **asdict(settings.sampling),
        **asdict(settings.selection),
        **asdict(settings.split),
    }
    del all_settings["max_minutes"]  # it does not change which frames are taken
    keep_settings(output / SOURCES_FOLDER / "settings.json", all_settings, output)
