"""Training and validation data: from image files to batches."""
