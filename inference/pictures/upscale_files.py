"""Picture files in, upscaled files out: one is read while another is upscaled, a third written."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.inference.pictures.files import (
    TakenFiles,
    Targets,
    check_size,
    is_written,
)
from realesrgan_paddle.inference.pictures.metadata import fitting
from realesrgan_paddle.inference.pictures.reading import Picture, read_picture
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.pictures.writing import (
    encode_animation,
    frame_to_write,
    write_file,
    write_picture,
)
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import make_folder, remove_leftovers
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import SUFFIXES_16_BIT, eight_bits, size_of
from realesrgan_paddle.utils.jobs import failure_line

FAILURES = (UserError, OSError, MemoryError)
"""What ends the work on one picture and not that on the others."""


@dataclass(frozen=True)
class PictureSettings:
    """What a user may choose for pictures; each field is a flag too.

    Attributes:
        outscale: the upscaling factor of the results; None: the network's.
        suffix: see `Targets`.
        ext: see `Targets`.
        all_frames: upscale all frames of animations.
        skip_existing: leave out pictures whose results are there.
        max_pixels: refuse pictures with more; None: none.
    """

    outscale: float | None = None
    suffix: str = "out"
    ext: str = "auto"
    all_frames: bool = False
    skip_existing: bool = False
    max_pixels: int | None = None


DEFAULTS = PictureSettings()
BYTES_AT_ONCE = 4_000_000
"""Of an animation's upscaled frames, which wait to be given their colors."""


def upscale_files(
    upscaler: ArrayUpscaler,
    paths: Sequence[Path],
    output: str | Path,
    settings: PictureSettings = DEFAULTS,
    *,
    root: Path | None = None,
    records: Sequence[Record] | None = None,
    taken: TakenFiles | None = None,
    report: Callable[[str], None] = say,
    earlier: int = 0,
    total: int | None = None,
) -> dict[Path, str]:
    """Upscale image files into the folder `output`; return the reason of each failure.

    The largest first, for which a graph prepares itself. A file that cannot be read,
    upscaled or written does not stop the others, but a full disk does. Results of earlier
    runs are overwritten; an input never is, nor a result of this run.

    Args:
        upscaler: upscales one image.
        paths: the input files, see `find_inputs`.
        output: folder, made if missing; or the file of a single picture's result, which
            is named like one.
        settings: see `PictureSettings`.
        root: see `Targets`.
        records: of each picture, filled in as it is done; None: they are made here.
        taken: the files that may not be written; None: `paths`.
        report: gets one line for each file.
        earlier: pictures before these, in the numbers that `report` gets.
        total: pictures of all; None: these are.

    Raises:
        UserError: `output` cannot be written.
    """
    output = Path(output)
    targets = Targets(output, root, settings.suffix, settings.ext)
    make_folder(targets.folder)
    if settings.skip_existing:
        # Of a run that was killed, which this one continues.
        remove_leftovers(targets.folder, below=root is not None)

    records = records or [Record(path) for path in paths]
    taken = taken or TakenFiles(paths)
    largest_first = sorted(records, key=_pixel_count, reverse=True)
    work = PictureUpscaler(upscaler, largest_first, targets, settings, report, taken)
    work.earlier, work.total = earlier, total or len(records)
    work.run()

    failures = {}
    for record in records:
        if record.error is not None:
            failures[record.input] = record.error
    return failures


@dataclass(frozen=True)
class UpscaledPicture:
    """An upscaled picture that is to be written.

    Attributes:
        picture: the input.
        target: the file to write.
        image: the result; of an animation its first frame.
        frames: of an animation.
        durations: of each frame of an animation [ms].
    """

    picture: Picture
    target: Path
    image: np.ndarray
    frames: list[Image.Image]
    durations: list[float]


