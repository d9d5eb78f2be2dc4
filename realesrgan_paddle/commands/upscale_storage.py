"""Upscaling from object storage into object storage (docs/scale.md).

One object after the other is fetched into a temporary folder, upscaled there and put. Which
are done is noted in the results' own folder, from where the same command goes on.
"""

import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from realesrgan_paddle.commands.shared_work import MOST_BYTES
from realesrgan_paddle.commands.upscale_flags import UpscaleFlags
from realesrgan_paddle.commands.upscale_inputs import SUFFIX, Results
from realesrgan_paddle.commands.upscale_rows import (
    job_of,
    open_upscaler,
    picture_settings,
)
from realesrgan_paddle.commands.upscale_shared import MANIFEST
from realesrgan_paddle.data.footage.video_names import is_video_name
from realesrgan_paddle.data.sets.sources import (
    address,
    ask_storage,
    is_url,
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
    return is_url(place) and not place.startswith(("http:", "https:"))


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
    if flags.sharing:
        raise UserError(
            "--processes and --cluster: not for object storage; mount it, or start a "
            "command for each of several folders"
        )


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
    run = _Run(upscaler, stored, flags)
    try:
        for name in stored.objects:
            run.do(name)
    finally:
        run.put_manifest()

    total = len(stored.objects)
    say(f"{total - len(run.failures)} of {total} files are in {address(run.output)}")
    return report_failures(run.failures)


class _Run:
    """A run, and what it has done.

    Attributes:
        output: the folder of the results.
        failures: a line for each object that failed.
    """

    def __init__(self, upscaler: Upscaler, stored: Stored, flags: UpscaleFlags) -> None:
        self.output = Path(flags.output or "")
        self.failures: list[str] = []
        self._upscaler = upscaler
        self._stored = stored
        self._flags = flags
        self._number = 0
        self._job = job_of(upscaler, flags)

        self._there = self._listed()
        self._rows: dict[str, Row] = {}
        if MANIFEST in self._there:
            text = ask_storage(
                self.output / MANIFEST,
                lambda fs, url: fs.cat_file(url, start=0, end=MOST_BYTES),
            )
            self._rows = rows_of(text)
        self._noted_at, self._is_noted = time.monotonic(), True
        # Of each result's URL that of its source: no other may replace it.
        self._sources: dict[str, str] = {}
        self._done = frozenset(filter(self._is_done, stored.objects))

    def _listed(self) -> frozenset[str]:
        try:
            return frozenset(objects_below(self.output))
        except UserError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return frozenset()
            raise

    def do(self, name: str) -> None:
        """Upscale an object, unless that is done; note what became of it."""
        self._number += 1
        if name in self._done:
            return
        url = address(self._stored.root / name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "in", Path(name).name)
            try:
                record, result = self._upscale(name, path)
                target = self._put(name, result, url)
                digest = sha256_of(result)
            except (UserError, OSError) as error:
                line = failure_line(path, error).replace(str(path), url)
                line = f"{url}: {line.removeprefix(f'{url}: ')}"
                self.failures.append(line)
                self._say(f"failed: {line}")
                return

        row = Row(self._id(name), url, target, last=record.frames, sha256=digest)
        self._rows[row.id] = row
        self._is_noted = False
        self._say(f"{url} {record.summary().replace(str(result), target)}")
        if time.monotonic() - self._noted_at > NOTED_EVERY:
            self.put_manifest()

    def _id(self, name: str) -> str:
        """Return what tells a row: the object, its version, and what is made of it."""
        url = address(self._stored.root / name)
        _, stamp = self._stored.objects[name]
        return f"{self._job}:{key_of(url, stamp):016x}"

    def _is_done(self, name: str) -> bool:
        """Return whether an object's result is noted and there."""
        row = self._rows.get(self._id(name))
        below = f"{address(self.output)}/"
        if row is None or row.target.removeprefix(below) not in self._there:
            return False
        self._sources[row.target] = address(self._stored.root / name)
        return True

    def _upscale(self, name: str, path: Path) -> tuple[Record, Path]:
        """Fetch an object into the file `path`; return its result, beside the folder."""
        path.parent.mkdir()
        size, _ = self._stored.objects[name]
        free = shutil.disk_usage(path.parent).free
        if free < DISK_FACTOR * size:
            raise UserError(
                f"{size / 1e9:.1f} GB, and only {free / 1e9:.1f} GB are free in "
                f"{tempfile.gettempdir()}; set TMPDIR to a larger disk"
            )
        ask_storage(
            self._stored.root / name, lambda fs, url: fs.get_file(url, str(path))
        )

        flags, upscaler = self._flags, self._upscaler
        suffix = SUFFIX if flags.suffix is None else flags.suffix
        results = Results(path.parents[1] / "out", suffix, None)
        if is_video_name(path):
            # PyAV is optional.
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

    def _put(self, name: str, result: Path, url: str) -> str:
        """Put a result where it belongs; return its URL."""
        place = self.output / Path(name).parent / result.name
        target = address(place)
        other = self._sources.setdefault(target, url)
        if other != url:
            raise UserError(f"its result would replace that of {other}; rename one")
        ask_storage(place, lambda fs, to: fs.put_file(str(result), to))
        return target

    def put_manifest(self) -> None:
        """Put the manifest, if a row was added to it since."""
        text = "".join(map(line_of, self._rows.values())).encode()
        if not self._is_noted:
            ask_storage(self.output / MANIFEST, lambda fs, url: fs.pipe_file(url, text))
        self._noted_at, self._is_noted = time.monotonic(), True

    def _say(self, line: str) -> None:
        say(f"[{self._number}/{len(self._stored.objects)}] {line}")
