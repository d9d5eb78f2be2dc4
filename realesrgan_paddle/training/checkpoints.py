"""A run's checkpoints: written, pruned, and restored."""

import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import paddle

from realesrgan_paddle.data.loading.pair_pool import check_pairs
from realesrgan_paddle.metrics.table import METRICS, name_of
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.models.step.state import Parts
from realesrgan_paddle.options.schema.sections import LoggerOptions
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.run_record import Best, RunRecord
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import next_line
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_state,
    save_state,
)
from realesrgan_paddle.utils.weights.writer import write_pdparams

PARTS = {
    *("generator", "ema", "optimizer_g", "precision"),  # of PixelStep
    *("discriminator", "optimizer_d", "warm_up"),  # of GANStep
    "pool",
}
"""The parts of a training state."""


class Checkpoints:
    """Writes and restores the checkpoints of one run, and removes its own old ones.

    Args:
        experiment: the run's folders.
        options: the section `logger`: how often to save, how many to keep.
        step: networks and optimizers.
        batches: their pool is part of the state.
        scale: of the generator.

    Attributes:
        record: what the run remembers besides its tensors.
        saved_at: the iteration of the run's newest training state; 0: there is none.
    """

    def __init__(
        self,
        experiment: Experiment,
        options: LoggerOptions,
        step: PixelStep,
        batches: TrainingBatches,
        scale: int,
    ) -> None:
        self.record = RunRecord()
        self.saved_at = 0
        self._experiment = experiment
        self.options = options
        self._step = step
        self._batches = batches
        self._scale = scale
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._in_flight: tuple[int, Future[None]] | None = None

    def restore(self, state: TrainingState) -> None:
        """Restore networks, optimizers, pool and record from `state`."""
        record = RunRecord.of(state)
        self._load(state)
        self.record = record
        if not self.holds(state.path):  # those of another run are not this one's
            record.saved, record.good = [], None
        if state.path == self._state_file(state.iteration):
            self.saved_at = state.iteration
        record.saved = [i for i in record.saved if self._state_file(i).exists()]

    def holds(self, state: Path | None) -> bool:
        """Return whether the file of a training state is one of this run's folder."""
        states = self._experiment.states.resolve()
        return state is not None and state.resolve().parent == states

    def save(self, iteration: int) -> None:
        """Write the networks of `iteration`, also as "latest", then the training state.

        `net_g_*.pdparams` holds `params` and `params_ema`, `net_d_*.pdparams` holds
        `params`. The state comes last and is complete in itself, so any state that
        exists can be resumed from. Of several processes one writes; the others keep the
        same record.

        Raises:
            UserError: a number is not finite, or not float32: such a checkpoint could
                not be resumed from. Nothing is written.
            OSError: a file cannot be written; what was there before is untouched.
        """
        self.start_save(iteration)
        self.finish(iteration)

    def start_save(self, iteration: int) -> None:
        """As `save`, but only copy in the calling thread, and write in another.

        One checkpoint is written at a time: this waits for the one before. What `save`
        raises is raised by whatever looks at it next: `raise_failed`, `wait`, or this.
        """
        self._save(iteration, self._batches.state())

    def raise_failed(self) -> None:
        """Raise what has ended the write of a checkpoint; do not wait for it."""
        if self._in_flight is not None and self._in_flight[1].done():
            self.wait()

    def wait(self) -> None:
        """Wait until the checkpoint is written that `start_save` began, if any.

        Raises:
            UserError: see `save`.
            OSError: see `save`.
        """
        if self._in_flight is None:
            return
        iteration, written = self._in_flight
        self._in_flight = None  # also where it failed: the error is raised once
        written.result()
        self.saved_at = iteration

    def finish(self, iteration: int) -> None:
        """Wait for a write, and save `iteration` unless it is saved."""
        self.wait()
        if iteration != self.saved_at:
            self.start_save(iteration)
            self.wait()
        # The launcher ends all processes when one has ended, so wait for the file.
        self._step.group.wait()

    def save_alone(self, iteration: int) -> None:
        """As `save`, where the other processes may have ended: do not wait for them.

        The state then lacks their pairs in the pool.
        """
        self._save(iteration, self._batches.own_state())
        self.wait()

    def _save(self, iteration: int, pool: Mapping[str, np.ndarray]) -> None:
        self.wait()
        record = self.record
        record.saved = [*(i for i in record.saved if i < iteration), iteration]
        is_regular = iteration % self.options.save_checkpoint_freq == 0
        if is_regular and not record.skipped_in_a_row:
            record.good = iteration

        if not self._experiment.writes:
            self.saved_at = iteration
            return
        # Old checkpoints are removed after the write, so the record still lists them;
        # `restore` drops what is gone.
        state = TrainingState(
            iteration,
            {**self._step.state(), "pool": {**pool}},
            {"paddle": paddle.__version__, "run": asdict(record)},
        )
        is_first = is_regular and record.saved == [iteration]
        written = self._writer.submit(self._write, state, is_first)
        self._in_flight = iteration, written

    def _write(self, state: TrainingState, is_first: bool) -> None:
        """Check and write a state, and remove old ones; in a thread of its own."""
        iteration, parts = state.iteration, state.parts
        self._check(parts, iteration)
        for name, groups in network_files(parts).items():
            for suffix in (iteration, "latest"):
                path = self._experiment.models / f"{name}_{suffix}.pdparams"
                write_pdparams(path, groups)
        save_state(self._state_file(iteration), state)

        self._remove_old()
        if is_first:
            self._state_budget(iteration)

    def keep_best(
        self, iteration: int, metrics: Mapping[str, float], options: ValOptions
    ) -> None:
        """Write `net_g_best.pdparams` if a validation is the best so far.

        Args:
            iteration: when it was made.
            metrics: its metrics by "<set>/<metric>", all of them finite.
            options: `best` names the metric that decides, else the first one does, on
                the first set that it measures.
        """
        metric = options.best or _first_measured(metrics, options)
        if metric is None or metric not in metrics:
            return

        value, best = metrics[metric], self.record.best
        if best is not None and best.figure != metric:
            best = None  # val.best has changed since
        kind = METRICS[name_of(options.metrics[metric.rpartition("/")[2]])]
        if best is not None and not kind.is_better(value, best.value):
            self.record.stale += 1
            return

        parts = self._step.state()
        self._check(parts, iteration)
        weights = network_files(parts)["net_g"]
        write_pdparams(self._experiment.best, weights)

        before = f", before {best.value:.4f} at iter {best.iteration:,}" if best else ""
        self._experiment.log(
            f"net_g_best.pdparams is now of iter {iteration:,}: "
            f"{metric} {value:.4f}{before}"
        )
        # Last: a validation that failed above is made again.
        self.record.best = Best(metric, value, iteration)
        self.record.stale = 0

    def _check(self, parts: Parts, iteration: int) -> None:
        """Raise UserError unless training can continue from the parts of a state."""
        try:
            check_parts(parts, self._step, self._scale, f"iteration {iteration:,}")
        except UserError as problem:
            raise UserError(
                f"{problem}, so nothing is saved; resume from the checkpoint before with "
                "--auto_resume, and try a lower train.optim_g.lr and train.optim_d.lr or "
                "smaller loss weights"
            ) from None

    def roll_back(self) -> int:
        """Restore the last good checkpoint, without its record; return its iteration.

        The run continues with the batches after the current iteration: the same batches
        again would lead to the same place.
        """
        assert self.record.good is not None
        self.wait()
        self._load(load_state(self._state_file(self.record.good)))
        self.record.rolled_back = True
        self.record.skipped_in_a_row = 0
        return self.record.good

    def report_saved(self, ended_by: str) -> None:
        """Log what has ended the run, the newest state, and the command to resume it."""
        log = self._experiment.log
        if not self.saved_at:
            log(f"{ended_by} nothing is saved yet")
            return
        log(f"{ended_by} saved {self._state_file(self.saved_at)}")
        resume = next_line("interrupted run", config=self._experiment.config)
        log(f"next: {resume}")

    def report_networks(self) -> None:
        """Log the last network, and the best one if validation has chosen one."""
        self._experiment.log(f"generator: {self._experiment.latest}")
        best = self.record.best
        if best is None:
            return
        file = self._experiment.best
        text = f"best: {file}, {best.figure} {best.value:.4f}, iter {best.iteration:,}"
        if best.figure in self.record.start:
            text += f"; {self.record.start[best.figure]:.4f} before training"
        self._experiment.log(text)

    def _state_budget(self, iteration: int) -> None:
        """Log how much of the disk checkpoints will take, by the first one."""
        networks = [
            self._experiment.models / f"net_{n}_{iteration}.pdparams" for n in "gd"
        ]
        sizes = [path.stat().st_size for path in networks if path.exists()]
        each = sum(sizes) + self._state_file(iteration).stat().st_size
        keep = self.options.keep_checkpoints
        kept = f"the newest {keep} are kept" if keep else "all are kept"
        budget = f", {keep * each / 1e9:.2g} GB in all" if keep else ""
        self._experiment.log(
            f"checkpoints: {each / 1e6:,.0f} MB each; {kept} (logger.keep_checkpoints)"
            f"{budget}, besides latest and best"
        )
        free = shutil.disk_usage(self._experiment.root).free
        if free < max(keep, 1) * each:
            self._experiment.log(f"warning: {free / 1e9:.2g} GB are free there")

    def _load(self, state: TrainingState) -> None:
        self._step.load(state.parts, str(state.path))
        pool = state.parts.get("pool", {})
        self._batches.load(pool)

    def _state_file(self, iteration: int) -> Path:
        return self._experiment.states / f"{iteration}.state"

    def _remove_old(self) -> None:
        """Remove all but the newest `keep_checkpoints` and the last good one.

        Files that this run has not written stay. The state of a checkpoint is removed last.
        """
        keep = self.options.keep_checkpoints
        if not keep:
            return
        record = self.record
        for iteration in record.saved[:-keep]:
            if iteration == record.good:
                continue
            for name in ("net_g", "net_d"):
                path = self._experiment.models / f"{name}_{iteration}.pdparams"
                path.unlink(missing_ok=True)
            self._state_file(iteration).unlink(missing_ok=True)
            record.saved.remove(iteration)