class PictureUpscaler:
    """Upscales pictures, in the given order, and keeps a record of each.

    Three threads: decoding and encoding let others compute meanwhile, because OpenCV and
    Pillow release Python's lock. At most one picture is read ahead, and one written
    behind. Signals reach the main thread, which lets the others end their step: a file
    is written as a whole or not at all.

    Args:
        upscaler: upscales one image.
        records: of the input files.
        targets: where results go.
        settings: see `PictureSettings`.
        say: gets one line for each picture.
        taken: the files that may not be written.
    """

    def __init__(
        self,
        upscaler: ArrayUpscaler,
        records: Sequence[Record],
        targets: Targets,
        settings: PictureSettings,
        say: Callable[[str], None],
        taken: TakenFiles,
    ) -> None:
        self.upscaler = upscaler
        self.targets = targets
        self.settings = settings
        self.say = say
        self.records = records
        self.earlier, self.total = 0, len(records)  # see `upscale_files`
        self._taken = taken
        self._writing: tuple[Record, Path, Future[None]] | None = None

    def run(self) -> None:
        """Upscale all pictures.

        Raises:
            OSError: the disk is full, or the machine has no more of something.
        """
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            try:
                for record, picture in one_ahead(reader, self._read, self._missing()):
                    try:
                        result = self._upscale(record, picture)
                    except FAILURES as error:
                        self._end_writing()
                        self._fail(record, error)
                        continue
                    self._end_writing()
                    written = writer.submit(self._write, record, result)
                    self._writing = record, result.target, written
            finally:
                self._end_writing()

    def _missing(self) -> Iterator[Record]:
        """Yield the records of pictures whose results are not there yet."""
        if not self.settings.skip_existing:
            yield from self.records
            return

        # Where a.png and a.webp are inputs, a_out.png is not the second one's result.
        likeliest: dict[Path, Path] = {}
        for record in reversed(self.records):
            possible = self.targets.possible(
                record.input, all_frames=self.settings.all_frames
            )
            likeliest[possible[0]] = record.input
        for record in self.records:
            target = self._existing(record.input, likeliest)
            if target is None:
                yield record
                continue
            self._taken.take(target, record.input)
            record.output = target
            record.status = "skipped"

    def _existing(self, path: Path, likeliest: dict[Path, Path]) -> Path | None:
        """Return the result of `path` that is there; None if there is none.

        Args:
            path: the input.
            likeliest: which input each result is most likely of.
        """
        for target in self.targets.possible(path, all_frames=self.settings.all_frames):
            is_own = likeliest.get(target, path) == path
            if is_own and is_written(target) and self._taken.is_free(target, path):
                return target
        return None

    def _read(self, record: Record) -> Picture:
        """Read a picture; in the reader's thread."""
        start = time.perf_counter()
        try:
            if self.settings.max_pixels is not None:
                _refuse_larger(record.input, self.settings.max_pixels)
            return read_picture(record.input, all_frames=self.settings.all_frames)
        finally:
            record.decode = time.perf_counter() - start

    def _upscale(self, record: Record, reading: "Future[Picture]") -> UpscaledPicture:
        """Return the result of a picture that is read or being read."""
        picture = reading.result()
        record.size = size_of(picture.pixels)
        record.remarks += picture.remarks
        target = self.targets.of(record.input, picture)
        check_size(target, picture, self.settings.outscale or self.upscaler.scale)
        self._taken.take(target, record.input)

        start = time.perf_counter()
        try:
            result = self._computed(picture, target)
        except FAILURES:
            self._taken.release(target)
            raise
        finally:
            record.compute = time.perf_counter() - start
        record.frames = max(len(result.frames), 1)
        record.output_size = size_of(result.image)
        return result

    def _computed(self, picture: Picture, target: Path) -> UpscaledPicture:
        """Return the result of a picture, all its frames if it is an animation."""
        if picture.animation is None:
            image = self.upscaler(picture.pixels, outscale=self.settings.outscale)
            return UpscaledPicture(picture, target, image, [], [])

        frames: list[Image.Image] = []
        waiting: list[np.ndarray] = []
        durations: list[float] = []
        ready = partial(frame_to_write, picture.animation)
        # To find a small frame's 256 colors takes as long as to upscale it, and longer
        # beside the next frame's upscaling, whose threads wait for each other.
        with ThreadPoolExecutor() as pool:
            for frame, duration in picture.animation.frames():
                waiting.append(self.upscaler(frame, outscale=self.settings.outscale))
                if not durations:
                    image = waiting[0]
                durations.append(duration)
                if sum(each.nbytes for each in waiting) >= BYTES_AT_ONCE:
                    frames += pool.map(ready, waiting)
                    waiting.clear()
            frames += pool.map(ready, waiting)
        return UpscaledPicture(picture, target, image, frames, durations)

    def _write(self, record: Record, result: UpscaledPicture) -> None:
        """Write a result; in the writer's thread."""
        start = time.perf_counter()
        try:
            record.remarks += write_result(result)
        finally:
            record.encode = time.perf_counter() - start

    def _end_writing(self) -> None:
        """Wait for the result that is being written, and say what became of it."""
        if self._writing is None:
            return
        record, target, written = self._writing
        try:
            written.result()
        except FAILURES as error:
            self._writing = None
            self._taken.release(target)
            self._fail(record, error)
            return

        self._writing = None
        record.output = target
        record.status = "done"
        self.say(f"{self._head(record)} {record.summary()}")

    def _fail(self, record: Record, error: UserError | OSError | MemoryError) -> None:
        """Note that a picture failed; raise an error that the others would meet too."""
        record.status = "failed"
        record.error = str(error)
        if isinstance(error, MemoryError):
            record.error = "out of memory"
        else:
            line = failure_line(record.input, error)
            record.error = line.removeprefix(f"{record.input}: ")

        head = self._head(record)
        self.say(f"{head}: failed: {record.error}")

    def _head(self, record: Record) -> str:
        number = self.earlier + self.records.index(record) + 1
        return f"[{number}/{self.total}] {record.input}"


