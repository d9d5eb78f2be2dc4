"""How metrics are printed, and the mean metrics of one method."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class MetricFormat:
    """How a metric is printed, and whether lower values are better."""

    name: str
    digits: int
    unit: str = ""
    lower_is_better: bool = False

    def text(self, value: float) -> str:
        """Return the value with its unit, such as "27.31 dB"."""
        text = f"{value:.{self.digits}f}"
        if self.unit:
            text += f" {self.unit}"
        return text


METRIC_FORMATS = {
    "psnr": MetricFormat("PSNR", 2, "dB"),
    "ssim": MetricFormat("SSIM", 4),
    "lpips": MetricFormat("LPIPS", 4, lower_is_better=True),
    "dists": MetricFormat("DISTS", 4, lower_is_better=True),
    "niqe": MetricFormat("NIQE", 3, lower_is_better=True),
}


@dataclass(frozen=True)
class Mean:
    """The mean metrics of one method."""

    label: str
    values: Mapping[str, float]
    """By the metrics' names in `METRIC_FORMATS`; PSNR may be infinite."""
    grid_index: float
    """See `utils.metrics.grid_artifact`."""
    has_grid: bool
    """Whether `grid_index` says that a regular grid shows: then it is never the best."""

    def __str__(self) -> str:
        """Return all metrics in one line, such as "27.31 dB PSNR, 0.8210 SSIM ..."."""
        parts = []
        for name, value in self.values.items():
            metric = METRIC_FORMATS[name]
            parts.append(f"{metric.text(value)} {metric.name}")
        warning = " (a grid shows)" if self.has_grid else ""
        parts.append(f"{self.grid_index:.2f} grid index{warning}")
        return ", ".join(parts)
