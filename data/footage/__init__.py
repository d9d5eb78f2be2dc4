"""From videos to the frames that are worth training on."""