def one_ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Record], Picture],
    records: Iterable[Record],
) -> "Iterator[tuple[Record, Future[Picture]]]":
    """Yield each record with its `work`, of which the next one's is already begun."""
    before = None
    for record in records:
        begun = record, pool.submit(work, record)
        if before is not None:
            yield before
        before = begun
    if before is not None:
        yield before


def write_result(result: UpscaledPicture) -> list[str]:
    """Write a result with its input's metadata; return what is to be said of it."""
    picture, target, image = result.picture, result.target, result.image
    gray = image.ndim == 2 or (picture.gray_alpha and image.dtype == np.uint8)
    kept, remarks = fitting(
        picture.metadata, target.suffix, gray=gray, size=size_of(image)
    )
    if picture.animation is not None:
        durations = result.durations
        data = encode_animation(picture.animation, result.frames, durations, kept)
        write_file(target, data)
        return remarks

    if image.dtype == np.uint16 and target.suffix.lower() not in SUFFIXES_16_BIT:
        image = eight_bits(image)
        remarks.append(f"{target.suffix} holds 8 bits")
    if picture.gray_alpha:
        image = _gray(image)
    write_picture(target, image, kept, gray_alpha=picture.gray_alpha)
    return remarks


def _gray(image: np.ndarray) -> np.ndarray:
    """Return RGBA with the luma of its colors in their place."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGBA2GRAY)
    alpha = image[..., 3]
    return np.dstack([luma, luma, luma, alpha])


def _refuse_larger(path: Path, max_pixels: int) -> None:
    """Raise UserError if the header of an image declares more pixels."""
    header = read_checked_header(path)
    pixels = header.width * header.height
    if pixels > max_pixels:
        raise UserError(
            f"{path}: {header.width}x{header.height} are {pixels:,} pixels, more than "
            f"--max_pixels {max_pixels:,}; cut it into smaller images, or allow more"
        )


def _pixel_count(record: Record) -> int:
    """Return how many pixels an image has; 0 if that cannot be read, as is said later."""
    try:
        header = read_checked_header(record.input)
    except (UserError, OSError):
        return 0
    return header.width * header.height
