"""A network for somebody's footage in one go: set, fit, training, verdict, export.

Each step is a command of the project, run as a process. `tune.json` in the folder of a
tune says what it is made of and which steps are done, so that the same command goes on
where it was, whatever ended it.
"""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import Timeout

from realesrgan_paddle.commands.domain_set import folder_of_images
from realesrgan_paddle.commands.steps import Steps
from realesrgan_paddle.commands.tune_folder import (
    RUN,
    Notes,
    Step,
    check_disk,
    check_given,
    disk_use,
    notes_of,
    whole_path,
    write_notes,
)
from realesrgan_paddle.commands.what_follows import after_untold
from realesrgan_paddle.data.footage.keyframes import find_videos
from realesrgan_paddle.data.footage.parts import parts_within
from realesrgan_paddle.data.sets.made_folders import SET_LIST
from realesrgan_paddle.data.sets.naming import safe_stem
from realesrgan_paddle.inference.graph.exported_files import MODEL_NAME
from realesrgan_paddle.judging.findings import HELPFUL, NO_GAIN
from realesrgan_paddle.judging.verdict import network_of, read_lines, without_command
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, make_folder
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.next_steps import (
    YOUR_FILES,
    command_line,
    filled,
    next_line,
    override,
)
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.utils.runlog.training_state import state_files

FOLDER = Path("tuned")
"""Where tunes are, each in a folder of its own."""
LOG, PAGE = "log.txt", "verdict.html"
"""In the folder of a tune: all that was printed, and what it came to."""
COMMAND = (
    "tools/tune.py {inputs} --lq {lq} --minutes {minutes} --network {network} "
    "--output {output}"
)

SET_SHARE = 0.1
"""Of the minutes, for the training set; on a busy machine it takes three times as long."""
FRAMES_OF_PART = 4
"""Of a part of a long video, at least; with more, all of it may have to be decoded."""
EXPORT_S = 15.0
"""Kept of the minutes for the export, which takes 6 s on two CPU cores."""
LEAST_S = 60.0
"""What training must have [s]; train.py refuses less."""
BETTER = ("use ", "it became better")
"""Begins what a verdict advises of a network that is better."""
NOT_BETTER = ("do not use it", NO_GAIN.said)
"""Begins what it says of one that is no better."""
TOO_SHORT = "train for longer"
"""Begins what it advises where the last validation was the best."""


def tune(
    inputs: Sequence[str | Path] = (),
    *,
    lq: str | Path | None = None,
    minutes: float = 15.0,
    output: Path | None = None,
    network: str | None = None,
    started: float | None = None,
) -> "Tune":
    """Make a network for footage that `inputs` show well, or `lq` shows poorly.

    The folder then holds an exported network, `verdict.html`, `log.txt`, `set` and `run`.
    Called again with the same arguments, it goes on where it was stopped.

    Args:
        inputs: videos, folders of videos, or one folder of images; none: generic
            pictures, degraded as `lq` is.
        lq: an image or video, or a folder of them, as poor as what is to be restored.
        minutes: that all of it may take, the export included.
        output: the folder; None: one in `FOLDER`, named after the first input.
        network: a released network or a weight file to start from; None: as
            `train.py --recipe auto` chooses.
        started: when this began, by `time.monotonic`; None: now.

    Returns:
        The tune, all of whose steps are done.

    Raises:
        UserError: an input is missing, the folder holds something else or another tune,
            the disk has too little room, the minutes do not suffice, or a step failed.
    """
    started = time.monotonic() if started is None else started
    check_given(inputs, lq, network)
    first = next(iter(inputs), lq)
    assert first is not None

    folder = output or FOLDER / safe_stem(Path(first).absolute())
    notes = Notes(
        inputs=[whole_path(each) for each in inputs],
        lq=whole_path(lq) if lq is not None else None,
        network=network,
        minutes=minutes,
        started_in=whole_path("."),
    )
    given: dict[str, object] = {
        "inputs": list(map(str, inputs)),
        "lq": lq,
        "network": network,
        "minutes": f"{minutes:g}",
        "output": output,
    }
    made = Tune(folder, notes_of(folder, notes), given, started)
    if not made.is_done:
        check_disk(folder, disk_use(inputs, network))

    make_folder(folder)
    try:
        with locked(folder / ".tune.lock", wait=False):
            made.run()
    except Timeout:
        raise UserError(f"{folder}: a tune is at work in it; wait for it") from None
    return made


