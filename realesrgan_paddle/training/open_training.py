"""Everything that the training loop works with, opened in order and resumed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from realesrgan_paddle.judging.page_summary import run_curves
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.options.reading.load import config_differences, load_config
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.build import build_step, check_same_start, describe_step
from realesrgan_paddle.training.checkpoints import Checkpoints, check_state
from realesrgan_paddle.training.pace import Course
from realesrgan_paddle.training.run_record import RunRecord
from realesrgan_paddle.training.training_data import describe_data, open_training_data
from realesrgan_paddle.training.validator import Validator, open_validator
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import start_gpu
from realesrgan_paddle.utils.machine.process_group import ProcessGroup, join_group
from realesrgan_paddle.utils.runlog.experiment import Experiment, make_visualdl_writer
from realesrgan_paddle.utils.runlog.run_page import RunPage
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_newest_state,
    load_state,
)
from realesrgan_paddle.utils.signals import ending_at_once


@dataclass(frozen=True)
class Training:
    """The parts of an opened training run.

    Attributes:
        group: the processes that train together.
        experiment: the run's folder; nothing is written to it yet.
        step: networks and optimizers.
        batches: the training batches after the last iteration.
        checkpoints: writes and restores all of this.
        validator: validates, and knows when to stop early.
        course: how many iterations there are, and at which rate.
        resumed_at: the iteration of the state that was restored; None for a new run.
        is_own: whether that state is one of this run's folder.
        remarks: what the log says of it all.
    """

    group: ProcessGroup
    experiment: Experiment
    step: PixelStep
    batches: TrainingBatches
    checkpoints: Checkpoints
    validator: Validator
    course: Course
    resumed_at: int | None
    is_own: bool
    remarks: list[str]


def open_training(
    cfg: Config, started: float | None = None, group: ProcessGroup | None = None
) -> Training:
    """Return the training run of `cfg`, as new or restored from a training state.

    Args:
        cfg: options.
        started: when the command began, from which `train.minutes` count, by
            `time.monotonic`; None: now.
        group: the processes that train together; None: those that the launcher started.

    Raises:
        UserError: data, weights or the training state cannot be used.
    """
    started = time.monotonic() if started is None else started
    group = group or join_group()
    start_gpu()
    board, board_remarks = make_visualdl_writer(cfg.logger.use_tb_logger)
    folder = Path(cfg.path.experiments_root) / cfg.name
    page = RunPage(folder, run_curves({}), lambda: course.total)
    experiment = Experiment(folder, group.writes, board, page)

    with ending_at_once():  # a signal that raises inside Paddle aborts it
        ops, ops_remark = choose_ops(cfg.cpu_ops)
    step = build_step(cfg, ops, group)
    state, damaged = state_to_resume(cfg, experiment, step)
    start = state.iteration if state else 0

    before = RunRecord.of(state).held_out if state else None
    data = open_training_data(cfg, group, resuming=start > 0, before=before)
    batches_before = start * cfg.datasets.train.accum_iter
    batches = TrainingBatches(cfg, data, batches_before, group, experiment.log)
    checkpoints = Checkpoints(experiment, cfg.logger, step, batches, cfg.scale)

    # Before the state is restored: drift is measured from the pretrained network.
    course = Course(cfg, group, started, experiment.log)
    validator = open_validator(cfg, step, data, experiment, checkpoints, course)
    if state is not None:
        checkpoints.restore(state)
        if course.resume(checkpoints.record.pace, state.iteration):
            checkpoints.record.validation_due = True
    checkpoints.record.held_out = data.names
    checkpoints.record.pace = course.pace if cfg.train.minutes else None
    check_same_start(cfg, start, step, group)

    network = f"{cfg.model_type}: {cfg.network_g.type} x{cfg.scale}"
    remarks = [
        *board_remarks,
        *(f"skipped a damaged training state: {problem}" for problem in damaged),
        *(describe_changes(cfg, experiment) if state else []),
        f"{network} on {describe_data(cfg, data, group)}",
        *data.remarks,
        *batches.remarks,
        ops_remark,
        *describe_step(cfg, step, ops),
        *(f"option {key} is ignored: {why}" for key, why in cfg.ignored.items()),
        *validator.remarks,
    ]
    resumed_at = state.iteration if state else None
    return Training(
        group=group,
        experiment=experiment,
        step=step,
        batches=batches,
        checkpoints=checkpoints,
        validator=validator,
        course=course,
        resumed_at=resumed_at,
        is_own=state is not None and checkpoints.holds(state.path),
        remarks=remarks,
    )


def state_to_resume(
    cfg: Config, experiment: Experiment, step: PixelStep
) -> tuple[TrainingState | None, Sequence[str]]:
    """Return the state to resume from, if any, and why newer ones cannot be used.

    With `auto_resume` it is the run's newest sound state; without, or if there is none,
    that of `path.resume_state`. `step` has the networks that it must fit.

    Raises:
        UserError: the state cannot be used, or it is at the last iteration already and
            not this run's.
    """
    state: TrainingState | None = None
    damaged: Sequence[str] = []
    if cfg.auto_resume:
        state, damaged = load_newest_state(
            experiment.states, partial(check_state, step=step, scale=cfg.scale)
        )
    if state is None and cfg.path.resume_state:
        state = load_state(cfg.path.resume_state)
        check_state(state, step, cfg.scale)

    total = cfg.train.total_iter
    run_has_ended = cfg.auto_resume and experiment.latest.exists()
    if state and state.iteration >= total and not run_has_ended:
        raise UserError(
            f"{state.path}: iteration {state.iteration:,} of train.total_iter: {total:,}; "
            "nothing is left to train; raise train.total_iter to continue"
        )
    return state, damaged


def describe_changes(cfg: Config, experiment: Experiment) -> list[str]:
    """Return a line for each option that changed since the run was started."""
    if not experiment.config.exists():
        return []
    # Whether this start resumes is no option of the run.
    resuming = {"auto_resume": cfg.auto_resume}
    before = load_config(experiment.config).model_copy(update=resuming)
    return [
        f"option changed since the run was started: {change}"
        for change in config_differences(before, cfg)
    ]
