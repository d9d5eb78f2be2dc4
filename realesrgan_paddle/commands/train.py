"""Train or finetune a generator with the options of a file, or chosen by --recipe.

For example:

    train --recipe auto --dataroot_gt datasets/Domain --lq stream.mp4 --minutes 15
    train --yml_path finetune_cpu datasets.train.dataroot_gt=datasets/Domain
    train --yml_path experiments/NAME/config.yml --auto_resume
"""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from signal import Signals
from typing import Literal

from realesrgan_paddle.commands.what_follows import after_training
from realesrgan_paddle.models.weights.read_generator import check_there
from realesrgan_paddle.ops.trial import start_trial
from realesrgan_paddle.options.reading.load import dump_config
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.alternatives import naming_an_alternative
from realesrgan_paddle.recipes.plan import load_training
from realesrgan_paddle.utils.cli import float_range, parse_flags, say, setting
from realesrgan_paddle.utils.machine.devices import keep_freed_memory, start_paddle
from realesrgan_paddle.utils.next_steps import next_text
from realesrgan_paddle.utils.runlog.meter import Meter
from realesrgan_paddle.utils.signals import StopRequest


def train(
    cfg: Config, recipe: Sequence[str] = (), started: float | None = None
) -> Path:
    """Train as `cfg` says, from the start or a training state; return the last weights.

    `recipe` is logged first: the options that were chosen, and why. `train.minutes` count
    from `started`, by `time.monotonic`; None: from now.
    """
    # Imported here: they import Paddle, which reads what `start_paddle` sets.
    from realesrgan_paddle.training.guards import NonFiniteGuard, SaveOnError
    from realesrgan_paddle.training.learning_rate import learning_rate
    from realesrgan_paddle.training.open_training import open_training

    opened = open_training(cfg, started)
    group, experiment, step = opened.group, opened.experiment, opened.step
    batches, checkpoints = opened.batches, opened.checkpoints
    validator, course, log = opened.validator, opened.course, experiment.log

    iteration = opened.resumed_at or 0
    guard = NonFiniteGuard(cfg.train.max_nonfinite, checkpoints, log)
    saver = SaveOnError(checkpoints, batches, cfg.datasets.train.accum_iter, iteration)

    with experiment.reserved(), closing(batches), StopRequest() as stop_request, saver:
        remarks = [*recipe, *opened.remarks]
        experiment.open(
            dump_config(cfg),
            opened.resumed_at,
            remarks,
            validator.is_due,
            is_own=opened.is_own,
        )
        meter = Meter(iteration, course.total, cfg.images_per_iteration * group.size)
        validator.measure_start(iteration, meter)

        while True:
            # After the last checkpoint, so that nothing is lost where this fails. A run
            # that was stopped in between makes up for it when it is resumed.
            if stop_request.signal is None:
                validator(iteration, meter)
            stop_reason = validator.stop_reason()

            # One process validates, and a signal may reach any of them: they agree on
            # both, for all must leave the loop in the same iteration.
            ends = iteration >= course.total or stop_reason is not None
            signal, any_ends = group.maximum(stop_request.signal or 0, ends)
            if signal or any_ends:
                break
            iteration += 1

            # One update takes accum_iter batches; this is where it waits for data.
            parts = list(islice(batches, cfg.datasets.train.accum_iter))
            meter.batch_ready()

            warmup_iter, place = cfg.train.warmup_iter, course.scheduled(iteration)
            step.set_learning_rates(
                partial(learning_rate, cfg.train.scheduler, warmup_iter, place)
            )
            losses = step(parts, iteration)
            meter.step_done()
            course.follow_clock(iteration, meter)
            guard(iteration, step.skipped, losses)
            validator.schedule(iteration)
            saver.iteration = iteration
            checkpoints.raise_failed()

            if iteration % cfg.logger.print_freq == 0:
                # Note: the losses become floats here, which is a CPU-GPU sync point.
                values, line = meter.report(losses, step.optimizer_g.get_lr())
                experiment.report(iteration, values, line)
                validator.judge.at_report(iteration, values)

            if (
                iteration == course.total
                or iteration % cfg.logger.save_checkpoint_freq == 0
            ):
                checkpoints.start_save(iteration)
                meter.exclude("checkpoint", cfg.logger.save_checkpoint_freq)

        checkpoints.finish(iteration)
        if signal:
            checkpoints.report_saved(f"{Signals(signal).name}:")
            raise SystemExit(128 + signal)  # a shell's code for that signal

        validator.report_end()
    log(next_text(after_training(cfg, experiment)))
    return experiment.latest


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    yml_path: str | None = setting(
        None,
        "option file, or the name of one that comes with the project, such as "
        "finetune_cpu; required without --recipe",
        also=("--opt", "-opt"),
        metavar="FILE",
    )

    # Options that are chosen.
    recipe: Literal["auto"] | None = setting(
        None,
        "choose missing options by images, network and machine",
        heading="options that are chosen",
    )
    dataroot_gt: str | None = setting(
        None,
        "with --recipe: the training images; with --lq alone, generic pictures",
        metavar="FOLDER",
    )
    network: str | None = setting(
        None,
        "with --recipe: released model or weight file to finetune",
        metavar="NAME",
    )
    lq: Path | None = setting(
        None,
        "with --recipe: real low-quality images or videos; the degradation that makes "
        "the training images look like them is solved for (minutes)",
        metavar="REAL",
    )
    video: bool = setting(
        False,
        "with --recipe: the images are clips of tools/extract_clips.py, for a network that "
        "carries a state from frame to frame",
    )
    minutes: float | None = setting(
        None,
        "with --recipe: how long it may take, from the start to the verdict; parts that do "
        "not fit are shortened or left out, and that is said",
        float_range(1),
    )

    dry_run: bool = setting(
        False,
        "print the given and chosen options as yml, without training",
        heading="the run",
    )
    auto_resume: bool = setting(
        False, "resume from this run's newest training state, if there is one"
    )
    launcher: str | None = setting(
        None,
        "BasicSR's, and ignored: start several GPUs with paddle.distributed.launch",
        choices=("none", "pytorch", "slurm"),
        rare=True,
    )
    debug: bool = setting(False, "report every iteration, save and validate every 8")
    overrides: list[str] = setting(
        [],
        "override an option of the file",
        positional=True,
        nargs="*",
        metavar="a.b=c",
    )

    def __post_init__(self) -> None:
        """Refuse flags that do not go together, and too few of them."""
        if problem := self._problem():
            raise ArgumentTypeError(problem)

    def _problem(self) -> str | None:
        if self.recipe:
            if self.auto_resume:
                return (
                    "--recipe chooses options for a new run; to resume one: --yml_path "
                    "experiments/NAME/config.yml --auto_resume"
                )
            return None

        for flag in ("dataroot_gt", "network", "minutes", "lq", "video"):
            if getattr(self, flag) not in (None, False):
                return f"--{flag} goes with --recipe auto"
        if self.yml_path is None:
            return "--yml_path FILE is needed, or --recipe auto"
        return None