def check_state(state: TrainingState, step: PixelStep, scale: int) -> None:
    """Raise UserError unless a state that was read is whole and of such a run.

    Whether it fits the sizes of crops and pool is left to `Checkpoints.restore`: these
    are options, and whoever has changed one wants to hear of it.

    Args:
        state: the training state.
        step: has the networks.
        scale: of the generator.
    """
    check_parts(state.parts, step, scale, str(state.path))
    RunRecord.of(state)


def check_parts(parts: Parts, step: PixelStep, scale: int, source: str) -> None:
    """Raise UserError unless the parts of a state are sound; see `PixelStep.check`."""
    for unknown in sorted(parts.keys() - PARTS):
        raise UserError(f"{source}: holds {unknown!r}, which is no part of a state")
    step.check(parts, source)
    pool = parts.get("pool", {})
    check_pairs(pool, scale, source)


def _first_measured(metrics: Mapping[str, float], options: ValOptions) -> str | None:
    """Return the "<set>/<metric>" of the first metric, None if it measures no set."""
    first = next(iter(options.metrics), None)
    for name in metrics:
        if name.rpartition("/")[2] == first:
            return name
    return None


def network_files(
    parts: Parts,
) -> dict[str, dict[str, Mapping[str, np.ndarray]]]:
    """Return the groups of weights of each weight file, from a step's state.

    "net_g" has `params` and `params_ema`; "net_d", of a GAN, has `params`.
    """
    files = {"net_g": {"params": parts["generator"], "params_ema": parts["ema"]}}
    if "discriminator" in parts:
        files["net_d"] = {"params": parts["discriminator"]}
    return files
