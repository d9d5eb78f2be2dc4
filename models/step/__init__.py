"""One training step: updates, moving average, precision, schedule."""
