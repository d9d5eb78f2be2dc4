"""The judge of a run: what goes wrong on the way, and at its end whether it helped."""

from collections.abc import Mapping, Sequence

from realesrgan_paddle.data.loading.hold_out import HeldOutSet
from realesrgan_paddle.judging.discriminator import DiscriminatorWatch
from realesrgan_paddle.judging.drift import Drift, Outputs
from realesrgan_paddle.judging.figures import Figures
from realesrgan_paddle.judging.verdict import judge_run
from realesrgan_paddle.metrics.available_metrics import missing_weights, open_metric
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import MetricOptions
from realesrgan_paddle.utils.runlog.experiment import Experiment


class Judge:
    """Looks at a run at each report, at each validation and at its end.

    Args:
        cfg: options.
        step: a GAN's step has a discriminator to watch.
        drift: None: it is not measured.
        experiment: where findings are logged and metrics are reported.
    """

    def __init__(
        self, cfg: Config, step: PixelStep, drift: Drift | None, experiment: Experiment
    ) -> None:
        self._cfg = cfg
        self._drift = drift
        self._experiment = experiment
        self._discriminator = DiscriminatorWatch(
            step, cfg.train.gan_opt, cfg.logger.print_freq
        )

    def at_report(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Log what the losses of a report say of the discriminator."""
        for line in self._discriminator(iteration, losses):
            self._experiment.log(line)

    def at_validation(self, iteration: int, outputs: Outputs) -> bool:
        """Report the drift, and warn of it; return whether there was a warning."""
        if self._drift is None:
            return False
        metrics = self._drift.measure(outputs)
        reported = {
            f"drift/{set_name}/{name}": value
            for set_name, values in metrics.items()
            for name, value in values.items()
        }
        sets = "  ".join(summary(name, values) for name, values in metrics.items())
        self._experiment.report(
            iteration, reported, f"iter {iteration:,} drift  {sets}"
        )

        found = self._drift.found(metrics)
        for line in found:
            self._experiment.log(f"warning: drift: {line}")
        return bool(found)

    def at_end(
        self,
        figures: Mapping[str, Figures],
        *,
        best_iteration: int,
        drifted: int | None,
        trained_on: int,
    ) -> None:
        """Log the verdict on the run's last network, and write it; see `judge_run`."""
        if self._cfg.val is None:
            return
        verdict = judge_run(
            self._cfg.val,
            figures,
            self._experiment,
            pretrained=self._cfg.path.pretrain_network_g is not None,
            best_iteration=best_iteration,
            drifted=drifted,
            trained_on=trained_on,
        )
        if verdict is None:
            return
        for line in (*verdict.lines, verdict.next):
            self._experiment.log(f"verdict: {line}")
        verdict.write(self._experiment.root, figures)


def open_drift(
    cfg: Config, crops: Sequence[HeldOutSet], start: Outputs
) -> tuple[Drift | None, list[str]]:
    """Return what measures drift, if it is wanted, and what the log says of it.

    Args:
        cfg: options; a run that starts from random weights does not drift.
        crops: the images to measure on.
        start: what the network with path.pretrain_network_g makes of them.
    """
    if cfg.val is None or cfg.val.drift is None:
        return None, []
    if cfg.path.pretrain_network_g is None:
        return None, [
            "drift is not measured: the run starts from random weights "
            "(path.pretrain_network_g)"
        ]

    if not crops:
        return None, ["drift is not measured: there are no images for it"]

    remarks, lpips = [], None
    if reason := missing_weights("calculate_lpips"):
        remarks.append(f"drift is measured without LPIPS: {reason}")
    else:
        lpips = open_metric(MetricOptions(type="calculate_lpips", crop_border=0))

    counts = ", ".join(f"{each.name} ({len(each.images)})" for each in crops)
    remarks.append(
        f"drift from {cfg.path.pretrain_network_g} is measured at each validation, on "
        f"crops of images: {counts}"
    )
    return Drift(cfg.val.drift, crops, start, lpips), remarks


def summary(set_name: str, metrics: Mapping[str, float]) -> str:
    """Return the metrics of drift on a set in a few words."""
    text = (
        f"{set_name}: Delta E {metrics['delta_e']:.2f}, "
        f"sharpness x{metrics['sharpness']:.3f}"
    )
    if "lpips" in metrics:
        text += f", LPIPS {metrics['lpips']:.4f}"
    return f"{text}, grid {metrics['lattice']:.2f}"
