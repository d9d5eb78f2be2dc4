"""What a run makes of its validations: the figures, the best network, the drift alarm, and when it is enough."""

from realesrgan_paddle.models.step.steps import PixelStep
from realesrgan_paddle.options.schema.config import Config, ValOptions
from realesrgan_paddle.run.available_metrics import metrics_at_hand
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.run.checkpoints import Checkpoints
from realesrgan_paddle.run.drift_watch import open_drift
from realesrgan_paddle.run.sheets import Sheets
from realesrgan_paddle.run.validation import (
    describe_held_out,
    open_validation_sets,
    validate,
)
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter


class Judge:
    """Validates the averaged generator, keeps the best one, watches for drift and says when to stop.

    Args:
        cfg: options.
        step: its generator must still be the one that the run starts from: drift is
            measured from there.
        batches: they hold out what is validated on, where the options name no other
            images.
        experiment: where it is reported.
        checkpoints: their record remembers what was found.

    Attributes:
        remarks: what the log should say of it at the beginning.
    """

    def __init__(
        self,
        cfg: Config,
        step: PixelStep,
        batches: TrainingBatches,
        experiment: Experiment,
        checkpoints: Checkpoints,
    ) -> None:
        self._network = step.ema.layer
        self._last = cfg.train.total_iter
        self._sets = open_validation_sets(cfg, batches.held_out)
        trained = cfg.path.pretrain_network_g is not None
        wanted = cfg.val is not None and cfg.val.save_sheet
        self._sheets = (
            Sheets(self._sets, self._network, cfg.scale, trained=trained)
            if wanted
            else None
        )
        self._options: ValOptions | None = None
        missing: list[str] = []
        if cfg.val is not None and self._sets:
            self._options, missing = metrics_at_hand(cfg.val)
        self._drift, remarks = open_drift(cfg, self._network, self._sets)
        self.remarks = [*describe_held_out(cfg, batches), *missing, *remarks]
        self._experiment = experiment
        self._checkpoints = checkpoints

    def __call__(self, iteration: int, meter: Meter) -> None:
        """Validate, if a validation is due after `iteration`; `meter` is told of the time.

        Of several processes of one training, the one that writes does it, and the
        others wait for its judgement.
        """
        options = self._options
        if options is None or (iteration % options.val_freq and iteration < self._last):
            return
        if not self._experiment.writes:
            return
        figures, line = validate(
            options, self._network, self._sets, self._experiment, iteration
        )
        self._experiment.report(iteration, figures, line)
        self._checkpoints.keep_best(iteration, figures, options)
        if self._sheets is not None:
            self._sheets(iteration, self._network, figures, self._experiment)
        if self._drift is not None:
            self._drift(
                iteration, self._network, self._experiment, self._checkpoints.record
            )
        meter.exclude("validation", options.val_freq)

    def stops_here(self) -> bool:
        """Return whether the last validations are a reason to stop, as `val` wants it; log the reason."""
        reason = self._reason()
        if reason is not None:
            self._experiment.log(f"stopped early: {reason}")
        return reason is not None

    def _reason(self) -> str | None:
        options, record = self._options, self._checkpoints.record
        if options is None:
            return None
        if options.drift and options.drift.stop and record.drifted is not None:
            return (
                f"the drift alarm spoke at iter {record.drifted:,}; to go on all the same: "
                "--auto_resume val.drift.stop=false"
            )
        if options.stop_after and record.best and record.stale >= options.stop_after:
            best = record.best
            return (
                f"{best.figure} has not got better in {record.stale} validations than {best.value:.4f} at iter "
                f"{best.iteration:,}, which is net_g_best.pdparams; to go on all the same: "
                "--auto_resume val.stop_after=null"
            )
        return None
