"""Image files to batches."""
