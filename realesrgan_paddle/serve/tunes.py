"""Networks that are made on the page: the clips for each, the tune at work, what it came to.

All of it is in one folder, so that a page that is started again shows it, and goes on.
"""

import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realesrgan_paddle.data.footage.frame_sheet import THUMBS
from realesrgan_paddle.data.footage.passport.page import about_sources
from realesrgan_paddle.data.footage.passport.passport import Passport
from realesrgan_paddle.data.footage.video_names import VIDEO_SUFFIXES
from realesrgan_paddle.data.sets.naming import safe_stem
from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.judging.verdict import without_command
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path, parse_object, read_regular
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES
from realesrgan_paddle.utils.next_steps import start_command
from realesrgan_paddle.utils.runlog.run_page import read_progress

CLIPS = "clips"
"""Folder of what was dropped, by the network's name; the other folders are tunes."""
JOB, CONSOLE = "job.json", "console.txt"
"""Beside the clips of a network: how it is made, and what the command printed."""
SUFFIXES = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
"""Of the files that a network is made of."""
LONGEST_NAME = 40
LOG_LINES = 8
ENDED = "error: terminated"
"""What a command says that was told to stop."""
MOST_FRAMES = 24
"""Frames of a set that the page shows."""
MINUTES = (3, 720)
"""What a visitor may ask for."""


@dataclass(frozen=True)
class State:
    """What there is to see of a network that is made, or has been."""

    text: str
    """One sentence on how far it is."""
    running: bool
    log: list[str]
    """The last lines that the command printed."""
    clips: list[tuple[str, str, str]]
    """Of each clip its name, the verdict and the reasons; [] before it was looked at."""
    frames: list[Path]
    """Thumbnails of the frames."""
    progress: dict[str, Any] | None
    """What the run's page shows; see `RunPage`."""
    sheet: Path | None
    """The newest crops: input, start network, network, ground truth."""
    verdict: list[str]
    network: Path | None
    """The folder of the exported network, once there is one."""