class Tune:
    """A tune, and what came out.

    Args:
        folder: its folder.
        notes: what it is made of; how far it is.
        given: what the braces of `COMMAND` hold.
        started: when this sitting began, by `time.monotonic`.

    Attributes:
        folder: holds everything.
        again: the line that goes on with it.
    """

    def __init__(
        self, folder: Path, notes: Notes, given: dict[str, object], started: float
    ) -> None:
        self.folder = folder
        self.again = command_line(*filled(COMMAND, **given))
        self._given = given
        self._notes = notes
        self._started = started
        self._experiment = Experiment(folder / RUN)

        log = folder / LOG
        if log.exists() and notes.began:
            # A sitting that was killed ended when its log got the last line.
            notes.seconds += max(0.0, log.stat().st_mtime - notes.began)
        notes.began = time.time()
        values = {**given, "set": folder / "set", "folder": folder}
        count = 3 if notes.inputs else 2
        self._steps = Steps(count, values, self.again, log, self.seconds_left)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return "export" in self._notes.done

    @property
    def failed(self) -> bool:
        """Whether some of its inputs could not be used."""
        return self._notes.failed

    @property
    def verdict(self) -> list[str]:
        """The lines of its verdict, what to do last; [] without one."""
        return read_lines(self._experiment.root)

    def seconds_left(self) -> float:
        """Return what is left of the minutes [s], not less than 0."""
        return max(0.0, 60 * self._notes.minutes - self._spent())

    def _spent(self) -> float:
        return self._notes.seconds + time.monotonic() - self._started

    def run(self) -> None:
        """Do the steps that are not done; see `tune`."""
        write_notes(self.folder, self._notes)
        if self._notes.inputs:
            self._step("set", "Make the training set", self._make_set)
        self._step("train", "Fit, train and judge", self._train)
        self._step("export", "Export the network", self._export)
        page = self._experiment.root / PAGE
        if page.is_file():
            with atomic_path(self.folder / PAGE) as temporary:
                shutil.copyfile(page, temporary)

    def summary(self) -> list[str]:
        """Return what a user is told at the end."""
        lines = ["", f"{self.folder}: the network, made in {duration(self._spent())}"]
        if self.verdict:
            headline, *_, advice = self.verdict
            advice = without_command(advice)
            if advice.startswith(TOO_SHORT):
                advice = f"{TOO_SHORT}: more --minutes, and another --output"
            lines += [f"verdict: {headline}", f"verdict: {advice}"]
            if not self._notes.inputs:
                lines.append(
                    "verdict: these are generic pictures, degraded as --lq is; of your "
                    "footage only your eyes can tell"
                )
            lines.append(f"before and after: {self.folder / PAGE}")
        else:
            lines.append("no verdict: there are too few images to hold some out")
        if (iterations := self._iterations()) < HELPFUL:
            lines.append(
                f"warning: trained for {iterations:,} iterations, which is next to nothing: "
                f"give more than {self._notes.minutes:g} --minutes, and another --output"
            )
        for what, place in (("set", "set/frames_sheet"), ("training", RUN)):
            page = self.folder / place / "index.html"
            if page.is_file():
                lines.append(f"its {what}: {page}")
        if self.failed:
            lines.append(
                f"some footage could not be used: {self.folder / LOG} says why"
            )
        return lines

    def next(self) -> str:
        """Return what follows: upscaling, a longer tune, or a look where nothing is told.

        Upscaling is with the network if it is better, else with a released one.
        """
        images = str(self._given["lq"] or YOUR_FILES)
        advice = self.verdict[-1] if self.verdict else ""
        if advice.startswith(TOO_SHORT):
            longer = {
                "minutes": f"{2 * self._notes.minutes:g}",
                "output": f"{self.folder}_longer",
            }
            return command_line(*filled(COMMAND, **{**self._given, **longer}))
        if advice.startswith((*BETTER, *NOT_BETTER)):
            model = self.folder if advice.startswith(BETTER) else None
            return next_line("tuned network", images=images, model=model)
        return after_untold(images, self.folder, self._experiment.root)

    def _step(self, name: Step, what: str, work: Callable[[str], None]) -> None:
        """Do a step unless it is done and what it made is there."""
        products = {
            "set": self.folder / "set" / SET_LIST,
            "train": self._experiment.latest,
            "export": self.folder / MODEL_NAME,
        }
        notes = self._notes
        if name in notes.done and products[name].is_file():
            self._steps.skip(what)
            return
        # What follows is made anew, too.
        order = list(products)
        notes.done = [each for each in notes.done if each in order[: order.index(name)]]
        write_notes(self.folder, notes)
        work(what)
        notes.done.append(name)
        write_notes(self.folder, notes)

    def _make_set(self, what: str) -> None:
        """Make the training set, of long videos from parts of them."""
        inputs, parts = self._given["inputs"], self.folder / "parts"
        assert isinstance(inputs, list)
        footage = inputs
        if folder_of_images(inputs) is None:
            seconds = SET_SHARE * 60 * self._notes.minutes
            footage = [*map(str, parts_within(seconds, find_videos(inputs), parts))]
        self._steps.given["footage"] = footage
        are_parts = parts.is_dir()
        self._steps.given["few"] = FRAMES_OF_PART if are_parts else None
        template = (
            "tools/build_domain_set.py --input {footage} --output {set} "
            "--min_frames {few}"
        )
        code = self._steps.run(what, template)
        shutil.rmtree(parts, ignore_errors=True)
        # Of several videos one may fail alone.
        if code and not (self.folder / "set" / SET_LIST).is_file():
            raise self._steps.failed(code)
        self._notes.failed = code != 0

    def _train(self, what: str) -> None:
        """Train, or go on with a run, whose states know how much time it has left."""
        with locked(self._experiment.lock):
            pass  # until the training of a tune that was killed has saved its state
        values = self._steps.given
        values["config"] = self._experiment.config
        if self._has_state():
            self._steps(what, "train.py --yml_path {config} --auto_resume")
            return

        seconds = self.seconds_left() - EXPORT_S
        if seconds < LEAST_S:
            raise self._too_little_time()
        values["left"] = f"{seconds / 60:.1f}"
        if self._experiment.config.is_file():  # the fit is done
            self._steps(
                what, "train.py --yml_path {config} --auto_resume train.minutes={left}"
            )
            return

        values["gt"] = values["set"] if self._notes.inputs else None
        values["places"] = [
            f"name={RUN}",
            override("path.experiments_root", self.folder),
        ]
        self._steps(
            what,
            "train.py --recipe auto --dataroot_gt {gt} --network {network} --lq {lq} "
            "--minutes {left} {places}",
        )

    def _has_state(self) -> bool:
        return bool(state_files(self._experiment.states))

    def _iterations(self) -> int:
        """Return how many it was trained for, by its last state."""
        return max(state_files(self._experiment.states), default=0)

    def _too_little_time(self) -> UserError:
        minutes = self._notes.minutes
        enough = max(2 * minutes, minutes + math.ceil(self._spent() / 60))
        more = {**self._given, "minutes": f"{enough:g}"}
        return UserError(
            f"too little is left of {minutes:g} minutes to train; what is done stays; "
            f"with more of them: {command_line(*filled(COMMAND, **more))}"
        )

    def _export(self, what: str) -> None:
        self._steps.given["weights"] = network_of(self._experiment.root)
        self._steps(
            what,
            "tools/export_model.py --model_dir {weights} --save_inference_dir {folder}",
        )
