"""Train or finetune a generator as an option file says: `--yml_path options/finetune_realesrgan_x4plus.yml`."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from realesrgan_paddle.options.config import Config
from realesrgan_paddle.options.load import config_differences, dump_config, load_config
from realesrgan_paddle.utils.checkpoint import TrainingState, load_state, newest_state
from realesrgan_paddle.utils.cli import Parser, run
from realesrgan_paddle.utils.cpu import start_paddle
from realesrgan_paddle.utils.experiment import Experiment
from realesrgan_paddle.utils.meter import Meter


def train(cfg: Config) -> Path:
    """Train as `cfg` says, from the beginning or from a training state; return the last generator's file."""
    # Imported here: they load Paddle, which reads the environment that `start_paddle` sets.
    from realesrgan_paddle.training import TrainingBatches, build_step, learning_rate_factor, save
    from realesrgan_paddle.utils.cpu_ops import choose_ops
    from realesrgan_paddle.validation import open_validation_sets, validate

    experiment = Experiment(Path(cfg.path.experiments_root) / cfg.name)
    resumed = state_to_resume(cfg, experiment)
    start, total = resumed.iteration if resumed else 0, cfg.train.total_iter
    ops, operators = choose_ops(cfg.cpu_ops)
    step = build_step(cfg, ops)
    batches = TrainingBatches(cfg, start)
    val_sets = open_validation_sets(cfg)
    if resumed:
        step.load(resumed.parts)
        batches.pool.load_state(resumed.parts.get("pool", {}))
    changes = config_differences(load_config(experiment.config), cfg) if resumed and experiment.config.exists() else []
    experiment.open(dump_config(cfg), start if resumed else None)
    for change in changes:
        experiment.log(f"option changed since the run was started: {change}")
    experiment.log(
        f"{cfg.model_type}: {cfg.network_g.type} x{cfg.scale} on {cfg.datasets.train.name}, {batches.images:,} images"
    )
    experiment.log(operators)
    for key, reason in cfg.ignored.items():
        experiment.log(f"option {key} is ignored: {reason}")

    meter = Meter(start, total, cfg.datasets.train.batch_size_per_gpu)
    with closing(batches):
        for iteration in range(start + 1, total + 1):
            batch = next(batches)
            meter.fed()
            step.scale_learning_rates(learning_rate_factor(cfg, iteration))
            losses = step(batch, iteration)
            meter.stepped()
            if iteration % cfg.logger.print_freq == 0:
                experiment.report(iteration, *meter.report(losses, step.optimizer_g.get_lr()))
            if cfg.val and iteration % cfg.val.val_freq == 0:
                experiment.report(iteration, *validate(cfg.val, step.ema.layer, val_sets, experiment, iteration))
            if iteration % cfg.logger.save_checkpoint_freq == 0 or iteration == total:
                save(experiment, iteration, step, batches)
    return experiment.models / "net_g_latest.pdparams"


def state_to_resume(cfg: Config, experiment: Experiment) -> TrainingState | None:
    """Return the newest state of this run under `auto_resume`, else the one `path.resume_state` names, if any."""
    named = Path(cfg.path.resume_state) if cfg.path.resume_state else None
    file = (newest_state(experiment.states) if cfg.auto_resume else None) or named
    return load_state(file) if file else None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument("--yml_path", "--opt", "-opt", required=True, metavar="FILE", help="option file")
    parser.add_argument("--auto_resume", action="store_true", help="go on from this run's newest state, if any")
    parser.add_argument("--debug", action="store_true", help="report every iteration, save and validate every 8")
    parser.add_argument("overrides", nargs="*", metavar="a.b=c", help="option that replaces the file's")
    args = parser.parse(argv)
    overrides = [*args.overrides, *(["auto_resume=true"] if args.auto_resume else [])]
    cfg = load_config(args.yml_path, overrides)
    if args.debug:
        often = ["logger.print_freq=1", "logger.save_checkpoint_freq=8", *(["val.val_freq=8"] if cfg.val else [])]
        cfg = load_config(args.yml_path, [*overrides, f"name=debug_{cfg.name}", *often])
    start_paddle()
    print(f"generator: {train(cfg)}")
    return 0


if __name__ == "__main__":
    run(main)
