"""Upscaling from object storage into object storage (docs/scale.md).

Objects are fetched into a temporary folder, upscaled there and put: one after the other, or
by several processes. This one notes which are done in the results' own folder, from where
the same command goes on.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from realesrgan_paddle.commands.shared_work import MOST_BYTES, Work
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import SUFFIX, Results
from realesrgan_paddle.commands.upscale_rows import (
    elsewhere,
    job_of,
    open_upscaler,
    picture_settings,
)
from realesrgan_paddle.commands.upscale_shared import MANIFEST
from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.sets.sources import (
    address,
    ask_storage,
    in_storage,
    key_of,
    objects_below,
    stamp_of,
)
from realesrgan_paddle.inference.pictures.files import PICTURE_SUFFIXES
from realesrgan_paddle.inference.pictures.record import Record
from realesrgan_paddle.inference.pictures.upscale_files import upscale_files
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import require_av
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.jobs import failure_line, report_failures
from realesrgan_paddle.utils.rows import Row, line_of, rows_of

NOTED_EVERY = 30.0
"""Seconds: an object cannot be appended to, so the manifest is put anew. A run that is
killed makes again what it has made since."""
DISK_FACTOR = 3
"""A video is begun where so many times its size are free on the temporary disk."""
SIXTEEN_BITS = (".png", ".apng", ".tif", ".tiff")
"""Pictures that may have 16 bits; their headers are not read before."""


@dataclass(frozen=True)
class Stored:
    """What is to be upscaled.

    Attributes:
        root: the folder in storage.
        objects: size and stamp of each, by its name below the root.
    """

    root: Path
    objects: dict[str, tuple[int, str]]

    def may_have_16_bits(self, ext: str) -> bool:
        """Return whether a result may have more than 8 bits a sample, by the names."""
        suffixes = {Path(name).suffix.lower() for name in self.objects}
        return ext != "jpg" and not suffixes.isdisjoint(SIXTEEN_BITS)


def find_stored(flags: UpscaleFlags) -> Stored | None:
    """Return the pictures and videos of the folder in storage that the flags name.

    None where they name files.

    Raises:
        UserError: there is none, or other flags do not fit.
    """
    places = [*flags.input, flags.output or ""]
    if not any(map(_is_storage, places)):
        return None
    _check_flags(flags, places)
    root, output = Path(flags.input[0]), Path(flags.output or "")
    if root == output:
        raise UserError(
            f"--output {address(root)}: the folder of the inputs; give another"
        )
    objects = {}
    for name, info in objects_below(root).items():
        path = Path(name)
        is_result = output in (root / path).parents
        is_deeper = len(path.parts) > 1 and not flags.recursive
        if _is_input(path) and not is_result and not is_deeper:
            objects[name] = info.get("size") or 0, stamp_of(info)
    if not objects:
        raise UserError(f"{address(root)}: no pictures or videos in it")
    if any(is_video_name(Path(name)) for name in objects):
        require_av()
    return Stored(root, dict(sorted(objects.items())))


def _is_storage(place: str) -> bool:
    return in_storage(place) and not place.startswith(("http:", "https:"))


def _check_flags(flags: UpscaleFlags, places: list[str]) -> None:
    """Raise UserError for flags that do not go with object storage."""
    if len(flags.input) > 1 or not all(map(_is_storage, places)):
        raise UserError(
            "object storage: give one --input such as s3://bucket/in and an --output such "
            "as s3://bucket/out; mount it to mix it with files"
        )
    for name in ("preview", "preview_frames", "report", "skip_existing"):
        if getattr(flags, name):
            raise UserError(
                f"--{name}: not for object storage; leave it out, or mount it"
            )


def _without_suffix(name: str) -> Path:
    return Path(name).with_suffix("")


def _is_input(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES or is_video_name(path)


def upscale_stored(
    reopen: "partial[Runner]", stored: Stored, flags: UpscaleFlags
) -> int:
    """Upscale what lies in storage as the flags say; return the exit code: 1 if one failed.

    What failed does not stop the others, but a full disk does.

    Args:
        reopen: opens what runs the network.
        stored: what is upscaled.
        flags: of the command.
    """
    runner = reopen()
    upscaler = open_upscaler(runner, flags, progress=False)
    say(f"{flags.model_path}: x{runner.scale}, on {runner.device}")
    run = _Run(job_of(upscaler, flags), stored, Path(flags.output or ""))
    try:
        if flags.sharing:
            reopen, own = elsewhere(reopen, flags)
            work = UpscalingStored(reopen, own, stored.root)
            threads = reopen.keywords["threads"]
            for batch, results in flags.sharing.done(work, run.batches(), threads):
                if isinstance(results, UserError):
                    results = [StoredDone(error=str(results)) for _ in batch.objects]
                run.note(batch, results)
        else:
            work = UpscalingStored(reopen, flags, stored.root)
            for batch in run.batches():
                run.note(batch, work.do(upscaler, batch))
    finally:
        run.put_manifest()

    total = len(stored.objects)
    say(f"{total - len(run.failures)} of {total} files are in {address(run.output)}")
    return report_failures(run.failures)


@dataclass(frozen=True)
class StoredBatch:
    """Objects of one folder and one name but for the suffix: their results may meet.

    Attributes:
        objects: the size of each in bytes, by its name below the folder of the inputs.
        sources: of results that are there already, what each was made of; URLs.
    """

    objects: dict[str, int]
    sources: dict[str, str]


@dataclass(frozen=True)
class StoredDone:
    """What became of an object.

    Attributes:
        target: the URL of its result.
        frames: of a video.
        sha256: of the result.
        said: what is told of it.
        error: why there is none.
    """

    target: str = ""
    frames: int = 0
    sha256: str = ""
    said: str = ""
    error: str = ""


@dataclass(frozen=True)
class UpscalingStored(Work[StoredBatch, list[StoredDone]]):
    """What a process does with objects.

    Attributes:
        reopen: opens the network.
        flags: of the command.
        root: the folder of the inputs.
    """

    reopen: "partial[Runner]"
    flags: UpscaleFlags
    root: Path

    def open(self) -> Upscaler:
        """Return the upscaler."""
        return open_upscaler(self.reopen(), self.flags, progress=False)

    def do(self, opened: Upscaler, batch: StoredBatch) -> list[StoredDone]:
        """Fetch, upscale and put the objects of a batch, one after the other."""
        sources = dict(batch.sources)
        return [
            self._object(opened, name, size, sources)
            for name, size in batch.objects.items()
        ]

    def _object(
        self, upscaler: Upscaler, name: str, size: int, sources: dict[str, str]
    ) -> StoredDone:
        """Do one; note its result in `sources`."""
        url = address(self.root / name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "in", Path(name).name)
            try:
                self._fetch(name, size, path)
                record, result = self._upscale(upscaler, path)
                target = self._put(name, result, sources)
                digest = sha256_of(result)
            except (UserError, OSError) as error:
                line = failure_line(path, error).replace(str(path), url)
                return StoredDone(error=line.removeprefix(f"{url}: "))
        said = record.summary().replace(str(result), target)
        return StoredDone(target, record.frames, digest, said)

    def _fetch(self, name: str, size: int, path: Path) -> None:
        """Fetch an object into the file `path` of a new folder."""
        path.parent.mkdir()
        free = shutil.disk_usage(path.parent).free
        if free < DISK_FACTOR * size:
            raise UserError(
                f"{size / 1e9:.1f} GB, and only {free / 1e9:.1f} GB are free in "
                f"{tempfile.gettempdir()}; set TMPDIR to a larger disk"
            )
        ask_storage(self.root / name, lambda fs, url: fs.get_file(url, str(path)))

    def _upscale(self, upscaler: Upscaler, path: Path) -> tuple[Record, Path]:
        """Return the result of a file, in a folder beside that of the file."""
        flags = self.flags
        suffix = SUFFIX if flags.suffix is None else flags.suffix
        results = Results(path.parents[1] / "out", suffix, None)
        if is_video_name(path):
            from realesrgan_paddle.commands.upscale_videos import VideoRecord, target_of

            film = VideoRecord(path)
            results.output.mkdir()
            film.output = target_of(path, results, flags)
            film.note(
                upscaler.video(path, film.output, flags.video, outscale=flags.outscale)
            )
            return film, film.output

        record = Record(path)
        upscale_files(
            upscaler,
            [path],
            results.output,
            picture_settings(flags, results),
            records=[record],
            report=lambda _: None,
        )
        if record.error is not None or record.output is None:
            raise UserError(f"{record.error}")
        return record, record.output

    def _put(self, name: str, result: Path, sources: dict[str, str]) -> str:
        """Put a result where it belongs; return its URL."""
        url = address(self.root / name)
        place = Path(self.flags.output or "") / Path(name).parent / result.name
        target = address(place)
        other = sources.setdefault(target, url)
        if other != url:
            raise UserError(f"its result would replace that of {other}; rename one")
        ask_storage(place, lambda fs, to: fs.put_file(str(result), to))
        return target


class _Run:
    """A run, and what it has done.

    Attributes:
        output: the folder of the results.
        failures: a line for each object that failed.
    """

    def __init__(self, job: str, stored: Stored, output: Path) -> None:
        self.output = output
        self.failures: list[str] = []
        self._stored = stored
        self._job = job

        there = self._listed()
        self._rows: dict[str, Row] = {}
        if MANIFEST in there:
            text = ask_storage(
                self.output / MANIFEST,
                lambda fs, url: fs.cat_file(url, start=0, end=MOST_BYTES),
            )
            self._rows = rows_of(text)
        self._noted_at, self._is_noted = time.monotonic(), True
        # Of each object that is done, the URL of its result: noted, and there.
        targets = {address(output / name) for name in there}
        self._done = {
            name: row.target
            for name in stored.objects
            if (row := self._rows.get(self._id(name))) and row.target in targets
        }
        self._number = len(self._done)

    def _listed(self) -> frozenset[str]:
        try:
            return frozenset(objects_below(self.output))
        except UserError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return frozenset()
            raise

    def _id(self, name: str) -> str:
        """Return what tells a row: the object, its version, and what is made of it."""
        _, stamp = self._stored.objects[name]
        return f"{self._job}:{key_of(self._url(name), stamp):016x}"

    def _url(self, name: str) -> str:
        return address(self._stored.root / name)

    def batches(self) -> Iterator[StoredBatch]:
        """Yield what is left to do."""
        objects, done = self._stored.objects, self._done
        for _, group in groupby(sorted(objects, key=_without_suffix), _without_suffix):
            names = list(group)
            left = {name: objects[name][0] for name in names if name not in done}
            there = {done[name]: self._url(name) for name in names if name in done}
            if left:
                yield StoredBatch(left, there)

    def note(self, batch: StoredBatch, results: list[StoredDone]) -> None:
        """Note what became of the objects of a batch."""
        for name, put in zip(batch.objects, results, strict=True):
            self._number += 1
            url = self._url(name)
            head = f"[{self._number}/{len(self._stored.objects)}]"
            if put.error:
                self.failures.append(f"{url}: {put.error}")
                say(f"{head} failed: {url}: {put.error}")
                continue
            row = Row(
                self._id(name), url, put.target, last=put.frames, sha256=put.sha256
            )
            self._rows[row.id] = row
            self._is_noted = False
            say(f"{head} {url} {put.said}")
        if time.monotonic() - self._noted_at > NOTED_EVERY:
            self.put_manifest()

    def put_manifest(self) -> None:
        """Put the manifest, if a row was added to it since."""
        text = "".join(map(line_of, self._rows.values())).encode()
        if not self._is_noted:
            ask_storage(self.output / MANIFEST, lambda fs, url: fs.pipe_file(url, text))
        self._noted_at, self._is_noted = time.monotonic(), True
