"""Tests fetch no weights of metrics: downloads must not change a test."""

import pytest

UNFETCHED = ("lpips", "dists", "niqe")


def fetch_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let validation run without LPIPS, DISTS and NIQE unless a test asks for them."""
    for module in ("metrics.clips", "commands.compare_command", "training.validation"):
        name = f"realesrgan_paddle.{module}.missing_weights"
        patch.setattr(name, missing_weights)


def missing_weights(metric: str) -> str | None:
    """Stand in for `realesrgan_paddle.metrics.table.missing_weights`."""
    return f"{metric}: tests fetch nothing" if metric in UNFETCHED else None
