"""Pictures to upscale: read with all that they hold, and written back with it."""
