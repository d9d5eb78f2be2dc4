"""A run's checkpoints: written, thinned out, and gone back to."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import paddle

from realesrgan_paddle.models.step.steps import PixelStep
from realesrgan_paddle.options.schema.config import LoggerOptions, ValOptions
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_state,
    save_state,
)
from realesrgan_paddle.utils.weights.writer import write_pdparams


@dataclass
class Best:
    """The validation's best result: of which figure, how much, after which iteration."""

    figure: str
    value: float
    iteration: int


@dataclass
class RunRecord:
    """What a run remembers beside its tensors; each state holds it, so a resumed run behaves as one that never stopped.

    Attributes:
        saved: iterations whose checkpoints this run wrote and has not removed.
        good: the last scheduled checkpoint that was not written in the middle of
            skipped updates.
        best: what `net_g_best.pdparams` is.
        stale: validations since then.
        drifted: the last validation's iteration, if it warned of drift.
        skipped: updates left out because something was not finite.
        skipped_in_a_row: those since the last update that was made.
        rolled_back: whether the run has gone back to a checkpoint.
    """

    saved: list[int] = field(default_factory=list)
    good: int | None = None
    best: Best | None = None
    stale: int = 0
    drifted: int | None = None
    skipped: int = 0
    skipped_in_a_row: int = 0
    rolled_back: bool = False


class Checkpoints:
    """Writes and restores the checkpoints of one run, and removes its own old ones.

    Args:
        experiment: whose folders they are in.
        options: the section `logger`: how often, and how many stay.
        step: the networks and optimizers.
        batches: the pool is part of the state.
    """

    def __init__(
        self,
        experiment: Experiment,
        options: LoggerOptions,
        step: PixelStep,
        batches: TrainingBatches,
    ) -> None:
        self.record = RunRecord()
        self._experiment = experiment
        self.options = options
        self._step = step
        self._batches = batches

    def restore(self, state: TrainingState) -> None:
        """Go on from `state`: networks, optimizers, pool and record."""
        self._put_back(state)
        run = state.record["run"]
        there = [
            iteration
            for iteration in run["saved"]
            if self._state_file(iteration).exists()
        ]
        self.record = RunRecord(
            **{**run, "saved": there, "best": run["best"] and Best(**run["best"])}
        )

    def save(self, iteration: int) -> Path:
        """Write the networks of `iteration` (twice: as "latest" too) and then the state to resume from; return it.

        `net_g_*.pdparams` holds `params` and `params_ema`, `net_d_*.pdparams` holds
        `params`. The state comes last and is complete in itself, so whichever state
        exists can be resumed from. Of several processes of one training, one writes,
        and the others keep the record alike.

        Raises:
            OSError: something cannot be written; what was there before is untouched.
        """
        record = self.record
        record.saved = [*(i for i in record.saved if i < iteration), iteration]
        if (
            iteration % self.options.save_checkpoint_freq == 0
            and not record.skipped_in_a_row
        ):
            record.good = iteration
        file = self._state_file(iteration)
        if self._experiment.writes:
            self._write(iteration, file)
        # for the file: the launcher ends all processes when one has ended
        self._step.group.wait()
        return file

    def _write(self, iteration: int, file: Path) -> None:
        parts = self._step.state()
        for name, groups in networks(parts).items():
            for when in (iteration, "latest"):
                write_pdparams(
                    self._experiment.models / f"{name}_{when}.pdparams", groups
                )
        state = TrainingState(
            iteration,
            {**parts, "pool": self._batches.pool.state()},
            {"paddle": paddle.__version__, "run": asdict(self.record)},
        )
        save_state(file, state)
        self._thin_out()

    def keep_best(
        self, iteration: int, figures: Mapping[str, float], options: ValOptions
    ) -> None:
        """Write `net_g_best.pdparams` where a validation's figure is the best yet: `val.best`, or else its first."""
        figure = options.best or next(iter(figures), None)
        if figure is None:
            return
        value, best = figures[figure], self.record.best
        if best is not None and best.figure != figure:
            best = None
        if best is not None and not (
            value < best.value if options.best_is_lowest else value > best.value
        ):
            self.record.stale += 1
            return
        self.record.best, self.record.stale = Best(figure, value, iteration), 0
        write_pdparams(
            self._experiment.models / "net_g_best.pdparams",
            networks(self._step.state())["net_g"],
        )
        before = f", before {best.value:.4f} at iter {best.iteration:,}" if best else ""
        self._experiment.log(
            f"net_g_best.pdparams is now of iter {iteration:,}: {figure} {value:.4f}{before}"
        )

    def roll_back(self) -> int:
        """Put the networks, optimizers and pool of the last good checkpoint back; return its iteration.

        The run goes on from the iteration it is at, for with the same batches it would
        take the same way.
        """
        assert self.record.good is not None
        self._put_back(load_state(self._state_file(self.record.good)))
        self.record.rolled_back = True
        self.record.skipped_in_a_row = 0
        return self.record.good

    def what_next(self) -> str:
        """Return the command that exports what was trained, and which other network may be the better one."""
        models, best = self._experiment.models, self.record.best
        latest, folder = (
            shlex.quote(str(models / "net_g_latest.pdparams")),
            shlex.quote(str(models.parent / "infer")),
        )
        other = (
            f"  (or net_g_best.pdparams: {best.figure} {best.value:.4f}, iter {best.iteration:,})"
            if best
            else ""
        )
        return f"next: python tools/export_model.py --model-dir {latest} --save-inference-dir {folder}{other}"

    def _put_back(self, state: TrainingState) -> None:
        self._step.load(state.parts, str(state.path))
        self._batches.pool.load_state(
            state.parts.get("pool", {}), self._batches.cfg.gt_size
        )

    def _state_file(self, iteration: int) -> Path:
        return self._experiment.states / f"{iteration}.state"

    def _thin_out(self) -> None:
        """Remove the checkpoints before the newest `keep_checkpoints`, each one's state last; no others' files."""
        record = self.record
        old = (
            record.saved[: -self.options.keep_checkpoints]
            if self.options.keep_checkpoints
            else []
        )
        for iteration in old:
            if iteration == record.good:
                continue
            for name in ("net_g", "net_d"):
                (self._experiment.models / f"{name}_{iteration}.pdparams").unlink(
                    missing_ok=True
                )
            self._state_file(iteration).unlink(missing_ok=True)
            record.saved.remove(iteration)


def networks(
    parts: Mapping[str, dict[str, np.ndarray]],
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Return what goes into `net_g_*.pdparams` and, for a GAN, into `net_d_*.pdparams`, from a step's state."""
    files = {"net_g": {"params": parts["generator"], "params_ema": parts["ema"]}}
    if "discriminator" in parts:
        files["net_d"] = {"params": parts["discriminator"]}
    return files
