"""How metrics are printed, and the mean metrics of one method."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class MetricFormat:
    """How a metric is printed, and whether lower values are better."""

    label: str
    """Its name in tables, such as "PSNR-Y"."""
    digits: int
    unit: str = ""
    lower_is_better: bool = False
    has_best: bool = True
    """Whether higher, or lower, values are better at all."""

    def text(self, value: float) -> str:
        """Return the value with its unit, such as "27.31 dB"."""
        text = f"{value:.{self.digits}f}"
        if self.unit:
            text += f" {self.unit}"
        return text


@dataclass(frozen=True)
class Mean:
    """The mean metrics of one method."""

    label: str
    values: Mapping[MetricFormat, float]
    """PSNR may be infinite."""
    grid_index: float
    """See `utils.metrics.grid_artifact`."""
    has_grid: bool
    """Whether `grid_index` says that a regular grid shows: then it is never the best."""

    def __str__(self) -> str:
        """Return all metrics in one line, such as "27.31 dB PSNR-Y, 0.8210 SSIM-Y ..."."""
        parts = []
        for metric, value in self.values.items():
            parts.append(f"{metric.text(value)} {metric.label}")
        warning = " (a grid shows)" if self.has_grid else ""
        parts.append(f"{self.grid_index:.2f} grid index{warning}")
        return ", ".join(parts)
