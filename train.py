"""Train or finetune a generator as an option file says: `--yml_path options/finetune_realesrgan_x4plus.yml`."""

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from signal import Signals

from realesrgan_paddle.options.reading.load import (
    config_differences,
    dump_config,
    load_config,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.cli import Parser, float_range, run
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.cpu import keep_freed_memory, start_paddle
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter
from realesrgan_paddle.utils.runlog.training_state import (
    TrainingState,
    load_newest_state,
    load_state,
)
from realesrgan_paddle.utils.runlog.visualdl import make_visualdl_writer
from realesrgan_paddle.utils.stop_request import StopRequest


def train(cfg: Config, recipe: Sequence[str] = ()) -> Path:
    """Train as `cfg` says, from the beginning or from a training state; return the last generator's file.

    `recipe` is what the log says first: how options were chosen.
    """
    # Imported here: they load Paddle, which reads the environment that `start_paddle`
    # sets.
    from realesrgan_paddle.models.step.schedule import learning_rate
    from realesrgan_paddle.run.batches import TrainingBatches
    from realesrgan_paddle.run.build import build_step, check_same_start, describe_step
    from realesrgan_paddle.run.checkpoints import Checkpoints
    from realesrgan_paddle.run.guards import DiscriminatorWatch, NonFiniteGuard
    from realesrgan_paddle.run.validator import Judge
    from realesrgan_paddle.utils.machine.process_group import join_group
    from realesrgan_paddle.utils.ops.choose import choose_ops

    group = join_group()
    visualdl, no_visualdl = make_visualdl_writer(cfg.logger.use_tb_logger)
    experiment = Experiment(
        Path(cfg.path.experiments_root) / cfg.name, group.writes, visualdl
    )
    resumed, damaged = state_to_resume(cfg, experiment)
    start, total = resumed.iteration if resumed else 0, cfg.train.total_iter
    ops, operators = choose_ops(cfg.cpu_ops)
    step = build_step(cfg, ops, group)
    batches = TrainingBatches(
        cfg, start * cfg.datasets.train.accum_iter, group, experiment.log
    )
    checkpoints = Checkpoints(experiment, cfg.logger, step, batches)
    judge = Judge(cfg, step, batches, experiment, checkpoints)
    if resumed:
        checkpoints.restore(resumed)
    check_same_start(cfg, start, step, group)
    remarks = describe(
        cfg,
        experiment,
        batches.sources,
        [operators, *describe_step(step)],
        damaged,
        resuming=bool(resumed),
    )
    meter = Meter(start, total, cfg.images_per_iteration * group.size)
    guard = NonFiniteGuard(cfg.train.max_nonfinite, checkpoints, experiment.log)
    watch = DiscriminatorWatch(
        step, cfg.train.gan_opt, cfg.logger.print_freq, experiment.log
    )
    with experiment.reserved(), closing(batches), StopRequest() as stop_request:
        experiment.open(
            dump_config(cfg),
            start if resumed else None,
            [*recipe, *no_visualdl, *remarks, *judge.remarks],
        )
        for iteration in range(start + 1, start if judge.stops_here() else total + 1):
            parts = list(islice(batches, cfg.datasets.train.accum_iter))
            meter.batch_ready()
            step.set_learning_rates(
                partial(
                    learning_rate, cfg.train.scheduler, cfg.train.warmup_iter, iteration
                )
            )
            losses = step(parts, iteration)
            meter.step_done()
            guard(iteration, step.skipped, losses)
            if iteration % cfg.logger.print_freq == 0:
                numbers, line = meter.report(losses, step.optimizer_g.get_lr())
                experiment.report(iteration, numbers, line)
                watch(iteration, numbers)
            judge(iteration, meter)
            ends = iteration == total or judge.stops_here()
            stop, last = group.maximum(
                stop_request.signal or 0, ends
            )  # what any process has come to know
            if iteration % cfg.logger.save_checkpoint_freq == 0 or last or stop:
                state = checkpoints.save(iteration)
                meter.exclude("checkpoint", cfg.logger.save_checkpoint_freq)
            if stop:
                experiment.log(
                    f"{Signals(stop).name}: saved {state}; go on from there with --auto_resume"
                )
                raise SystemExit(
                    128 + stop
                )  # as shells say that a signal has ended a process
            if last:
                break
    experiment.log(checkpoints.what_next())
    return experiment.latest


def describe(
    cfg: Config,
    experiment: Experiment,
    sources: str,
    setup: list[str],
    damaged: list[str],
    *,
    resuming: bool,
) -> list[str]:
    """Return what the log says before the first iteration."""
    before = (
        load_config(experiment.config)
        if resuming and experiment.config.exists()
        else cfg
    )
    return [
        *(f"passed over: {problem}" for problem in damaged),
        *(
            f"option changed since the run was started: {change}"
            for change in config_differences(before, cfg)
        ),
        f"{cfg.model_type}: {cfg.network_g.type} x{cfg.scale} on {sources}",
        *setup,
        *(f"option {key} is ignored: {reason}" for key, reason in cfg.ignored.items()),
    ]


def state_to_resume(
    cfg: Config, experiment: Experiment
) -> tuple[TrainingState | None, list[str]]:
    """Return this run's newest whole state under `auto_resume`, else the one `path.resume_state` names, if any.

    And why newer ones were passed over.

    Raises:
        UserError: the state cannot be read, or it is of the last iteration and this run
            has not been there.
    """
    state, damaged = (
        load_newest_state(experiment.states) if cfg.auto_resume else (None, [])
    )
    if state is None and cfg.path.resume_state:
        state = load_state(cfg.path.resume_state)
    total = cfg.train.total_iter
    if (
        state
        and state.iteration >= total
        and not (cfg.auto_resume and experiment.latest.exists())
    ):
        raise UserError(
            f"{state.path}: iteration {state.iteration:,} of train.total_iter: {total:,}; nothing is left to train"
        )
    return state, damaged


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--yml_path",
        "--opt",
        "-opt",
        metavar="FILE",
        help="option file; needed without --recipe",
    )
    parser.add_argument(
        "--recipe",
        choices=["auto"],
        help="choose what is not given from images, network and machine",
    )
    parser.add_argument(
        "--dataroot_gt", metavar="FOLDER", help="with --recipe: the images to train on"
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="with --recipe: released model or weight file to start from",
    )
    parser.add_argument(
        "--minutes", type=float_range(1), help="with --recipe: about how long to train"
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="print the options that are given or chosen, as yml, and stop",
    )
    parser.add_argument(
        "--auto_resume",
        action="store_true",
        help="go on from this run's newest state, if any",
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        help="report every iteration, save and validate every 8",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="a.b=c", help="option that replaces the file's"
    )
    args = parser.parse(argv)
    check_flags(parser, args)
    keep_freed_memory()
    overrides = [*args.overrides, *(["auto_resume=true"] if args.auto_resume else [])]
    cfg, recipe = resolve(args, overrides)
    if args.debug:
        often = [
            "logger.print_freq=1",
            "logger.save_checkpoint_freq=8",
            *(["val.val_freq=8"] if cfg.val else []),
        ]
        cfg, recipe = resolve(args, [*overrides, f"name=debug_{cfg.name}", *often])
    if args.dry_run:
        print(
            "\n".join(f"# {line}" for line in recipe),
            dump_config(cfg, defaults=False),
            sep="\n",
        )
        return 0
    start_paddle()
    print(f"generator: {train(cfg, recipe)}")
    return 0


def check_flags(parser: Parser, args: Namespace) -> None:
    """Exit with 2 where flags do not go together."""
    if not args.recipe:
        for flag in ("dataroot_gt", "network", "minutes"):
            if getattr(args, flag) is not None:
                parser.error(f"--{flag} goes with --recipe auto")
        if args.yml_path is None:
            parser.error("--yml_path FILE is needed, or --recipe auto")
    elif args.auto_resume:
        parser.error(
            "--recipe chooses for a new run; to go on: --yml_path experiments/NAME/config.yml --auto_resume"
        )


def resolve(args: Namespace, overrides: Sequence[str]) -> tuple[Config, list[str]]:
    """Return the options, and what the recipe says of those that it chose."""
    if not args.recipe:
        return load_config(args.yml_path, overrides), []
    start_paddle()  # the recipe looks at the machine with it
    from realesrgan_paddle.recipes import auto_recipe

    return auto_recipe(
        args.yml_path, overrides, args.dataroot_gt, args.network, args.minutes
    )


if __name__ == "__main__":
    run(main)
