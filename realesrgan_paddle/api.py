"""For programs and notebooks: train a network, make its images, compare the results.

Each is a command of the same name with its flags as keywords, checked as those are.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from realesrgan_paddle.commands.compare import ImageComparison
from realesrgan_paddle.commands.compare_command import CompareFlags, compare_as_told
from realesrgan_paddle.commands.domain_set import (
    DomainOptions,
    DomainSet,
    build_domain_set,
)
from realesrgan_paddle.commands.train import Flags as TrainFlags
from realesrgan_paddle.data.footage.keyframes import Settings
from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.options.reading.load import dump_config
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.keywords import flags_of, words_of
from realesrgan_paddle.utils.next_steps import override, start_command
from realesrgan_paddle.utils.runlog.experiment import FOLDER, Experiment

if TYPE_CHECKING:
    from realesrgan_paddle.video.comparison import VideoComparison

Name = str | PathLike[str]
Report = dict[str, float]
"""Numbers of an iteration, under "iter"; those of a validation are named SET/METRIC."""

ERROR = "error: "
"""Begins the line with which a command ends that failed."""


@dataclass(frozen=True)
class _SetFlags:
    """All flags of `build_set`."""

    options: DomainOptions
    frames: Settings


@dataclass(frozen=True)
class TrainedRun:
    """What a training left.

    Attributes:
        folder: of the run.
        weights: the newest network; `Upscaler(run.weights)` loads it.
        is_finished: it came to its end; False: it was stopped, and the same call with
            `auto_resume=True` goes on.
        verdict: whether it helped, a sentence a line, the advice last; [] without one.
        reports: all numbers, as `on_report` got them.
    """

    folder: Path
    weights: Path
    is_finished: bool
    verdict: list[str]
    reports: list[Report]

    def __str__(self) -> str:
        """Return the verdict and the folder."""
        state = "finished" if self.is_finished else "stopped"
        return "\n".join([*self.verdict, f"{self.folder}: {state}"])


def build_set(inputs: Name | Sequence[Name], output: Name, **flags: Any) -> DomainSet:
    """Make a training set from videos or a folder of images; return what was made.

    Args:
        inputs: videos, folders of videos, or one folder of images.
        output: folder of the set; one that was interrupted is gone on with.
        flags: those of `tools/build_domain_set.py`, such as `crop_size=400`.

    Raises:
        UserError: no such input or flag, or the folder holds something else.
    """
    options = flags_of(_SetFlags, flags)
    names = [str(each) for each in _listed(inputs)]
    return build_domain_set(names, Path(output), options.options, options.frames)


def compare(
    inputs: Name | Sequence[Name],
    models: Mapping[str, Name] | None = None,
    output: Name = "compare",
    **flags: Any,
) -> "ImageComparison | VideoComparison":
    """Compare networks on images, or with `video=True` on a video; return what was made.

    Its text has the metrics and the verdict, its `page` is to be opened in a browser.

    Args:
        inputs: low-quality images, folders of them, or a video.
        models: released names, weights or exports by the names to show.
        output: folder for the page.
        flags: those of `tools/compare.py`, such as `gt="HR"`, `metrics=["psnr_y"]`.

    Raises:
        UserError: no such input, model or flag, or flags that do not go together.
    """
    names = [str(each) for each in _listed(inputs)]
    given = {"input": names, "models": dict(models or {}), "output": output, **flags}
    return compare_as_told(flags_of(CompareFlags, given))


def train(
    options: Config | Name | None = None,
    *,
    recipe: Literal["auto"] | None = None,
    overrides: Mapping[str, object] | None = None,
    on_report: Callable[[Report], object] | None = None,
    say: Callable[[str], object] = print,
    **flags: Any,
) -> TrainedRun:
    """Train as `train.py` does, in a process of its own; return what was made.

    The results are those of the command, bit for bit. It is stopped by the notebook's
    stop button (Ctrl-C), or by `on_report` returning False: the run saves its state then.

        run = train(recipe="auto", dataroot_gt="datasets/Soccer", minutes=10)

    Args:
        options: an option file, the name of one that comes with the project, or options
            that `load_config` returned; None with a recipe.
        recipe: "auto" chooses what is not given.
        overrides: single options, such as {"train.total_iter": 1000}.
        on_report: gets the numbers of each report and of each validation.
        say: gets each line that the command prints.
        flags: those of `train.py`, such as `lq="stream.mp4"`.

    Raises:
        UserError: the options or flags are wrong, or the training failed.
    """
    given = {"recipe": recipe, **flags}
    settings = [_as_override(key, value) for key, value in (overrides or {}).items()]
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(options, Config):
            given["yml_path"] = Path(folder) / "options.yml"
            given["yml_path"].write_text(dump_config(options), encoding="utf-8")
        elif options is not None:
            given["yml_path"] = os.fspath(options)
        flags_of(TrainFlags, given)  # is refused here, not by the process
        words = [*words_of(given), *settings]
        return _Training(words, on_report or _ignore, say).run()


class _Training:
    """A training process, watched until it ends."""

    def __init__(
        self,
        words: Sequence[str],
        on_report: Callable[[Report], object],
        say: Callable[[str], object],
    ) -> None:
        self._words = words
        self._on_report = on_report
        self._say = say
        self._run: Experiment | None = None
        self._read = 0
        self._reports: list[Report] = []
        self._last_error = ""

    def run(self) -> TrainedRun:
        """Train; see `train`."""
        process = start_command("train.py", self._words)
        try:
            self._watch(process)
        except BaseException:
            process.terminate()  # the run saves its state
            raise
        finally:
            code = process.wait()

        self._tell()
        if self._run is None or code not in (0, 128 + signal.SIGINT):
            raise UserError(self._last_error or f"the training ended with code {code}")
        return TrainedRun(
            folder=self._run.root,
            weights=self._run.latest,
            is_finished=code == 0,
            verdict=read_lines(self._run.root),
            reports=self._reports,
        )

    def _watch(self, process: "subprocess.Popen[str]") -> None:
        """Pass on what a process prints and reports until it ends; stop it once."""
        assert process.stdout is not None
        was_stopped = False
        with process.stdout as lines:
            while True:
                try:
                    line = lines.readline()
                    if not line:
                        return
                    self._take(line.rstrip("\n"))
                    goes_on = self._tell()
                except KeyboardInterrupt:
                    goes_on = False
                if not goes_on and not was_stopped:
                    process.send_signal(signal.SIGINT)
                    was_stopped = True

    def _take(self, line: str) -> None:
        """Say a line, and learn from it."""
        self._say(line)
        if line.startswith(FOLDER):
            self._run = Experiment(Path(line.removeprefix(FOLDER)))
            self._read = 0
        if line.startswith(ERROR):
            self._last_error = line.removeprefix(ERROR)

    def _tell(self) -> bool:
        """Tell what was reported since the last call; return whether to go on."""
        if self._run is None or not self._run.metrics.is_file():
            return True
        goes_on = True
        with self._run.metrics.open(encoding="utf-8") as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._read = file.tell()
                report = json.loads(line)
                self._reports.append(report)
                goes_on = goes_on and self._on_report(report) is not False
        return goes_on


def _ignore(_: Report) -> None:
    """Do nothing with a report."""


def _listed(inputs: Name | Sequence[Name]) -> Sequence[Name]:
    """Return one input or several as several."""
    return [inputs] if isinstance(inputs, str | PathLike) else inputs


def _as_override(key: str, value: object) -> str:
    """Return the word that sets an option to a value."""
    if isinstance(value, str | PathLike):
        return override(key, str(value))
    return f"{key}={json.dumps(value)}"