class Tunes:
    """Makes networks of clips, one at a time, each in a process of its own.

    Args:
        folder: holds everything; made if missing.
        most_gigabytes: of the folder, before another network is begun.

    Attributes:
        busy: held by whatever computes; a tune holds it until it has ended.
        running: the name of the network that is being made.
    """

    def __init__(self, folder: Path, most_gigabytes: float) -> None:
        self.folder = folder
        self._most_bytes = most_gigabytes * 1e9
        self.busy = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.running: str | None = None

    @property
    def names(self) -> list[str]:
        """The networks that were begun here, the newest first."""
        jobs = self.folder.glob(f"{CLIPS}/*/{JOB}")
        return [path.parent.name for path in sorted(jobs, key=_changed, reverse=True)]

    @property
    def networks(self) -> list[str]:
        """The folders of the networks that are ready."""
        folders = (self.folder / name for name in self.names)
        return [str(folder) for folder in folders if is_exported(folder)]

    def start(
        self, name: str, good: Sequence[Path], poor: Sequence[Path], minutes: float
    ) -> None:
        """Keep clips, and begin to make a network of them.

        Raises:
            UserError: the name is none, or taken; there is nothing to learn from; the
                folder is full; or the machine is at work.
        """
        self._check(name, good, poor, minutes)
        if self.busy.locked():
            raise UserError(self.occupied)

        clips = self.folder / CLIPS / name
        for folder, files in (("good", good), ("poor", poor)):
            for number, file in enumerate(files, 1):
                target = clips / folder / f"{safe_stem(file)}{file.suffix}"
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    target = target.with_name(f"{number}_{target.name}")
                with atomic_path(target) as temporary:
                    shutil.copyfile(file, temporary)
        with atomic_path(clips / JOB) as temporary:
            temporary.write_text(json.dumps({"minutes": minutes}), encoding="utf-8")
        self.go_on(name)

    def _check(
        self, name: str, good: Sequence[Path], poor: Sequence[Path], minutes: float
    ) -> None:
        """Raise UserError if a network cannot be made; see `start`."""
        if not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}", name):
            raise UserError(
                f"{printable(name)!r}: a name has up to {LONGEST_NAME} letters, digits, _ and -"
            )
        places = (self.folder / CLIPS / name, self.folder / name)
        if name == CLIPS or any(place.exists() for place in places):
            raise UserError(f"{name}: there is a network of this name; choose another")
        if not good and not poor:
            raise UserError(
                "drop sharp clips to learn from, or poor ones to be restored, or both"
            )
        for file in (*good, *poor):
            if file.suffix.lower() not in SUFFIXES:
                raise UserError(
                    f"{printable(file.name)}: neither a video nor a picture"
                )
        least, most = MINUTES
        if not least <= minutes <= most:
            raise UserError(f"minutes: {minutes:g}; from {least} to {most} are allowed")
        self._check_room([*good, *poor])

    @property
    def occupied(self) -> str:
        """Why nothing else can be computed."""
        if self.running:
            return f"{self.running} is being made; wait for it, or stop it"
        return "something is being upscaled; try again when it is done"

    def go_on(self, name: str) -> None:
        """Begin, or go on with, a network whose clips are kept; UserError if it cannot be."""
        clips = self.folder / CLIPS / name
        try:
            minutes = parse_object(read_regular(clips / JOB))["minutes"]
            words = ["--minutes", f"{minutes:g}", "--output", str(self.folder / name)]
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(f"{clips / JOB}: not as this page writes it") from None
        if (clips / "poor").is_dir():
            words += ["--lq", str(clips / "poor")]
        if (clips / "good").is_dir():
            words += ["--input", *map(str, sorted((clips / "good").iterdir()))]

        if not self.busy.acquire(blocking=False):
            raise UserError(self.occupied)
        try:
            with (clips / CONSOLE).open("wb") as console:
                self._process = start_command("tools/tune.py", words, console)
        except BaseException:
            self.busy.release()
            raise
        self.running = name
        threading.Thread(target=self._wait, args=(self._process,), daemon=True).start()

    def _wait(self, process: "subprocess.Popen[str]") -> None:
        process.wait()
        self.running = None
        self.busy.release()

    def stop(self) -> None:
        """Let the tune that is at work save and end; nothing where none is."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Stop, and wait for what is saved."""
        self.stop()
        if self._process is not None:
            self._process.wait()

    def _check_room(self, files: Sequence[Path]) -> None:
        there = (path for path in self.folder.rglob("*") if path.is_file())
        total = sum(path.stat().st_size for path in (*there, *files))
        if total > self._most_bytes:
            raise UserError(
                f"{self.folder} would hold more than {self._most_bytes / 1e9:g} GB "
                "(serve --max_work_gb); whoever runs the page may remove networks there"
            )

    def state(self, name: str) -> State:
        """Return what there is to see of a network; UserError if there is none."""
        if name not in self.names:
            raise UserError(f"{printable(name)}: no network of this page")
        folder, running = self.folder / name, self.running == name
        progress = read_progress(folder / "run")
        network = folder if is_exported(folder) else None
        verdict = progress["verdict"] if progress else []
        sheets = progress["sheets"] if progress else []
        sheet = folder / "run" / sheets[0]["file"] if sheets else None
        clips, frames = _seen(folder / "set")
        log = _last_lines(self.folder / CLIPS / name / CONSOLE)
        return State(
            text=_sentence(running, network is not None, progress, bool(clips), log),
            running=running,
            log=log,
            clips=clips,
            frames=frames,
            progress=progress,
            sheet=sheet if sheet and sheet.is_file() else None,
            verdict=[without_command(e) for e in verdict if not e.startswith(" ")],
            network=network,
        )


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _sentence(
    running: bool,
    is_ready: bool,
    progress: dict[str, Any] | None,
    has_set: bool,
    log: Sequence[str],
) -> str:
    if is_ready and not running:
        return "Ready: choose it under Upscale, or download it."
    if not running:
        errors = [line for line in log if line.startswith("error: ")]
        why = f" {errors[-1]}" if errors and errors[-1] != ENDED else ""
        return f"Stopped. What is done is kept; Go on takes it from there.{why}"
    if progress is None:
        return "Making the training set." if not has_set else "Fitting the degradation."
    if progress["state"] != "training":
        return "Trained; it is being judged and exported."
    left = progress["left"]
    told = f", {left / 60:.0f} min left to train" if left is not None else ""
    return (
        f"Training: iteration {progress['iteration']:,} of {progress['total']:,}{told}."
    )


def _seen(images: Path) -> tuple[list[tuple[str, str, str]], list[Path]]:
    """Return what a set says of its clips, and thumbnails of what it kept."""
    path = images / "frames" / "passport.json"
    if not path.is_file():
        return [], []
    passports = [
        Passport.model_validate(each) for each in json.loads(read_regular(path))
    ]
    clips = []
    for source, about in about_sources(passports).items():
        clips.append((Path(source).name, about.verdict, " ".join(about.remarks)))
    thumbs = images / "frames_sheet" / THUMBS
    kept = sorted((images / "frames").glob("*.png"))
    shown = [thumbs / f"{path.stem}.jpg" for path in kept[:MOST_FRAMES]]
    return clips, [thumb for thumb in shown if thumb.is_file()]


def _last_lines(console: Path) -> list[str]:
    if not console.is_file():
        return []
    text = read_regular(console)[-20_000:].decode("utf-8", "replace")
    lines = [line.rpartition("\r")[2].strip() for line in text.splitlines()]
    return [printable(line) for line in lines if line][-LOG_LINES:]
