"""The top of the page of tools/compare.py: the verdict, and what a run left."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from realesrgan_paddle.judging.comparison import BICUBIC, compare_images, described_set
from realesrgan_paddle.judging.image_metrics import Metrics
from realesrgan_paddle.judging.verdict import read_lines
from realesrgan_paddle.loss.titles import LOSS_TITLES, REFERENCE_LEVELS
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import next_line
from realesrgan_paddle.utils.report.metric_formats import METRIC_FORMATS
from realesrgan_paddle.utils.report.pages import Summary
from realesrgan_paddle.utils.runlog.curves import plot_runs
from realesrgan_paddle.utils.runlog.experiment import Experiment


def networks_verdict(names: Sequence[str], metrics: Metrics) -> list[str]:
    """Return the verdict on the last network against the first one and bicubic.

    Args:
        names: of the networks; at least one.
        metrics: of the images by method, as the images of one set.
    """
    others = [names[0], BICUBIC] if len(names) > 1 else [BICUBIC]
    ours = metrics.get(names[-1], {})
    compared = {}
    for other in others:
        theirs = metrics.get(other, {})
        compared[other] = compare_images(ours, theirs, METRIC_FORMATS)

    sentence, *intervals = described_set("compared", compared) or [""]
    return [f"{names[-1]}: {sentence}", *intervals] if sentence else []


def run_summary(run: Path) -> Summary:
    """Return what the folder of a run says: its verdict, curves and commands.

    Raises:
        UserError: it is no run, or one of its files has been changed.
    """
    config = run / "config.yml"
    if not config.is_file():
        raise UserError(
            f"{run}: no run of train.py, for it has no {config.name}; --run takes "
            "experiments/NAME"
        )
    lines = read_lines(run) or ["no verdict: it has not ended, or validated nothing"]
    lines = [f"The run {run.name}:", *(f" {line}" for line in lines)]
    train = next_line("option file", file=config)
    experiment = Experiment(run)
    export = next_line("weights", weights=experiment.latest, folder=experiment.exported)
    return Summary(lines, _curves(run), [train, export])


def _curves(run: Path) -> bytes:
    """Return the PNG of tools/plot_run.py for a run.

    Raises:
        UserError: it has reported nothing, or matplotlib is not installed.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "curves.png"
        plot_runs([run], file, LOSS_TITLES, REFERENCE_LEVELS)
        return file.read_bytes()
