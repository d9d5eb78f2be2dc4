"""The judge of a run: what goes wrong on the way, and at its end whether it helped."""

import math
from collections import deque
from collections.abc import Collection, Mapping
from operator import sub, truediv
from pathlib import Path

from realesrgan_paddle.judging.drift import (
    DELTA_E,
    DELTA_E_LQ,
    GRID,
    SHARPNESS,
    SHARPNESS_LQ,
    Drift,
    described,
    find_drift,
    lpips_name,
)
from realesrgan_paddle.judging.findings import (
    CANNOT_TELL,
    NOT_SEPARATED,
    TELLS_AT_ONCE,
    Finding,
)
from realesrgan_paddle.judging.verdict import LAST, START, judge_run
from realesrgan_paddle.metrics.measuring import Metrics, mean_of
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.step.gan_step import DiscriminatorWarmUp, GANStep
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.training import GANLossOptions
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.utils.runlog.experiment import Experiment

REPORTS = 10
"""Consecutive reports that the warnings are based on; chosen by eye."""
START_UP = 500
"""Iterations after the warm-up without warnings; chosen by eye.

Every untrained discriminator is at ln 2.
"""
TOLERANCE = 0.01
"""How near to ln 2 or 0 a loss counts as staying there; chosen by eye."""

UNTRAINED = math.log(2)
"""Both losses of a vanilla GAN where every answer is 0.5."""


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
        start = cfg.path.pretrain_network_g
        self._start = Path(start).stem if start is not None else None
        self._of_clips = cfg.datasets.train.num_frame > 1
        self._carries_state = isinstance(cfg.network_g, RecurrentSRVGG)
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
        if self._options is None or self._options.drift is None or self._start is None:
            return False
        lpips = lpips_name(self._options)
        sets = [_change(each, now, start, lpips) for each in now if each in start]
        self._experiment.log(f"iter {iteration:,} since the start  {'  '.join(sets)}")
        lines = described(self._drifts(now, start))
        for line in lines:
            self._experiment.log(f"warning: drift: {line}")
        return bool(lines)

    def at_end(
        self,
        metrics: Mapping[str, Metrics],
        *,
        best_iteration: int,
        trained_on: int,
        seen: Collection[str],
        page: Path | None,
    ) -> list[str]:
        """Log the verdict on the run's last network, write it, and return its lines.

        Args:
            metrics: of `LAST`, `BEST`, `START` and `BICUBIC`.
            best_iteration: of the best network.
            trained_on: how many images the run is trained on.
            seen: the clips that it is trained on.
            page: shows the verdict with crops; the first logged line says where.
        """
        if self._options is None or LAST not in metrics:
            return []
        drifts = self._drifts(metrics[LAST], metrics.get(START, {}))
        verdict = judge_run(
            self._options,
            metrics,
            drifts,
            self._experiment,
            start=self._start,
            best_iteration=best_iteration,
            trained_on=trained_on,
            seen=seen,
            of_clips=self._of_clips,
            carries_state=self._carries_state,
        )
        if verdict is None:
            return []
        lines = [*verdict.lines, verdict.next]
        logged = [*lines]
        if page is not None:
            logged[0] += f"; see {page}"
        for line in logged:
            self._experiment.log(f"verdict: {line}")
        verdict.write(self._experiment.root, metrics)
        return lines

    def _drifts(self, now: Metrics, start: Metrics) -> list[Drift]:
        if self._options is None or self._start is None:
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


class DiscriminatorWatch:
    """Says when the discriminator's warm-up has ended, and once if it has collapsed.

    Args:
        step: a GAN's step; any other is not watched.
        gan: the section `train.gan_opt`.
        print_freq: iterations between two reports.
    """

    def __init__(
        self, step: PixelStep, gan: GANLossOptions | None, print_freq: int
    ) -> None:
        self._gan_type = gan.gan_type if gan else None
        self._print_freq = print_freq
        self._warm_up = step.warm_up if isinstance(step, GANStep) else None
        self._losses: deque[tuple[float, float]] = deque(maxlen=REPORTS)
        self._warned: set[Finding] = set()

    def __call__(self, iteration: int, losses: Mapping[str, float]) -> list[str]:
        """Return what is new at a report, which comes every `print_freq` iterations."""
        warm_up = self._warm_up
        if warm_up is None:
            return []

        lines = []
        if warm_up.ended and iteration - self._print_freq < warm_up.ended:
            lines.append(describe_end(warm_up, warm_up.ended))
        begun = warm_up.ended or warm_up.max_iterations
        if iteration <= begun + START_UP:
            return lines

        self._losses.append((losses["l_d_real"], losses["l_d_fake"]))
        if self._gan_type == "vanilla" and self._stay_at(UNTRAINED):
            lines += self._once(CANNOT_TELL, "ln 2 = 0.693")
        if self._gan_type in ("vanilla", "lsgan", "hinge") and self._stay_at(0.0):
            lines += self._once(TELLS_AT_ONCE, "0")
        return lines

    def _stay_at(self, value: float) -> bool:
        """Return whether both losses were near `value` in all of the last reports."""
        if len(self._losses) < REPORTS:
            return False
        differences = [abs(loss - value) for pair in self._losses for loss in pair]
        return not any(difference > TOLERANCE for difference in differences)

    def _once(self, finding: Finding, value: str) -> list[str]:
        """Return the warning, the first time."""
        if finding in self._warned:
            return []
        self._warned.add(finding)
        stayed = (
            f"l_d_real and l_d_fake stayed at {value} in the last {REPORTS} reports"
        )
        return [f"warning: {finding.line(stayed)}"]


def describe_end(warm_up: DiscriminatorWarmUp, ended: int) -> str:
    """Return what the log says of a warm-up whose last iteration was `ended`."""
    accuracy = f"it classifies {warm_up.accuracy:.0%} correctly (chance: 50%)"
    if warm_up.separated:
        return (
            "warm-up: the discriminator separates real from generated images after "
            f"{ended:,} iterations: {accuracy}"
        )
    if warm_up.target_accuracy is None:
        return (
            f"warm-up: the discriminator was trained alone for {ended:,} iterations: "
            f"{accuracy}"
        )
    missed = (
        f"{accuracy}, not {warm_up.target_accuracy:.0%}, after {ended:,} iterations"
    )
    return f"warning: {NOT_SEPARATED.line(missed)}"
