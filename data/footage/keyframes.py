"""From footage to a folder of frames that are worth training on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from realesrgan_paddle.data.footage.duplicates import HashIndex
from realesrgan_paddle.data.footage.field_order import field_order
from realesrgan_paddle.data.footage.frame_sheet import kind, write_sheet
from realesrgan_paddle.data.footage.frame_writer import FrameWriter
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.scoring import VideoJudge
from realesrgan_paddle.data.footage.selection import Candidate, Selection
from realesrgan_paddle.data.footage.split import TRAIN, VAL, Split, SplitOptions
from realesrgan_paddle.data.footage.video import (
    FieldOrder,
    VideoInfo,
    list_videos,
    probe,
)
from realesrgan_paddle.data.sets.manifest import (
    DROPPED,
    KEPT,
    MANIFEST,
    Record,
    all_lists,
    failure_record,
    frame_record,
    hash_of,
    read_records,
    skip_record,
    source_list,
    write_manifest,
    write_records,
)
from realesrgan_paddle.data.sets.naming import (
    SOURCES_FOLDER,
    check_apart,
    claim_source_name,
)
from realesrgan_paddle.data.sets.settings_file import keep_settings
from realesrgan_paddle.utils.atomic import make_folder
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.jobs import failure_line


@dataclass(frozen=True)
class Settings:
    """How frames are taken; the same for all of one set."""

    sampling: Sampling = field(default_factory=Sampling)
    selection: Selection = field(default_factory=Selection)
    split: SplitOptions = field(default_factory=SplitOptions)


@dataclass
class FrameSet:
    """What an extraction did."""

    videos: int = 0
    written: int = 0
    """Frames written."""
    present: int = 0
    """Frames that were there already and were left alone."""
    val: int = 0
    """How many of the frames are for validation."""
    dropped: Counter[str] = field(default_factory=Counter)
    """How many frames were dropped, by reason; a whole video that was skipped counts as one."""
    failures: list[str] = field(default_factory=list)
    """One line for each video that failed; frames taken before the failure are kept."""
    sheet: Path | None = None
    """The page that shows all frames; None if there are none."""


def find_videos(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the given files and the videos below the given folders, each once.

    Raises:
        UserError: a path does not exist, or a folder holds no video.
    """
    videos: dict[Path, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
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
    """Write frames of `videos` as PNG files into `output` and return what was done.

    A file is named after its video and its time in seconds, "match_000012.480.png".
    Files that are there already are left alone, and videos that are done are not
    decoded again, so an interrupted extraction can be run again. A video that fails is
    noted and the rest goes on. `output`/manifest.jsonl lists all frames with what was
    measured and why they were dropped. Shows a progress bar on a terminal.

    Args:
        videos: local files.
        output: folder for the frames.
        settings: which frames to take.
        sheet: folder for the page and the picture that show all frames.
        max_gigabytes: the most to write.

    Raises:
        UserError: `output` is no folder and cannot become one, or it was made with
            other settings, or `sheet` is in it.
        OSError: the disk is full, or `max_gigabytes` are written.
    """
    check_apart(sheet, output)
    make_folder(output)
    if (output / MANIFEST).exists():
        next(read_records(output / MANIFEST), None)  # raises if it is somebody else's
    _keep_settings(output, settings)
    failures: list[Record] = []
    with FrameWriter(output, max_gigabytes * 1e9) as writer:
        work = _Work(output, settings, sheet, writer)
        try:
            for video in videos:
                try:
                    work.take(video)
                except (UserError, OSError) as error:
                    work.done.failures.append(failure_line(video, error))
                    failures.append(failure_record(video, work.done.failures[-1]))
                else:
                    work.done.videos += 1
        finally:
            write_manifest(output, failures)
    work.done.sheet = write_sheet(output, sheet)
    return work.done


class _Work:
    """An extraction at work: what the set holds, and what was done."""

    def __init__(
        self, output: Path, settings: Settings, sheet: Path, writer: FrameWriter
    ) -> None:
        self.done = FrameSet()
        self._output = output
        self._settings = settings
        self._sheet = sheet
        self._writer = writer
        self._load()

    def take(self, video: Path) -> None:
        """Take the frames of one video, unless that has been done."""
        info = probe(video)
        name = claim_source_name(video, self._output)
        done, unfinished = (
            source_list(self._output, name, finished=finished)
            for finished in (True, False)
        )
        records = list(read_records(done)) if done.exists() else []
        if records and self._all_there(records):
            self.done.present += sum(record["decision"] == KEPT for record in records)
        else:
            if records or unfinished.exists():
                self._load(without=name)
            records = self._decide(video, info, name)
        self.done.val += sum(_is_val(record) for record in records)
        self.done.dropped.update(
            kind(record) for record in records if record["decision"] == DROPPED
        )

    def _decide(self, video: Path, info: VideoInfo, name: str) -> list[Record]:
        """Write the frames of a video that are kept, then the list of all; return the list."""
        sampling = self._settings.sampling
        order: FieldOrder = (
            "progressive" if sampling.interlaced == "keep" else field_order(video, info)
        )
        if order != "progressive" and sampling.interlaced == "skip":
            records = [skip_record(video, "interlaced video")]
            write_records(source_list(self._output, name), records)
            return records
        judge = VideoJudge(
            name, sampling, self._settings.selection, self._index, self._sheet
        )
        error: UserError | None = None
        decided: list[Candidate] = []
        try:
            for frame in judge.decided(video, info, order):
                if not frame.reason:
                    self._keep(frame, name)
                decided.append(frame)
        except UserError as caught:
            error = caught
        self._writer.finish()
        overlays = judge.overlays()
        records = [frame_record(frame, video, overlays) for frame in decided]
        write_records(source_list(self._output, name, finished=error is None), records)
        if error:
            raise error
        source_list(self._output, name, finished=False).unlink(missing_ok=True)
        return records

    def _keep(self, frame: Candidate, name: str) -> None:
        """Have a frame written, if it is not there, and let the picture go."""
        frame.file = self._split.place(frame.file, name, frame.shot)
        target = self._output / frame.file
        if target.exists():
            self.done.present += 1
        else:
            assert frame.image is not None
            self._writer.put(target, frame.image)
            self.done.written += 1
        frame.image = None

    def _load(self, without: str = "") -> None:
        """Read what the set holds, but for one video; of that, only which of its shots are for validation."""
        self._index = HashIndex()
        own = {
            source_list(self._output, without, finished=finished)
            for finished in (True, False)
        }
        lists = all_lists(self._output)
        for record in _kept(path for path in lists if path not in own):
            self._index.add(record["file"], hash_of(record))
        parts = Counter(
            _is_val(record)
            for record in _kept(path for path in lists if path not in own)
        )
        self._split = Split(self._settings.split, parts.total(), parts[True])
        for record in _kept(path for path in lists if path in own):
            self._split.remember(
                VAL if _is_val(record) else TRAIN, without, record["shot"]
            )

    def _all_there(self, records: Sequence[Record]) -> bool:
        return all(
            (self._output / record["file"]).exists()
            for record in records
            if record["decision"] == KEPT
        )


def _kept(lists: Iterable[Path]) -> Iterator[Record]:
    return (
        record
        for path in lists
        for record in read_records(path)
        if record["decision"] == KEPT
    )


def _is_val(record: Record) -> bool:
    return record["decision"] == KEPT and record["file"].startswith(f"{VAL}/")


def _keep_settings(output: Path, settings: Settings) -> None:
    """Write down how the frames of `output` are taken, or refuse if they have been taken in another way."""
    path = output / SOURCES_FOLDER / "settings.json"
    parts = (
        asdict(settings.sampling),
        asdict(settings.selection),
        asdict(settings.split),
    )
    mine = {
        key: value
        for part in parts
        for key, value in part.items()
        if key != "max_minutes"
    }
    keep_settings(path, mine, output)
