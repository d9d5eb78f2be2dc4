"""What every room needs and knows nothing of super-resolution: files, images, reports."""
