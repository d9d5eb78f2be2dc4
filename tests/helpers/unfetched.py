"""Tests fetch no weights of metrics: downloads must not change a test."""

import pytest

UNFETCHED = ("calculate_lpips", "calculate_dists", "calculate_niqe")


def fetch_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let validation run without LPIPS, DISTS and NIQE unless a test asks for them."""
    name = "realesrgan_paddle.metrics.available_metrics.missing_weights"
    patch.setattr(name, missing_weights)


def missing_weights(metric: str) -> str | None:
    """Stand in for `realesrgan_paddle.metrics.available_metrics.missing_weights`."""
    return f"{metric}: tests fetch nothing" if metric in UNFETCHED else None
