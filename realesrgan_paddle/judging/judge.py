"""The judge of a run: what goes wrong on the way, and at its end whether it helped."""

import math
from collections.abc import Mapping
from operator import sub, truediv

from realesrgan_paddle.judging.discriminator import DiscriminatorWatch
from realesrgan_paddle.judging.drift import Drift, described, find_drift, lpips_name
from realesrgan_paddle.judging.image_metrics import (
    DELTA_E,
    DELTA_E_LQ,
    GRID,
    SHARPNESS,
    SHARPNESS_LQ,
    Metrics,
    mean_of,
)
from realesrgan_paddle.judging.verdict import LAST, START, judge_run
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.utils.runlog.experiment import Experiment


class Judge:
    """Looks at a run at each report, at each validation and at its end.

    Args:
        cfg: options of the run.
        options: the section `val` with the metrics that can be had; None: nothing is
            validated.
        step: a GAN's step has a discriminator to watch.
        experiment: where findings are logged.
    """

    def __init__(
        self,
        cfg: Config,
        options: ValOptions | None,
        step: PixelStep,
        experiment: Experiment,
    ) -> None:
        self._options = options
        self._pretrained = cfg.path.pretrain_network_g is not None
        self._experiment = experiment
        self._discriminator = DiscriminatorWatch(
            step, cfg.train.gan_opt, cfg.logger.print_freq
        )

    def at_report(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Log what the losses of a report say of the discriminator."""
        for line in self._discriminator(iteration, losses):
            self._experiment.log(line)

    def at_validation(self, iteration: int, now: Metrics, start: Metrics) -> bool:
        """Log the drift, and warn of it; return whether there was a warning.

        Args:
            iteration: the last one of training.
            now: the network's metrics.
            start: those of the network that the run started from.
        """
        if self._options is None or self._options.drift is None or not self._pretrained:
            return False
        lpips = lpips_name(self._options)
        sets = [_change(each, now, start, lpips) for each in now if each in start]
        self._experiment.log(f"iter {iteration:,} since the start  {'  '.join(sets)}")
        lines = described(self._drifts(now, start))
        for line in lines:
            self._experiment.log(f"warning: drift: {line}")
        return bool(lines)

    def at_end(
        self, metrics: Mapping[str, Metrics], *, best_iteration: int, trained_on: int
    ) -> None:
        """Log the verdict on the run's last network, and write it.

        Args:
            metrics: of `LAST`, `BEST`, `START` and `BICUBIC`.
            best_iteration: of the best network.
            trained_on: how many images the run is trained on.
        """
        if self._options is None or LAST not in metrics:
            return
        drifts = self._drifts(metrics[LAST], metrics.get(START, {}))
        verdict = judge_run(
            self._options,
            metrics,
            drifts,
            self._experiment,
            pretrained=self._pretrained,
            best_iteration=best_iteration,
            trained_on=trained_on,
        )
        if verdict is None:
            return
        for line in (*verdict.lines, verdict.next):
            self._experiment.log(f"verdict: {line}")
        verdict.write(self._experiment.root, metrics)

    def _drifts(self, now: Metrics, start: Metrics) -> list[Drift]:
        if self._options is None or not self._pretrained:
            return []
        return find_drift(self._options, now, start)


def _change(set_name: str, now: Metrics, start: Metrics, lpips: str) -> str:
    """Return the change of a set's metrics since the start in a few words."""
    shown = (
        ("Delta E {:+.2f}", (DELTA_E, DELTA_E_LQ), sub),
        ("sharpness x{:.3f}", (SHARPNESS, SHARPNESS_LQ), truediv),
        ("LPIPS {:+.4f}", (lpips,), sub),
        ("grid x{:.2f}", (GRID,), truediv),
    )
    parts = []
    for text, names, compare in shown:
        for name in names:
            means = mean_of(now[set_name], name), mean_of(start[set_name], name)
            if not math.isnan(sum(means)):
                parts.append(text.format(compare(*means)))
    return f"{set_name}: {', '.join(parts)}"
