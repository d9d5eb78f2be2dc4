"""What the page of tools/compare.py says: the verdict, grid artifacts, what a run left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.judging.comparison import compare_images, described_set
from realesrgan_paddle.judging.drift import DELTA_E
from realesrgan_paddle.judging.findings import GRIDDED
from realesrgan_paddle.judging.verdict import START, read_figures, read_lines
from realesrgan_paddle.loss.titles import LOSS_TITLES, REFERENCE_LEVELS
from realesrgan_paddle.metrics.measuring import Metrics, all_means, mean_of
from realesrgan_paddle.metrics.table import BICUBIC, CURVE_TITLES, GT, METRICS
from realesrgan_paddle.options.schema.validation import GENERAL, GRID_LIMIT, REAL
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import next_line
from realesrgan_paddle.utils.report.pages import Summary
from realesrgan_paddle.utils.runlog.curve_panels import START as START_LINE
from realesrgan_paddle.utils.runlog.curve_panels import Curves, Levels, curves_html
from realesrgan_paddle.utils.runlog.experiment import Experiment


@dataclass(frozen=True)
class Grids:
    """The mean grid index of each method, and which methods leave a grid."""

    indices: dict[str, float]
    """NaN if all images are too small for an index."""

    @classmethod
    def of(cls, grid_indices: Sequence[Mapping[str, float]]) -> "Grids":
        """Return the means over the images; each has the indices by method."""
        methods = dict.fromkeys(name for each in grid_indices for name in each)
        images = {str(number): dict(each) for number, each in enumerate(grid_indices)}
        return cls({method: mean_of(images, method) for method in methods})

    @property
    def usual(self) -> float:
        """The index that pictures have: 1, or that of bicubic or the ground truth."""
        bicubic = self.indices[BICUBIC]
        truth = self.indices.get(GT, 1.0)
        return max(1.0, bicubic, truth)

    @property
    def limit(self) -> float:
        """The index above which a regular grid shows."""
        return GRID_LIMIT * self.usual

    def shows(self, method: str) -> bool:
        """Return whether a regular grid shows in the method's images."""
        index = self.indices[method]
        return index > self.limit

    def warnings(self, methods: Iterable[str]) -> list[str]:
        """Return a line for each of the methods in whose images a grid shows."""
        flagged = filter(self.shows, methods)
        return list(map(self._warning, flagged))

    def _warning(self, method: str) -> str:
        return (
            f"{method}: {GRIDDED.said} in its images: grid index {self.indices[method]:.2f}, "
            f"usual is up to {self.limit:.2f}; its other metrics say little, look at flat "
            f"areas and edges; {GRIDDED.advice}"
        )


def described(count: int, truths: int, scale: int, metrics: Sequence[str]) -> str:
    """Return how many images were measured, and how, as a line.

    Args:
        count: of images.
        truths: how many of them have a ground truth.
        scale: at which they were compared.
        metrics: which.
    """
    images = f"{count} image{'s' * (count != 1)}"
    alone = [name for name in metrics if not METRICS[name].needs_gt]
    if not truths:
        images += "; no ground truth"
        if not alone:
            return f"{images}, so nothing is measured"
        metrics = alone
    elif truths < count:
        images += f"; means over the {truths} with a ground truth"
        images += f", {_names(alone)} over all" * bool(alone)

    by_channel: dict[str, list[str]] = {}
    for name in metrics:
        by_channel.setdefault(METRICS[name].compared, []).append(name)
    channels = [
        f"{_names(names)} of {channel}" for channel, names in by_channel.items()
    ]
    return f"{images}; {', '.join(channels)}, without {scale} pixels at each border"


def _names(metrics: Sequence[str]) -> str:
    """Return the metrics as a list, such as "PSNR and DISTS (lower is better)"."""
    names = []
    for name in metrics:
        metric = METRICS[name]
        names.append(f"{metric.label}{' (lower is better)' * metric.lower_is_better}")
    return " and ".join(names)


def networks_verdict(names: Sequence[str], metrics: Metrics) -> list[str]:
    """Return the verdict on the last network against the first one and bicubic.

    Args:
        names: of the networks; at least one.
        metrics: of the images by method, as the images of one set.
    """
    others = [names[0], BICUBIC] if len(names) > 1 else [BICUBIC]
    ours = metrics.get(names[-1], {})
    judged = {name: metric for name, metric in METRICS.items() if metric.has_best}
    compared = {}
    for other in others:
        for found in compare_images(ours, metrics.get(other, {}), judged):
            compared[other] = found
    if not compared:
        return []

    first = compared.get(others[0])
    lines = []
    if first is not None:
        lines.append(first.headline(names[-1], others[0], unseen=False))
    return [*lines, *described_set("compared", compared)]


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
    head, *details = lines
    lines = [f"The run {run.name}: {head}", *(f" {line}" for line in details)]
    train = next_line("option file", file=config)
    experiment = Experiment(run)
    export = next_line("weights", weights=experiment.latest, folder=experiment.exported)
    return Summary(lines, _curves(run), [train, export])


def run_curves(base: Mapping[str, Levels]) -> Curves:
    """Return the curves of a run without points, with titles and base lines.

    Args:
        base: of validations, by SET/METRIC.
    """
    levels = {title: {"": level} for title, level in REFERENCE_LEVELS.items()}
    titles = {**LOSS_TITLES, **CURVE_TITLES}
    del titles[DELTA_E]  # of the drift, which is shown among more curves
    return Curves(titles, {**levels, **base}, hidden_sets=(GENERAL, REAL))


def base_lines(figures: Mapping[str, Metrics]) -> dict[str, dict[str, float]]:
    """Return what a run has to beat, by SET/METRIC: the start network and bicubic.

    Args:
        figures: metrics by method, as a run's record and its verdict have them.
    """
    lines: dict[str, dict[str, float]] = {}
    for method, label in ((START, START_LINE), (BICUBIC, "bicubic")):
        for name, mean in all_means(figures.get(method, {})).items():
            lines.setdefault(name, {})[label] = mean
    return lines


def _curves(run: Path) -> str:
    """Return the curves of a run as HTML.

    Raises:
        UserError: it has reported nothing, or a line is not of a run.
    """
    curves = run_curves(base_lines(read_figures(run)))
    curves.read(Experiment(run).metrics)
    return curves_html(curves)