def resolve(
    flags: Flags, overrides: Sequence[str], started: float
) -> tuple[Config, list[str]]:
    """Return the options, and a line for each that was not given but chosen."""
    if flags.yml_path and not flags.recipe:
        return load_training(flags.yml_path, overrides)

    start_paddle()  # before Paddle is imported, to inspect the machine
    from realesrgan_paddle.recipes.recipe import auto_recipe

    return auto_recipe(
        flags.yml_path,
        overrides,
        flags.dataroot_gt,
        flags.network,
        flags.minutes,
        lq=flags.lq,
        started=started,
        video=flags.video,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    started = time.monotonic()
    flags = parse_flags(Flags, __doc__, argv)
    keep_freed_memory()
    with naming_an_alternative(argv, with_network=flags.yml_path is not None):
        return run_command(flags, started)


def _debugged(cfg: Config) -> Config:
    """Return options under a name of their own that validate often."""
    changed: dict[str, object] = {"name": f"debug_{cfg.name}"}
    if cfg.val:
        changed["val"] = cfg.val.model_copy(update={"val_freq": 8})
    return cfg.model_copy(update=changed)


def run_command(flags: Flags, started: float) -> int:
    """Train, or print the options, as the flags say; return the exit code."""
    overrides = [*flags.overrides]
    if flags.auto_resume:
        overrides.append("auto_resume=true")
    if flags.debug:
        overrides += ["logger.print_freq=1", "logger.save_checkpoint_freq=8"]
    cfg, recipe = resolve(flags, overrides, started)
    # Before Paddle is imported and images are listed, which takes a while.
    for weights in (cfg.path.pretrain_network_g, cfg.path.pretrain_network_d):
        if weights is not None:
            check_there(weights)

    if flags.debug:
        cfg = _debugged(cfg)

    if flags.launcher:
        why = "--launcher is ignored: paddle.distributed.launch starts several GPUs"
        recipe = [*recipe, why]
    if flags.dry_run:
        for line in recipe:
            say(f"# {line}")
        sys.stdout.write(f"{dump_config(cfg, defaults=False)}\n")
        return 0

    if cfg.cpu_ops == "auto":
        start_trial()  # while this process imports Paddle and opens the run
    start_paddle()
    train(cfg, recipe, started)
    return 0
